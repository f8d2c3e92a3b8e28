//! The SNMP master agent of net-snmp, as keepalived's subagents meet it, and somebody who asks it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::{Namespace, PATIENCE, Scratch, Timeline};

/// Where managers ask, and where notifications go.
const AGENT: &str = "127.0.0.1:1161";
const LISTENER: &str = "127.0.0.1:1162";

/// An `snmpd` in a namespace, with sockets of its own. Dropping it kills it.
#[derive(Debug)]
pub struct MasterAgent<'a> {
    namespace: &'a Namespace,
    scratch: Scratch,
    agent: Option<Child>,
    listener: Option<Child>,
    notifications: Timeline<String>,
}

impl<'a> MasterAgent<'a> {
    /// Starts it and waits until it answers.
    pub fn start(namespace: &'a Namespace) -> Self {
        let scratch = Scratch::new();
        let notifications = Timeline::default();
        let mut all = Self { namespace, scratch, agent: None, listener: None, notifications };
        all.listen();
        all.restart();
        all
    }

    /// Where it awaits subagents, in the words of `snmp_socket`.
    pub fn socket(&self) -> String {
        format!("unix:{}", self.path().display())
    }

    /// The path of that socket.
    pub fn path(&self) -> PathBuf {
        self.scratch.path().join("master")
    }

    /// The notifications that it has passed on, one a line.
    pub fn notifications(&self) -> &Timeline<String> {
        &self.notifications
    }

    /// Ends it.
    pub fn stop(&mut self) {
        end(self.agent.take());
    }

    /// Ends it, and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        let config = format!(
            "master agentx\nagentXSocket {}\nrwcommunity private 127.0.0.1\ntrap2sink {LISTENER} public\n",
            self.socket()
        );
        let config = self.scratch.write("snmpd.conf", &config);
        let mut command = self.command("/usr/sbin/snmpd");
        command.args(["-f", "-Le", "-C", "-c"]).arg(config).arg(format!("udp:{AGENT}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.agent = Some(self.spawn(command));
        let deadline = Instant::now() + PATIENCE;
        while !self.ask("snmpget", &[".1.3.6.1.2.1.1.3.0"]).contains("Timeticks") {
            assert!(Instant::now() < deadline, "snmpd does not answer");
        }
    }

    /// All objects below `root`, one a line.
    pub fn walk(&self, root: &str) -> String {
        self.ask("snmpwalk", &[root])
    }

    /// All objects from `root` on that come before `end`.
    pub fn walk_until(&self, root: &str, end: &str) -> String {
        self.ask_with("snmpwalk", &["-CE", end], &[root])
    }

    /// The same, with many objects an answer.
    pub fn walk_in_bulk(&self, root: &str) -> String {
        self.ask("snmpbulkwalk", &[root])
    }

    /// The objects of these names.
    pub fn get(&self, names: &[&str]) -> String {
        self.ask("snmpget", names)
    }

    /// Sets objects: name, type and value of each. Returns what is said about it.
    pub fn set(&self, objects: &[&str]) -> String {
        self.ask("snmpset", objects)
    }

    fn ask(&self, program: &str, objects: &[&str]) -> String {
        self.ask_with(program, &[], objects)
    }

    fn ask_with(&self, program: &str, options: &[&str], objects: &[&str]) -> String {
        let mut command = self.command(program);
        command.args(["-v2c", "-c", "private", "-On", "-Oe", "-OU", "-t", "2", "-r", "2"]);
        command.args(options).arg(AGENT).args(objects).stdin(Stdio::null());
        let output = self.namespace.enter(|| command.output());
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).into_owned()
    }

    fn listen(&mut self) {
        let mut command = self.command("/usr/sbin/snmptrapd");
        command.args([
            "-f",
            "-Lo",
            "-C",
            "-On",
            "-Oe",
            "--disableAuthorization=yes",
            "-F",
            "%v\\n",
        ]);
        command.arg(format!("udp:{LISTENER}")).arg("-p").arg(self.scratch.path().join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = self.spawn(command);
        let output = child.stdout.take().expect("it was asked for");
        let notifications = self.notifications.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                notifications.push(line);
            }
        });
        self.listener = Some(child);
    }

    fn spawn(&self, mut command: Command) -> Child {
        let spawned = self.namespace.enter(|| command.spawn());
        spawned.unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()))
    }

    /// A program of net-snmp that reads and writes nothing outside.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let directory = self.scratch.path();
        command.env("SNMP_PERSISTENT_DIR", directory).env("SNMPCONFPATH", directory);
        command.env("MIBS", "");
        command
    }
}

impl Drop for MasterAgent<'_> {
    fn drop(&mut self) {
        end(self.agent.take());
        end(self.listener.take());
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}
