//! One router on a network, and the questions that tests of its interfaces and addresses ask.

use std::net::IpAddr;

use serde_json::Value;

use crate::{Advert, Binary, Captured, Content, Daemon, Lan, Mark, Namespace, PATIENCE};

/// The program under test on the first node of a network.
#[derive(Debug)]
pub struct Router {
    /// Its network.
    pub lan: Lan,
    /// Its daemon.
    pub daemon: Daemon,
}

impl Router {
    /// Starts it alone on a network of its own.
    pub fn start(config: &str) -> Self {
        Self::on(Lan::new(1), config)
    }

    /// Starts it on the first node of `lan`.
    pub fn on(lan: Lan, config: &str) -> Self {
        let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
        Self { lan, daemon }
    }

    /// Where it runs.
    pub fn namespace(&self) -> &Namespace {
        self.lan.nodes()[0].namespace()
    }

    /// Waits until the kernel has all of `addresses`, or none of them.
    #[track_caller]
    pub fn await_addresses(&self, addresses: &[&str], there: bool) {
        let parse = |text: &&str| text.parse().expect("it is an address");
        let addresses: Vec<IpAddr> = addresses.iter().map(parse).collect();
        let seen = self.lan.nodes()[0].addresses().wait(&addresses, there, PATIENCE);
        assert!(seen, "{addresses:?} there: {}\n{}", !there, self.daemon.log_text());
    }

    /// Changes interfaces, and waits until the log says `what`.
    #[track_caller]
    pub fn change(&self, batch: &str, what: &str) {
        let mark = self.daemon.log().mark();
        self.namespace().ip(batch);
        self.daemon.await_log(mark, what);
    }

    /// The interface `name`, as `ip` tells it.
    #[track_caller]
    pub fn link(&self, name: &str) -> Value {
        let link = self.namespace().link(name);
        link.unwrap_or_else(|| panic!("there is no {name}\n{}", self.daemon.log_text()))
    }

    /// The interface that holds `address`.
    #[track_caller]
    pub fn holder(&self, address: &str) -> String {
        let all = self.namespace().ip_json(&["addr", "show"]);
        let has = |link: &&Value| {
            let addresses = link["addr_info"].as_array().into_iter().flatten();
            addresses.into_iter().any(|found| found["local"] == address)
        };
        let holder = all.as_array().into_iter().flatten().find(has);
        let name = holder.and_then(|link| link["ifname"].as_str());
        name.unwrap_or_else(|| panic!("nobody has {address}\n{}", self.daemon.log_text()))
            .to_owned()
    }

    /// Waits until `address` is there, which is then on the interface `name`.
    #[track_caller]
    pub fn await_on(&self, address: &str, name: &str) {
        self.await_addresses(&[address], true);
        assert_eq!(self.holder(address), name, "{}", self.daemon.log_text());
    }

    /// Waits for a frame in which `wanted` finds something.
    #[track_caller]
    pub fn await_frame<T>(&self, mark: Mark, wanted: impl Fn(&Captured) -> Option<T>) -> T {
        let found = self.lan.capture().frames().wait(mark, PATIENCE, wanted);
        found.unwrap_or_else(|| panic!("no such frame\n{}", self.daemon.log_text()))
    }

    /// The next advert over IPv4, or over IPv6, and the link-layer address that it came from.
    #[track_caller]
    pub fn advert(&self, ipv4: bool) -> (Advert, [u8; 6]) {
        self.await_frame(self.lan.capture().frames().mark(), |captured| {
            let advert = captured.frame.advert().filter(|one| one.source.is_ipv4() == ipv4)?;
            Some((advert.clone(), captured.frame.sender()))
        })
    }

    /// The announcement of `address`: the link-layer addresses that it tells and comes from.
    #[track_caller]
    pub fn announcement(&self, mark: Mark, address: &str) -> ([u8; 6], [u8; 6]) {
        let address: IpAddr = address.parse().expect("it is an address");
        self.await_frame(mark, |captured| match &captured.frame.content {
            Content::Arp(claim) | Content::NeighbourAdvert(claim)
                if claim.address == address && claim.gratuitous =>
            {
                Some((claim.holder, captured.frame.sender()))
            }
            _ => None,
        })
    }

    /// Stops the daemon. None of the interfaces that it made is there any more.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.daemon.stop();
        assert!(status.success(), "{status}");
        let links = self.namespace().ip_json(&["link", "show"]);
        let links = links.as_array().into_iter().flatten();
        let names: Vec<&str> = links.filter_map(|link| link["ifname"].as_str()).collect();
        for name in &names {
            assert!(["lo", "eth0", "inner0", "inner1"].contains(name), "{names:?}");
        }
    }
}
