//! What is tracked, and what it is worth.

use super::*;
use crate::config::track::{FileId, ScriptId, SessionId, Tracker, Trackers};
use crate::track::process::{Parameters, Pattern, Quorum};

const THINGS: &str = "vrrp_script chk {\n script /bin/sh\n weight 5\n}\nvrrp_track_process p {\n process httpd\n weight 5\n}\n";
const WEIGHTED: &str = "track_interface {\n eth1 weight 5\n}\ntrack_script {\n chk\n}\ntrack_file {\n f\n g\n}\ntrack_process {\n p\n}\ntrack_bfd {\n peer weight 5\n}";

#[track_caller]
fn tracking(lines: &str, complaints: &[&str]) -> Trackers {
    let text = format!("{THINGS}{}", instance(lines));
    Loaded::from(&text).expect_complaints(complaints).instance().trackers.as_ref().clone()
}

fn weights<T>(trackers: &[Tracker<T>]) -> Vec<(i32, bool)> {
    trackers.iter().map(|tracker| (tracker.weighting.weight, tracker.weighting.reverse)).collect()
}

#[test]
fn trackers_have_the_weight_of_what_they_track() {
    let all = tracking(WEIGHTED, &[]);
    assert_eq!(weights(&all.interfaces), [(5, false)]);
    assert_eq!(weights(&all.scripts), [(5, false)]);
    assert_eq!(weights(&all.files), [(1, false), (7, false)]);
    assert_eq!(weights(&all.processes), [(5, false)]);
    assert_eq!(weights(&all.sessions), [(5, false)]);
}

#[test]
fn weights_of_trackers_are_limited() {
    let script = |entry: &str, complaints: &[&str]| {
        weights(&tracking(&format!("track_script {{\n chk {entry}\n}}"), complaints).scripts)
    };
    assert_eq!(script("weight -253 reverse", &[]), [(-253, true)]);
    assert_eq!(
        script("weight 254", &["(web) weight for chk cannot be +/-254. Setting to +/-253"]),
        [(253, false)]
    );
    assert_eq!(
        script("weight 255", &["number '255'", "weight must be between [-253..253] inclusive"]),
        [(5, false)]
    );
    assert_eq!(
        script("weight", &["(web) weight without value specified for track script chk"]),
        []
    );
    assert_eq!(script("foo", &["(web) unknown track script option foo - ignoring"]), []);
    assert_eq!(
        script("weight 7 foo", &["(web) unknown track_script chk weight option foo"]),
        [(7, false)]
    );
    assert_eq!(script("\n chk", &["(web) duplicate track_script chk - ignoring"]), [(5, false)]);
    let file = |entry: &str, complaints: &[&str]| {
        weights(&tracking(&format!("track_file {{\n f {entry}\n}}"), complaints).files)
    };
    assert_eq!(file("weight 254", &[]), [(254, false)]);
    assert_eq!(
        file("weight 255", &["number '255'", "must be in [-254..254] inclusive. Ignoring..."]),
        [(1, false)]
    );
    assert_eq!(
        file("weight 5 foo", &["(web) unknown track file f weight option foo - ignoring"]),
        []
    );
    let interface = |entry: &str, complaints: &[&str]| {
        weights(&tracking(&format!("track_interface {{\n {entry}\n}}"), complaints).interfaces)
    };
    assert_eq!(interface("eth1 weight 5 reverse", &[]), [(5, true)]);
    assert_eq!(
        interface("eth1 weight 5 noreverse", &["weight option noreverse - ignoring"]),
        [(5, false)]
    );
    assert_eq!(interface("eth0", &["(web) Ignoring track_interface eth0 since own interface"]), []);
    interface(
        "eth9",
        &[
            "(web) tracked interface eth9 doesn't exist",
            "Non-existent interface specified in configuration",
        ],
    );
}

#[test]
fn unknown_things_are_not_tracked() {
    for (block, spoken) in [
        ("track_script", "track script"),
        ("track_file", "track file"),
        ("track_process", "track process"),
        ("track_bfd", "track bfd"),
    ] {
        let complaint = format!("(web) {spoken} none not found, ignoring...");
        assert_eq!(tracking(&format!("{block} {{\n none\n}}"), &[&complaint]), Trackers::default());
    }
    tracking("track_bfd {\n checked\n}", &["(web) track bfd checked not found, ignoring..."]);
}

#[test]
fn the_order_of_blocks_does_not_matter() {
    let text = format!("{}{THINGS}", instance(WEIGHTED));
    Loaded::from(&text).expect_silence();
}

#[test]
fn address_owners_have_no_weights() {
    let all = tracking(
        &format!("priority 255\n{WEIGHTED}"),
        &[
            "(web) ignoring eth1 tracked interface due to address owner",
            "(web) ignoring tracked script chk with weights due to address_owner",
            "(web) ignoring weight from tracked file f due to address_owner. specify weight 0",
            "(web) ignoring tracked file g with weight 7 due to address_owner",
            "(web) ignoring tracked bfd peer with weight 5 due to address_owner",
        ],
    );
    assert_eq!((all.interfaces.len(), all.scripts.len(), all.sessions.len()), (0, 0, 0));
    assert_eq!(weights(&all.files), [(0, false)]);
    assert_eq!(weights(&all.processes), [(5, false)]);
}

fn grouped(group: &str, lines: &str) -> Loaded {
    let other = instance("virtual_router_id 52").replace("web", "other");
    let text = format!(
        "{THINGS}vrrp_sync_group g {{\n group {{\n web\n other\n }}\n {group}\n}}\n{}{other}",
        instance(lines)
    );
    Loaded::from(&text)
}

#[test]
fn members_of_a_group_have_no_weights_unless_allowed() {
    let loaded = grouped("", WEIGHTED).expect_complaints(&[
        "(web) ignoring eth1 tracked interface weight due to SYNC group",
        "(web) ignoring tracked script chk with weights due to SYNC group",
        "(web) ignoring weight from tracked file f due to SYNC group. specify weight 0",
        "(web) ignoring tracked file g with weight 7 due to SYNC group",
        "(web) ignoring tracked bfd peer with weight 5 due to SYNC group",
    ]);
    assert_eq!(weights(&loaded.instance().trackers.interfaces), [(5, false)]);
    assert_eq!(weights(&loaded.instance().trackers.processes), [(5, false)]);
    grouped("sync_group_tracking_weight", WEIGHTED).expect_silence();
}

#[test]
fn trackers_of_a_group_count_for_its_members() {
    let group = "track_script {\n chk weight 9\n}\ntrack_interface {\n eth1 weight 9\n}";
    let loaded =
        grouped(&format!("sync_group_tracking_weight\n{group}"), "track_script {\n chk\n}");
    let trackers = loaded.expect_silence().config.effective_trackers();
    assert_eq!(weights(&trackers[0].scripts), [(9, false)], "the group's");
    assert_eq!(weights(&trackers[1].scripts), [(9, false)]);
    assert_eq!(weights(&trackers[1].interfaces), [(0, false), (9, false)]);
    let loaded = grouped(group, "track_script {\n chk weight 0\n}").expect_silence();
    assert_eq!(
        weights(&loaded.config.effective_trackers()[0].scripts),
        [(0, false)],
        "a fault stays one"
    );
    grouped("track_interface {\n eth0\n}", "").expect_complaints(&[
        "(web) track_interface eth0 is configured on VRRP instance and sync group.",
        "(other) track_interface eth0 is configured on VRRP instance and sync group.",
    ]);
}

#[test]
fn a_group_with_an_owner_has_no_weights() {
    let loaded = grouped("track_script {\n chk\n}\ntrack_file {\n f\n}", "priority 255");
    let loaded = loaded.expect_complaints(&[
        "(g) Cannot have weighted track script 'chk' with member having priority 255 - clearing weight",
        "(g) Cannot have weighted track file 'f' with member having priority 255 - setting weight 0",
    ]);
    assert_eq!(weights(&loaded.config.groups[0].trackers.scripts), [(0, false)]);
}

#[test]
fn what_nobody_tracks_goes_and_the_others_keep_their_names() {
    let scripts: String = ["a", "b", "c"]
        .map(|name| format!("vrrp_script {name} {{\n script /bin/sh\n}}\n"))
        .concat();
    let lines = "track_script {\n c\n a\n}\ntrack_file {\n g\n}\ntrack_bfd {\n peer\n}";
    let process = "vrrp_track_process counted {\n process nobody-tracks-it\n}\n";
    let text = format!("{scripts}{process}{}", instance(lines));
    let loaded = Loaded::from(&text).expect_silence();
    // How many there are is something that monitoring wants to know.
    assert!(loaded.config.processes.iter().any(|process| process.name == "counted"));
    let names: Vec<_> = loaded.config.scripts.iter().map(|script| script.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    let web = loaded.instance();
    let tracked: Vec<_> = web.trackers.scripts.iter().map(|tracker| tracker.what).collect();
    assert_eq!(tracked, [ScriptId(1), ScriptId(0)]);
    assert_eq!(web.trackers.files[0].what, FileId(0));
    assert_eq!(loaded.config.file(FileId(0)).unwrap().name, "g");
    assert_eq!(loaded.config.session(SessionId(0)), Some("peer"));
    let notices: Vec<_> =
        loaded.diagnostics.items().iter().map(|item| item.message.as_str()).collect();
    assert!(notices.contains(&"Warning - script b is not used"), "{notices:?}");
}

#[track_caller]
fn script(lines: &str, complaints: &[&str]) -> Option<Script> {
    let text = format!(
        "vrrp_script chk {{\n script /bin/sh\n {lines}\n}}\n{}",
        instance("track_script {\n chk\n}")
    );
    Loaded::from(&text).expect_complaints(complaints).config.scripts.pop()
}

#[test]
fn scripts_run_again_and_again() {
    let plain = script("", &[]).unwrap();
    assert_eq!((plain.interval.as_secs(), plain.timeout), (1, None));
    assert_eq!((plain.rise, plain.fall, plain.init_fail), (1, 1, false));
    let full =
        script("interval 0.25\ntimeout 4294\nrise 2\nfall 3\ninit_fail\nuser root", &[]).unwrap();
    assert_eq!(full.interval, Duration::from_millis(250));
    assert_eq!((full.timeout.unwrap().as_secs(), full.rise, full.fall), (4294, 2, 3));
    assert!(full.init_fail);
    for (line, complaints) in [
        ("interval 0", &["(chk): vrrp script interval must be greater than 0, setting to 1"][..]),
        ("interval 4295", &["number '4295'", "must be between 0.001 and 4294 - ignoring"]),
        ("timeout x", &["invalid number 'x'", "(chk): vrrp script timeout 'x' invalid - ignoring"]),
        ("rise 0", &["number '0'", "(chk): vrrp script rise value '0' invalid, defaulting to 1"]),
        (
            "fall x",
            &["invalid number 'x'", "(chk): vrrp script fall value 'x' invalid, defaulting to 1"],
        ),
        ("weight 254", &["number '254'", "vrrp_script chk weight 254 must be in [-253, 253]"]),
        ("weight 5 foo", &["vrrp_script chk unknown weight option foo"]),
    ] {
        assert_eq!(script(line, complaints).unwrap().interval.as_secs(), 1, "{line}");
    }
    let unknown = "(web) track script chk not found, ignoring...";
    assert_eq!(
        script("user no-such-user", &["Unable to set uid/gid for script '/bin/sh'", unknown]),
        None
    );
    assert_eq!(
        script("script \"\"", &["No script set for vrrp_script chk - removing", unknown]),
        None
    );
    assert_eq!(
        script("script /nonexistent", &["Disabling track script chk since not found/accessible"]),
        None
    );
}

#[track_caller]
fn process(lines: &str, complaints: &[&str]) -> Option<TrackProcess> {
    let text =
        format!("vrrp_track_process p {{\n {lines}\n}}\n{}", instance("track_process {\n p\n}"));
    Loaded::from(&text).expect_complaints(complaints).config.processes.pop()
}

#[test]
fn processes_are_counted() {
    let quorum = |lines: &str| process(&format!("process httpd\n{lines}"), &[]).unwrap().quorum;
    let plain = quorum("");
    assert_eq!((plain.least, plain.most), (1, u32::MAX));
    assert_eq!((quorum("quorum 2\nquorum_max 5").least, quorum("quorum_max 5").most), (2, 5));
    let none = quorum("quorum_max 0");
    assert_eq!((none.least, none.most), (0, 0), "it must not run");
    let Quorum { fork_delay, terminate_delay, .. } = quorum("delay 2\nfork_delay 0.5");
    assert_eq!((fork_delay.as_millis(), terminate_delay.as_millis()), (500, 2000));
    for (line, complaints) in [
        (
            "quorum 0",
            &["number '0'", "Quorum (0) for vrrp_track_process p must be between [1..65535]"][..],
        ),
        ("quorum_max 65536", &["number '65536'", "quorum_max (65536) for vrrp_track_process p"]),
        ("quorum_max 3\nquorum 5", &["Quorum is greater than quorum_max - ignoring"]),
        ("quorum 5\nquorum_max 3", &["quorum_max is less than quorum - ignoring"]),
        ("delay 3601", &["number '3601'", "delay (3601) for vrrp_track_process p must be between"]),
        ("weight 255", &["number '255'", "Weight (255) for vrrp_track_process p"]),
        ("weight 5\nweight 6", &["Weight already set for track process p - ignoring 6"]),
        ("weight", &["No weight specified for track process p - ignoring"]),
        ("param_match x", &["Invalid param_match type x - ignoring"]),
        ("process x", &["Process already set for track process p - ignoring x"]),
    ] {
        assert!(process(&format!("process httpd\n{line}"), complaints).is_some(), "{line}");
    }
    let complaints = ["track process 'p' process name not specified", "track process p not found"];
    assert_eq!(process("quorum 1", &complaints), None);
}

#[test]
fn processes_are_known_by_name_or_command_line() {
    let pattern = |lines: &str| process(lines, &[]).unwrap().pattern;
    let line = |words: &[&str], parameters| Pattern::CommandLine {
        words: words.iter().map(|&word| word.to_owned()).collect(),
        parameters,
    };
    assert_eq!(pattern("process httpd"), Pattern::Name("httpd".to_owned()));
    assert_eq!(pattern("process httpd\nfull_command"), line(&["httpd"], Parameters::Partial));
    assert_eq!(pattern("process httpd\nparam_match"), line(&["httpd"], Parameters::Exact));
    assert_eq!(
        pattern("process httpd -k start"),
        line(&["httpd", "-k", "start"], Parameters::Exact)
    );
    assert_eq!(
        pattern("process httpd -k\nparam_match initial"),
        line(&["httpd", "-k"], Parameters::Initial)
    );
    assert_eq!(
        pattern("param_match partial\nprocess httpd -k"),
        line(&["httpd", "-k"], Parameters::Partial)
    );
}
