//! Policy rules in the ledger.

use runtime::machine::Rule;
use runtime::machine::route::Prefix;
use runtime::netlink::Request;

use super::objects::Object;

impl Object for Rule {
    /// The kernel takes those for the same one that agree in everything but who has made them.
    type Key = Rule;

    fn key(&self) -> Rule {
        let prefix =
            |prefix: Option<Prefix>| prefix.filter(|prefix| prefix.len > 0).map(Prefix::network);
        Rule {
            from: prefix(self.from),
            to: prefix(self.to),
            tunnel: self.tunnel.filter(|&id| id != 0),
            protocol: None,
            ..self.clone()
        }
    }

    fn is_shown_as(&self, shown: &Self) -> bool {
        self.key() == shown.key()
    }

    fn is_complete(&self, shown: &Self) -> bool {
        self.protocol.unwrap_or(0) == shown.protocol.unwrap_or(0)
    }

    fn has_parts(&self) -> bool {
        false
    }

    fn is_barred_by(&self, _: &Self) -> bool {
        false
    }

    fn add(&self) -> Request {
        Request::AddRule(Box::new(self.clone()))
    }

    fn remove(&self) -> Request {
        Request::RemoveRule(Box::new(self.clone()))
    }
}
