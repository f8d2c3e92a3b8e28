//! What is offered on D-Bus, what is told there, and that no bus and nobody on it holds up an advert.
//!
//! `RECORD=1 KEEPALIVED=…` has the program write the expected answers (`tests/dbus`) anew; `PEER=…` names an original that
//! was built with D-Bus, whose interface files are installed where it looks for them; it is then compared live.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Binary, Bus, Capture, Content, Daemon, Mark, Namespace, PATIENCE, linked};
use nix::sys::signal::Signal;

const ROOT: &str = "/org/keepalived/Vrrp1";
const VRRP: &str = "/org/keepalived/Vrrp1/Vrrp";
const ONE: &str = "/org/keepalived/Vrrp1/Instance/eth0/1/IPv4";
const SIX: &str = "/org/keepalived/Vrrp1/Instance/br_lan_5/2/IPv6";
const NOWHERE: &str = "/org/keepalived/Vrrp1/Instance/none/3/IPv4";

const INSTANCE: &str = "org.keepalived.Vrrp1.Instance";
const INTROSPECT: &str = "org.freedesktop.DBus.Introspectable.Introspect";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// No advert may be later than this after the one before, which is due after 100 ms.
const LATEST: Duration = Duration::from_millis(250);

const DBUS: &str = "global_defs {\n enable_dbus\n}\n";

/// An owner is master at once.
const OWNER: &str = "vrrp_instance one {\n state MASTER\n interface eth0\n virtual_router_id 1\n priority 255\n advert_int 0.1\n version 3\n virtual_ipaddress {\n 10.77.0.9/24\n 10.77.0.10/24\n }\n}\n";
const OVER_IPV6: &str = "vrrp_instance six {\n interface br-lan.5\n virtual_router_id 2\n priority 100\n advert_int 0.1\n version 3\n virtual_ipaddress {\n fe80::2\n }\n}\n";
/// There is no need for an interface, and nobody answers.
const WITHOUT_INTERFACE: &str = "vrrp_instance nowhere {\n virtual_router_id 3\n priority 100\n advert_int 0.1\n version 3\n unicast_src_ip 10.77.0.1\n unicast_peer {\n 10.77.0.2\n }\n virtual_ipaddress {\n 10.77.0.11/24 dev eth0\n }\n}\n";

fn namespaces() -> [Namespace; 2] {
    let both = linked(&["eth0", "br-lan.5"]);
    both[0].ip("addr add 10.77.0.1/24 dev eth0\naddr add fe80::1/64 dev br-lan.5\n");
    both
}

fn property(bus: &Bus, path: &str, name: &str) -> String {
    let arguments = [format!("string:{INSTANCE}"), format!("string:{name}")];
    bus.call(path, &format!("{PROPERTIES}.Get"), &arguments.each_ref().map(String::as_str))
}

/// The kind of an error, or the answer.
fn kind(answer: &str) -> &str {
    let error = answer.strip_prefix("Error ").and_then(|rest| rest.split(':').next());
    error.unwrap_or(answer)
}

/// The names of interfaces, methods, signals, properties and arguments with their types, in the order of the alphabet.
fn described(bus: &Bus, path: &str) -> Vec<String> {
    let xml = bus.call(path, INTROSPECT, &[]).replace('\'', "\"");
    let own = xml.split("<interface ").filter(|part| part.starts_with("name=\"org.keepalived."));
    let mut found: Vec<String> = own
        .flat_map(|part| part.split('<'))
        .filter(|tag| !tag.starts_with('/') && tag.contains("name=\""))
        .map(|tag| {
            let mut words: Vec<&str> =
                tag.split_whitespace().filter(|word| *word != "/>" && *word != ">").collect();
            words.sort_unstable();
            words.join(" ").replace("/>", "").replace('>', "")
        })
        .collect();
    found.sort_unstable();
    found
}

/// What somebody who asks about everything is told, a line each: what was asked, and the answer.
fn answers(binary: Binary, bus: &Bus) -> Vec<String> {
    let [namespace, _other] = namespaces();
    let config = format!("{DBUS}{OWNER}{OVER_IPV6}{WITHOUT_INTERFACE}");
    let daemon = Daemon::start(&bus.with(binary), &namespace, &config);
    bus.await_signal(Mark::default(), &format!("VrrpStatusChange {NOWHERE} 2"));
    bus.await_signal(Mark::default(), &format!("VrrpStatusChange {SIX} 2"));
    bus.await_signal(Mark::default(), &format!("VrrpStatusChange {ONE} 2"));
    let mut said = Vec::new();
    for path in [VRRP, ONE] {
        said.extend(described(bus, path));
    }
    let get = format!("{PROPERTIES}.Get");
    let [interface, name] = [format!("string:{INSTANCE}"), "string:Name".to_owned()];
    let peer = "org.freedesktop.DBus.Peer.Ping";
    let garp = format!("{INSTANCE}.SendGarp");
    let print = |what: &str| format!("org.keepalived.Vrrp1.Vrrp.{what}");
    for (path, method, arguments) in [
        (ONE, &*get, vec![&*interface, &*name]),
        (SIX, &get, vec![&interface, &name]),
        (NOWHERE, &get, vec![&interface, &name]),
        (ONE, &get, vec![&interface, "string:State"]),
        (SIX, &get, vec![&interface, "string:State"]),
        (ONE, &get, vec![&interface, "string:Colour"]),
        (ONE, &get, vec!["string:org.keepalived.Vrrp1.Vrrp", &name]),
        (ONE, &format!("{PROPERTIES}.GetAll"), vec![&interface]),
        (ONE, &format!("{PROPERTIES}.Set"), vec![&interface, &name, "variant:string:two"]),
        (VRRP, &format!("{PROPERTIES}.GetAll"), vec!["string:org.keepalived.Vrrp1.Vrrp"]),
        (VRRP, peer, vec![]),
        (ONE, &garp, vec![]),
        (ONE, &garp, vec!["string:more"]),
        (VRRP, &garp, vec![]),
        (ONE, &print("PrintData"), vec![]),
        (VRRP, &print("PrintEverything"), vec![]),
        (VRRP, &print("CreateInstance"), vec!["string:x", "string:eth0", "uint32:9", "uint32:4"]),
        (&format!("{ROOT}/Instance/eth0/9/IPv4"), &get, vec![&interface, &name]),
        (&format!("{ROOT}/Instance/eth0/1/IPv6"), &garp, vec![]),
        (VRRP, "org.keepalived.Vrrp1.Other.PrintData", vec![]),
        (VRRP, &print("PrintData"), vec![]),
        (VRRP, &print("PrintStats"), vec![]),
        (VRRP, &print("PrintStatsClear"), vec![]),
    ] {
        let answer = bus.call(path, method, &arguments);
        let asked = [&[path, method], &*arguments].concat().join(" ");
        said.push(format!(
            "{asked} -> {}",
            if answer.is_empty() { "nothing" } else { kind(&answer) }
        ));
    }
    drop(daemon);
    said
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dbus/answers")
}

#[track_caller]
fn compare(said: &[String], expected: &[String]) {
    for (said, expected) in said.iter().zip(expected) {
        assert_eq!(said, expected);
    }
    assert_eq!(said.len(), expected.len());
}

#[test]
fn answers_are_those_of_the_original() {
    let said = answers(Binary::under_test(), &Bus::start());
    if std::env::var_os("RECORD").is_some() {
        fs::write(recorded(), said.join("\n") + "\n").expect("the tree can be written to");
        return;
    }
    let expected = fs::read_to_string(recorded()).expect("it was recorded");
    compare(&said, &expected.lines().map(str::to_owned).collect::<Vec<_>>());
}

/// Only where the peer has D-Bus.
#[test]
fn answers_are_those_of_a_running_original() {
    let Some(peer) = Binary::original_with("DBUS") else { return };
    let expected = answers(peer, &Bus::start());
    compare(&answers(Binary::under_test(), &Bus::start()), &expected);
}

#[test]
fn objects_have_names_states_and_methods() {
    let bus = Bus::start();
    let [namespace, other] = namespaces();
    let config = format!("{DBUS}{OWNER}{OVER_IPV6}{WITHOUT_INTERFACE}");
    let daemon = Daemon::start(&bus.with(Binary::under_test()), &namespace, &config);
    bus.await_signal(Mark::default(), &format!("VrrpStarted {VRRP}"));
    for path in [ONE, SIX, NOWHERE] {
        bus.await_signal(Mark::default(), &format!("VrrpStatusChange {path} 2"));
    }
    bus.await_change(Mark::default(), &format!("PropertiesChanged {SIX} 2"));
    let signals = bus.signals().all();
    assert_eq!(signals[0], format!("VrrpStarted {VRRP}"), "before anything else");

    assert_eq!(property(&bus, ONE, "Name"), "variant struct { string \"one\" }");
    assert_eq!(property(&bus, NOWHERE, "Name"), "variant struct { string \"nowhere\" }");
    assert_eq!(property(&bus, SIX, "State"), "variant struct { uint32 2 string \"Master\" }");
    for (path, child) in
        [("/", "org"), (ROOT, "Vrrp"), ("/org/keepalived/Vrrp1/Instance", "br_lan_5")]
    {
        let xml = bus.call(path, INTROSPECT, &[]);
        assert!(xml.contains(&format!("<node name=\"{child}\"/>")), "{path}: {xml}");
    }

    let wire = Capture::start(&other, None);
    assert_eq!(bus.call(ONE, &format!("{INSTANCE}.SendGarp"), &[]), "");
    daemon.await_log(Mark::default(), "Sending garps on one on DBus request");
    for address in ["10.77.0.9", "10.77.0.10"] {
        let heard = wire.frames().wait(Mark::default(), PATIENCE, |captured| {
            let Content::Arp(announced) = &captured.frame.content else { return None };
            (announced.address.to_string() == address).then_some(())
        });
        assert!(heard.is_some(), "{address} is not announced");
    }

    // When the call returns, the file is there.
    for (method, file, log) in [
        ("PrintData", "keepalived.data", "Printing VRRP data on DBus request"),
        ("PrintStats", "keepalived.stats", "Printing VRRP stats on DBus request"),
        ("PrintStatsClear", "keepalived.stats", "Printing and clearing VRRP stats on DBus request"),
    ] {
        let path = daemon.directory().join(file);
        let _ = fs::remove_file(&path);
        assert_eq!(bus.call(VRRP, &format!("org.keepalived.Vrrp1.Vrrp.{method}"), &[]), "");
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written.contains("one"), "{method}: {written}");
        daemon.await_log(Mark::default(), log);
    }

    let denied = "Error org.freedesktop.DBus.Error.AccessDenied:";
    for method in ["PrintData", "ReloadConfig"] {
        let said = bus.call_as_nobody(VRRP, &format!("org.keepalived.Vrrp1.Vrrp.{method}"), &[]);
        assert!(said.starts_with(denied), "{method}: {said}");
    }
    let said = bus.call_as_nobody(ONE, &format!("{INSTANCE}.SendGarp"), &[]);
    assert!(said.starts_with(denied), "{said}");
    let all = format!("{PROPERTIES}.GetAll");
    let said = bus.call_as_nobody(ONE, &all, &[&format!("string:{INSTANCE}")]);
    assert!(said.contains("string \"Master\""), "anybody may look: {said}");
}

#[test]
fn a_reload_is_asked_for_and_told_of() {
    let bus = Bus::start();
    let [namespace, _other] = namespaces();
    let config = format!("{DBUS}{OWNER}{OVER_IPV6}");
    let mut daemon = Daemon::start(&bus.with(Binary::under_test()), &namespace, &config);
    bus.await_signal(Mark::default(), &format!("VrrpStatusChange {SIX} 2"));
    let mark = bus.signals().mark();
    let log = daemon.log().mark();
    daemon.reload(&format!("{DBUS}{OWNER}{WITHOUT_INTERFACE}"));
    daemon.await_log(log, "Deleted DBus object for instance six");
    bus.await_signal(mark, &format!("VrrpStatusChange {NOWHERE} 2"));
    let signals = bus.signals().since(mark);
    let wanted = [
        format!("VrrpStatusChange {SIX} 3"),
        format!("VrrpReloaded {VRRP}"),
        format!("VrrpStatusChange {NOWHERE} 1"),
        format!("VrrpStatusChange {NOWHERE} 2"),
    ];
    assert_eq!(signals, wanted);
    assert_eq!(kind(&property(&bus, SIX, "Name")), "org.freedesktop.DBus.Error.UnknownMethod");
    assert!(property(&bus, NOWHERE, "Name").contains("nowhere"));

    let mark = bus.signals().mark();
    assert_eq!(bus.call(VRRP, "org.keepalived.Vrrp1.Vrrp.ReloadConfig", &[]), "");
    bus.await_signal(mark, &format!("VrrpReloaded {VRRP}"));

    // Switched off and on again.
    daemon.reload(OWNER);
    bus.await_signal(mark, &format!("VrrpStopped {VRRP}"));
    daemon.await_log(log, "Released DBus");
    let unknown = "org.freedesktop.DBus.Error.ServiceUnknown";
    assert_eq!(kind(&property(&bus, ONE, "Name")), unknown);
    let mark = bus.signals().mark();
    daemon.reload(&format!("{DBUS}{OWNER}{WITHOUT_INTERFACE}"));
    bus.await_signal(mark, &format!("VrrpStarted {VRRP}"));
    bus.await_signal(mark, &format!("VrrpStatusChange {NOWHERE} 2"));
    let globals = "global_defs {\n enable_dbus\n dbus_no_interface_name no-where\n}\n";
    daemon.reload(&format!("{globals}{OWNER}{WITHOUT_INTERFACE}"));
    bus.await_signal(mark, &format!("VrrpReloaded {VRRP}"));
    let renamed = NOWHERE.replace("none", "no_where");
    assert!(property(&bus, &renamed, "Name").contains("nowhere"));
    assert_eq!(kind(&property(&bus, NOWHERE, "Name")), "org.freedesktop.DBus.Error.UnknownMethod");

    let mark = bus.signals().mark();
    daemon.stop();
    bus.await_signal(mark, &format!("VrrpStopped {VRRP}"));
    let wanted = [
        format!("VrrpStatusChange {ONE} 98"),
        format!("VrrpStatusChange {renamed} 98"),
        format!("VrrpStopped {VRRP}"),
    ];
    assert_eq!(bus.signals().since(mark), wanted);
}

/// The name is a property; number, interface and family are the path, and make another virtual router.
#[test]
fn a_new_name_is_told_and_a_new_number_is_another_object() {
    let bus = Bus::start();
    let [namespace, _other] = namespaces();
    let config = format!("{DBUS}{OWNER}{OVER_IPV6}");
    let daemon = Daemon::start(&bus.with(Binary::under_test()), &namespace, &config);
    bus.await_change(Mark::default(), &format!("PropertiesChanged {SIX} 2"));
    let (mark, changes) = (bus.signals().mark(), bus.changes().mark());
    daemon.reload(&config.replace("vrrp_instance one", "vrrp_instance first"));
    bus.await_change(changes, &format!("PropertiesChanged {ONE} Name \"first\""));
    bus.await_signal(mark, &format!("VrrpReloaded {VRRP}"));
    assert_eq!(property(&bus, ONE, "Name"), "variant struct { string \"first\" }");
    assert_eq!(bus.changes().since(changes).len(), 1, "nothing else has changed");
    assert_eq!(bus.signals().since(mark), [format!("VrrpReloaded {VRRP}")]);

    let mark = bus.signals().mark();
    daemon.reload(&config.replace("virtual_router_id 1\n", "virtual_router_id 9\n"));
    let moved = ONE.replace("/1/", "/9/");
    bus.await_signal(mark, &format!("VrrpStatusChange {moved} 2"));
    let signals = bus.signals().since(mark);
    assert_eq!(signals[..2], [format!("VrrpStatusChange {ONE} 3"), format!("VrrpReloaded {VRRP}")]);
    assert_eq!(property(&bus, &moved, "Name"), "variant struct { string \"one\" }");
    assert_eq!(kind(&property(&bus, ONE, "Name")), "org.freedesktop.DBus.Error.UnknownMethod");

    // Two exchange their names.
    let changes = bus.changes().mark();
    let swapped = config
        .replace("vrrp_instance one", "vrrp_instance x")
        .replace("vrrp_instance six", "vrrp_instance one")
        .replace("vrrp_instance x", "vrrp_instance six")
        .replace("virtual_router_id 1\n", "virtual_router_id 9\n");
    daemon.reload(&swapped);
    bus.await_change(changes, &format!("PropertiesChanged {SIX} Name \"one\""));
    bus.await_change(changes, &format!("PropertiesChanged {moved} Name \"six\""));
}

#[test]
fn names_tell_daemons_apart() {
    let bus = Bus::start();
    let [namespace, _other] = namespaces();
    let path = ONE.replace(ROOT, "/org/keepalived/Vrrp1/blue");
    let named = "global_defs {\n enable_dbus\n dbus_service_name test.keepalived\n}\n";
    let config = format!("instance blue\n{DBUS}{OWNER}");
    let daemon = Daemon::start(&bus.with(Binary::under_test()), &namespace, &config);
    bus.await_signal(Mark::default(), &format!("VrrpStatusChange {path} 2"));
    let mark = bus.signals().mark();
    daemon.reload(&format!("instance blue\n{named}{OWNER}"));
    daemon.await_log(Mark::default(), "Acquired the name test.keepalived on the session bus");
    bus.await_signal(mark, "VrrpStopped /org/keepalived/Vrrp1/blue/Vrrp");
    bus.await_signal(mark, "VrrpStarted /org/keepalived/Vrrp1/blue/Vrrp");
    assert_eq!(kind(&property(&bus, &path, "Name")), "org.freedesktop.DBus.Error.ServiceUnknown");
    let get = format!("{PROPERTIES}.Get");
    let arguments = [&*format!("string:{INSTANCE}"), "string:Name"];
    let said = bus.call_of("test.keepalived", &path, &get, &arguments);
    assert!(said.contains("\"one\""), "{said}");

    // Whoever comes second waits for the name, which the policy gives to root alone.
    let [elsewhere, _other] = namespaces();
    let second =
        format!("global_defs {{\n enable_dbus\n dbus_service_name test.keepalived\n}}\n{OWNER}");
    let second = Daemon::start(&bus.with(Binary::under_test()), &elsewhere, &second);
    second.await_log(Mark::default(), "Lost the name test.keepalived on the session bus");
    let mark = bus.signals().mark();
    drop(daemon);
    second.await_log(Mark::default(), "Acquired the name test.keepalived on the session bus");
    bus.await_signal(mark, &format!("VrrpStarted {VRRP}"));
    bus.await_signal(mark, &format!("VrrpStatusChange {ONE} 2"));
}

#[test]
fn a_bus_may_come_late_go_and_come_back() {
    let mut bus = Bus::absent();
    let [namespace, _other] = namespaces();
    let config = format!("{DBUS}{OWNER}");
    let daemon = Daemon::start(&bus.with(Binary::under_test()), &namespace, &config);
    daemon.await_log(Mark::default(), "Lost the name org.keepalived.Vrrp1 on the session bus");
    let child = daemon.vrrp().expect("it runs").pid();
    for _ in 0..2 {
        let (mark, log) = (bus.signals().mark(), daemon.log().mark());
        bus.restart();
        daemon.await_log(log, "Acquired the name org.keepalived.Vrrp1 on the session bus");
        bus.await_signal(mark, &format!("VrrpStarted {VRRP}"));
        bus.await_signal(mark, &format!("VrrpStatusChange {ONE} 2"));
        assert!(property(&bus, ONE, "State").contains("Master"));
        let log = daemon.log().mark();
        bus.stop();
        daemon.await_log(log, "Lost the name org.keepalived.Vrrp1 on the session bus");
    }
    assert_eq!(daemon.vrrp().expect("it runs").pid(), child, "the same process as before");
}

/// The bus stands still with a thousand questions in its queues, and somebody floods it.
#[test]
fn neither_a_stuck_bus_nor_a_flood_of_calls_delays_an_advert() {
    let bus = Bus::start();
    let [namespace, other] = namespaces();
    let config = format!("{DBUS}{OWNER}");
    let daemon = Daemon::start(&bus.with(Binary::under_test()), &namespace, &config);
    bus.await_signal(Mark::default(), &format!("VrrpStatusChange {ONE} 2"));
    let child = daemon.vrrp().expect("it runs");
    let before = child.own_memory();
    let wire = Capture::start(&other, None);
    wire.assert_steady(Duration::from_millis(500), LATEST);
    bus.flood(ONE, INTROSPECT, Duration::from_secs(1));
    bus.signal(Signal::SIGSTOP);
    wire.assert_steady(Duration::from_secs(1), LATEST);
    bus.signal(Signal::SIGCONT);
    assert!(property(&bus, ONE, "State").contains("Master"));
    let grown = child.own_memory().saturating_sub(before);
    assert!(grown < 2 * 1024, "{grown} kB more");
}
