//! BFD with BIRD on the other side: up, other intervals, death, restart, silence, and taking leave in both directions.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use lab::{Binary, Daemon, Lan, Mark, Namespace, PATIENCE, Scratch, target_directory};

/// A BIRD that speaks BFD with one neighbour.
struct Bird {
    child: Child,
    directory: Scratch,
}

impl Bird {
    /// Starts it in `namespace`, at `own`, with `neighbour`; intervals in milliseconds.
    fn start(namespace: &Namespace, own: IpAddr, neighbour: IpAddr, interval: u32) -> Self {
        let directory = Scratch::new();
        let config = directory.write("bird.conf", &Self::config(own, neighbour, interval));
        let mut command = Self::command("bird");
        command.arg("-f").arg("-c").arg(config);
        command
            .arg("-s")
            .arg(directory.path().join("socket"))
            .arg("-P")
            .arg(directory.path().join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            namespace.enter(|| command.spawn()).expect("tests/fetch-peers.sh has fetched it");
        Self { child, directory }
    }

    fn config(own: IpAddr, neighbour: IpAddr, interval: u32) -> String {
        format!(
            "router id 10.9.0.2;
protocol device {{}}
protocol bfd {{
    interface \"eth0\" {{
        min rx interval {interval} ms;
        min tx interval {interval} ms;
        idle tx interval 200 ms;
        multiplier 3;
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
    fn ask(&self, question: &[&str]) -> String {
        let mut command = Self::command("birdc");
        command.arg("-s").arg(self.socket()).args(question);
        let output = command.output().expect("it came with BIRD");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Gives it other intervals.
    fn reconfigure(&self, own: IpAddr, neighbour: IpAddr, interval: u32) {
        let text = Self::config(own, neighbour, interval);
        fs::write(self.directory.path().join("bird.conf"), text).expect("it is ours");
        self.ask(&["configure"]);
    }

    /// Waits until it says this of its session.
    #[track_caller]
    fn await_state(&self, state: &str) {
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

/// Our side, with an instance that shows what becomes of the session.
fn config(own: IpAddr, neighbour: IpAddr, interval: u32) -> String {
    format!(
        "bfd_instance bird {{
    neighbor_ip {neighbour}
    source_ip {own}
    min_rx {interval}
    min_tx {interval}
    idle_tx 1000
    multiplier 3
}}
vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.2
    track_bfd {{
        bird
    }}
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
    )
}

const UP: &str = "VRRP_Instance(web) Tracked BFD instance bird is UP";
const DOWN: &str = "VRRP_Instance(web) Tracked BFD instance bird is DOWN";

fn converse(own: &str, neighbour: &str) {
    let lan = Lan::new(2);
    let [first, second] = [lan.nodes()[0].namespace(), lan.nodes()[1].namespace()];
    let [own, neighbour]: [IpAddr; 2] =
        [own, neighbour].map(|text| text.parse().expect("it is an address"));
    let mut daemon = Daemon::start(&Binary::under_test(), first, &config(own, neighbour, 50));
    let bird = Bird::start(second, neighbour, own, 50);
    daemon.await_log(Mark::default(), UP);
    bird.await_state("Up");

    // Other intervals on either side, and the session stays up.
    let mark = daemon.log().mark();
    bird.reconfigure(neighbour, own, 100);
    daemon.await_log(mark, "Detection time is 300000 us");
    daemon.reload(&config(own, neighbour, 150));
    daemon.await_log(mark, "Reload complete");
    daemon.await_log(mark, "Detection time is 450000 us");
    bird.await_state("Up");
    assert!(daemon.log().since(mark).iter().all(|line| line.text != DOWN), "{}", daemon.log_text());

    // It dies: nothing is said, and its silence is noticed in time.
    let mark = daemon.log().mark();
    let died = SystemTime::now();
    drop(bird);
    let noticed = daemon.await_log(mark, DOWN).at.duration_since(died).unwrap_or_default();
    assert!(noticed < Duration::from_millis(450 + 400), "{noticed:?}");
    assert!(noticed > Duration::from_millis(450 - 200), "{noticed:?}\n{}", daemon.log_text());

    // It comes back, and takes its leave in an orderly way.
    let mark = daemon.log().mark();
    let bird = Bird::start(second, neighbour, own, 50);
    daemon.await_log(mark, UP);
    let mark = daemon.log().mark();
    bird.ask(&["disable", "bfd1"]);
    daemon.await_log(mark, DOWN);
    let mark = daemon.log().mark();
    bird.ask(&["enable", "bfd1"]);
    daemon.await_log(mark, UP);

    // A cut is noticed by both, and mended by itself.
    bird.await_state("Up");
    let mark = daemon.log().mark();
    lan.cut(1);
    daemon.await_log(mark, DOWN);
    bird.await_state("Down");
    lan.mend(1);
    daemon.await_log(mark, UP);
    bird.await_state("Up");

    // We take our leave: BIRD need not wait for a detection time.
    assert!(daemon.stop().success());
    bird.await_state("Down");
}

#[test]
fn over_ipv4() {
    converse("10.9.0.1", "10.9.0.2");
}

#[test]
fn over_ipv6() {
    converse("fd00:9::1", "fd00:9::2");
}
