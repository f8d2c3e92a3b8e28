//! A keepalived in a namespace: started, watched, told to reload, ended.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::SystemTime;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;

use crate::intake::{Intake, Source};
use crate::{Binary, Mark, Namespace, PATIENCE, Process, Scratch, Timeline, precedence};

/// A line of the log, without its time stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read.
    pub at: SystemTime,
    /// What it says.
    pub text: String,
}

/// A running keepalived with a configuration, pid files and a directory of its own. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    child: Child,
    log: Timeline<LogLine>,
    intake: Intake<Log>,
    scratch: Scratch,
}

/// Where its log comes in.
#[derive(Debug)]
struct Log {
    pipe: File,
    /// A line of which the rest is still to come.
    begun: Vec<u8>,
    record: Timeline<LogLine>,
}

/// What `-t` said of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub complaints: Vec<String>,
}

impl Daemon {
    /// Starts `binary` with `config` in `namespace`. Returns at once: await what the log or the network will show.
    pub fn start(binary: &Binary, namespace: &Namespace, config: &str) -> Self {
        Self::start_with(binary, namespace, config, &[])
    }

    /// [`Daemon::start`], with more options.
    pub fn start_with(
        binary: &Binary,
        namespace: &Namespace,
        config: &str,
        options: &[&str],
    ) -> Self {
        Self::spawn(binary, Some(namespace), config, &[&["-l", "-D"], options].concat())
    }

    /// [`Daemon::start`], but outside of all namespaces: `net_namespace` in `config` takes it inside.
    pub fn start_outside(binary: &Binary, config: &str) -> Self {
        Self::spawn(binary, None, config, &["-l", "-D"])
    }

    /// [`Daemon::start`], without a log, so that nothing but its work is measured.
    pub fn start_silent(binary: &Binary, namespace: &Namespace, config: &str) -> Self {
        Self::spawn(binary, Some(namespace), config, &[])
    }

    fn spawn(
        binary: &Binary,
        namespace: Option<&Namespace>,
        config: &str,
        options: &[&str],
    ) -> Self {
        let scratch = Scratch::new();
        let file = scratch.write("keepalived.conf", config);
        let mut command = binary.command();
        command.args(["-n", "-G", "-f"]).arg(file);
        for (option, name) in [("-p", "parent"), ("-r", "vrrp"), ("-c", "checkers"), ("-b", "bfd")]
        {
            command.arg(option).arg(scratch.path().join(name).with_extension("pid"));
        }
        command.args(options).env("TMPDIR", scratch.path()).current_dir(scratch.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let spawned = match namespace {
            Some(namespace) => namespace.enter(|| command.spawn()),
            None => command.spawn(),
        };
        let mut child =
            spawned.unwrap_or_else(|error| panic!("{}: {error}", binary.path().display()));
        precedence::of(&child);
        let pipe = OwnedFd::from(child.stderr.take().expect("it was asked for"));
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("it is a pipe");
        let log = Timeline::default();
        let record = log.clone();
        let intake = Intake::start(Log { pipe: pipe.into(), begun: Vec::new(), record });
        let pid = i32::try_from(child.id()).expect("the kernel numbers processes as int");
        let process = Process::new(pid).expect("a child that is not reaped has a number");
        Self { process, child, log, intake, scratch }
    }

    /// Lets `binary` judge the configuration in `file` (`-t`), in `namespace`. One that takes too long is killed.
    pub fn check(binary: &Binary, namespace: &Namespace, file: &Path, options: &[&str]) -> Verdict {
        let scratch = Scratch::new();
        let output = scratch.path().join("complaints");
        let stderr =
            File::create(&output).unwrap_or_else(|error| panic!("{}: {error}", output.display()));
        let mut command = binary.command();
        command.arg("-t").arg("-f").arg(file).args(options).env("TMPDIR", scratch.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let spawned = namespace.enter(|| command.spawn());
        let mut child =
            spawned.unwrap_or_else(|error| panic!("{}: {error}", binary.path().display()));
        let process =
            Process::new(i32::try_from(child.id()).expect("the kernel numbers processes as int"));
        if !process.is_some_and(|process| process.wait(PATIENCE)) {
            let _ = child.kill();
        }
        let status = child.wait().expect("it is our child").code();
        let text = fs::read(&output).unwrap_or_default();
        let complaints = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
        Verdict { status, complaints }
    }

    /// Its log: all that was written until now is in it.
    pub fn log(&self) -> &Timeline<LogLine> {
        self.intake.catch_up();
        &self.log
    }

    /// The parent process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The VRRP child, once it has written its pid file.
    pub fn vrrp(&self) -> Option<Process> {
        self.child("vrrp.pid")
    }

    /// The BFD child, once it has written its pid file.
    pub fn bfd(&self) -> Option<Process> {
        self.child("bfd.pid")
    }

    fn child(&self, file: &str) -> Option<Process> {
        let text = fs::read_to_string(self.scratch.path().join(file)).ok()?;
        Process::new(text.trim().parse().ok()?)
    }

    /// The checker child, once it has written its pid file.
    pub fn checker(&self) -> Option<Process> {
        let text = fs::read_to_string(self.scratch.path().join("checkers.pid")).ok()?;
        Process::new(text.trim().parse().ok()?)
    }

    /// Its directory: configuration, pid files, dumps.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.scratch.path().join("keepalived.conf")
    }

    /// Waits for a log line that contains `text`.
    ///
    /// # Panics
    ///
    /// With the whole log, if there is none in [`PATIENCE`].
    #[track_caller]
    pub fn await_log(&self, mark: Mark, text: &str) -> LogLine {
        let found =
            self.log().wait(mark, PATIENCE, |line| line.text.contains(text).then(|| line.clone()));
        found.unwrap_or_else(|| panic!("the log does not say {text:?}:\n{}", self.log_text()))
    }

    /// The whole log, for the message of a failed test.
    pub fn log_text(&self) -> String {
        self.log().all().iter().map(|line| format!("  {}\n", line.text)).collect()
    }

    /// Replaces the configuration and tells it to read it again. The file is never seen half written.
    pub fn reload(&self, config: &str) {
        let written = self.scratch.write("keepalived.conf.new", config);
        fs::rename(written, self.config()).expect("both are in our directory");
        self.process.signal(Signal::SIGHUP);
    }

    /// Asks it to stop, and waits until it did.
    ///
    /// # Panics
    ///
    /// If it is still there after [`PATIENCE`].
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.process.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it is still there after [`PATIENCE`].
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        assert!(self.process.wait(PATIENCE), "it does not end:\n{}", self.log_text());
        self.child.wait().expect("it is our child")
    }

    /// Kills the parent and all its children with SIGKILL, so that none of them can do anything more.
    pub fn kill(&mut self) {
        // A stopped parent cannot replace the children; a living one could, and an ended one warns them.
        self.process.signal(Signal::SIGSTOP);
        let children = self.process.children();
        for process in children.iter().chain([&self.process]) {
            process.signal(Signal::SIGKILL);
        }
        for child in &children {
            child.wait(PATIENCE);
        }
        let _ = self.child.wait();
        self.intake.catch_up();
    }
}

impl AsFd for Log {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl Source for Log {
    fn take_in(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let goes_on = loop {
            match self.pipe.read(&mut buffer) {
                Ok(0) => break false,
                Ok(count) => self.begun.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
            self.note_lines();
        };
        if !goes_on && !self.begun.is_empty() {
            self.begun.push(b'\n');
            self.note_lines();
        }
        goes_on
    }
}

impl Log {
    /// Notes the lines that are complete.
    fn note_lines(&mut self) {
        let at = SystemTime::now();
        let complete = self.begun.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        for line in self.begun[..complete].split_inclusive(|&byte| byte == b'\n') {
            let text = String::from_utf8_lossy(&line[..line.len() - 1]);
            self.record.push(LogLine { at, text: without_stamp(&text).to_owned() });
        }
        self.begun.drain(..complete);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `Tue Nov 24 16:01:05 2026: text`
fn without_stamp(line: &str) -> &str {
    let Some((stamp, text)) = line.split_at_checked(24) else { return line };
    let is_stamp = stamp.as_bytes()[13] == b':' && stamp.as_bytes()[16] == b':';
    if is_stamp { text.strip_prefix(": ").unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_no_part_of_what_a_line_says() {
        assert_eq!(
            without_stamp("Tue Nov 24 16:01:05 2026: (web) Entering MASTER STATE"),
            "(web) Entering MASTER STATE"
        );
        assert_eq!(without_stamp("Tue Nov  4 16:01:05 2026: "), "");
        assert_eq!(
            without_stamp("keepalived.conf:12:5: unknown keyword"),
            "keepalived.conf:12:5: unknown keyword"
        );
    }
}
