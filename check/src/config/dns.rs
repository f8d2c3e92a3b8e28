//! DNS_CHECK.

use conf_parser::{Args, Class, Diagnostics, Joined, Keyword, Statement, Value, keyword};
use serde::{Deserialize, Serialize};

use super::checker::Draft;

/// What a name server is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// The type of record.
    pub kind: RecordKind,
    /// The name, whose labels are as long as the protocol allows; `.` is the root.
    pub name: String,
}

/// Types of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordKind {
    /// IPv4 address.
    A = 1,
    /// Name server.
    Ns = 2,
    /// Canonical name.
    Cname = 5,
    /// Start of authority.
    #[default]
    Soa = 6,
    /// Mail exchange.
    Mx = 15,
    /// Text.
    Txt = 16,
    /// IPv6 address.
    Aaaa = 28,
    /// Signature.
    Rrsig = 46,
    /// Key.
    Dnskey = 48,
}

const KINDS: [(&str, RecordKind); 9] = [
    ("A", RecordKind::A),
    ("NS", RecordKind::Ns),
    ("CNAME", RecordKind::Cname),
    ("SOA", RecordKind::Soa),
    ("MX", RecordKind::Mx),
    ("TXT", RecordKind::Txt),
    ("AAAA", RecordKind::Aaaa),
    ("RRSIG", RecordKind::Rrsig),
    ("DNSKEY", RecordKind::Dnskey),
];

impl RecordKind {
    /// What the configuration calls it.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// The longest label, and the longest name with its dots (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 253;

/// What the keywords fill.
#[derive(Debug, Default)]
pub(super) struct DnsDraft {
    kind: RecordKind,
    name: Option<String>,
}

impl DnsDraft {
    pub(super) fn finish(self) -> Dns {
        Dns { kind: self.kind, name: self.name.unwrap_or_else(|| ".".to_owned()) }
    }
}

pub(super) static DNS_CHECK: Joined<Draft<DnsDraft>> =
    Joined(&[Draft::<DnsDraft>::CONNECTION, Draft::<DnsDraft>::TIMING, KEYWORDS]);

const KEYWORDS: &[Keyword<Draft<DnsDraft>>] = &[
    keyword(
        "type",
        Args::Word("A|NS|CNAME|SOA|MX|TXT|AAAA"),
        "type of record to ask for",
        |draft, value, statement, diagnostics| {
            let given = value.word();
            match KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(given)) {
                Some(&(_, kind)) => draft.special.kind = kind,
                None => {
                    let text = format!("Unknown DNS check type {given} - ignoring");
                    diagnostics.report(Class::GeneralError, statement.place(), text);
                }
            }
        },
    ),
    keyword("name", Args::Word("DOMAIN"), "name to ask for", name),
];

fn name(
    draft: &mut Draft<DnsDraft>,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = value.word();
    let text = if draft.special.name.is_some() {
        "DNS_CHECK name already specified - ignoring".to_owned()
    } else if let Some(problem) = problem(name) {
        format!("DNS_CHECK name '{name}' has {problem} - ignoring")
    } else {
        draft.special.name = Some(name.to_owned());
        return;
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

fn problem(name: &str) -> Option<&'static str> {
    if name == "." {
        return None;
    }
    let labels = name.strip_suffix('.').unwrap_or(name);
    if !labels.is_empty() && labels.split('.').any(str::is_empty) {
        return Some("empty label");
    }
    if labels.len() > NAME_MAX || labels.split('.').any(|label| label.len() > LABEL_MAX) {
        return Some("too many characters");
    }
    None
}
