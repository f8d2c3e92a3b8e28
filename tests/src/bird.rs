//! BIRD as the other side of BFD sessions.

use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Namespace, PATIENCE, Scratch, target_directory};

/// A BIRD that speaks BFD with one neighbour over `eth0`. Dropping it kills it.
#[derive(Debug)]
pub struct Bird {
    child: Child,
    directory: Scratch,
    own: IpAddr,
    neighbour: IpAddr,
    more: String,
}

impl Bird {
    /// Starts it in `namespace`, at `own`, with `neighbour` and these `intervals` in milliseconds. `more` are further
    /// options of the interface.
    pub fn start(
        namespace: &Namespace,
        [own, neighbour]: [IpAddr; 2],
        interval: u32,
        more: &str,
    ) -> Self {
        let directory = Scratch::new();
        let more = more.to_owned();
        let config = directory.write("bird.conf", &Self::config(own, neighbour, interval, &more));
        let mut command = Self::command("bird");
        command.arg("-f").arg("-c").arg(config);
        for (option, name) in [("-s", "socket"), ("-P", "pid")] {
            command.arg(option).arg(directory.path().join(name));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            namespace.enter(|| command.spawn()).expect("tests/fetch-peers.sh has fetched it");
        Self { child, directory, own, neighbour, more }
    }

    fn config(own: IpAddr, neighbour: IpAddr, interval: u32, more: &str) -> String {
        format!(
            "router id 10.9.0.2;
protocol device {{}}
protocol bfd {{
    interface \"eth0\" {{
        min rx interval {interval} ms;
        min tx interval {interval} ms;
        idle tx interval 200 ms;
        multiplier 3;
        {more}
    }};
    neighbor {neighbour} dev \"eth0\" local {own};
}}
"
        )
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
        let text = Self::config(self.own, self.neighbour, interval, &self.more);
        self.directory.write("bird.conf", &text);
        self.ask(&["configure"]);
    }

    /// Waits until it says this of its session.
    #[track_caller]
    pub fn await_state(&self, state: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sessions = self.ask(&["show", "bfd", "sessions"]);
            if sessions.contains(state) {
                return;
            }
            assert!(Instant::now() < deadline, "not {state}: {sessions}");
            // It tells nobody of changes.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
