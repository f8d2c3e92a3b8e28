//! What `bfd_instance` blocks become, against 2.4.3.

use conf_parser::{Options, parse_text};

use super::*;
use crate::auth::{Key, Kind};

fn loaded(text: &str) -> (Config, Diagnostics) {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    let config = load(&statements, &mut diagnostics);
    (config, diagnostics)
}

fn messages(diagnostics: &Diagnostics) -> Vec<&str> {
    diagnostics.items().iter().map(|item| item.message.as_str()).collect()
}

/// The session of a block with these lines, of which nothing is to be said.
fn good(lines: &str) -> Instance {
    let (mut config, diagnostics) = loaded(&format!("bfd_instance b {{\n{lines}\n}}\n"));
    assert_eq!(messages(&diagnostics), [""; 0], "{lines}");
    config.sessions.remove(0)
}

/// What is said of a block with these lines.
fn said(lines: &str) -> Vec<String> {
    let (_, diagnostics) = loaded(&format!("bfd_instance b {{\n{lines}\n}}\n"));
    messages(&diagnostics).into_iter().map(str::to_owned).collect()
}

#[test]
fn little_said_is_defaults() {
    let session = good("neighbor_ip 192.0.2.1");
    let expected = Parameters {
        min_tx: Micros(10_000),
        min_rx: Micros(10_000),
        idle_tx: Micros(1_000_000),
        multiplier: 5,
        passive: false,
        demand: None,
        echo_tx: None,
        echo_rx: Micros(0),
    };
    assert_eq!(session.parameters, expected);
    assert_eq!((session.ends.ttl, session.ends.accepted_ttl), (255, Some(255)));
    assert!(session.ends.vrrp && session.ends.checker && !session.ends.multihop);
    assert_eq!(session.authentication, None);
}

#[test]
fn intervals_are_milliseconds_with_three_decimals() {
    let parameters =
        good("neighbor_ip 192.0.2.1\nmin_rx 1\nmin_tx 20.125\nidle_tx 1000.5").parameters;
    assert_eq!(parameters.min_rx, Micros(1000));
    assert_eq!(parameters.min_tx, Micros(20_125));
    assert_eq!(parameters.idle_tx, Micros(1_000_500));
    let refused = said("neighbor_ip 192.0.2.1\nidle_tx 999.999");
    assert_eq!(
        refused,
        [
            "number '999.999' outside range [1000.000, 4294967.000]",
            "Configuration error: BFD instance b idle_tx value 999.999 is not valid (must be in range [1000-4294967]), ignoring",
        ]
    );
    let (_, diagnostics) = loaded("bfd_instance b {\nneighbor_ip 192.0.2.1\nmin_tx 10000.001\n}\n");
    assert_eq!(
        messages(&diagnostics),
        [
            "Configuration warning: BFD instance b min_tx value 10000.001 is larger than max sensible (10000)"
        ]
    );
    assert_eq!(diagnostics.worst(), None);
}

#[test]
fn hops_lower_the_accepted_ttl() {
    let accepted = |lines: &str| good(&format!("neighbor_ip 192.0.2.1\n{lines}")).ends.accepted_ttl;
    assert_eq!(accepted("max_hops 5"), Some(250));
    assert_eq!(accepted("ttl 64\nmax_hops 64"), Some(0));
    assert_eq!(accepted("hoplimit 64\nmax_hops -1"), None);
    assert_eq!(
        said("neighbor_ip 192.0.2.1\nttl 64\nmax_hops 65"),
        ["BFD instance b: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit"]
    );
}

#[test]
fn the_hop_limit_of_2_4_3_is_accepted() {
    let session = good("neighbor_ip 2001:db8::1");
    assert_eq!((session.ends.ttl, session.ends.accepted_ttl), (255, Some(64)));
    let session = good("neighbor_ip 2001:db8::1\nhoplimit 64");
    assert_eq!((session.ends.ttl, session.ends.accepted_ttl), (64, Some(64)));
}

#[test]
fn a_session_without_a_usable_neighbor_cannot_run_but_has_a_name() {
    for lines in ["", "neighbor_ip nonsense", "neighbor_ip 192.0.2.1\nsource_ip 2001:db8::1"] {
        let (config, diagnostics) = loaded(&format!("bfd_instance b {{\n{lines}\n}}\n"));
        assert_eq!(config.sessions, []);
        assert_eq!(config.names.len(), 1);
        assert!(config.needs_child());
        assert_eq!(diagnostics.items().len(), 1, "{lines}");
        assert_eq!(diagnostics.worst(), Some(Class::GeneralError));
    }
}

#[test]
fn only_those_asked_for_are_told() {
    let told = |lines: &str| {
        let session = good(&format!("neighbor_ip 192.0.2.1\n{lines}"));
        (session.ends.vrrp, session.ends.checker)
    };
    assert_eq!(told(""), (true, true));
    assert_eq!(told("vrrp"), (true, false));
    assert_eq!(told("checker"), (false, true));
    assert_eq!(told("vrrp\nchecker"), (true, true));
}

#[test]
fn names_carry_the_weight() {
    let (config, _) =
        loaded("bfd_instance b {\nneighbor_ip 192.0.2.1\nweight -253 reverse\nvrrp\n}\n");
    let expected =
        BfdName { name: "b".to_owned(), weight: -253, reverse: true, vrrp: true, checker: false };
    assert_eq!(config.names, [expected]);
    let refused = said("neighbor_ip 192.0.2.1\nweight 254");
    assert_eq!(
        refused.last().map(String::as_str),
        Some(
            "Configuration error: BFD instance b weight value 254 not valid (must be in range [-253-253]), ignoring"
        )
    );
}

#[test]
fn names_are_short_and_different() {
    let long = "x".repeat(32);
    let block =
        |name: &str, address: &str| format!("bfd_instance {name} {{\nneighbor_ip {address}\n}}\n");
    let text =
        [block("a", "192.0.2.1"), block("a", "192.0.2.2"), block(&long, "192.0.2.3")].concat();
    let (config, diagnostics) = loaded(&text);
    assert_eq!(config.sessions.len(), 1);
    assert_eq!(
        messages(&diagnostics),
        [
            "Configuration error: BFD instance a already configured - ignoring".to_owned(),
            format!(
                "Configuration error: BFD instance {long} name too long (maximum length is 31 characters) - ignoring"
            ),
        ]
    );
    assert_eq!(loaded(&block(&long[1..], "192.0.2.3")).0.sessions.len(), 1);
}

#[test]
fn sessions_differ_in_neighbor_source_or_hops() {
    let count = |others: &[&str]| {
        let blocks: String = others
            .iter()
            .enumerate()
            .map(|(at, lines)| {
                format!("bfd_instance b{at} {{\nneighbor_ip 192.0.2.1\n{lines}\n}}\n")
            })
            .collect();
        loaded(&blocks).0.sessions.len()
    };
    assert_eq!(count(&["", ""]), 1);
    assert_eq!(count(&["", "source_ip 192.0.2.5"]), 1);
    assert_eq!(count(&["source_ip 192.0.2.5", ""]), 1);
    assert_eq!(count(&["source_ip 192.0.2.5", "source_ip 192.0.2.6"]), 2);
    assert_eq!(count(&["", "multihop"]), 2);
    assert_eq!(count(&["", "multihop no"]), 1);
}

#[test]
fn keys_are_text_or_hexadecimal_and_the_first_one_signs() {
    let auth = good(
        "neighbor_ip 192.0.2.1\nauth_key 2 hex:00fF1\nauth_type keyed_sha1\nauth_key 0 secret",
    );
    let auth = auth.authentication.unwrap();
    assert_eq!(auth.kind, Kind::KeyedSha1);
    assert_eq!(auth.key, Key { id: 2, secret: vec![0, 255, 1] });
    assert_eq!(auth.accepted, [Key { id: 0, secret: b"secret".into() }]);
}

#[test]
fn a_session_whose_authentication_cannot_be_used_does_not_run() {
    let long = format!("auth_type simple\nauth_key 1 {}", "x".repeat(17));
    for lines in [
        "auth_key 1 secret",
        "auth_type simple",
        "auth_type keyed_md4\nauth_key 1 secret",
        "auth_type simple\nauth_key 256 secret",
        "auth_type simple\nauth_key 1 hex:0g",
        long.as_str(),
    ] {
        let text = format!("bfd_instance b {{\nneighbor_ip 192.0.2.1\n{lines}\n}}\n");
        let (config, diagnostics) = loaded(&text);
        assert_eq!(config.sessions, [], "{lines}");
        assert_eq!(diagnostics.worst(), Some(Class::GeneralError), "{lines}");
        assert!(!diagnostics.items().iter().any(|item| item.message.contains("secret")));
    }
}

#[test]
fn a_profile_gives_what_the_block_does_not() {
    let text = "bfd_instance b {
min_tx 30
neighbor_ip 192.0.2.1
profile fast
}
bfd_profile fast {
min_tx 20
min_rx 20
idle_tx 2000
multiplier 3
passive
multihop
hoplimit 64
max_hops 3
demand 500
echo_tx 5
echo_rx 6
auth_type simple
auth_key 1 secret
}
";
    let (config, diagnostics) = loaded(text);
    assert_eq!(messages(&diagnostics), [""; 0]);
    let parameters = config.sessions[0].parameters;
    assert_eq!((parameters.min_tx, parameters.min_rx), (Micros(30_000), Micros(20_000)));
    assert_eq!((parameters.multiplier, parameters.passive), (3, true));
    assert_eq!((parameters.idle_tx, parameters.demand), (Micros(2_000_000), Some(Micros(500_000))));
    assert_eq!((parameters.echo_tx, parameters.echo_rx), (Some(Micros(5000)), Micros(6000)));
    let session = &config.sessions[0];
    assert_eq!(
        (session.ends.multihop, session.ends.ttl, session.ends.accepted_ttl),
        (true, 64, Some(61))
    );
    assert!(session.authentication.is_some());
    assert_eq!(
        said("neighbor_ip 192.0.2.1\nprofile none"),
        ["Configuration error: BFD instance b profile none not found, ignoring"]
    );
    let (config, _) = loaded("bfd_profile unused {\nmin_tx 20\n}\n");
    assert!(!config.needs_child());
}
