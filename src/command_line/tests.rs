use std::collections::HashSet;

use super::*;

fn parsed(line: &str) -> Parsed {
    parse(line.split(' ').filter(|word| !word.is_empty()).map(OsString::from))
}

fn options(line: &str) -> Options {
    let parsed = parsed(line);
    assert_eq!(parsed.complaints, [""; 0], "{line}");
    match parsed.request {
        Request::Run(options) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn no_option_is_spelled_twice() {
    let letters: Vec<char> = OPTIONS.iter().filter_map(|option| option.spelling.short).collect();
    let names: Vec<&str> = OPTIONS.iter().map(|option| option.spelling.long).collect();
    assert_eq!(letters.iter().collect::<HashSet<_>>().len(), letters.len());
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
}

/// The spellings that 2.4.3 understands, with a colon for an argument and two for an optional one.
#[test]
fn every_option_of_the_original_is_there() {
    let known: HashSet<String> = OPTIONS
        .iter()
        .flat_map(|option| {
            let colons = match option.spelling.argument {
                Argument::None => "",
                Argument::Required(_) => ":",
                Argument::Optional(_) => "::",
            };
            let short = option.spelling.short.map(|letter| format!("{letter}{colons}"));
            short.into_iter().chain([format!("{}{colons}", option.spelling.long)])
        })
        .collect();
    let originals = "v h l n d u: D R S: f: p: i: e s: m M:: g:: G t:: P C r: V X a c: I T B b: x A: \
        use-file: vrrp check no_bfd all log-console log-detail log-facility: log-file:: all-config flush-log-file \
        no-syslog umask: release-vips dont-release-vrrp dont-release-ipvs dont-respawn dont-fork dump-conf pid: \
        vrrp_pid: genhash checkers_pid: address-monitoring bfd_pid: snmp snmp-agent-socket: core-dump \
        core-dump-pattern:: namespace: config-id: signum: config-test:: ignore-sigint version help";
    for spelling in originals.split_whitespace() {
        assert!(known.contains(spelling), "{spelling}");
    }
}

#[test]
fn children_are_chosen_in_order() {
    let children = |line| {
        let Children { vrrp, checker, bfd, unconfigured } = options(line).children;
        [vrrp, checker, bfd, unconfigured]
    };
    assert_eq!(children(""), [true, true, true, false]);
    assert_eq!(children("-P"), [true, false, true, false]);
    assert_eq!(children("-CB"), [false, true, false, false]);
    assert_eq!(children("-PCB --all"), [true; 4]);
    assert_eq!(children("--all -P"), [true, false, true, true]);
}

#[test]
fn a_test_runs_in_the_foreground_and_tells_no_syslog() {
    let found = options("-t/tmp/log");
    assert_eq!(found.test, Some(Test { log: Some(PathBuf::from("/tmp/log")) }));
    assert!(found.foreground && !found.respawn && !found.log.syslog);
    assert_eq!(options("--config-test").test, Some(Test { log: None }));
    let parsed = parsed("-t file");
    assert_eq!(parsed.unexpected, ["file"]);
    assert!(matches!(parsed.request, Request::Run(_)));
}

#[test]
fn log_facilities() {
    let facility = |text: &str| options(&format!("-S {text}")).log.facility;
    assert_eq!(facility("0"), facility("local0"));
    assert_eq!(facility("daemon"), Facility::DAEMON);
    assert_ne!(facility("user"), facility("local7"));
    let wrong = parsed("-S local8 -n");
    assert_eq!(wrong.complaints, ["Invalid log facility 'local8'"]);
    assert!(matches!(wrong.request, Request::Run(options) if options.foreground));
}

#[test]
fn masks_are_numbers_as_in_c() {
    let mask = |text: &str| options(&format!("-u{text}")).umask;
    assert_eq!(["022", "0x1f", "18"].map(mask), [Some(0o22), Some(0x1f), Some(18)]);
    for wrong in ["01000", "9x", "-1", "0x+1"] {
        let parsed = parsed(&format!("-u {wrong}"));
        assert_eq!(parsed.complaints, [format!("Invalid --umask option {wrong}")]);
    }
}

#[test]
fn detail_grows_with_each_d() {
    assert_eq!(options("-D").child.detail, Detail::Detailed);
    assert_eq!(options("-DD").child.detail, Detail::Extra);
    assert_eq!(options("-D --log-d -D").child.detail, Detail::Extra);
}

#[test]
fn core_files_and_their_pattern() {
    assert_eq!(options("-M").core_pattern.as_deref(), Some("core"));
    assert_eq!(options("-M/tmp/%p").core_pattern.as_deref(), Some("/tmp/%p"));
    assert!(options("-M").core_dump && options("-m").core_dump);
    assert_eq!(options("-m").core_pattern, None);
}

#[test]
fn wrong_options_are_all_told() {
    let parsed = parsed("-Z --bogus -n --pid");
    assert_eq!(parsed.request, Request::Refused);
    assert_eq!(
        parsed.complaints,
        ["Unknown option -Z", "Unknown option --bogus", "Missing parameter for option --pid"]
    );
}

#[test]
fn questions_end_the_parsing() {
    assert_eq!(parsed("-Z -v --bogus").request, Request::Version);
    assert_eq!(parsed("--help").request, Request::Usage);
    assert_eq!(parsed("--signum=JSON").request, Request::Signal(Signal::Json));
    let unknown = parsed("--signum json");
    assert_eq!(unknown.request, Request::Refused);
    assert_eq!(unknown.complaints, ["Unknown sigfunc json"]);
}

#[test]
fn genhash_takes_what_follows() {
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    assert_eq!(parsed("-T -s ::1 --url").request, Request::Genhash(words(&["-s", "::1", "--url"])));
    let late = parsed("-nTS -v");
    assert_eq!(late.request, Request::Genhash(words(&["-S", "-v"])));
    assert_eq!(late.complaints, [GENHASH_NOT_FIRST]);
}

#[test]
fn the_usage_names_every_option_in_lines_of_its_own() {
    let usage = usage("keepalived");
    assert!(usage.starts_with("Usage: keepalived [OPTION...]\n"));
    for option in OPTIONS {
        let name = format!("--{}", option.spelling.long);
        assert!(usage.contains(&name) && usage.contains(option.help), "{name}");
    }
    assert!(usage.lines().all(|line| line.len() <= 120), "{usage}");
}

#[test]
fn the_man_page_names_the_same_options() {
    let page = include_str!("../../doc/keepalived.8").replace('\\', "");
    let section = page.split(".SH ").find(|section| section.starts_with("OPTIONS")).unwrap();
    let described: HashSet<&str> = section
        .split(".TP\n")
        .skip(1)
        .filter_map(|entry| entry.lines().next())
        .flat_map(|head| head.split([' ', '"', ',', '[', '=']))
        .filter(|word| word.starts_with('-'))
        .collect();
    let known: HashSet<String> = OPTIONS
        .iter()
        .flat_map(|option| {
            let short = option.spelling.short.map(|letter| format!("-{letter}"));
            short.into_iter().chain([format!("--{}", option.spelling.long)])
        })
        .collect();
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    assert_eq!(described, known);
}
