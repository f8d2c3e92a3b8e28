//! How long it takes to read a configuration of many VRRP instances into the block tree.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use conf_parser::{Args, Diagnostics, Options, Table, keyword, parse_text};

static INSTANCE: Table<()> = Table(&[
    keyword("state", Args::Word("STATE"), "", |(), _, _, _| {}),
    keyword("interface", Args::Word("INTERFACE"), "", |(), _, _, _| {}),
    keyword("virtual_router_id", Args::Word("ID"), "", |(), _, _, _| {}),
    keyword("priority", Args::Word("PRIORITY"), "", |(), _, _, _| {}),
    keyword("advert_int", Args::Word("SECONDS"), "", |(), _, _, _| {}),
    keyword("nopreempt", Args::Flag, "", |(), _, _, _| {}),
    keyword("virtual_ipaddress", Args::Lines("ADDRESS"), "", |(), _, _, _| {}),
]);
static ROOT: Table<()> = Table(&[
    keyword("global_defs", Args::Flag, "", |(), _, _, _| {}),
    keyword("vrrp_instance", Args::Block("NAME", &INSTANCE), "", |(), _, _, _| {}),
]);

fn configuration(instances: u32) -> String {
    let mut text = String::new();
    for number in 0..instances {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "vrrp_instance VI_{number} {{\n    state BACKUP\n    interface eth0    # the first\n    \
             virtual_router_id {}\n    priority 100\n    advert_int 1\n    nopreempt\n    \
             virtual_ipaddress {{\n        10.{}.{}.1/24 dev eth0\n        \
             10.{}.{}.2/24 dev eth0\n    }}\n}}\n",
            number % 255 + 1,
            number / 256,
            number % 256,
            number / 256,
            number % 256,
        );
    }
    text
}

fn best(text: &str) -> Duration {
    let options = Options::default();
    let once = || {
        let start = Instant::now();
        let mut diagnostics = Diagnostics::default();
        let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
        let took = start.elapsed();
        assert!(diagnostics.items().is_empty(), "{:?}", diagnostics.items().first());
        black_box(statements);
        took
    };
    (0..20).map(|_| once()).min().unwrap_or_default()
}

fn main() {
    for instances in [1, 255, 1000, 5000] {
        println!("{instances:5} instances: {:?}", best(&configuration(instances)));
    }
    let sequence = "~SEQ(A,1,100000) vrrp_instance VI_${A} { state BACKUP }\n";
    println!("a sequence of 100000: {:?}", best(sequence));
}
