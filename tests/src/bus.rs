//! A message bus that is the machine's for whoever is told its address, and somebody who calls and listens on it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Binary, Mark, PATIENCE, Scratch, Timeline};

const SERVICE: &str = "org.keepalived.Vrrp1";

/// A `dbus-daemon` with the policy that is installed. Dropping it kills it.
#[derive(Debug)]
pub struct Bus {
    scratch: Scratch,
    daemon: Option<Child>,
    monitor: Option<Child>,
    signals: Timeline<String>,
    changes: Timeline<String>,
}

impl Bus {
    /// Starts it, and waits until it answers.
    pub fn start() -> Self {
        let mut bus = Self::absent();
        bus.restart();
        bus
    }

    /// A bus that is not there until it is [restarted](Bus::restart).
    pub fn absent() -> Self {
        let (signals, changes) = (Timeline::default(), Timeline::default());
        Self { scratch: Scratch::new(), daemon: None, monitor: None, signals, changes }
    }

    /// Where it listens.
    pub fn path(&self) -> PathBuf {
        self.scratch.path().join("bus")
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.path().display())
    }

    /// `binary`, for which this is the bus of the machine.
    pub fn with(&self, binary: Binary) -> Binary {
        binary.with_variable("DBUS_SYSTEM_BUS_ADDRESS", &self.address())
    }

    /// Ends it.
    pub fn stop(&mut self) {
        end(self.monitor.take());
        end(self.daemon.take());
        // Otherwise the next one would not get its place.
        let _ = std::fs::remove_file(self.path());
    }

    /// Ends it, and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        let policy = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../packaging/dbus/org.keepalived.Vrrp1.conf");
        let config = format!(
            "<busconfig>\n<type>system</type>\n<listen>{}</listen>\n<auth>EXTERNAL</auth>\n\
             <policy context=\"default\">\n<allow user=\"*\"/>\n<deny own=\"*\"/>\n\
             <deny send_type=\"method_call\"/>\n<allow send_type=\"signal\"/>\n\
             <allow send_requested_reply=\"true\" send_type=\"method_return\"/>\n\
             <allow send_requested_reply=\"true\" send_type=\"error\"/>\n\
             <allow receive_type=\"method_call\"/>\n<allow receive_type=\"method_return\"/>\n\
             <allow receive_type=\"error\"/>\n<allow receive_type=\"signal\"/>\n\
             <allow send_destination=\"org.freedesktop.DBus\"/>\n</policy>\n\
             <policy user=\"root\">\n<allow own=\"test.keepalived\"/>\n\
             <allow send_destination=\"test.keepalived\"/>\n\
             <allow send_destination=\"org.freedesktop.DBus\" send_interface=\"org.freedesktop.DBus.Monitoring\"/>\n\
             </policy>\n<include>{}</include>\n</busconfig>\n",
            self.address(),
            policy.display()
        );
        let config = self.scratch.write("bus.conf", &config);
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"]);
        command.arg("--config-file").arg(config);
        let lines = Timeline::default();
        let record = lines.clone();
        self.daemon = Some(spawn(command, move |line| record.push(line)));
        let said = lines.wait(Mark::default(), PATIENCE, |line| Some(line.clone()));
        assert!(said.is_some(), "dbus-daemon does not start");
        self.listen();
    }

    fn listen(&mut self) {
        let mut command = Command::new("dbus-monitor");
        command.args(["--address", &self.address(), "type='signal'"]);
        let lines = Timeline::default();
        let record = lines.clone();
        let (signals, changes) = (self.signals.clone(), self.changes.clone());
        let mut status = None;
        self.monitor = Some(spawn(command, move |line| {
            if let Some(signal) = summary(&line, &mut status) {
                let is_change = signal.starts_with("PropertiesChanged ");
                if is_change { &changes } else { &signals }.push(signal);
            }
            record.push(line);
        }));
        // It is the first that a monitor hears: that it is no ordinary client any more.
        let heard = |line: &String| line.contains("NameLost").then_some(());
        let started = lines.wait(Mark::default(), PATIENCE, heard);
        assert!(started.is_some(), "dbus-monitor does not listen: {:?}", lines.all());
    }

    /// The signals of keepalived that were heard: what happened, where, and the number that it carries.
    pub fn signals(&self) -> &Timeline<String> {
        &self.signals
    }

    /// The states that `PropertiesChanged` told of, in the same form, and names, as `Name "one"`.
    pub fn changes(&self) -> &Timeline<String> {
        &self.changes
    }

    /// Waits for a change of a property.
    #[track_caller]
    pub fn await_change(&self, mark: Mark, wanted: &str) {
        let found = self.changes.wait(mark, PATIENCE, |change| (change == wanted).then_some(()));
        assert!(found.is_some(), "no {wanted} in {:#?}", self.changes.since(mark));
    }

    /// Waits for a signal.
    #[track_caller]
    pub fn await_signal(&self, mark: Mark, wanted: &str) {
        let found = self.signals.wait(mark, PATIENCE, |signal| (signal == wanted).then_some(()));
        assert!(found.is_some(), "no {wanted} in {:#?}", self.signals.since(mark));
    }

    /// Calls `interface.method` of the object at `path` of the usual service, and returns what comes of it on one line.
    pub fn call(&self, path: &str, method: &str, arguments: &[&str]) -> String {
        self.call_of(SERVICE, path, method, arguments)
    }

    /// [`Bus::call`], of another service.
    pub fn call_of(&self, service: &str, path: &str, method: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("dbus-send");
        command.arg(format!("--bus={}", self.address()));
        command.arg(format!("--dest={service}")).args(["--print-reply", "--reply-timeout=5000"]);
        command.arg(path).arg(method).args(arguments).stdin(Stdio::null());
        said(command)
    }

    /// [`Bus::call`], by a user without privileges.
    pub fn call_as_nobody(&self, path: &str, method: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "dbus-send"]);
        command.arg(format!("--bus={}", self.address()));
        command.arg(format!("--dest={SERVICE}")).args(["--print-reply", "--reply-timeout=5000"]);
        command.arg(path).arg(method).args(arguments).stdin(Stdio::null());
        said(command)
    }

    /// Calls a method without arguments all the time, and reads no answer, until `within` has passed. Returns how many calls
    /// were taken.
    pub fn flood(&self, path: &str, method: &str, within: Duration) -> usize {
        let (interface, member) =
            method.rsplit_once('.').expect("a method belongs to an interface");
        let mut stream = UnixStream::connect(self.path()).expect("it listens");
        stream.write_all(b"\0AUTH EXTERNAL 30\r\n").expect("it reads");
        let mut line = [0; 37];
        stream.read_exact(&mut line).expect("it knows root");
        assert!(line.starts_with(b"OK "), "{}", String::from_utf8_lossy(&line));
        let bus = "org.freedesktop.DBus";
        let hello = octets(1, [bus, "/org/freedesktop/DBus", bus, "Hello"]);
        stream.write_all(&[b"BEGIN\r\n", &*hello].concat()).expect("it reads");
        let call = octets(2, [SERVICE, path, interface, member]);
        let many = call.repeat(100);
        stream.set_write_timeout(Some(Duration::from_millis(50))).expect("a time is a time");
        let (end, mut taken) = (Instant::now() + within, 0);
        while Instant::now() < end {
            // What is taken in part would be no message any more.
            match stream.write_all(&many) {
                Ok(()) => taken += 100,
                Err(_) => return taken,
            }
        }
        taken
    }

    /// Has it stand still, or go on.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.daemon {
            let pid = i32::try_from(child.id()).expect("the kernel numbers processes as int");
            kill(Pid::from_raw(pid), signal).expect("it runs");
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(mut command: Command, mut hear: impl FnMut(String) + Send + 'static) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let output = child.stdout.take().expect("it was asked for");
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).for_each(&mut hear));
    child
}

/// The answer of `dbus-send` without its first line, or the error.
fn said(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("dbus-send: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = text.split_once('\n').map_or("", |(_, rest)| rest);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let words: Vec<&str> = [answer, &error].into_iter().flat_map(str::split_whitespace).collect();
    words.join(" ")
}

/// A signal of keepalived on one line, once its last line has come. `status` is one that goes on: what and where.
fn summary(line: &str, status: &mut Option<String>) -> Option<String> {
    if let Some(number) = line.trim_start().strip_prefix("uint32 ") {
        return status.take().map(|signal| format!("{signal} {number}"));
    }
    if let (Some(text), Some(signal)) = (line.trim_start().strip_prefix("string "), &mut *status) {
        if signal.ends_with(" Name") {
            return status.take().map(|signal| format!("{signal} {text}"));
        }
        if text == "\"Name\"" {
            signal.push_str(" Name");
        }
        return None;
    }
    let value = |key: &str| {
        let (_, rest) = line.split_once(key)?;
        rest.split(';').next().map(str::to_owned)
    };
    let (path, member) = (value(" path=")?, value(" member=")?);
    let signal = format!("{member} {path}");
    let goes_on = matches!(&*member, "VrrpStatusChange" | "PropertiesChanged");
    *status = goes_on.then(|| signal.clone());
    line.contains("interface=org.keepalived.Vrrp1.Vrrp;").then_some(signal)
}

/// A call of a method without arguments: destination, path, interface and member.
fn octets(serial: u32, [destination, path, interface, member]: [&str; 4]) -> Vec<u8> {
    let mut fields = Vec::new();
    for (code, kind, text) in
        [(1, b'o', path), (6, b's', destination), (2, b's', interface), (3, b's', member)]
    {
        let length = u32::try_from(text.len()).expect("it is short").to_le_bytes();
        fields.resize(fields.len().next_multiple_of(8), 0);
        fields
            .extend_from_slice(&[&[code, 1, kind, 0], &length[..], text.as_bytes(), &[0]].concat());
    }
    let length = u32::try_from(fields.len()).expect("it is short").to_le_bytes();
    let head = [&[b'l', 1, 0, 1, 0, 0, 0, 0][..], &serial.to_le_bytes(), &length].concat();
    let mut message = [head, fields].concat();
    message.resize(message.len().next_multiple_of(8), 0);
    message
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}
