//! What managers see, change and are told over SNMP, compared with what the original showed of the same configuration.
//!
//! `RECORD=1 KEEPALIVED=…` has the program write the expected texts (`tests/snmp`) anew; `PEER=…` names an original that
//! was built with SNMP, which is then compared live.

use std::fs;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab::{
    Binary, Capture, Daemon, Forged, Mark, MasterAgent, Namespace, PATIENCE, Scratch,
    linked_as_recorded, run,
};

const KEEPALIVED: &str = ".1.3.6.1.4.1.9586.100.5";
const RFC2787: &str = ".1.3.6.1.2.1.68";
const RFC6527: &str = ".1.3.6.1.2.1.207";

/// No advert may be later than this after the one before, which is due after 100 ms.
const LATEST: Duration = Duration::from_millis(250);

const ONE: &str = "vrrp_instance one {\n interface eth0\n virtual_router_id 1\n priority 100\n advert_int 0.1\n version 3\n virtual_ipaddress {\n 10.77.0.9/24\n }\n}\n";

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snmp").join(name)
}

fn globals(agent: &MasterAgent<'_>, more: &str) -> String {
    let socket = agent.socket();
    format!(
        "global_defs {{\n router_id LB1\n snmp_socket {socket}\n enable_snmp_vrrp\n {more}\n}}\n"
    )
}

/// Asks until the answer has all of `wanted`.
#[track_caller]
fn await_answer(ask: impl Fn() -> String, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.contains(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "no '{wanted}' in:\n{answer}");
    }
}

/// What a walk shows, without what is another each time, and without what the original gets wrong
/// (`doc/differences.md`).
fn masked(walk: &str, scratch: &Scratch) -> String {
    /// The version, times, whether D-Bus was built in, and counters of what others send.
    const CHANGING: [&str; 4] =
        [".100.5.1.1.0 ", ".100.5.1.9.0 ", ".68.1.3.1.13.", ".207.1.1.1.1.12."];
    /// Recipients of mail, whether addresses are advertised, weights of trackers, how parameters are compared, the
    /// address of a master.
    const DEFECTS: [&str; 7] = [
        ".100.5.1.3.5.",
        ".100.5.2.6.1.11.",
        ".100.5.2.16.1.",
        ".100.5.2.19.1.",
        ".100.5.2.22.1.",
        ".100.5.2.21.1.5.",
        ".68.1.3.1.7.",
    ];
    let text = walk.replace(&*scratch.path().to_string_lossy(), "@DIR@");
    let is_kept = |line: &&str| !CHANGING.iter().chain(&DEFECTS).any(|part| line.contains(part));
    text.lines().filter(is_kept).map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The three MIBs of `binary` with the rich configuration, when `is_right` says so of them.
fn walks(binary: &Binary, is_right: impl Fn(&[String; 3]) -> bool) -> [String; 3] {
    let [namespace, _other] = linked_as_recorded();
    let agent = MasterAgent::start(&namespace);
    let scratch = Scratch::new();
    scratch.write("file", "5\n");
    let config = fs::read_to_string(recorded("everything.conf")).expect("it is in the tree");
    let config = config.replace("@DIR@", &scratch.path().to_string_lossy());
    let config = config.replace("@MASTER@", &agent.socket());
    let daemon = Daemon::start_with(binary, &namespace, &config, &["-P"]);
    let synced = "VRRP_Group(SG1) Syncing instances to MASTER state";
    daemon.await_log(Mark::default(), synced);
    daemon.await_log(Mark::default(), "(VI_1) Entering MASTER STATE");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let walks = [KEEPALIVED, RFC2787, RFC6527].map(|root| masked(&agent.walk(root), &scratch));
        if is_right(&walks) || Instant::now() > deadline {
            return walks;
        }
    }
}

#[track_caller]
fn compare(name: &str, walk: &str, expected: &str) {
    let (lines, wanted): (Vec<&str>, Vec<&str>) =
        (walk.lines().collect(), expected.lines().collect());
    let more: Vec<_> = lines.iter().filter(|line| !wanted.contains(line)).collect();
    let less: Vec<_> = wanted.iter().filter(|line| !lines.contains(line)).collect();
    assert!(lines == wanted, "{name}: wanted {less:#?}, not {more:#?}");
}

const NAMES: [&str; 3] = ["keepalived.walk", "vrrp.walk", "vrrpv3.walk"];

#[test]
fn the_mibs_are_those_of_the_original() {
    let binary = Binary::under_test();
    if std::env::var_os("RECORD").is_some() {
        let started = Instant::now();
        let walks = walks(&binary, |_| started.elapsed() > Duration::from_secs(8));
        for (name, walk) in NAMES.iter().zip(&walks) {
            fs::write(recorded(name), walk).expect("the tree can be written to");
        }
        return;
    }
    let expected = NAMES.map(|name| fs::read_to_string(recorded(name)).expect("it was recorded"));
    let walks = walks(&binary, |walks| *walks == expected);
    for ((name, walk), expected) in NAMES.iter().zip(&walks).zip(&expected) {
        compare(name, walk, expected);
    }
}

/// Only where the peer has SNMP.
#[test]
fn the_mibs_are_those_of_a_running_original() {
    let Some(peer) = Binary::original_with("SNMP_RFCV3") else { return };
    let started = Instant::now();
    let expected = walks(&peer, |_| started.elapsed() > Duration::from_secs(8));
    let walks = walks(&Binary::under_test(), |walks| *walks == expected);
    for ((name, walk), expected) in NAMES.iter().zip(&walks).zip(&expected) {
        compare(name, walk, expected);
    }
}

#[test]
fn what_is_walked_in_bulk_and_what_is_right_where_the_original_is_not() {
    let [namespace, _other] = linked_as_recorded();
    let agent = MasterAgent::start(&namespace);
    let globals = globals(
        &agent,
        "enable_snmp_rfcv2\n smtp_server 192.0.2.1\n notification_email {\n a@b.c\n d@e.f\n }",
    );
    let scratch = Scratch::new();
    let file = scratch.write("level", "1\n");
    let instances = format!(
        "track_file level {{\n file {}\n weight 3\n}}\n\
         vrrp_track_process absent {{\n process no-such-process now\n param_match initial\n weight 1\n}}\n\
         vrrp_instance one {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n 10.77.0.9\n }}\n\
         track_file {{\n level weight -2\n }}\n}}\n\
         vrrp_instance two {{\n interface eth0\n virtual_router_id 2\n virtual_ipaddress {{\n 10.77.0.10\n }}\n\
         virtual_routes {{\n 198.18.0.0/16 dev eth0 advmss 1000 quickack 0\n }}\n\
         virtual_rules {{\n from 10.77.0.10 ipproto tcp sport 80-81 dport 443-444 protocol 100 table 100 priority 500 no_track\n }}\n\
         track_process {{\n absent\n }}\n}}\n",
        file.display()
    );
    let daemon = Daemon::start(&Binary::under_test(), &namespace, &format!("{globals}{instances}"));
    daemon.await_log(Mark::default(), "(two) Entering MASTER STATE");
    await_answer(|| agent.walk(RFC2787), ".68.1.3.1.7.2.1 = IpAddress: 10.77.0.1\n");
    let walk = agent.walk(KEEPALIVED);
    for line in [
        ".1.3.5.1.2.1 = STRING: \"a@b.c\"",
        ".1.3.5.1.2.2 = STRING: \"d@e.f\"",
        ".2.6.1.11.2.1 = INTEGER: 1",
        ".2.12.1.3.1.1 = INTEGER: -2",
        ".2.21.1.5.1 = INTEGER: 3",
        ".2.7.1.20.2.1 = INTEGER: 2",
        ".2.7.1.25.2.1 = Gauge32: 1000",
        ".2.8.1.33.2.1 = INTEGER: 101",
        ".2.8.1.34.2.1 = Gauge32: 6",
        ".2.8.1.35.2.1 = Gauge32: 80",
        ".2.8.1.36.2.1 = Gauge32: 81",
        ".2.8.1.37.2.1 = Gauge32: 443",
        ".2.8.1.38.2.1 = Gauge32: 444",
    ] {
        assert!(walk.contains(line), "no {line} in:\n{walk}");
    }
    assert_eq!(agent.walk_in_bulk(KEEPALIVED), walk);
    assert!(!agent.walk(RFC6527).contains(".207.1"), "it was not asked for");
    let or = agent.walk(".1.3.6.1.2.1.1.9.1.3");
    for text in ["The MIB module for Keepalived", "for KEEPALIVED-VRRP", "for VRRP\""] {
        assert!(or.contains(text), "no '{text}' in:\n{or}");
    }
}

#[test]
fn priority_and_preemption_change_until_the_next_reload() {
    let [namespace, other] = linked_as_recorded();
    let agent = MasterAgent::start(&namespace);
    let config = format!("{}{ONE}", globals(&agent, "enable_snmp_rfcv3"));
    let daemon = Daemon::start(&Binary::under_test(), &namespace, &config);
    daemon.await_log(Mark::default(), "(one) Entering MASTER STATE");
    let up_time = || ticks(&agent.get(&[&format!("{RFC6527}.1.1.1.1.12.2.1.1")]));
    let cell = |column: u32| format!("{KEEPALIVED}.2.3.1.{column}.1");
    let [priority, effective, preempt, accept] = [7, 8, 13, 27].map(cell);
    let wire = Capture::start(&other, None);
    let mark = daemon.log().mark();
    assert_eq!(agent.set(&[&priority, "i", "80"]), format!("{priority} = INTEGER: 80\n"));
    daemon.await_log(mark, "(one) base priority changed from 100 to 80 via SNMP.");
    await_answer(|| agent.get(&[&effective]), "INTEGER: 80");
    let advertised = wire.frames().wait(Mark::default(), PATIENCE, |captured| {
        captured.frame.advert().filter(|advert| advert.priority == 80).map(drop)
    });
    assert!(advertised.is_some(), "the priority is not advertised");
    for (arguments, reason) in [
        ([&*priority, "i", "0"], "wrongValue"),
        ([&*priority, "i", "300"], "wrongValue"),
        ([&*priority, "u", "80"], "wrongType"),
        ([&*preempt, "i", "3"], "wrongValue"),
        ([&*accept, "i", "2"], "noAccess"),
        ([&*effective, "i", "5"], "notWritable"),
        ([".1.3.6.1.4.1.9586.100.5.2.3.1.7.9", "i", "5"], "notWritable"),
    ] {
        let said = agent.set(&arguments);
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
    // Both or none of them.
    let said = agent.set(&[&priority, "i", "90", &preempt, "i", "7"]);
    assert!(said.contains("wrongValue"), "{said}");
    assert_eq!(agent.get(&[&priority]), format!("{priority} = INTEGER: 80\n"));
    let mark = daemon.log().mark();
    agent.set(&[&priority, "i", "90", &preempt, "i", "2"]);
    daemon.await_log(mark, "(one) preemption disabled with SNMP");
    assert_eq!(agent.get(&[&preempt]), format!("{preempt} = INTEGER: 2\n"));
    let before = up_time();
    let mark = daemon.log().mark();
    daemon.reload(&format!("{config}# changed\n"));
    daemon.await_log(mark, "Reload");
    await_answer(|| agent.get(&[&priority, &preempt]), "INTEGER: 100");
    await_answer(|| agent.get(&[&preempt]), "INTEGER: 1");
    assert!(
        before > 0 && up_time() >= before,
        "it has been up for {before} ticks, and is not any more"
    );
}

/// The number in `NAME = Timeticks: (NUMBER) TIME`.
#[track_caller]
fn ticks(answer: &str) -> u64 {
    let number = answer.split(['(', ')']).nth(1).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no time: {answer}"))
}

/// What a notification says, without the times and with short names.
fn said(line: &str) -> Option<String> {
    let (_, trap) = line.split_once(".1.3.6.1.6.3.1.1.4.1.0 = OID: ")?;
    trap.contains(".100.5.")
        .then(|| trap.replace(KEEPALIVED, "K").replace('\t', " ").trim_end().to_owned())
}

#[test]
fn notifications_tell_of_states_and_stop_without_enable_traps() {
    let [namespace, other] = linked_as_recorded();
    let agent = MasterAgent::start(&namespace);
    let group = "vrrp_sync_group all {\n group {\n one\n }\n}\n";
    let config = format!("{}{ONE}{group}", globals(&agent, "enable_traps\n enable_snmp_rfcv3"));
    let mut daemon = Daemon::start(&Binary::under_test(), &namespace, &config);
    let state = |number: u8| {
        format!(
            "K.2.10.0.2 K.2.3.1.2 = STRING: \"one\" K.2.3.1.4 = INTEGER: {number} K.2.3.1.5 = INTEGER: 1 K.1.2.0 = STRING: \"LB1\""
        )
    };
    let of_group = |number: u8| {
        format!(
            "K.2.10.0.1 K.2.1.1.2 = STRING: \"all\" K.2.1.1.3 = INTEGER: {number} K.1.2.0 = STRING: \"LB1\""
        )
    };
    let heard = |wanted: &str| {
        let find = |line: &String| (said(line).as_deref() == Some(wanted)).then_some(());
        let found = agent.notifications().wait(Mark::default(), PATIENCE, find);
        assert!(found.is_some(), "no {wanted} in {:#?}", agent.notifications().all());
    };
    heard(&of_group(1));
    heard(&state(2));
    heard(&of_group(2));
    let new_master = |line: &String| line.contains(".1.3.6.1.2.1.207.0.1").then(|| line.clone());
    let found = agent.notifications().wait(Mark::default(), PATIENCE, new_master);
    let found = found.expect("a new master tells RFC 6527's listeners");
    assert!(found.contains(".207.1.1.1.1.3.2.1.1 = Hex-STRING: 0A 4D 00 01"), "{found}");
    assert!(found.contains(".207.1.2.5.1.2.2.1.1 = INTEGER: 3"), "{found}");
    let reason = format!("{RFC6527}.1.2.5.1.2.2.1.1");
    let masterships = format!("{RFC6527}.1.2.5.1.1.2.1.1");
    assert!(agent.get(&[&masterships]).ends_with("Counter32: 1\n"));
    // Clears the counters.
    run("kill", &["-63", &daemon.process().pid().to_string()]);
    await_answer(|| agent.get(&[&masterships]), "Counter32: 0");
    assert!(agent.get(&[&reason]).ends_with("INTEGER: 3\n"), "why it is master is no counter");
    let mark = agent.notifications().mark();
    let advert = Forged {
        source: Ipv4Addr::new(10, 77, 0, 77),
        ttl: 64,
        addresses: vec![Ipv4Addr::new(10, 77, 0, 9)],
        ..Forged::new(1, 200)
    };
    let flood = advert.repeat_by(&other, "there0");
    // Two at once, and then one a second.
    let mut errors = 0;
    agent.notifications().wait(mark, PATIENCE, |line| {
        errors += usize::from(line.contains(".1.3.6.1.2.1.207.0.2"));
        (errors == 3).then_some(())
    });
    assert_eq!(errors, 3, "{}", daemon.log_text());
    assert!(flood.sent() > 10, "{} were refused", flood.sent());
    drop(flood);
    daemon.stop();
    heard(&state(5));
    heard(&of_group(5));
    let mark = agent.notifications().mark();
    let daemon =
        Daemon::start(&Binary::under_test(), &namespace, &format!("{}{ONE}", globals(&agent, "")));
    daemon.await_log(Mark::default(), "(one) Entering MASTER STATE");
    await_answer(|| agent.get(&[&format!("{KEEPALIVED}.2.3.1.4.1")]), "INTEGER: 2");
    let more: Vec<String> =
        agent.notifications().since(mark).iter().filter_map(|line| said(line)).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn the_subagent_follows_its_master_and_the_configuration() {
    let [namespace, _other] = linked_as_recorded();
    let mut agent = MasterAgent::start(&namespace);
    let config = format!("{}{ONE}", globals(&agent, ""));
    let daemon = Daemon::start(&Binary::under_test(), &namespace, &config);
    let name = format!("{KEEPALIVED}.2.3.1.2.1");
    await_answer(|| agent.get(&[&name]), "STRING: \"one\"");
    let mark = daemon.log().mark();
    agent.stop();
    daemon.await_log(mark, "Failed to connect to the agentx master agent");
    agent.restart();
    daemon.await_log(mark, "AgentX subagent connected");
    await_answer(|| agent.get(&[&name]), "STRING: \"one\"");

    daemon.reload(ONE);
    await_answer(|| agent.get(&[&name]), "No Such Object");
    let child = daemon.vrrp().expect("it runs");
    assert!(!connected(child.pid(), &namespace), "a connection is left");
    daemon.reload(&config);
    await_answer(|| agent.get(&[&name]), "STRING: \"one\"");
}

/// Whether a process has a socket of the family of SNMP's: those of the daemon itself are pairs.
fn connected(pid: i32, namespace: &Namespace) -> bool {
    let own: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    let text = namespace.enter(|| fs::read_to_string("/proc/thread-self/net/unix"));
    text.expect("the kernel tells").lines().any(|line| {
        let inode = line.split_whitespace().nth(6).unwrap_or_default();
        let is_stream = line.split_whitespace().nth(4) == Some("0001");
        is_stream && own.contains(&format!("socket:[{inode}]"))
    })
}

#[test]
fn options_offer_everything_at_another_place() {
    let [namespace, _other] = linked_as_recorded();
    let agent = MasterAgent::start(&namespace);
    let config = format!("global_defs {{\n snmp_socket unix:/nowhere/master\n}}\n{ONE}");
    let options = ["--snmp", "-A", &agent.socket()];
    let daemon = Daemon::start_with(&Binary::under_test(), &namespace, &config, &options);
    daemon.await_log(Mark::default(), "AgentX subagent connected");
    await_answer(|| agent.walk(KEEPALIVED), ".2.3.1.2.1 = STRING: \"one\"");
    await_answer(|| agent.walk(RFC6527), ".207.1.1.1.1.7.2.1.1 = Gauge32: 100");
    await_answer(|| agent.walk(RFC2787), ".68.1.1.0 = INTEGER: 2");
}

/// One that accepts and never answers, one that asks without end and never listens, and one that talks nonsense: adverts
/// leave in time, and nothing grows.
#[test]
fn a_hostile_master_agent_delays_no_advert() {
    let [namespace, other] = linked_as_recorded();
    let scratch = Scratch::new();
    let path = scratch.path().join("master");
    let listener = UnixListener::bind(&path).expect("the directory is ours");
    let config = format!(
        "global_defs {{\n snmp_socket {}\n enable_snmp_vrrp\n enable_snmp_rfc\n enable_traps\n}}\n{ONE}",
        path.display()
    );
    let daemon = Daemon::start(&Binary::under_test(), &namespace, &config);
    daemon.await_log(Mark::default(), "(one) Entering MASTER STATE");
    let wire = Capture::start(&other, None);
    let child = daemon.vrrp().expect("it runs");
    let (mut stream, _) = listener.accept().expect("it calls at once");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time is a time");
    let mut opening = [0; 44];
    stream.read_exact(&mut opening).expect("it opens a session");
    assert_eq!(opening[..4], [1, 1, 0x10, 0], "Open, in network byte order");
    let before = child.own_memory();
    let mut flood = stream.try_clone().expect("a descriptor is left");
    flood.set_write_timeout(Some(Duration::from_millis(200))).expect("a time is a time");
    // The session is 0 until it has been told otherwise.
    let request: Vec<u8> = [
        &[1, 6, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 8][..],
        &[0, 4, 1, 0, 0, 0, 0, 0],
    ]
    .concat();
    let requests = request.repeat(1000);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        // It stops when nothing is taken any more.
        if flood.write_all(&requests).is_err() {
            break;
        }
    }
    let grown = child.own_memory().saturating_sub(before);
    assert!(grown < 4 * 1024, "{grown} kB more");
    wire.assert_steady(Duration::from_secs(2), LATEST);
    drop((stream, flood));
    let (mut stream, _) = listener.accept().expect("it calls again");
    stream.write_all(&[7; 64]).expect("it listens");
    wire.assert_steady(Duration::from_secs(1), LATEST);
}
