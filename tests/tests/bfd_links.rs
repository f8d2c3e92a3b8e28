//! BFD sessions whose interface or address goes and comes back.

use lab::bfd::idle_instance;
use lab::{Binary, Daemon, Lan, Mark, Namespace, PATIENCE};

/// The sessions: by name, our end and the other one, and whether ours is given.
const SESSIONS: [(&str, &str, &str, bool); 4] = [
    ("bound", "10.6.0.1", "10.6.0.2", true),
    ("routed", "10.6.1.1", "10.6.1.2", false),
    ("bound6", "fd00:6::1", "fd00:6::2", true),
    ("routed6", "fd00:7::1", "fd00:7::2", false),
];

fn config(is_first: bool, vrid: u8) -> String {
    let mut text = idle_instance(vrid);
    for (name, first, second, is_given) in SESSIONS {
        let [own, other] = if is_first { [first, second] } else { [second, first] };
        let source = if is_given { format!("source_ip {own}") } else { String::new() };
        text += &format!(
            "bfd_instance {name} {{
    neighbor_ip {other}
    {source}
    min_rx 200
    min_tx 200
    multiplier 3
}}\n"
        );
    }
    text
}

/// The interface that the sessions run over, beside the one that the lab has made.
fn make_interface(node: &Namespace, last: u8) {
    let mac = format!("02:00:00:00:06:{last:02x}");
    node.ip(&format!(
        "link add over0 link eth0 address {mac} type macvlan mode bridge\nlink set over0 up\n"
    ));
    add_addresses(node, last);
}

fn addresses(last: u8) -> [String; 4] {
    [
        format!("10.6.0.{last}/24"),
        format!("10.6.1.{last}/24"),
        format!("fd00:6::{last}/64"),
        format!("fd00:7::{last}/64"),
    ]
}

fn add_addresses(node: &Namespace, last: u8) {
    addresses(last).iter().for_each(|address| {
        let flag = if address.contains(':') { "nodad" } else { "" };
        node.ip(&format!("addr add {address} dev over0 {flag}\n"));
    });
}

fn remove_addresses(node: &Namespace, last: u8) {
    addresses(last).iter().for_each(|address| node.ip(&format!("addr del {address} dev over0\n")));
}

/// Waits until all sessions of `daemon` are in `state`, whatever happened before.
#[track_caller]
fn await_all(daemon: &Daemon, state: &str) {
    for (name, ..) in SESSIONS {
        let entering = format!("({name}) Entering ");
        let is_in = daemon.log().wait_until(PATIENCE, |lines| {
            let last = lines.iter().rev().find_map(|line| line.text.strip_prefix(&entering));
            last.is_some_and(|entered| entered.starts_with(&format!("{state} state")))
        });
        assert!(is_in, "{name} is not {state}:\n{}", daemon.log_text());
    }
}

#[test]
fn sessions_come_back_with_their_interface_and_their_address() {
    let lan = Lan::new(2);
    let [first, second] = [0, 1].map(|node: usize| lan.nodes()[node].namespace());
    make_interface(second, 2);
    let other = Daemon::start(&Binary::under_test(), second, &config(false, 52));
    // Where the interface is not there yet, sessions that are bound to its address wait for it.
    let daemon = Daemon::start(&Binary::under_test(), first, &config(true, 51));
    for name in ["bound", "bound6"] {
        for text in ["bind() error (Cannot assign requested address)", "Entering AdminDown state"] {
            daemon.await_log(Mark::default(), &format!("({name}) {text}"));
        }
    }
    make_interface(first, 1);
    let fall_and_rise = |fell: &dyn Fn(), mend: &dyn Fn()| {
        [&daemon, &other].iter().for_each(|daemon| await_all(daemon, "Up"));
        fell();
        [&daemon, &other].iter().for_each(|daemon| await_all(daemon, "Down"));
        mend();
        [&daemon, &other].iter().for_each(|daemon| await_all(daemon, "Up"));
    };
    fall_and_rise(&|| remove_addresses(first, 1), &|| add_addresses(first, 1));
    daemon.await_log(Mark::default(), "sendto() error (Network is unreachable)");
    daemon.await_log(Mark::default(), "(bound) Error sending packet");
    fall_and_rise(&|| first.ip("link del over0\n"), &|| make_interface(first, 1));
    // A reload meanwhile does not give them up.
    fall_and_rise(&|| first.ip("link del over0\n"), &|| {
        let mark = daemon.log().mark();
        daemon.reload(&config(true, 51));
        daemon.await_log(mark, "Reload complete");
        make_interface(first, 1);
    });
}
