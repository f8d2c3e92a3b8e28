//! Virtual servers and checks. They need IPVS, so all but reading the configuration is measured on a virtual machine, ours
//! and C side by side. It is ten times slower than this one: only the ratios mean something elsewhere.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Namespace, Process, Scratch, machine, run};

use crate::table::{median, row, time};

/// What tells this program that it runs on the virtual machine.
pub(crate) const INSIDE: &str = "inside";

/// How many real servers are checked.
const CHECKED: usize = 1000;

/// How many virtual servers there are when starting and reloading is measured, and how many real servers each has.
const SERVICES: usize = 5000;
const SERVERS: usize = 4;

/// How long something may take there.
const PATIENCE: Duration = Duration::from_secs(120);

/// How checks cost.
struct Checks {
    processor: Duration,
    memory: u64,
    /// Checks made, of those that should have been.
    share: f64,
}

/// Runs [`inside`] on the virtual machine.
pub(crate) fn measure(ours: &Binary, theirs: &Binary) {
    let config = services(1);
    let checked = [ours, theirs].map(|binary| median(|| check(binary, &config)));
    time(&format!("-t, {SERVICES} virtual servers x {SERVERS}"), checked);
    let program = std::env::current_exe().expect("a running program has a path");
    let status = machine(900)
        .env("VM_PROCESSORS", "2")
        .args([variable("KEEPALIVED", ours), variable("PEER", theirs)])
        .arg(program)
        .arg(INSIDE)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the virtual machine failed");
}

fn variable(name: &str, binary: &Binary) -> String {
    let path = std::fs::canonicalize(binary.path()).unwrap_or_else(|_| binary.path().to_owned());
    format!("{name}={}", path.display())
}

/// What is measured there.
pub(crate) fn inside(ours: &Binary, theirs: &Binary) {
    for kind in ["TCP", "HTTP"] {
        let [ours, theirs] = [ours, theirs].map(|binary| checks(binary, kind));
        let title = format!("{CHECKED} real servers checked each second, {kind}");
        time(&format!("{title}: processor time in 10 s"), [ours.processor, theirs.processor]);
        #[expect(clippy::cast_precision_loss, reason = "kilobytes of one process")]
        row(&format!("{title}: memory (PSS)"), [ours.memory as f64, theirs.memory as f64], "kB", 0);
        row(&format!("{title}: made on time"), [ours.share, theirs.share], "%", 1);
    }
    let [ours, theirs] = [ours, theirs].map(start_and_reload);
    let title = format!("{SERVICES} virtual servers x {SERVERS}");
    time(&format!("{title}: exec to the whole table"), [ours.0, theirs.0]);
    time(&format!("{title}: reload, one server changed"), [ours.1, theirs.1]);
    #[expect(clippy::cast_precision_loss, reason = "kilobytes of one process")]
    row(&format!("{title}: memory (PSS)"), [ours.2 as f64, theirs.2 as f64], "kB", 0);
}

/// How long `-t` takes.
fn check(binary: &Binary, config: &str) -> Duration {
    let (namespace, scratch) = (Namespace::new(), Scratch::new());
    let file = scratch.write("keepalived.conf", config);
    let began = Instant::now();
    let verdict = Daemon::check(binary, &namespace, &file, &[]);
    let took = began.elapsed();
    assert_eq!(verdict.status, Some(0), "{:?}", verdict.complaints);
    took
}

/// What the checker costs while it makes a check of each server in each second.
fn checks(binary: &Binary, kind: &str) -> Checks {
    const PERIOD: u32 = 10;
    let namespace = Namespace::new();
    // Every address there is this machine's.
    namespace.ip("route add local 10.50.0.0/16 dev lo\n");
    let clients = serve(&namespace);
    let daemon = Daemon::start_silent(binary, &namespace, &checked(kind));
    await_that(|| clients.load(Ordering::Relaxed) >= 2 * CHECKED);
    let checker = daemon.checker().expect("it has written its pid file");
    let (before, made) = (checker.processor_time(), clients.load(Ordering::Relaxed));
    let began = Instant::now();
    thread::sleep(Duration::from_secs(PERIOD.into()));
    let took = began.elapsed();
    let (after, now) = (checker.processor_time(), clients.load(Ordering::Relaxed));
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let share = (now - made) as f64 / (CHECKED as f64 * took.as_secs_f64()) * 100.0;
    Checks { processor: after - before, memory: checker.memory(), share }
}

/// A server on port 80 of all addresses that answers whoever asks for a page, and counts who came.
fn serve(namespace: &Namespace) -> Arc<AtomicUsize> {
    let listener = namespace.enter(|| TcpListener::bind("0.0.0.0:80"));
    let listener = listener.expect("nobody else listens");
    let clients = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&clients);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, Ordering::Relaxed);
            // Clients come and go as they like.
            let _ = answer(stream);
        }
    });
    clients
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 512];
    if stream.read(&mut request)? > 0 {
        stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")?;
    }
    Ok(())
}

/// From exec to the whole table, from a reload to what it changes, and the memory of the checker then.
fn start_and_reload(binary: &Binary) -> (Duration, Duration, u64) {
    let namespace = Namespace::new();
    let last = SERVICES - 1;
    let last = format!("10.{}.{}.1:80", last / 250, last % 250);
    let complete = |weight: u32| {
        let weight = weight.to_string();
        let arguments = ["netns", "exec", namespace.name(), "ipvsadm", "-Ln", "-t", &last];
        let table = std::process::Command::new("ip").args(arguments).output();
        table.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let servers = text.lines().filter(|line| line.contains("-> 192"));
            let changed = |line: &&str| {
                let mut words = line.split_whitespace().skip(1);
                let address = words.next().unwrap_or_default();
                address.ends_with(&format!(".{SERVERS}:80")) && words.nth(1) == Some(&weight)
            };
            servers.clone().count() == SERVERS && servers.filter(changed).count() == 1
        })
    };
    let began = Instant::now();
    let daemon = Daemon::start_silent(binary, &namespace, &services(1));
    await_that(|| complete(1));
    let started = began.elapsed();
    let table = Path::new("/proc/thread-self/net/ip_vs");
    await_that(|| {
        let text = namespace.enter(|| std::fs::read_to_string(table)).unwrap_or_default();
        text.lines().count() == SERVICES * (SERVERS + 1) + 3
    });
    // What belongs to the start is over by then.
    thread::sleep(Duration::from_secs(3));
    let began = Instant::now();
    daemon.reload(&services(2));
    await_that(|| complete(2));
    let reloaded = began.elapsed();
    let memory = daemon.checker().map_or(0, |process: Process| process.memory());
    let _ = run("ip", &["netns", "exec", namespace.name(), "ipvsadm", "-C"]);
    (started, reloaded, memory)
}

#[track_caller]
fn await_that(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it takes too long");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Virtual servers with real servers that are checked each second.
fn checked(kind: &str) -> String {
    const GROUP: usize = 50;
    let check = match kind {
        "TCP" => "TCP_CHECK {\n  }",
        _ => "HTTP_GET {\n   url {\n    path /\n    status_code 200\n   }\n  }",
    };
    let mut text = String::new();
    for group in 0..CHECKED / GROUP {
        let _ = writeln!(
            text,
            "virtual_server 10.9.0.{} 80 {{
 lvs_sched rr
 lvs_method NAT
 protocol TCP
 delay_loop 1
 warmup 1
 connect_timeout 5",
            group + 1
        );
        for server in 0..GROUP {
            let _ =
                write!(text, " real_server 10.50.{group}.{} 80 {{\n  {check}\n }}\n", server + 1);
        }
        text += "}\n";
    }
    text
}

/// Many virtual servers, of which the last real server has the weight `last`.
fn services(last: u32) -> String {
    let mut text = String::new();
    for service in 0..SERVICES {
        let (high, low) = (service / 250, service % 250);
        let _ = writeln!(
            text,
            "virtual_server 10.{high}.{low}.1 80 {{
 lvs_sched rr
 lvs_method NAT
 protocol TCP
 delay_loop 600
 warmup 600"
        );
        for server in 1..=SERVERS {
            let weight = if (service, server) == (SERVICES - 1, SERVERS) { last } else { 1 };
            let _ = write!(
                text,
                " real_server 192.168.{low}.{server} 80 {{\n  weight {weight}\n  TCP_CHECK {{\n  }}\n }}\n"
            );
        }
        text += "}\n";
    }
    text
}
