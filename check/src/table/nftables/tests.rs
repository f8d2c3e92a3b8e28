//! The kernel's side is the kernel, and `nft` tells what it has.

use std::process::Command;
use std::rc::Rc;
use std::thread;

use conf_parser::{Diagnostics, Options, parse_text};
use nix::sched::{CloneFlags, unshare};
use runtime::global::{Global, IpvsNftables};

use super::super::marks::Marks;
use super::*;
use crate::config::{self, Config};

fn in_namespace(work: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a namespace needs root");
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn nft(arguments: &str) -> String {
    let output = Command::new("nft").args(arguments.split(' ')).output().expect("nft is installed");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn config(text: &str) -> Rc<Config> {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &config::ROOT, &mut diagnostics);
    Rc::new(config::load(&statements, &Global::default(), &mut diagnostics))
}

const GROUPS: &str = "virtual_server_group G {
10.0.1.1 80
10.0.1.10-20 8080
10.0.2.0/24 443
}
virtual_server group G {
protocol TCP
real_server 192.168.50.2 80 {
}
}
virtual_server group G {
protocol UDP
real_server 192.168.50.2 5300 {
}
}
virtual_server_group G6 {
fd00:1::1 80
fd00:1::10-20 81
}
virtual_server group G6 {
protocol SCTP
real_server fd00:50::2 80 {
}
}
virtual_server_group GF {
10.0.6.1 80
fwmark 77
}
virtual_server group GF {
protocol TCP
real_server 192.168.50.2 {
}
}
";

const RULES: &str = "table ip keepalived_ipvs {
	map tcp_map {
		type ipv4_addr . inet_service : mark
		flags interval
		counter
		elements = { 10.0.1.1 . 80 counter packets 0 bytes 0 : 0x000003e8,
			     10.0.1.10-10.0.1.20 . 8080 counter packets 0 bytes 0 : 0x000003e8,
			     10.0.2.0/24 . 443 counter packets 0 bytes 0 : 0x000003e8 }
	}

	map udp_map {
		type ipv4_addr . inet_service : mark
		flags interval
		counter
		elements = { 10.0.1.1 . 80 counter packets 0 bytes 0 : 0x000003e9,
			     10.0.1.10-10.0.1.20 . 8080 counter packets 0 bytes 0 : 0x000003e9,
			     10.0.2.0/24 . 443 counter packets 0 bytes 0 : 0x000003e9 }
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		meta mark set ip daddr . tcp dport map @tcp_map counter packets 0 bytes 0 return
		meta mark set ip daddr . udp dport map @udp_map counter packets 0 bytes 0 return
	}
}
table ip6 keepalived_ipvs {
	map sctp_map {
		type ipv6_addr . inet_service : mark
		flags interval
		counter
		elements = { fd00:1::1 . 80 counter packets 0 bytes 0 : 0x000003ea,
			     fd00:1::10-fd00:1::20 . 81 counter packets 0 bytes 0 : 0x000003ea }
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		meta mark set ip6 daddr . sctp dport map @sctp_map counter packets 0 bytes 0 return
	}
}
";

#[test]
fn the_rules_are_those_of_the_original_and_follow_a_reload() {
    in_namespace(|| {
        let tables =
            IpvsNftables { table: "keepalived_ipvs".into(), priority: -1, start_fwmark: 1000 };
        let firewall =
            Firewall { ipvs_nftables: Some(tables.clone()), counters: true, ..Firewall::default() };
        let (mut marks, mut nftables) = (Marks::default(), Tables::default());
        marks.configure(Some(&tables));
        nftables.configure(&firewall, None);
        nftables.apply(&marks.elements(&config(GROUPS)), None);
        assert_eq!(nft("list ruleset"), RULES);
        // Marks stay over a reload, elements change.
        let other = GROUPS.replace("10-20 8080", "10-30 8080").replace("10.0.2.0/24", "10.0.3.1");
        nftables.apply(&marks.elements(&config(&other)), None);
        let expected = RULES
            .replace("10.0.1.10-10.0.1.20", "10.0.1.10-10.0.1.30")
            .replace("10.0.2.0/24", "10.0.3.1");
        assert_eq!(nft("list ruleset"), expected);
        // What somebody has flushed comes back, and what a killed process has left is replaced.
        nft("flush ruleset");
        nftables.apply(&marks.elements(&config(GROUPS)), None);
        assert_eq!(nft("list ruleset"), RULES);
        let mut successor = Tables::default();
        successor.configure(&firewall, None);
        successor.apply(&marks.elements(&config(GROUPS)), None);
        assert_eq!(nft("list ruleset"), RULES);
        successor.remove(None);
        assert_eq!(nft("list ruleset"), "");
    });
}
