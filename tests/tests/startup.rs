//! From the command line to a running daemon: exit statuses, pid files, becoming a daemon.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lab::{Binary, Daemon, Mark, Namespace, PATIENCE, Process, Scratch, await_file, await_process};
use nix::sys::signal::Signal;

const SESSION: &str = "bfd_instance one {\n neighbor_ip 127.0.0.2\n source_ip 127.0.0.1\n}\n";

/// Runs the program with these options, and nothing to find by itself.
fn run(options: &[&str]) -> Output {
    let binary = Binary::under_test();
    let mut command = binary.command();
    command.args(options).stdin(Stdio::null()).current_dir("/");
    command.output().unwrap_or_else(|error| panic!("{}: {error}", binary.path().display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The options that keep a daemon's files in `directory`.
fn file_options(directory: &Path) -> Vec<String> {
    let pairs = [("-p", "parent"), ("-r", "vrrp"), ("-c", "checkers"), ("-b", "bfd")];
    let files = pairs.map(|(option, name)| {
        [option.to_owned(), directory.join(name).with_extension("pid").display().to_string()]
    });
    files.concat()
}

/// Starts in the foreground, in a namespace of its own, and waits for the end, which must come by itself. The log must say
/// why. Returns the exit status.
#[track_caller]
fn start_and_fail(config: &str, reason: &str) -> Option<i32> {
    let namespace = Namespace::new();
    let mut daemon = Daemon::start(&Binary::under_test(), &namespace, config);
    let status = daemon.wait().code();
    daemon.await_log(Mark::default(), reason);
    status
}

#[test]
fn wrong_options_are_all_told_before_the_end() {
    let output = run(&["-Z", "--bogus", "-n", "--use-file"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "Unknown option -Z\nUnknown option --bogus\nMissing parameter for option --use-file\n"
    );
    let output = run(&["one", "--signum=DATA", "two"]);
    assert_eq!(text(&output.stdout), "Unexpected argument(s): one \n10\n");
}

#[test]
fn signals_are_told_by_number() {
    for (name, number) in [
        ("STOP", 15),
        ("RELOAD", 1),
        ("DATA", 10),
        ("STATS", 12),
        ("STATS_CLEAR", 63),
        // Exporters have this one hard-coded.
        ("JSON", 36),
    ] {
        let output = run(&[&format!("--signum={name}")]);
        assert_eq!(text(&output.stdout), format!("{number}\n"), "{name}");
        assert!(output.status.success());
    }
    let output = run(&["--signum", "stop"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "Unknown sigfunc stop\n");
}

#[test]
fn version_and_usage_go_to_standard_error() {
    let output = run(&["--version"]);
    let stderr = text(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(stderr.starts_with("Keepalived v2."), "{stderr}");
    assert!(stderr.contains("--enable-json"), "{stderr}");
    let output = run(&["-h"]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(text(&output.stderr).starts_with("Usage: "));
}

#[test]
fn without_a_readable_configuration_it_ends_with_6() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing");
    let directory = scratch.path().join("directory");
    let program = scratch.write("program", SESSION);
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for path in [missing, directory, program] {
        let options = file_options(scratch.path());
        let path = path.display().to_string();
        let mut words = vec!["-n", "-G", "-f", &path];
        words.extend(options.iter().map(String::as_str));
        assert_eq!(run(&words).status.code(), Some(6), "{path}");
    }
    let reason = "Config files missing '/nonexistent/file'.";
    assert_eq!(start_and_fail("includem /nonexistent/file\n", reason), Some(6));
}

#[test]
fn a_missing_parameter_or_interface_ends_it_with_2() {
    let config = "global_defs {\n smtp_server\n}\n";
    assert_eq!(start_and_fail(config, "is missing a parameter"), Some(2));
    let config = "vrrp_instance one {\n interface absent\n virtual_router_id 1\n}\n";
    assert_eq!(start_and_fail(config, "doesn't exist"), Some(2));
}

#[test]
fn an_unknown_namespace_is_an_error() {
    let status = start_and_fail(&format!("net_namespace kl-absent\n{SESSION}"), "kl-absent");
    assert!(status.is_some_and(|status| status != 0), "{status:?}");
}

#[test]
fn a_second_daemon_ends_with_0_and_leaves_the_first_alone() {
    let namespace = Namespace::new();
    let daemon = Daemon::start(&Binary::under_test(), &namespace, SESSION);
    daemon.await_log(Mark::default(), "Startup complete");
    let config = daemon.config().display().to_string();
    let mut words = vec!["-n", "-G", "-l", "-f", &config];
    let options = file_options(daemon.directory());
    words.extend(options.iter().map(String::as_str));
    let output = run(&words);
    assert_eq!(output.status.code(), Some(0));
    let log = text(&output.stderr);
    assert!(log.contains("daemon is already running"), "{log}");
    assert!(!log.contains("Stopped"), "{log}");
    for name in ["parent", "bfd"] {
        let path = daemon.directory().join(name).with_extension("pid");
        let pid = fs::read_to_string(&path).unwrap().trim().parse().unwrap();
        assert!(Process::new(pid).is_some(), "{} was overwritten", path.display());
    }
}

#[test]
fn a_child_that_outlived_its_daemon_counts_as_running() {
    let namespace = Namespace::new();
    let daemon = Daemon::start(&Binary::under_test(), &namespace, SESSION);
    daemon.await_log(Mark::default(), "Startup complete");
    let orphan = &daemon.process().children()[0];
    orphan.signal(Signal::SIGSTOP);
    daemon.process().signal(Signal::SIGKILL);
    assert!(daemon.process().wait(PATIENCE));
    let config = daemon.config().display().to_string();
    let mut words = vec!["-n", "-G", "-l", "-f", &config];
    let options = file_options(daemon.directory());
    words.extend(options.iter().map(String::as_str));
    let output = run(&words);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("daemon is already running"));
    orphan.signal(Signal::SIGKILL);
}

/// A daemon that has left the foreground, stopped at the end of the test.
struct Background {
    scratch: Scratch,
    process: Process,
}

impl Background {
    fn start(namespace: &Namespace, config: &str, options: &[&str]) -> Self {
        let scratch = Scratch::new();
        let file = scratch.write("keepalived.conf", config);
        let mut command = Binary::under_test().command();
        command.arg("-G").arg("-f").arg(file).args(file_options(scratch.path())).args(options);
        command.current_dir(scratch.path()).stdin(Stdio::null());
        let output = namespace.enter(|| command.output()).expect("it can be run");
        assert!(output.status.success(), "{}", text(&output.stderr));
        let process = await_process(&scratch.path().join("parent.pid"));
        Self { scratch, process }
    }

    fn link(&self, name: &str) -> PathBuf {
        fs::read_link(format!("/proc/{}/{name}", self.process.pid())).expect("it lives")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        self.process.wait(PATIENCE);
    }
}

#[test]
fn a_daemon_leaves_terminal_and_directory() {
    let namespace = Namespace::new();
    let daemon = Background::start(&namespace, SESSION, &[]);
    await_process(&daemon.scratch.path().join("bfd.pid"));
    assert_eq!(daemon.link("cwd"), Path::new("/"));
    for name in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(daemon.link(name), Path::new("/dev/null"), "{name}");
    }
    let status = fs::read_to_string(format!("/proc/{}/stat", daemon.process.pid())).unwrap();
    let after_name = status.rsplit(") ").next().unwrap();
    let session = after_name.split(' ').nth(3).unwrap();
    assert_eq!(session, daemon.process.pid().to_string(), "it leads its session");
    let words = fs::read(format!("/proc/{}/cmdline", daemon.process.children()[0].pid())).unwrap();
    assert!(text(&words).contains("keepalived.conf"), "neutron looks for the file in children too");
}

#[test]
fn a_relative_name_means_the_same_file_for_ever() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    scratch.write("relative.conf", SESSION);
    let log = format!("-g{}", scratch.path().join("log").display());
    let mut command = Binary::under_test().command();
    command.args(["-G", "-f", "relative.conf", &log]).args(file_options(scratch.path()));
    command.current_dir(scratch.path()).stdin(Stdio::null());
    let output = namespace.enter(|| command.output()).unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let process = await_process(&scratch.path().join("parent.pid"));
    let log = scratch.path().join("log");
    let says = |wanted: &str| await_file(&log, |text| text.contains(wanted).then_some(()));
    says("Startup complete");
    process.signal(Signal::SIGHUP);
    says("Reload complete");
    process.signal(Signal::SIGTERM);
    assert!(process.wait(PATIENCE));
}

#[test]
fn files_get_the_mask_and_pid_files_do_not() {
    let namespace = Namespace::new();
    for (options, log_mode) in [(&["-g"][..], 0o600), (&["-g", "-u", "022"], 0o644)] {
        let log = Scratch::new();
        let file = format!("-g{}", log.path().join("k.log").display());
        let options: Vec<&str> = options
            .iter()
            .map(|&option| if option == "-g" { file.as_str() } else { option })
            .collect();
        let daemon = Background::start(&namespace, SESSION, &options);
        await_process(&daemon.scratch.path().join("bfd.pid"));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(daemon.scratch.path().join("parent.pid")), 0o644);
        assert_eq!(mode(daemon.scratch.path().join("bfd.pid")), 0o644);
        assert_eq!(mode(log.path().join("k.log")), log_mode);
        assert_eq!(mode(log.path().join("k_bfd.log")), log_mode);
    }
}

#[test]
fn a_pid_file_is_no_way_to_other_files() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let precious = scratch.write("precious", "precious\n");
    let link = scratch.path().join("link.pid");
    symlink(&precious, &link).unwrap();
    let option = link.display().to_string();
    let mut daemon =
        Daemon::start_with(&Binary::under_test(), &namespace, SESSION, &["-p", &option]);
    daemon.wait();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
}

#[test]
fn a_removed_pid_file_comes_back_with_the_next_child() {
    let namespace = Namespace::new();
    let daemon = Daemon::start(&Binary::under_test(), &namespace, SESSION);
    daemon.await_log(Mark::default(), "Startup complete");
    let path = daemon.directory().join("bfd.pid");
    fs::remove_file(&path).unwrap();
    let victim = &daemon.process().children()[0];
    let mark = daemon.log().mark();
    victim.signal(Signal::SIGKILL);
    daemon.await_log(mark, "Starting BFD child process");
    let heir = await_process(&path);
    assert_ne!(heir.pid(), victim.pid());
}

#[test]
fn pid_files_may_have_a_directory() {
    let namespace = Namespace::new();
    for (line, directory) in [("", "run"), ("use_pid_dir\n", "run/keepalived")] {
        let scratch = Scratch::new();
        let file = scratch.write("keepalived.conf", &format!("{line}{SESSION}"));
        // A /run of its own, and the number of the shell becomes that of the daemon.
        let script = "mount -t tmpfs tmpfs /run && exec \"$0\" -G -n -l -f \"$1\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]);
        command.arg(Binary::under_test().path()).arg(file);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = namespace.enter(|| command.spawn()).unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut log = log.lines().map_while(Result::ok);
        assert!(log.any(|line| line.contains("Startup complete")));
        let number = child.id().to_string();
        let seen = Path::new("/proc").join(&number).join("root").join(directory);
        let text = fs::read_to_string(seen.join("keepalived.pid")).unwrap();
        assert_eq!(text.trim(), number);
        assert!(seen.join("bfd.pid").exists());
        Process::new(text.trim().parse().unwrap()).unwrap().signal(Signal::SIGTERM);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn names_of_instance_and_namespace() {
    let namespace = Namespace::new();
    let instance = format!("kl{}", std::process::id());
    let config = format!("instance {instance}\nnet_namespace {}\n{SESSION}", namespace.name());
    let scratch = Scratch::new();
    let file = scratch.write("keepalived.conf", &config);
    let mut command = Binary::under_test().command();
    // From outside: it goes into the namespace by itself.
    command.args(["-G", "-n", "-l", "-f"]).arg(file).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It makes the directory of its pid files itself.
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("Startup complete")));
    let directory = Path::new("/run/keepalived").join(namespace.name());
    let process = await_process(&directory.join(format!("keepalived_{instance}.pid")));
    let bfd = await_process(&directory.join(format!("bfd_{instance}.pid")));
    let place =
        |process: &Process| fs::read_link(format!("/proc/{}/ns/net", process.pid())).unwrap();
    let inside = namespace.enter(|| fs::read_link("/proc/thread-self/ns/net").unwrap());
    assert_eq!(place(&process), inside);
    assert_eq!(place(&bfd), inside);
    let seen = format!("/proc/{}/root/run/keepalived/bfd_{instance}.pid", process.pid());
    assert_eq!(fs::read_to_string(seen).unwrap().trim(), bfd.pid().to_string());
    process.signal(Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
    assert!(!directory.exists(), "{} is left", directory.display());
}
