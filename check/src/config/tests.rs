//! What blocks of virtual servers become, against 2.4.3.

mod checks;

use std::time::Duration;

use conf_parser::{Class, Diagnostics, Options, parse_text};

use super::forwarding::{Checksum, Tunnel, TunnelKind};
use super::group::Entry;
use super::service::Granularity;
use super::*;

fn loaded_with(text: &str, global: &Global) -> (Config, Diagnostics) {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    let config = load(&statements, global, &mut diagnostics);
    (config, diagnostics)
}

fn loaded(text: &str) -> (Config, Diagnostics) {
    loaded_with(text, &with_security(true))
}

fn with_security(security: bool) -> Global {
    let mut global = Global::default();
    global.scripts.security = security;
    global
}

fn messages(diagnostics: &Diagnostics) -> Vec<&str> {
    diagnostics.items().iter().map(|item| item.message.as_str()).collect()
}

/// A virtual server for TCP with these lines, and one real server that has what is in `real`.
fn web(lines: &str, real: &str) -> String {
    format!(
        "virtual_server 192.0.2.1 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n{lines}\nreal_server 192.0.2.2 80 {{\n{real}\n}}\n}}\n"
    )
}

/// The one virtual server of a configuration of which nothing is to be said.
fn good(text: &str) -> VirtualServer {
    let (mut config, diagnostics) = loaded(text);
    assert_eq!(messages(&diagnostics), [""; 0], "{text}");
    assert_eq!(config.virtual_servers.len(), 1, "{text}");
    config.virtual_servers.remove(0)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn little_said_is_defaults() {
    let server = good(&web("", ""));
    assert_eq!(server.name, "[192.0.2.1]:tcp:80");
    assert_eq!((server.quorum, server.hysteresis), (1, 0));
    assert_eq!(server.persistence, None);
    assert!(!server.smtp_alert);
    let real = &server.real_servers[0];
    assert_eq!((real.weight, real.forwarding), (1, Forwarding::Nat));
    assert!(real.smtp_alert);
}

#[test]
fn the_child_is_needed_by_any_virtual_server() {
    assert!(loaded("virtual_server 192.0.2.1 80 {\n}\n").0.needs_child());
    assert!(loaded("virtual_server nonsense {\n}\n").0.needs_child());
    assert!(!loaded("virtual_server_group g {\n192.0.2.1 80\n}\n").0.needs_child());
}

#[test]
fn a_server_without_servers_is_none() {
    let (config, diagnostics) = loaded("virtual_server 192.0.2.1 80 {\nprotocol TCP\n}\n");
    assert_eq!(config.virtual_servers, []);
    assert_eq!(
        messages(&diagnostics),
        ["Virtual server [192.0.2.1]:tcp:80 has no real servers - ignoring"]
    );
    assert_eq!(diagnostics.items()[0].place.map(|place| place.line), Some(3));
}

#[test]
fn missing_protocol_scheduler_method_and_port_are_settled() {
    let (config, diagnostics) =
        loaded("virtual_server 192.0.2.1 {\nreal_server 192.0.2.2 {\n}\n}\n");
    let server = &config.virtual_servers[0];
    assert_eq!(server.protocol, Some(Protocol::Udp));
    assert_eq!(server.scheduler.name(), "wlc");
    assert_eq!(server.persistence, Some(360 * SECOND));
    assert_eq!(
        messages(&diagnostics),
        [
            "Virtual server [192.0.2.1]:none:0: no protocol set - defaulting to UDP",
            "Virtual server [192.0.2.1]:udp:0: zero port only valid for persistent services - setting",
            "Virtual server [192.0.2.1]:udp:0: no scheduler set, setting default 'wlc'",
            "Virtual server [192.0.2.1]:udp:0: no forwarding method set, setting default NAT",
        ]
    );
}

#[test]
fn switches_of_a_scheduler_follow_it() {
    let flags = good(&web("lb_algo sh\nsh-port\nsh-fallback", "")).flags;
    assert!(flags.first && flags.second);
    let (config, diagnostics) = loaded(&web("sh-port\nlb_algo mh\nmh-port", ""));
    let flags = config.virtual_servers[0].flags;
    assert!(flags.second && !flags.first);
    assert_eq!(messages(&diagnostics), ["sh-port only applies to sh scheduler - ignoring"]);
}

#[test]
fn tunnels_have_the_options_that_fit() {
    let method = |given: &str| {
        let (config, diagnostics) = loaded(&web(&format!("lvs_method {given}"), ""));
        let server = &config.virtual_servers[0].real_servers[0];
        (server.forwarding, diagnostics.items().first().map(|item| item.message.clone()))
    };
    let tunnel = |kind, checksum| Forwarding::Tunnel(Tunnel { kind, checksum });
    let gue = tunnel(TunnelKind::Gue(5000), Checksum::Remote);
    assert_eq!(method("TUN type gue port 5000 remcsum"), (gue, None));
    assert_eq!(method("TUN type gre csum"), (tunnel(TunnelKind::Gre, Checksum::Full), None));
    assert_eq!(method("TUN"), (tunnel(TunnelKind::Ipip, Checksum::None), None));
    let plain = tunnel(TunnelKind::Ipip, Checksum::None);
    for (given, message) in [
        ("TUN type gue", "gue tunnels require port, otherwise cannot have port."),
        ("TUN port 5", "gue tunnels require port, otherwise cannot have port."),
        ("TUN csum", "ipip tunnels do not support checksum option."),
        ("TUN type gre remcsum", "gre tunnels do not support remote checksum option."),
        ("TUN type", "Missing tunnel type for virtual server."),
        ("TUN type vxlan", "Unknown tunnel type vxlan for virtual server."),
        ("TUN port", "Missing port for virtual server gue tunnel."),
        ("TUN nonsense", "Invalid tunnel option nonsense for virtual server."),
    ] {
        assert_eq!(method(given), (plain, Some(message.to_owned())), "{given}");
    }
    let unknown = "PARSER : unknown [FOO] routing method for virtual server.".to_owned();
    assert_eq!(method("FOO"), (Forwarding::Nat, Some(unknown)));
}

#[test]
fn families_agree_but_through_tunnels() {
    let mixed = |method: &str| {
        let text = format!(
            "virtual_server 192.0.2.1 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind {method}\nreal_server 2001:db8::2 80 {{\n}}\nreal_server 192.0.2.2 80 {{\n}}\n}}\n"
        );
        loaded(&text)
    };
    assert_eq!(mixed("TUN").0.virtual_servers[0].real_servers.len(), 2);
    let (config, diagnostics) = mixed("NAT");
    assert_eq!(config.virtual_servers[0].real_servers.len(), 1);
    assert_eq!(
        messages(&diagnostics),
        [
            "Address family of virtual server and real server 2001:db8::2 don't match - skipping real server."
        ]
    );
}

#[test]
fn the_family_of_a_mark_is_that_of_its_servers() {
    let family = |servers: &[&str]| {
        let blocks: String =
            servers.iter().map(|server| format!("real_server {server} {{\n}}\n")).collect();
        let text = format!("virtual_server fwmark 1 {{\nlb_algo rr\nlb_kind TUN\n{blocks}}}\n");
        good(&text).family
    };
    assert_eq!(family(&["2001:db8::1", "2001:db8::2"]), Some(Family::Inet6));
    assert_eq!(family(&["2001:db8::1", "192.0.2.1"]), Some(Family::Inet));
}

#[test]
fn masks_have_four_parts() {
    let server = good(&web("persistence_granularity 255.255.255.0", ""));
    assert_eq!(server.granularity, Some(Granularity::Mask([255, 255, 255, 0].into())));
    assert_eq!(server.persistence, Some(360 * SECOND));
    let (config, diagnostics) = loaded(&web("persistence_granularity 24", ""));
    assert_eq!(config.virtual_servers[0].granularity, None);
    assert_eq!(messages(&diagnostics), ["Invalid IPv4 persistence_granularity specified - 24"]);
}

#[test]
fn mark_0_is_no_mark() {
    let (config, diagnostics) =
        loaded("virtual_server fwmark 0 {\nreal_server 192.0.2.2 {\n}\n}\n");
    assert_eq!(config.virtual_servers, []);
    assert_eq!(diagnostics.worst(), Some(Class::GeneralError));
}

/// What reads a FIFO is a script like all others, where there is anything to tell.
#[test]
fn readers_of_fifos_are_scripts() {
    let settings =
        "global_defs {\nlvs_notify_fifo /tmp/fifo\nlvs_notify_fifo_script /bin/true root\n}\n";
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let root = &runtime::global::ROOT;
    let statements = parse_text(settings.as_bytes(), &options, root, &mut diagnostics);
    let global = runtime::global::load(&statements, &mut diagnostics);
    assert!(global.scripts.lvs_notify_fifo.as_ref().is_some_and(|fifo| fifo.script.is_some()));
    for (text, status) in [(web("", ""), 6), (String::new(), 0)] {
        assert_eq!(loaded_with(&text, &global).1.exit_status(), status);
    }
}

#[test]
fn ranges_and_prefixes_end_where_they_say() {
    let last = |entry: &str| {
        let text = format!("virtual_server_group g {{\n{entry} 80\n}}\n");
        match loaded(&text).0.groups.first().map(|group| group.entries.clone()).as_deref() {
            Some([Entry::Range { last, port: Some(80), .. }]) => last.to_string(),
            _ => "-".to_owned(),
        }
    };
    for (entry, end) in [
        ("192.0.2.5", "192.0.2.5"),
        ("192.0.2.5-9", "192.0.2.9"),
        ("192.0.2.5-192.0.3.1", "192.0.3.1"),
        ("192.0.2.0/23", "192.0.3.255"),
        ("192.0.2.5/32", "192.0.2.5"),
        ("2001:db8::5-ff", "2001:db8::ff"),
        ("2001:db8::5-2001:db8::1:0", "2001:db8::1:0"),
        ("2001:db8::/112", "2001:db8::ffff"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("192.0.2.9-9", "-"),
        ("192.0.2.9-256", "-"),
        ("192.0.2.9-192.0.2.8", "-"),
        ("192.0.2.1/23", "-"),
        ("192.0.2.0/0", "-"),
        ("192.0.2.0/33", "-"),
        ("2001:db8::/129", "-"),
        ("2001:db8::5-10000", "-"),
        ("192.0.2.1-2001:db8::1", "-"),
    ] {
        assert_eq!(last(entry), end, "{entry}");
    }
}

#[test]
fn members_of_a_group_are_numbered() {
    let member = "virtual_server group g {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nreal_server 192.0.2.2 80 {\n}\n}\n";
    let (config, diagnostics) =
        loaded(&format!("{member}virtual_server_group g {{\n192.0.2.1 80\n}}\n{member}"));
    assert_eq!(messages(&diagnostics), [""; 0]);
    let names: Vec<_> = config.virtual_servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["[g]:0", "[g]:1"]);
    assert_eq!(config.virtual_servers[1].family, Some(Family::Inet));
    let Service::Group(id) = config.virtual_servers[1].service else { panic!("it has a group") };
    assert_eq!(config.group(id).map(|group| group.name.as_str()), Some("g"));
}

#[test]
fn a_group_that_does_not_fit_takes_its_servers_along() {
    let server = "virtual_server group g {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nreal_server 192.0.2.2 80 {\n}\n}\n";
    let (config, diagnostics) =
        loaded(&format!("virtual_server_group g {{\n2001:db8::1 80\n}}\n{server}"));
    assert_eq!(config.virtual_servers, []);
    assert_eq!(
        messages(&diagnostics),
        ["g: address family doesn't match virtual server [g]:0 - ignoring"]
    );
    assert_eq!(loaded(server).0.virtual_servers, []);
    let (config, diagnostics) = loaded(
        "virtual_server_group g {\n192.0.2.1 80\n2001:db8::1 80\nfwmark 1\n}\nvirtual_server_group h {\n}\n",
    );
    assert_eq!(config.groups, []);
    assert_eq!(
        messages(&diagnostics),
        [
            "virtual server group g cannot have IPv4, IPv6 and fwmark without family - removing",
            "virtual server group h has no entries - removing",
        ]
    );
}

#[test]
fn the_quorum_can_be_reached() {
    let quorum = |lines: &str, weight: u32| {
        let (config, _) = loaded(&web(lines, &format!("weight {weight}")));
        let server = &config.virtual_servers[0];
        (server.quorum, server.hysteresis)
    };
    assert_eq!(quorum("quorum 5\nhysteresis 4", 10), (5, 4));
    assert_eq!(quorum("quorum 5\nhysteresis 5", 10), (5, 4));
    assert_eq!(quorum("quorum 50\nhysteresis 20", 10), (10, 9));
    assert_eq!(quorum("", 0), (0, 0));
}

#[test]
fn a_twin_of_the_sorry_server_sets_its_inhibition() {
    let (config, diagnostics) = loaded(&web("sorry_server 192.0.2.2 80\nsorry_server_inhibit", ""));
    let sorry = config.virtual_servers[0].sorry_server.clone().expect("there is one");
    assert!(sorry.is_real_server && !sorry.inhibit_on_failure);
    assert_eq!(
        messages(&diagnostics),
        [
            "Virtual server [192.0.2.1]:tcp:80: real server [192.0.2.2]:tcp:80 matches sorry server, but inhibit setting differs, clearing on sorry server"
        ]
    );
}

#[test]
fn without_translation_ports_are_those_of_the_service() {
    let (config, diagnostics) = loaded(
        "virtual_server 192.0.2.1 80 {\nprotocol TCP\nlb_algo rr\nlb_kind DR\nsorry_server 192.0.2.9 81\nreal_server 192.0.2.2 {\n}\nreal_server 192.0.2.3 81 {\n}\nreal_server 192.0.2.4 81 {\nlvs_method NAT\n}\n}\n",
    );
    let server = &config.virtual_servers[0];
    let ports: Vec<_> = server.real_servers.iter().map(|real| real.address.port()).collect();
    assert_eq!(ports, [80, 80, 81]);
    assert_eq!(server.sorry_server.as_ref().map(|sorry| sorry.address.port()), Some(80));
    assert_eq!(
        messages(&diagnostics),
        [
            "WARNING - virtual server [192.0.2.1]:tcp:80 and real server [192.0.2.3]:tcp:81 ports don't match - resetting",
            "WARNING - virtual server [192.0.2.1]:tcp:80 and sorry server ports don't match - resetting",
        ]
    );
}

#[test]
fn a_server_is_there_once() {
    let text = web("", "").replace("real_server", "real_server 192.0.2.2 80 {\n}\nreal_server");
    let (config, diagnostics) = loaded(&text);
    assert_eq!(config.virtual_servers[0].real_servers.len(), 1);
    assert_eq!(
        messages(&diagnostics),
        [
            "VS [192.0.2.1]:tcp:80: real server [192.0.2.2]:tcp:80 is duplicated - removing second rs"
        ]
    );
}

#[test]
fn alerts_follow_the_global_setting() {
    let mut global = Global::default();
    let alerts = |global: &Global, lines: &str, real: &str| {
        let (config, _) = loaded_with(&web(lines, real), global);
        let server = &config.virtual_servers[0];
        (server.smtp_alert, server.real_servers[0].smtp_alert)
    };
    assert_eq!(alerts(&global, "", ""), (false, true));
    global.mail.alert = Some(true);
    assert_eq!(alerts(&global, "", ""), (true, true));
    global.mail.alert_checker = Some(false);
    assert_eq!(alerts(&global, "", ""), (false, false));
    assert_eq!(alerts(&global, "smtp_alert", "smtp_alert on"), (true, true));
}

#[test]
fn a_second_ssl_block_replaces_the_first() {
    let (config, diagnostics) = loaded("SSL {\nca a\nca b\n}\nSSL {\nkey k\n}\n");
    let ssl = config.ssl.expect("there is one");
    assert_eq!((ssl.ca, ssl.key.as_deref()), (None, Some("k")));
    assert_eq!(
        messages(&diagnostics),
        ["Duplicate SSL - overwriting a with b", "SSL context already specified - replacing"]
    );
}

#[test]
fn a_configuration_survives_its_encoding() {
    let text = web(
        "persistence_granularity 255.255.255.0\nsorry_server 192.0.2.9 80",
        "HTTP_GET {\nurl {\npath /\n}\n}\nUDP_CHECK {\nrequire_reply 0x\n}\nTCP_CHECK {\nbindto 192.0.2.3\n}",
    );
    let (config, _) = loaded(&text);
    let bytes = postcard::to_allocvec(&config).expect("it can be encoded");
    assert_eq!(postcard::from_bytes::<Config>(&bytes).expect("it can be decoded"), config);
}
