//! FRR as the other side of BFD sessions.

use std::fs;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Namespace, PATIENCE, Scratch, precedence, target_directory};

/// The group that FRR wants its user to belong to.
const GROUP: &str = "frrvty";

/// A `zebra` and a `bfdd`. Dropping it kills both.
#[derive(Debug)]
pub struct Frr {
    daemons: Vec<Child>,
    directory: Scratch,
    /// What its sessions are called in its configuration.
    peers: Vec<String>,
}

impl Frr {
    /// Starts it in `namespace`, with one session over `eth0`: our end and the other one, and the interval in
    /// milliseconds. `more` are further lines of the session.
    pub fn start(
        namespace: &Namespace,
        [own, neighbour]: [IpAddr; 2],
        interval: u32,
        more: &str,
    ) -> Self {
        let peer = format!("peer {neighbour} local-address {own} interface eth0");
        Self::run(namespace, vec![peer], interval, more)
    }

    /// As [`Frr::start`], with several neighbours who are several hops away.
    pub fn start_far(namespace: &Namespace, ends: &[[IpAddr; 2]], interval: u32) -> Self {
        let peers = ends
            .iter()
            .map(|[own, neighbour]| format!("peer {neighbour} multihop local-address {own}"));
        Self::run(namespace, peers.collect(), interval, "")
    }

    fn run(namespace: &Namespace, peers: Vec<String>, interval: u32, more: &str) -> Self {
        let directory = Scratch::new();
        let sessions: String = peers
            .iter()
            .map(|peer| {
                format!(
                    " {peer}\n  receive-interval {interval}\n  transmit-interval {interval}\n  \
                     detect-multiplier 3\n{more}\n !\n"
                )
            })
            .collect();
        let config = directory.write("bfdd.conf", &format!("bfd\n{sessions}!\n"));
        let mut groups = fs::read_to_string("/etc/group").unwrap_or_default();
        groups.push_str(&format!("{GROUP}:x:60000:root\n"));
        directory.write("group", &groups);
        let mut frr = Self { daemons: vec![], directory, peers };
        frr.spawn(namespace, "zebra", Path::new("/dev/null"));
        await_listener(&frr.file("zserv"));
        frr.spawn(namespace, "bfdd", &config);
        await_listener(&frr.file("bfdd.vty"));
        frr
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn spawn(&mut self, namespace: &Namespace, program: &str, config: &Path) {
        let root = target_directory().join("peer");
        let libraries = root.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
        let joined = std::env::join_paths([libraries.join("frr"), libraries])
            .expect("no path of ours has a colon");
        // It looks the group up in the machine's list: in a mount namespace of its own, it finds one there.
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", "mount --bind \"$0\" /etc/group && exec \"$@\""]);
        command.arg(self.file("group")).arg(root.join("usr/lib/frr").join(program));
        command.args(["-u", "root", "-g", "root", "-P", "0", "-f"]).arg(config);
        for (option, name) in [("-z", "zserv".to_owned()), ("-i", format!("{program}.pid"))] {
            command.arg(option).arg(self.file(&name));
        }
        command.arg("--vty_socket").arg(self.directory.path());
        if program == "bfdd" {
            command.arg("--bfdctl").arg(self.file("bfdctl"));
        }
        command.env("LD_LIBRARY_PATH", joined);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = namespace.enter(|| command.spawn()).expect("unshare is installed");
        precedence::of(&child);
        self.daemons.push(child);
    }

    /// Gives `bfdd` commands as its shell does, and returns what it says to the last one.
    fn command(&self, lines: &[&str]) -> String {
        let mut stream = UnixStream::connect(self.file("bfdd.vty")).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("there is some patience");
        let mut answer = vec![];
        for line in lines {
            stream
                .write_all(line.as_bytes())
                .and_then(|()| stream.write_all(b"\0"))
                .expect("it reads");
            answer.clear();
            // An answer ends with three NUL bytes and a status.
            while answer.last_chunk().is_none_or(|[a, b, c, _]| [a, b, c] != [&0; 3]) {
                let mut part = [0; 4096];
                let count = stream.read(&mut part).expect("it answers");
                assert!(count > 0, "it has gone");
                answer.extend_from_slice(&part[..count]);
            }
            let status = answer.last().copied();
            answer.truncate(answer.len() - 4);
            assert_eq!(status, Some(0), "{line}: {}", String::from_utf8_lossy(&answer));
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Adds lines to its sessions, such as `shutdown`.
    pub fn configure(&self, lines: &[&str]) {
        for peer in &self.peers {
            let session = ["enable", "configure terminal", "bfd", peer];
            self.command(&[&session, lines].concat());
        }
    }

    /// What it says of its sessions.
    fn sessions(&self) -> Vec<Value> {
        let text = self.command(&["enable", "show bfd peers json"]);
        serde_json::from_str(&text).expect("it speaks JSON")
    }

    /// What it has counted in its session.
    pub fn counters(&self) -> Value {
        let text = self.command(&["enable", "show bfd peers counters json"]);
        let sessions: Value = serde_json::from_str(&text).expect("it speaks JSON");
        sessions[0].clone()
    }

    /// Waits until all its sessions are up, or none is. One that is not may be Down or Init, and change between the two.
    #[track_caller]
    pub fn await_up(&self, up: bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sessions = self.sessions();
            let fitting = sessions.iter().filter(|session| (session["status"] == "up") == up);
            if fitting.count() == self.peers.len() {
                return;
            }
            assert!(Instant::now() < deadline, "up is not {up}: {sessions:?}");
            // It tells nobody of changes.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Waits until somebody listens there.
#[track_caller]
fn await_listener(socket: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while UnixStream::connect(socket).is_err() {
        assert!(Instant::now() < deadline, "nobody listens at {}", socket.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
