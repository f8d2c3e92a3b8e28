//! Checks of real servers on a kernel with IPVS: when they run, what follows, and who is told.
//!
//! Most of them look whether a file can be opened, so that a test decides which server is up. Checks that need a network
//! are tried on servers in `probes`.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lab::{
    Backend, Binary, Daemon, MailServer, Mark, Namespace, PATIENCE, Scratch, Service, Session,
    await_file, await_process, each_on_machine,
};
use nix::sys::signal::Signal;

/// A namespace with a virtual address, and files that stand for servers.
struct Bench {
    namespace: Namespace,
    /// On the other end of the cable.
    far: Namespace,
    scratch: Scratch,
}

impl Bench {
    fn new() -> Self {
        let (namespace, far) = (Namespace::new(), Namespace::new());
        namespace.ip(&format!(
            "link add lvs0 type veth peer name lvs1\nlink set lvs0 up\naddr add 10.9.0.1/24 dev lvs0\nlink set lvs1 netns {}\n",
            far.name()
        ));
        far.ip("link set lo up\nlink set lvs1 up\naddr add 10.9.0.2/24 dev lvs1\n");
        let scratch = Scratch::new();
        // Whoever a script runs as, it can write here.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        Self { namespace, far, scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Makes a server good, or bad.
    fn turn(&self, server: u8, good: bool) {
        let file = self.path(&format!("server{server}"));
        if good {
            fs::write(file, "").expect("it is ours");
        } else {
            fs::remove_file(file).expect("it was good");
        }
    }

    /// A script that runs `command`.
    fn script(&self, name: &str, command: &str) -> String {
        let path = self.scratch.write(name, &format!("#!/bin/sh\n{command}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path.display().to_string()
    }

    /// A script that writes what it is called to `told`.
    fn teller(&self, name: &str) -> String {
        self.script(name, &format!("echo {name} >> {}", self.path("told").display()))
    }

    /// A server that is good while its file is there.
    fn server(&self, number: u8, lines: &str, check: &str) -> String {
        let file = self.path(&format!("server{number}"));
        let check = format!(
            "MISC_CHECK {{\nmisc_path \"<{}\"\nuser root\nmisc_timeout 10\n{check}\n}}",
            file.display()
        );
        server(number, lines, &check)
    }

    fn start(&self, config: &str, options: &[&str]) -> Daemon {
        Daemon::start_with(&Binary::under_test(), &self.namespace, config, options)
    }

    /// Waits until something has told all of these, each on a line.
    #[track_caller]
    fn await_told(&self, lines: &[&str]) {
        await_file(&self.path("told"), |text| {
            lines
                .iter()
                .all(|line| text.lines().any(|told| told.trim_matches('\0') == *line))
                .then_some(())
        });
    }
}

fn server(number: u8, lines: &str, checks: &str) -> String {
    format!("real_server 10.9.0.{number} 80 {{\nweight 1\n{lines}\n{checks}\n}}\n")
}

const SERVICE: &str = "[10.9.0.100]:tcp:80";

fn name(number: u8) -> String {
    format!("[10.9.0.{number}]:tcp:80")
}

fn config(globals: &str, lines: &str, servers: &[String]) -> String {
    format!(
        "global_defs {{\nscript_user root\n{globals}\n}}\nvirtual_server 10.9.0.100 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method DR\ndelay_loop 0.2\nwarmup 0\ndelay_before_retry 0.2\n{lines}\n{}}}\n",
        servers.concat()
    )
}

/// The lines of the log since `mark` in which one of `words` is.
fn lines(daemon: &Daemon, mark: Mark, words: &[&str]) -> Vec<String> {
    let all = daemon.log().since(mark).into_iter().map(|line| line.text);
    all.filter(|line| words.iter().any(|word| line.contains(word))).collect()
}

/// How often the log says so, since `mark`.
fn count(daemon: &Daemon, mark: Mark, word: &str) -> usize {
    lines(daemon, mark, &[word]).len()
}

fn scripts_decide_and_others_are_told() {
    let bench = Bench::new();
    let (told, code) = (bench.path("told"), bench.path("code"));
    fs::write(&told, "").expect("it is ours");
    fs::set_permissions(&told, fs::Permissions::from_mode(0o666)).expect("it is ours");
    fs::write(&code, "22").expect("it is ours");
    let dynamic = bench.script("dynamic", &format!("exit $(cat {})", code.display()));
    let reader = bench.script("reader", &format!("exec cat $1 >> {}", told.display()));
    let [up, down, quorum_up, quorum_down] =
        ["up", "down", "quorum_up", "quorum_down"].map(|name| bench.teller(name));
    let user = bench.script("user", &format!("echo \"user $(id -un)\" >> {}", told.display()));
    let globals = format!(
        "lvs_notify_fifo {}\nlvs_notify_fifo_script {reader}\nrs_init_notifies",
        bench.path("fifo").display()
    );
    let notify = format!("notify_up {up}\nnotify_down {down}");
    let weights = format!(
        "MISC_CHECK {{\nmisc_path {dynamic}\nmisc_timeout 10\nmisc_dynamic\nalpha\nretry 2\nlog_all_failures\n}}"
    );
    let file = bench.path("number");
    fs::write(&file, "3\n").expect("it is ours");
    let servers = [
        server(2, &format!("weight 18\n{notify}"), &weights),
        server(3, "", "FILE_CHECK {\ntrack_file number\nweight 2\n}"),
        server(
            4,
            "",
            &format!("MISC_CHECK {{\nmisc_path {user}\nmisc_timeout 10\nuser nobody\n}}"),
        ),
    ];
    let tracked = format!("track_file number {{\nfile {}\n}}\n", file.display());
    let quorum = format!("quorum 20\nquorum_up {quorum_up}\nquorum_down {quorum_down}\nomega");
    let mut daemon = bench.start(&(tracked + &config(&globals, &quorum, &servers)), &[]);
    // Of those that are up from the start there is notice, since it was asked for.
    bench.await_told(&[
        &format!("RS {} {SERVICE} UP", name(3)),
        &format!("RS {} {SERVICE} UP", name(4)),
        "user nobody",
    ]);
    daemon.await_log(
        Mark::default(),
        &format!("Changing weight from 18 to 20 for inactive service {} of VS {SERVICE}", name(2)),
    );
    daemon.await_log(Mark::default(), &format!("Gained quorum 20+0=20 <= 28 for VS {SERVICE}"));
    bench.await_told(&[
        "up",
        "quorum_up",
        &format!("RS {} {SERVICE} UP", name(2)),
        &format!("VS {SERVICE} UP"),
    ]);
    // A status that stands for another weight, and one for a failure.
    fs::write(&code, "7").expect("it is ours");
    daemon.await_log(
        Mark::default(),
        &format!("Changing weight from 20 to 5 for active service {}", name(2)),
    );
    daemon.await_log(Mark::default(), &format!("Lost quorum 20-0=20 > 13 for VS {SERVICE}"));
    bench.await_told(&["quorum_down", &format!("VS {SERVICE} DOWN")]);
    let mark = daemon.log().mark();
    fs::write(&code, "1").expect("it is ours");
    daemon.await_log(mark, &format!("Removing service {} from VS {SERVICE}", name(2)));
    let by = format!("Misc check for [{} VS {SERVICE}] by [{dynamic}]", name(2));
    assert_eq!(
        lines(&daemon, mark, &["Misc check"]),
        [
            format!("{by} failed, will do 2 retries (exited with status 1)."),
            format!("{by} failed on retry 1/2 (exited with status 1)."),
            format!("{by} failed after 2 retries (exited with status 1)."),
        ]
    );
    assert_eq!(count(&daemon, mark, "Changing weight"), 0, "a failure has no weight");
    bench.await_told(&["down", &format!("RS {} {SERVICE} DOWN", name(2))]);
    // A file gives weight, and takes a server out.
    fs::write(&file, "50\n").expect("it is ours");
    daemon
        .await_log(mark, &format!("Changing weight from 7 to 101 for active service {}", name(3)));
    daemon.await_log(mark, &format!("Gained quorum 20+0=20 <= 102 for VS {SERVICE}"));
    fs::write(&file, "-2000000000\n").expect("it is ours");
    daemon.await_log(mark, &format!("({}): tracked file number now FAULT state", name(3)));
    daemon.await_log(mark, &format!("Removing service {} from VS {SERVICE}", name(3)));
    // A reload does not let it in for a moment.
    let mark = daemon.log().mark();
    daemon.process().signal(Signal::SIGHUP);
    daemon.await_log(mark, "Reload complete");
    assert_eq!(lines(&daemon, mark, &["Adding service", "Removing service"]), [""; 0]);
    fs::write(&file, "0\n").expect("it is ours");
    daemon.await_log(mark, &format!("({}): tracked file number leaving FAULT state", name(3)));
    daemon.await_log(mark, &format!("Adding service {} to VS {SERVICE}", name(3)));
    let before = fs::read_to_string(&told).expect("it is there").len();
    assert!(daemon.stop().success());
    let after = fs::read_to_string(&told).expect("it is there");
    assert!(after[before..].contains(&format!("RS {} {SERVICE} DOWN", name(4))), "{after}");
    assert!(!bench.path("fifo").exists());
}

fn results_are_mailed_where_that_is_wanted() {
    let bench = Bench::new();
    bench.namespace.ip("link set lo up\n");
    let server = MailServer::agreeing(&bench.namespace);
    (2..=3).for_each(|server| bench.turn(server, true));
    let globals = |more: &str| {
        format!(
            "router_id lb1\nnotification_email {{\nroot@example.com\n}}\nnotification_email_from lb1@example.com\nsmtp_server 127.0.0.1 {}\nsmtp_helo_name lb1\n{more}",
            server.port()
        )
    };
    let twice = |lines| {
        let second = format!(
            "MISC_CHECK {{\nmisc_path \"<{}\"\nuser root\nmisc_timeout 10\n}}",
            bench.path("server3").display()
        );
        vec![bench.server(
            2,
            lines,
            &format!(
                "}}\n{second}\nMISC_CHECK {{\nmisc_path /bin/true\nmisc_timeout 10\nuser root"
            ),
        )]
    };
    let mailed = |sessions: &[Session]| {
        let mail = |session: &Session| {
            let body = session.heard.lines().find(|line| line.starts_with("=> "));
            format!("{} {}", session.subject(), body.unwrap_or_default())
        };
        let mut mails: Vec<String> = sessions.iter().map(mail).collect();
        mails.sort();
        mails
    };
    let count = || server.sessions().all().len();
    let of = |state: &str, body: &str| {
        format!("[lb1] Realserver {} of virtual server {SERVICE} - {state} => {body} <=", name(2))
    };
    let of_service =
        |state: &str, body: &str| format!("[lb1] Virtualserver {SERVICE} - {state} => {body} <=");
    let await_mails = |before: usize, expected: &[&String], daemon: &Daemon| {
        let mut expected: Vec<String> = expected.iter().map(|&mail| mail.clone()).collect();
        expected.sort();
        let complete =
            server.sessions().wait_until(PATIENCE, |all| mailed(&all[before..]) == expected);
        let found = mailed(&server.sessions().all()[before..]);
        assert!(complete, "{found:#?}, not {expected:#?}\n{}", daemon.log_text());
    };
    // Mails about each check, by default, and about the quorum where that is asked for.
    let mut daemon = bench.start(&config(&globals(""), "smtp_alert\nomega", &twice("")), &[]);
    let succeeded = of("UP", "MISC CHECK succeeded on service");
    let started = of_service("UP", "Starting with quorum up 1+0=1 <= 1");
    let first = [&started, &succeeded, &succeeded, &succeeded];
    await_mails(0, &first, &daemon);
    let mark = count();
    bench.turn(2, false);
    let failed = of("DOWN", "MISC CHECK failed on service");
    let lost = of_service("DOWN", "Lost quorum 1+0=1 <= 0");
    await_mails(mark, &[&failed, &lost], &daemon);
    bench.turn(3, false);
    await_mails(mark, &[&failed, &lost, &failed], &daemon);
    // Without mails of checks that change nothing about the server.
    daemon.reload(&config(&globals("no_checker_emails"), "smtp_alert\nomega", &twice("")));
    daemon.await_log(Mark::default(), "Reload complete");
    let mark = count();
    let log = daemon.log().mark();
    bench.turn(2, true);
    daemon.await_log(log, "succeeded.");
    bench.turn(3, true);
    let gained = of_service("UP", "Gained quorum 1+0=1 <= 1");
    await_mails(mark, &[&succeeded, &gained], &daemon);
    let mark = count();
    assert!(daemon.stop().success());
    let farewell = "Shutting down";
    await_mails(mark, &[&of("DOWN", farewell), &of_service("DOWN", farewell)], &daemon);
    // No mails of checks at all, unless a server wants them.
    let alerts = globals("smtp_alert\nsmtp_alert_checker off");
    let servers = [bench.server(2, "", ""), bench.server(3, "smtp_alert on", "")];
    let daemon = bench.start(&config(&alerts, "", &servers), &[]);
    let mark = count();
    daemon.await_log(Mark::default(), &format!("[{} VS {SERVICE}] by", name(2)));
    let body = "MISC CHECK succeeded on service";
    let only =
        format!("[lb1] Realserver {} of virtual server {SERVICE} - UP => {body} <=", name(3));
    await_mails(mark, &[&only], &daemon);
}

/// A line of `/proc/PID/FILE`, without what it begins with.
fn line(pid: i32, file: &str, beginning: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it lives");
    let line = text.lines().find_map(|line| line.strip_prefix(beginning));
    line.unwrap_or_else(|| panic!("{file} says nothing of {beginning}")).trim().to_owned()
}

/// A column of `/proc/PID/stat`, counted from 1 as in proc(5).
fn stat(pid: i32, column: usize) -> i64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let (_, rest) = text.rsplit_once(") ").expect("the name is in brackets");
    rest.split(' ').nth(column - 3).and_then(|word| word.parse().ok()).expect("it is a number")
}

fn the_process_is_given_what_the_configuration_says() {
    let bench = Bench::new();
    bench.turn(2, true);
    let start = |globals: &str| {
        let daemon = bench.start(&config(globals, "", &[bench.server(2, "", "")]), &[]);
        daemon.await_log(Mark::default(), "Startup complete");
        let process = await_process(&daemon.directory().join("checkers.pid"));
        (daemon, process)
    };
    let (mut daemon, process) = start(
        "checker_process_name looking\nchecker_priority -5\nchecker_cpu_affinity 0\nchecker_no_swap\nchecker_log_all_failures",
    );
    let pid = process.pid();
    assert_eq!(process.name(), "looking");
    assert_eq!(stat(pid, 19), -5);
    assert_eq!(line(pid, "status", "Cpus_allowed_list:"), "0");
    assert_ne!(line(pid, "status", "VmLck:"), "0 kB");
    // Every failure is logged, as the global setting has it.
    let mark = daemon.log().mark();
    let [good, retried] = ["", "retry 1"].map(|check| {
        config(
            "checker_log_all_failures\nlvs_process_name watching",
            "",
            &[bench.server(2, "", check)],
        )
    });
    daemon.reload(&retried);
    daemon.await_log(mark, "Reload complete");
    assert_eq!(process.name(), "watching");
    bench.turn(2, false);
    daemon.await_log(mark, "failed, will do 1 retry (exited with status 2).");
    daemon.await_log(mark, "failed after 1 retry (exited with status 2).");
    daemon.reload(&good);
    bench.turn(2, true);
    daemon.await_log(mark, &format!("Adding service {} to VS {SERVICE}", name(2)));
    // A socket that cannot be bound is not kept.
    let ping = "PING_CHECK {\nbindto 10.9.0.77\n}";
    let mark = daemon.log().mark();
    daemon.reload(&config("", "", &[bench.server(2, "", ""), server(3, "", ping)]));
    let await_unbound = || {
        let mark = daemon.log().mark();
        daemon.await_log(mark, "ICMP socket bind failed. Rescheduling.");
        process.descriptors().len()
    };
    let before = await_unbound();
    let after = (0..8).fold(before, |_, _| await_unbound());
    assert!(after <= before + 3, "{before}, then {after}");
    // A script that cannot be started is tried again; until then nothing is known.
    let before = process.limit_descriptors(3);
    daemon.await_log(mark, "cannot run script");
    process.limit_descriptors(before);
    let mark = daemon.log().mark();
    bench.turn(2, false);
    daemon.await_log(mark, &format!("Removing service {} from VS {SERVICE}", name(2)));
    assert!(daemon.stop().success());
    bench.turn(2, true);
    // One limit by its name, and one by its old name.
    for limit in ["checker_rlimit_rttime", "checker_rlimit_rtime"] {
        let (mut daemon, process) = start(&format!("checker_rt_priority 7\n{limit} 20000000"));
        assert_eq!(stat(process.pid(), 40), 7);
        let text = line(process.pid(), "limits", "Max realtime timeout");
        assert_eq!(text.split_whitespace().take(2).collect::<Vec<_>>(), ["10000000", "20000000"]);
        assert!(daemon.stop().success());
    }
}

fn checks_wait_for_the_address_of_their_service() {
    let bench = Bench::new();
    (2..=3).for_each(|server| bench.turn(server, true));
    let group = "virtual_server_group both {\n10.9.0.100-101 80\n10.9.0.110 80\n}\nvirtual_server group both {\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nha_suspend\ndelay_loop 0.2\nwarmup 0\n";
    let group = format!("{group}{}}}\n", bench.server(3, "alpha", ""));
    let most = fs::read_to_string("/proc/sys/net/core/rmem_max").expect("it is there");
    let most: usize = most.trim().parse().expect("it is a number");
    let buffers = |[command, monitor]: [usize; 2], force: &str| {
        let cmd =
            format!("lvs_netlink_cmd_rcv_bufs {command}\nlvs_netlink_cmd_rcv_bufs_force {force}");
        format!(
            "{cmd}\nlvs_netlink_monitor_rcv_bufs {monitor}\nlvs_netlink_monitor_rcv_bufs_force {force}"
        )
    };
    let text =
        |buffers: &str| config(buffers, "ha_suspend", &[bench.server(2, "alpha", "")]) + &group;
    let [command, monitor] = [most + 1000, most + 2000];
    let mut daemon = bench.start(&text(&buffers([command, monitor], "on")), &[]);
    daemon.await_log(
        Mark::default(),
        &format!("Deactivating healthchecker for service {} for VS {SERVICE}", name(2)),
    );
    daemon.await_log(Mark::default(), "for VS [both]:0");
    let change = |what: &str, address: &str| {
        let mark = daemon.log().mark();
        bench.namespace.ip(&format!("addr {what} {address}/32 dev lvs0\n"));
        mark
    };
    let mark = change("add", "10.9.0.100");
    daemon.await_log(mark, "Netlink reflector reports IP 10.9.0.100 added");
    daemon.await_log(
        mark,
        &format!("Activating healthchecker for service {} for VS {SERVICE}", name(2)),
    );
    daemon.await_log(mark, &format!("Adding service {} to VS {SERVICE}", name(2)));
    // In the original the checks of a group never run.
    daemon.await_log(mark, &format!("Adding service {} to VS [both]:0", name(3)));
    let before = lines(&daemon, Mark::default(), &["Adding service"]);
    let first = lines(&daemon, mark, &["Adding service"]);
    assert_eq!(before, first, "something was checked before");
    // Another address of the group takes over; the service of one address is suspended, and stays as it is.
    change("add", "10.9.0.101");
    let mark = change("del", "10.9.0.100");
    daemon.await_log(mark, "Netlink reflector reports IP 10.9.0.100 removed");
    daemon.await_log(
        mark,
        &format!("Suspending healthchecker for service {} for VS {SERVICE}", name(2)),
    );
    (2..=3).for_each(|server| bench.turn(server, false));
    daemon.await_log(mark, &format!("Removing service {} from VS [both]:0", name(3)));
    assert_eq!(count(&daemon, mark, &format!("Removing service {}", name(2))), 0);
    // Both sockets have the buffers that were asked for, after a reload as well.
    let checker = await_process(&daemon.directory().join("checkers.pid"));
    let forced = [2 * command, 2 * monitor];
    let found = checker.receive_buffers();
    assert!(forced.iter().all(|size| found.contains(size)), "{found:?}");
    let mark = daemon.log().mark();
    daemon.reload(&text(&buffers([command, monitor], "off")));
    daemon.await_log(mark, "Reload complete");
    let found = checker.receive_buffers();
    assert!(!forced.iter().any(|size| found.contains(size)), "{found:?}");
    assert!(found.iter().filter(|&&size| size == 2 * most).count() >= 2, "{found:?}");
    let mark = change("del", "10.9.0.101");
    daemon.await_log(mark, "for VS [both]:0");
    // What does not fit into the buffer is not missed.
    let mark = daemon.log().mark();
    daemon.reload(&text(&buffers([65_536, 4096], "on")));
    daemon.await_log(mark, "Reload complete");
    checker.signal(Signal::SIGSTOP);
    let mark = daemon.log().mark();
    let many: String = (1..=200).map(|n| format!("addr add 10.8.0.{n}/32 dev lvs0\n")).collect();
    bench.namespace.ip(&many);
    bench.namespace.ip("addr add 10.9.0.100/32 dev lvs0\n");
    checker.signal(Signal::SIGCONT);
    daemon.await_log(mark, "some changes of addresses were missed: reading all of them");
    daemon.await_log(
        mark,
        &format!("Activating healthchecker for service {} for VS {SERVICE}", name(2)),
    );
    assert!(daemon.stop().success());
}

fn a_session_decides_over_its_servers() {
    let bench = Bench::new();
    let session = |this: u8, other: u8| {
        let name = if this == 1 { "near" } else { "far" };
        format!(
            "bfd_instance {name} {{\nsource_ip 10.9.0.{this}\nneighbor_ip 10.9.0.{other}\nmin_rx 100\nmin_tx 100\nmultiplier 2\n}}\n"
        )
    };
    let checks = |lines: &str| format!("BFD_CHECK {{\nname near\n{lines}\n}}");
    // A script that does not want to end, and never ceases to talk.
    let stubborn = bench.script("stubborn", "trap '' TERM\nexec yes");
    let misc = format!("MISC_CHECK {{\nmisc_path {stubborn}\nmisc_timeout 1\nuser root\n}}");
    let servers =
        [server(2, "", &checks("alpha")), server(3, "", &checks("")), server(4, "", &misc)];
    let text = session(1, 2) + &config("", "", &servers);
    let mut daemon = bench.start(&text, &[]);
    daemon.await_log(Mark::default(), "Activating BFD healthchecker");
    let by = format!("Misc check for [{} VS {SERVICE}] by [{stubborn}]", name(4));
    daemon.await_log(Mark::default(), &format!("{by} timed out with retry disabled."));
    daemon.await_log(Mark::default(), &format!("Removing service {} from VS {SERVICE}", name(4)));
    let said =
        |number: u8, state: &str| format!("BFD check of [near] RS({}) is {state}", name(number));
    // It is told that there is nobody on the other side, once there was time for an answer.
    daemon.await_log(Mark::default(), &said(3, "DOWN"));
    daemon.await_log(Mark::default(), &format!("Removing service {} from VS {SERVICE}", name(3)));
    let mark = daemon.log().mark();
    let other = Daemon::start(&Binary::under_test(), &bench.far, &session(2, 1));
    for number in [2, 3] {
        daemon.await_log(mark, &said(number, "UP"));
        daemon.await_log(mark, &format!("Adding service {} to VS {SERVICE}", name(number)));
    }
    let mark = daemon.log().mark();
    daemon.reload(&text);
    daemon.await_log(mark, "Reload complete");
    assert_eq!(count(&daemon, mark, "BFD check of"), 0, "nothing has changed");
    drop(other);
    daemon.await_log(mark, &said(2, "DOWN"));
    daemon.await_log(mark, &said(3, "DOWN"));
    // Where the other side is there from the start, no server is taken out for the time until the session is up.
    let _other = Daemon::start(&Binary::under_test(), &bench.far, &session(2, 1));
    assert!(daemon.stop().success());
    let daemon = bench.start(&text, &[]);
    daemon.await_log(Mark::default(), &said(3, "UP"));
    assert_eq!(count(&daemon, Mark::default(), &said(3, "DOWN")), 0);
    assert_eq!(count(&daemon, Mark::default(), "Removing service"), 0);
}

/// What is under way when a reload comes is dropped, and with it all that it has.
fn reloads_leave_nothing_behind() {
    let bench = Bench::new();
    let address = |port: u16| SocketAddr::from(([10, 9, 0, 2], port));
    let silent = Backend::start(&bench.far, address(8081), Service::Silent);
    let _others: Vec<Backend> = [
        (8080, Service::page("200 OK", "fine")),
        (2525, Service::Smtp(true)),
        (5353, Service::Dns(0)),
        (7007, Service::Udp(None)),
    ]
    .map(|(port, service)| Backend::start(&bench.far, address(port), service))
    .into();
    let checks = [
        "TCP_CHECK {\nconnect_port 8080\n",
        "TCP_CHECK {\nconnect_port 9\n",
        "HTTP_GET {\nconnect_port 8080\nurl {\npath /\nregex fi+ne\n}\n",
        "HTTP_GET {\nconnect_port 8081\nurl {\npath /\n}\n",
        "SSL_GET {\nconnect_port 8081\nurl {\npath /\n}\n",
        "SMTP_CHECK {\nconnect_port 2525\n",
        "DNS_CHECK {\nconnect_port 5353\n",
        "UDP_CHECK {\nconnect_port 7007\nrequire_reply\n",
        "PING_CHECK {\n",
    ];
    let text = |timeout: &str| {
        let checks = checks
            .map(|check| format!("{check}connect_ip 10.9.0.2\nconnect_timeout {timeout}\n}}\n"));
        let script = "MISC_CHECK {\nmisc_path \"/bin/sleep 1\"\nuser root\nmisc_timeout 10\n}\n";
        let servers = (2..=6).map(|number| server(number, "", &(checks.concat() + script)));
        config("", &format!("quorum {timeout}"), &servers.collect::<Vec<_>>())
    };
    // The checks of one are not those of the other.
    let texts = [text("3"), text("4")];
    let mut daemon = bench.start(&texts[0], &[]);
    daemon.await_log(Mark::default(), "Remote Web server");
    let checker = daemon.checker().expect("it has written its pid file");
    let reload = |times: usize| {
        for text in texts.iter().rev().cycle().take(times) {
            let (mark, clients) = (daemon.log().mark(), silent.clients());
            daemon.reload(text);
            daemon.await_log(mark, "Activating BFD healthchecker");
            let deadline = Instant::now() + PATIENCE;
            // Attempts are under way that only their time ends. The server tells nobody who has come.
            while silent.clients() < clients + 5 {
                assert!(Instant::now() < deadline, "nobody asks:\n{}", daemon.log_text());
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        // What it shares with scripts that are just being started is not counted twice, or by half.
        (checker.descriptors().len(), checker.own_memory())
    };
    let seen = [reload(6), reload(16), reload(16)];
    // Which attempts are under way is chance, and where memory has gaps; what a reload left behind would be there as often as
    // there were reloads, each time.
    let grown = |part: fn(&(usize, u64)) -> u64| {
        let parts = seen.each_ref().map(part);
        parts.windows(2).map(|two| two[1].saturating_sub(two[0])).min().unwrap_or_default()
    };
    assert!(grown(|seen| seen.0 as u64) < 16, "descriptors: {seen:?}");
    assert!(grown(|seen| seen.1) < 400, "kilobytes: {seen:?}");
    assert!(daemon.stop().success());
}

#[test]
fn checks_decide_over_servers() {
    each_on_machine(
        "checks_decide_over_servers",
        300,
        &[
            ("scripts_decide_and_others_are_told", scripts_decide_and_others_are_told),
            ("results_are_mailed_where_that_is_wanted", results_are_mailed_where_that_is_wanted),
            (
                "the_process_is_given_what_the_configuration_says",
                the_process_is_given_what_the_configuration_says,
            ),
            (
                "checks_wait_for_the_address_of_their_service",
                checks_wait_for_the_address_of_their_service,
            ),
            ("a_session_decides_over_its_servers", a_session_decides_over_its_servers),
            ("reloads_leave_nothing_behind", reloads_leave_nothing_behind),
        ],
    );
}
