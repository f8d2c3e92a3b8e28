//! BIRD as the other side of BFD sessions.

use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Namespace, PATIENCE, Scratch, precedence, target_directory};

/// A BIRD that speaks BFD with its neighbours. Dropping it kills it.
#[derive(Debug)]
pub struct Bird {
    child: Child,
    directory: Scratch,
    sessions: Sessions,
}

#[derive(Debug)]
struct Sessions {
    /// Our end and the other one of each.
    ends: Vec<[IpAddr; 2]>,
    /// Whether they run over several hops, or over `eth0`.
    multihop: bool,
    /// Further options of the interface.
    more: String,
}

impl Bird {
    /// Starts it in `namespace`, with one neighbour on `eth0`: our end and the other one, and the interval in
    /// milliseconds. `more` are further options of the interface.
    pub fn start(namespace: &Namespace, ends: [IpAddr; 2], interval: u32, more: &str) -> Self {
        let sessions = Sessions { ends: vec![ends], multihop: false, more: more.to_owned() };
        Self::run(namespace, sessions, interval)
    }

    /// As [`Bird::start`], with several neighbours who are several hops away.
    pub fn start_far(namespace: &Namespace, ends: &[[IpAddr; 2]], interval: u32) -> Self {
        let sessions = Sessions { ends: ends.to_vec(), multihop: true, more: String::new() };
        Self::run(namespace, sessions, interval)
    }

    fn run(namespace: &Namespace, sessions: Sessions, interval: u32) -> Self {
        let directory = Scratch::new();
        let config = directory.write("bird.conf", &sessions.config(interval));
        let mut command = Self::command("bird");
        command.arg("-f").arg("-c").arg(config);
        for (option, name) in [("-s", "socket"), ("-P", "pid")] {
            command.arg(option).arg(directory.path().join(name));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            namespace.enter(|| command.spawn()).expect("tests/fetch-peers.sh has fetched it");
        precedence::of(&child);
        Self { child, directory, sessions }
    }

    fn command(program: &str) -> Command {
        let root = target_directory().join("peer");
        let mut command = Command::new(root.join("usr/sbin").join(program));
        let libraries = [root.join("usr/lib"), root.join("usr/lib/x86_64-linux-gnu")];
        let joined = std::env::join_paths(libraries).expect("no path of ours has a colon");
        command.env("LD_LIBRARY_PATH", joined);
        command
    }

    /// What it says to `question`.
    pub fn ask(&self, question: &[&str]) -> String {
        let mut command = Self::command("birdc");
        command.arg("-s").arg(self.directory.path().join("socket")).args(question);
        let output = command.output().expect("it came with BIRD");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Gives it another interval.
    pub fn set_interval(&self, interval: u32) {
        self.directory.write("bird.conf", &self.sessions.config(interval));
        self.ask(&["configure"]);
    }

    /// Waits until all its sessions are up, or none is. One that is not may be Down or Init, and change between the two.
    #[track_caller]
    pub fn await_up(&self, up: bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sessions = self.ask(&["show", "bfd", "sessions"]);
            let wanted = if up { self.sessions.ends.len() } else { 0 };
            if sessions.matches("Up").count() == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "up is not {up}: {sessions}");
            // It tells nobody of changes.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Sessions {
    fn config(&self, interval: u32) -> String {
        let Self { ends, multihop, more } = self;
        let (scope, way) = match multihop {
            true => ("multihop", "multihop"),
            false => ("interface \"eth0\"", "dev \"eth0\""),
        };
        let neighbours: String = ends
            .iter()
            .map(|[own, other]| match multihop {
                true => format!("    neighbor {other} local {own} {way};\n"),
                false => format!("    neighbor {other} {way} local {own};\n"),
            })
            .collect();
        format!(
            "router id 10.9.0.2;
protocol device {{}}
protocol bfd {{
    {scope} {{
        min rx interval {interval} ms;
        min tx interval {interval} ms;
        idle tx interval 200 ms;
        multiplier 3;
        {more}
    }};
{neighbours}}}
"
        )
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
