//! What blocks of virtual servers become, against 2.4.3.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use conf_parser::{Class, Diagnostics, Options, parse_text};
use runtime::global::BfdName;

use super::checker::Kind;
use super::forwarding::{Checksum, Tunnel, TunnelKind};
use super::group::Entry;
use super::http::HttpVersion;
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

fn checkers(real: &str) -> Vec<Checker> {
    good(&web("", real)).real_servers[0].checkers.to_vec()
}

fn timing(checker: &Checker) -> Timing {
    match checker.kind {
        Kind::Tcp(_, timing)
        | Kind::Http(_, timing, _)
        | Kind::Smtp(_, timing, _)
        | Kind::Dns(_, timing, _)
        | Kind::Udp(_, timing, _)
        | Kind::Ping(_, timing)
        | Kind::Misc(timing, _) => timing,
        Kind::File(_) | Kind::Bfd(_) => panic!("it has no timing"),
    }
}

fn connection(checker: &Checker) -> &Connection {
    match &checker.kind {
        Kind::Tcp(to, _)
        | Kind::Http(to, ..)
        | Kind::Smtp(to, ..)
        | Kind::Dns(to, ..)
        | Kind::Udp(to, ..)
        | Kind::Ping(to, _) => to,
        Kind::Misc(..) | Kind::File(_) | Kind::Bfd(_) => panic!("it connects nowhere"),
    }
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

#[test]
fn checks_inherit_from_real_and_virtual_server() {
    let server = good(&web(
        "delay_loop 7\nretry 5\nwarmup 2\nalpha\nconnect_timeout 9",
        "retry 4\nconnect_timeout 8\nTCP_CHECK {\n}\nTCP_CHECK {\nretry 0\ndelay_loop 3\nalpha off\nconnect_timeout 1\nwarmup 0\ndelay_before_retry 2\n}",
    ));
    let [inherited, own] = &*server.real_servers[0].checkers else {
        panic!("there are two checks")
    };
    let expected =
        Timing { delay_loop: 7 * SECOND, warmup: 2 * SECOND, retry: 4, delay_before_retry: SECOND };
    assert_eq!(timing(inherited), expected);
    assert_eq!(connection(inherited).timeout, 8 * SECOND);
    assert!(inherited.alpha && !own.alpha);
    let expected = Timing {
        delay_loop: 3 * SECOND,
        warmup: Duration::ZERO,
        retry: 0,
        delay_before_retry: 2 * SECOND,
    };
    assert_eq!(timing(own), expected);
    assert_eq!(connection(own).timeout, SECOND);
}

#[test]
fn kinds_of_checks_differ_in_their_defaults() {
    let checks = checkers(
        "TCP_CHECK {\n}\nHTTP_GET {\nurl {\npath /\n}\n}\nDNS_CHECK {\n}\nPING_CHECK {\n}\nUDP_CHECK {\n}\nSMTP_CHECK {\n}",
    );
    let retries: Vec<_> = checks
        .iter()
        .map(|check| (timing(check).retry, timing(check).delay_before_retry))
        .collect();
    let usual = (1, SECOND);
    assert_eq!(retries, [usual, (1, 3 * SECOND), (3, 60 * SECOND), usual, usual, usual]);
    assert!(checks.iter().all(|check| timing(check).warmup == 60 * SECOND));
}

#[test]
fn checks_connect_to_the_server_unless_told_otherwise() {
    let checks = checkers(
        "TCP_CHECK {\n}\nTCP_CHECK {\nconnect_ip 192.0.2.9\nconnect_port 8080\nbindto 192.0.2.3\nbind_port 99\nbind_if eth0\nfwmark 7\n}",
    );
    assert_eq!(connection(&checks[0]).to.to_string(), "192.0.2.2:80");
    let to = connection(&checks[1]);
    assert_eq!(to.to.to_string(), "192.0.2.9:8080");
    let way = to.way.as_deref().unwrap();
    assert_eq!(way.from.map(|from| from.to_string()).as_deref(), Some("192.0.2.3:99"));
    assert_eq!((way.interface.as_deref(), way.mark), (Some("eth0"), 7));
}

#[test]
fn checks_of_a_server_without_port_use_that_of_the_service() {
    let server = good(
        "virtual_server 192.0.2.1 80 {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nreal_server 192.0.2.2 {\nTCP_CHECK {\n}\n}\n}\n",
    );
    assert_eq!(connection(&server.real_servers[0].checkers[0]).to.port(), 80);
}

#[test]
fn checks_keep_the_port_that_a_mark_takes_away() {
    let (config, diagnostics) = loaded(
        "virtual_server fwmark 1 {\nlb_algo rr\nlb_kind DR\nreal_server 192.0.2.2 8080 {\nTCP_CHECK {\n}\n}\n}\n",
    );
    let real = &config.virtual_servers[0].real_servers[0];
    assert_eq!(real.address.port(), 0);
    assert_eq!(connection(&real.checkers[0]).to.port(), 8080);
    assert_eq!(
        messages(&diagnostics),
        [
            "WARNING - fwmark virtual server FWM 1, real server [192.0.2.2]:none:8080 has port specified - clearing"
        ]
    );
}

#[test]
fn source_and_destination_are_of_one_family() {
    let (config, diagnostics) = loaded(&web("", "TCP_CHECK {\nbindto 2001:db8::1\n}"));
    let check = &config.virtual_servers[0].real_servers[0].checkers[0];
    assert_eq!(connection(check).way, None);
    assert_eq!(
        messages(&diagnostics),
        ["bindto address 2001:db8::1 does not match address family of connect_ip - skipping"]
    );
}

#[test]
fn link_local_destinations_need_an_interface() {
    let (config, diagnostics) = loaded(&web("", "TCP_CHECK {\nconnect_ip fe80::1\n}"));
    assert_eq!(*config.virtual_servers[0].real_servers[0].checkers, []);
    assert_eq!(messages(&diagnostics), ["Checker link local address fe80::1 requires a bind_if"]);
    assert_eq!(checkers("TCP_CHECK {\nconnect_ip fe80::1\nbind_if eth0\n}").len(), 1);
}

#[test]
fn the_host_of_a_page_comes_from_the_nearest_block() {
    let host = |lines: &str, real: &str, check: &str| {
        let text = web(lines, &format!("{real}\nHTTP_GET {{\n{check}\nurl {{\npath /\n}}\n}}"));
        let check = good(&text).real_servers[0].checkers[0].clone();
        match check.kind {
            Kind::Http(_, _, http) => http.virtualhost,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(host("virtualhost v", "", "").as_deref(), Some("v"));
    assert_eq!(host("virtualhost v", "virtualhost r", "").as_deref(), Some("r"));
    assert_eq!(host("virtualhost v", "virtualhost r", "virtualhost c").as_deref(), Some("c"));
}

#[test]
fn an_old_name_counts_retries_too() {
    for kind in ["HTTP_GET", "SSL_GET"] {
        let text = web("", &format!("{kind} {{\nnb_get_retry 7\nurl {{\npath /\n}}\n}}"));
        let (config, diagnostics) = loaded(&text);
        let checker = &config.virtual_servers[0].real_servers[0].checkers[0];
        assert_eq!(timing(checker).retry, 7);
        let complaint = "nb_get_retry is deprecated - please use 'retry'";
        assert_eq!(messages(&diagnostics), [complaint]);
    }
}

// The original goes on with what it has freed.
#[test]
fn a_pattern_that_is_wrong_is_reported() {
    let page = "HTTP_GET {\nurl {\npath /\nregex \"a(b\"\n}\n}";
    let (config, diagnostics) = loaded(&web("", page));
    let text = "Invalid regex: 'a(b' at offset 3: missing closing parenthesis";
    assert_eq!(messages(&diagnostics), [text]);
    let Kind::Http(_, _, http) = &config.virtual_servers[0].real_servers[0].checkers[0].kind else {
        panic!("{config:?}")
    };
    assert_eq!(http.urls[0].regex, None);
}

#[test]
fn pages_have_digest_status_and_pattern() {
    let checks = checkers(
        "SSL_GET {\nhttp_protocol 1.0c\nsni_name example.org\nurl {\npath /a\ndigest 00112233445566778899aabbccddeeff\nstatus_code 200 301-302\nregex \"a\\\\.b\\x21\"\nregex_options caseless utf nonsense\nregex_min_offset 5\nregex_max_offset 9\nregex_no_match\n}\nurl {\npath /b\n}\n}",
    );
    let Kind::Http(_, _, http) = &checks[0].kind else { panic!("{checks:?}") };
    assert!(http.tls && http.sni);
    assert_eq!(http.version, HttpVersion::Http10Connection);
    let [first, second] = http.urls.as_slice() else { panic!("there are two pages") };
    assert_eq!(first.digest.map(|digest| (digest[1], digest[15])), Some((0x11, 0xff)));
    assert_eq!(first.status, [200..=200, 301..=302]);
    let regex = first.regex.as_ref().expect("a pattern was given");
    assert_eq!(regex.pattern, br"a\.b!");
    assert!(regex.negated);
    assert_eq!(regex.options, 1 << 3 | 1 << 19);
    assert_eq!((regex.min_offset, regex.max_offset), (5, Some(9)));
    assert_eq!((second.status.as_slice(), &second.regex), ([200..=299].as_slice(), &None));
}

#[test]
fn blocks_in_a_mail_check_are_checks() {
    let helo = "helo_name me\nretry 3\n";
    let hosts = "host {\nconnect_port 26\nretry 2\n}\nhost {\nconnect_ip 192.0.2.7\n}\n";
    let (config, diagnostics) = loaded(&web("", &format!("SMTP_CHECK {{\n{helo}{hosts}}}")));
    let checks = &config.virtual_servers[0].real_servers[0].checkers;
    let targets: Vec<_> = checks.iter().map(|check| connection(check).to.to_string()).collect();
    assert_eq!(targets, ["192.0.2.2:26", "192.0.2.7:80"]);
    assert_eq!([timing(&checks[0]).retry, timing(&checks[1]).retry], [2, 3]);
    assert_eq!(diagnostics.worst(), None);
    let (config, _) = loaded(&web("", &format!("SMTP_CHECK {{\nconnect_port 25\n{hosts}}}")));
    assert_eq!(config.virtual_servers[0].real_servers[0].checkers.len(), 3);
}

#[test]
fn names_are_asked_for_if_they_fit_in_a_question() {
    let name = |given: &str| {
        let (config, _) = loaded(&web("", &format!("DNS_CHECK {{\nname {given}\n}}")));
        match config.virtual_servers[0].real_servers[0].checkers[0].kind.clone() {
            Kind::Dns(_, _, dns) => dns.name,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(name("a.example."), "a.example.");
    assert_eq!(name("."), ".");
    let label = "x".repeat(63);
    assert_eq!(name(&label), label);
    for bad in ["a..b", ".a", "..", &format!("{label}x"), &format!("{label}.").repeat(4)] {
        assert_eq!(name(bad), ".", "{bad}");
    }
}

#[test]
fn reading_changes_no_setting_of_the_kernel() {
    let range = || std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").ok();
    let before = range();
    assert_eq!(checkers("PING_CHECK {\n}").len(), 1);
    assert_eq!(range(), before);
}

#[test]
fn scripts_run_as_long_as_the_loop_of_the_service() {
    let misc = |lines: &str| {
        let text = web(
            "delay_loop 7",
            &format!(
                "delay_loop 3\nMISC_CHECK {{\nmisc_path \"/bin/true a\"\nuser root\n{lines}\n}}"
            ),
        );
        match good(&text).real_servers[0].checkers[0].clone().kind {
            Kind::Misc(timing, misc) => (timing, misc),
            other => panic!("{other:?}"),
        }
    };
    let (timing, script) = misc("");
    assert_eq!((timing.retry, timing.delay_loop, script.timeout), (0, 3 * SECOND, 7 * SECOND));
    assert_eq!(script.script.argv, ["/bin/true", "a"]);
    let (_, script) = misc("misc_timeout 2\nmisc_dynamic");
    assert_eq!((script.timeout, script.dynamic), (2 * SECOND, true));
}

/// Of scripts that anybody could change, those of checks with the check.
#[test]
fn scripts_run_only_if_they_may() {
    let directory = std::env::temp_dir().join(format!("check-scripts-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let open = directory.join("open");
    std::fs::write(&open, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let open = open.display();
    let misc = |script: &str| format!("MISC_CHECK {{\nmisc_path \"{script}\"\nuser root\n}}\n");
    let text = web(
        &format!("quorum_up {open} root\nquorum_down /bin/true root"),
        &format!(
            "notify_up /bin/true root\nnotify_down {open} root\n{}{}{}",
            misc(&format!("{open} a")),
            misc("/bin/true"),
            misc("/nowhere")
        ),
    );
    for security in [true, false] {
        let (config, diagnostics) = loaded_with(&text, &with_security(security));
        let server = &config.virtual_servers[0];
        let real = &server.real_servers[0];
        let kept = [&server.quorum_up, &server.quorum_down, &real.notify_up, &real.notify_down]
            .map(|script| script.is_some());
        let said = messages(&diagnostics);
        let disabled = format!("Disabling misc script '{open}' 'a' due to insecure");
        assert!(said.contains(&"Disabling misc script '/nowhere' since not found/accessible"));
        assert_eq!(said.contains(&&*disabled), security, "{said:?}");
        if security {
            assert_eq!((kept, real.checkers.len()), ([false, true, true, false], 1), "{said:?}");
        } else {
            assert_eq!((kept, real.checkers.len()), ([true; 4], 2), "{said:?}");
            let violation = "SECURITY VIOLATION - check scripts are being executed but script_security not enabled. There are insecure scripts.";
            assert_eq!((said.last(), diagnostics.exit_status()), (Some(&violation), 6));
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
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
fn tracked_files_and_sessions_are_found_by_name() {
    let mut global = Global::default();
    global.track_files.push(TrackFile {
        name: "load".to_owned(),
        path: "/tmp/load".to_owned(),
        weight: 3,
        reverse: true,
        initial: None,
    });
    let session = |name: &str, checker| BfdName {
        name: name.to_owned(),
        weight: 0,
        reverse: false,
        vrrp: true,
        checker,
    };
    global.bfd_names = vec![session("b", true), session("hidden", false)];
    let text = web(
        "",
        "FILE_CHECK {\ntrack_file load\n}\nFILE_CHECK {\ntrack_file load\nweight 5\n}\nFILE_CHECK {\ntrack_file other\n}\nBFD_CHECK {\nname b\nname hidden\n}\nBFD_CHECK {\nname b\nname b\n}\nBFD_CHECK {\nname b\n}\nBFD_CHECK {\nname b\n}\nBFD_CHECK {\nname hidden\n}\nBFD_CHECK {\n}",
    );
    let (config, diagnostics) = loaded_with(&text, &global);
    let kinds: Vec<_> = config.virtual_servers[0].real_servers[0]
        .checkers
        .iter()
        .map(|check| check.kind.clone())
        .collect();
    let file = |weight, reverse| {
        Kind::File(tracked::FileCheck { file: "load".to_owned(), weight, reverse })
    };
    assert_eq!(kinds, [file(3, true), file(5, false), Kind::Bfd("b".to_owned())]);
    assert_eq!(config.files, global.track_files);
    assert_eq!(
        messages(&diagnostics),
        [
            "track_file other not found",
            "FILE_CHECK has no track_file specified - ignoring",
            "([192.0.2.2]:tcp:80) BFD_CHECK - BFD hidden not configured",
            "([192.0.2.2]:tcp:80) BFD_CHECK - BFD b already specified as b",
            "([192.0.2.2]:tcp:80) BFD_CHECK - RS already monitoring b",
            "([192.0.2.2]:tcp:80) BFD_CHECK - BFD hidden not configured",
            "([192.0.2.2]:tcp:80) No name has been specified for BFD_CHECKER - skipping",
        ]
    );
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
