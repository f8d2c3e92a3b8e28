//! The kernel's side is the kernel, and `nft` tells what it has.

use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::netlink::Drained;

fn in_namespace(work: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a namespace needs root");
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn listed() -> String {
    let output = Command::new("nft").args(["list", "ruleset"]).output().expect("nft is installed");
    String::from_utf8(output.stdout).unwrap()
}

fn table() -> Table {
    Table { family: Family::Ip, name: "t".to_owned() }
}

fn set(name: &'static str, id: u32, key: KeyType, is_map: bool) -> Change {
    let value = is_map.then_some(KeyType::InterfaceIndex);
    Change::AddSet(table(), Set { id, value, ..Set::of(name, key) })
}

fn element(key: &[u8], value: Option<&[u8]>) -> Element {
    Element { key: key.into(), end: None, value: value.map(Into::into) }
}

#[test]
fn what_is_asked_for_lists_as_if_nft_had_made_it() {
    in_namespace(|| {
        let chain = Change::AddChain {
            table: table(),
            name: "in".to_owned(),
            hook: Some((Hook::Input, -1)),
        };
        let rule = vec![
            Expression::Payload(Payload::Network { offset: 16, len: 4 }, Register::First),
            Expression::In(Register::First, "vips".to_owned()),
            Expression::Counter,
            Expression::Verdict(Verdict::Drop),
        ];
        let loopback = 1u32.to_ne_bytes();
        let changes = [
            Change::AddTable(table()),
            set("vips", 1, KeyType::Ipv4, false),
            Change::AddElements(table(), "vips", vec![element(&[10, 0, 0, 1], None)]),
            set("m", 2, KeyType::InterfaceIndex, true),
            Change::AddElements(table(), "m", vec![element(&loopback, Some(&loopback))]),
            chain,
            Change::AddRule { table: table(), chain: "in".to_owned(), rule },
        ];
        let mut nftables = Nftables::open().unwrap();
        nftables.commit(&changes, "make a table").unwrap();
        let expected = "table ip t {
	set vips {
		type ipv4_addr
		elements = { 10.0.0.1 }
	}

	map m {
		type iface_index : iface_index
		elements = { \"lo\" : \"lo\" }
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		ip daddr @vips counter packets 0 bytes 0 drop
	}
}
";
        assert_eq!(listed(), expected);
        nftables.commit(&[Change::RemoveTable(table())], "remove it").unwrap();
        assert_eq!(listed(), "");
    });
}

#[test]
fn all_is_done_or_nothing() {
    in_namespace(|| {
        let mut nftables = Nftables::open().unwrap();
        let nowhere = Change::AddElements(table(), "none", vec![element(&[1, 2, 3, 4], None)]);
        let changes = [Change::AddTable(table()), nowhere];
        let error = nftables.commit(&changes, "make a table").unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT));
        assert_eq!(listed(), "");
        // The answers to what has failed are not taken for those of the next one.
        nftables.commit(&changes[..1], "make a table").unwrap();
        assert_eq!(listed(), "table ip t {\n}\n");
    });
}

#[test]
fn thousands_of_elements_fit() {
    in_namespace(|| {
        let mut nftables = Nftables::open().unwrap();
        let addresses = (0..20_000u32).map(|number| element(&number.to_be_bytes(), None)).collect();
        let changes = [
            Change::AddTable(table()),
            set("vips", 1, KeyType::Ipv4, false),
            Change::AddElements(table(), "vips", addresses),
        ];
        nftables.commit(&changes, "make a table").unwrap();
        assert!(listed().contains("0.0.78.31"));
    });
}

#[test]
fn it_is_heard_that_somebody_removes_a_table() {
    in_namespace(|| {
        let mut nftables = Nftables::open().unwrap();
        let mut monitor = TableMonitor::open(&nftables).unwrap();
        let mut heard = Vec::new();
        nftables.commit(&[Change::AddTable(table())], "make a table").unwrap();
        nftables.commit(&[Change::RemoveTable(table())], "remove it").unwrap();
        nftables.commit(&[Change::AddTable(table())], "make a table").unwrap();
        assert_eq!(monitor.drain(&mut heard), Ok(Drained::Empty));
        assert_eq!(heard, [], "it was us");
        let flushed = Command::new("nft").args(["flush", "ruleset"]).status().unwrap();
        assert!(flushed.success());
        // The kernel tells before it answers.
        monitor.drain(&mut heard).unwrap();
        assert_eq!(heard, [table()]);
    });
}
