//! What blocks of checks become.

use std::os::unix::fs::PermissionsExt;

use runtime::global::BfdName;

use super::*;
use crate::config::checker::Kind;
use crate::config::http::HttpVersion;

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
