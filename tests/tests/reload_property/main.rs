//! Where a reload leads: from any configuration to any other, to the very kernel state that a fresh start of the other one
//! gives, and nothing is left in the end.
//!
//! A pair is made from a seed. `RELOAD_SEED=N cargo test -p lab --test reload_property replay` repeats one.

mod dice;
mod generator;
mod state;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Daemon, Iptables, Lan, Mark, Namespace, PATIENCE, Scratch};

use dice::Dice;
use generator::{Scenario, scenario};
use state::state;

/// How many pairs each test tries.
const PAIRS: u64 = 10;

/// How long to wait between two looks at a kernel.
const PAUSE: Duration = Duration::from_millis(30);

/// Two networks that look the same, of one node each: one that is reloaded, one that is started.
struct Twins {
    reloaded: Lan,
    started: Lan,
    scratch: Scratch,
    iptables: Iptables,
}

impl Twins {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.write("one", "1\n");
        let iptables = Iptables::with_lock("legacy");
        Self { reloaded: lan(&iptables), started: lan(&iptables), scratch, iptables }
    }

    fn reloaded(&self) -> &Namespace {
        self.reloaded.nodes()[0].namespace()
    }

    fn started(&self) -> &Namespace {
        self.started.nodes()[0].namespace()
    }

    fn scenario(&self, dice: &mut Dice, nftables: bool) -> Scenario {
        scenario(dice, &self.scratch.path().join("one"), nftables)
    }

    /// Tries the pair of `seed`.
    fn try_pair(&self, seed: u64) {
        println!("RELOAD_SEED={seed}");
        let mut dice = Dice::new(seed);
        let nftables = dice.chance(50);
        let [first, second] = [(); 2].map(|()| self.scenario(&mut dice, nftables));
        let state = |namespace: &Namespace| state(namespace, &self.iptables);
        let untouched = (state(self.reloaded()), state(self.started()));
        assert_eq!(untouched.0, untouched.1);
        let mut reloaded = self.iptables.start(&self.reloaded.nodes()[0], &first.text);
        let mut started = self.iptables.start(&self.started.nodes()[0], &second.text);
        await_masters(&reloaded, &first);
        let mark = reloaded.log().mark();
        reloaded.reload(&second.text);
        reloaded.await_log(mark, "Reload complete");
        await_masters(&started, &second);
        let equal = await_equal(|| (state(self.started()), state(self.reloaded())));
        if let Err(difference) = equal {
            panic!(
                "RELOAD_SEED={seed}\n{difference}\nfrom\n{}\nto\n{}\nreloaded:\n{}\nstarted:\n{}",
                first.text,
                second.text,
                reloaded.log_text(),
                started.log_text()
            );
        }
        assert!(reloaded.stop().success() && started.stop().success());
        let left = await_equal(|| (untouched.0.clone(), state(self.reloaded())))
            .and_then(|()| await_equal(|| (untouched.1.clone(), state(self.started()))));
        if let Err(difference) = left {
            panic!(
                "RELOAD_SEED={seed}: left behind:\n{difference}\nfrom\n{}\nto\n{}\n{}",
                first.text,
                second.text,
                reloaded.log_text()
            );
        }
    }
}

/// A network with what the configurations name, and nothing that differs from one to the other.
fn lan(iptables: &Iptables) -> Lan {
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().ip("link set inner0 down
link set inner1 down
link set inner0 addrgenmode none
link set inner1 addrgenmode none
link set inner0 address 02:00:00:00:02:01
link set inner1 address 02:00:00:00:02:02
link set inner0 up
link set inner1 up
addr add fe80::2/64 dev inner0 nodad
addr add fd00:8::1/64 dev inner0 nodad
link add down0 address 02:00:00:00:02:03 type veth peer name down1 address 02:00:00:00:02:04
");
    iptables.chains(lan.nodes()[0].namespace(), &["one", "two"]);
    lan
}

#[track_caller]
fn await_masters(daemon: &Daemon, scenario: &Scenario) {
    daemon.await_log(Mark::default(), "Startup complete");
    for name in &scenario.masters {
        let entered = format!("({name}) Entering MASTER STATE");
        let seen = daemon
            .log()
            .wait(Mark::default(), PATIENCE, |line| line.text.contains(&entered).then_some(()));
        assert!(seen.is_some(), "no {entered}:\n{}\n{}", scenario.text, daemon.log_text());
    }
}

/// Waits until both are equal; if that never happens, tells what differs.
fn await_equal(look: impl Fn() -> (BTreeSet<String>, BTreeSet<String>)) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (expected, found) = look();
        if expected == found {
            return Ok(());
        }
        if Instant::now() > deadline {
            let missing = expected.difference(&found).map(|line| format!("missing {line}\n"));
            let surplus = found.difference(&expected).map(|line| format!("surplus {line}\n"));
            return Err(missing.chain(surplus).collect());
        }
        thread::sleep(PAUSE);
    }
}

fn try_pairs(from: u64) {
    let twins = Twins::new();
    for seed in from..from + PAIRS {
        twins.try_pair(seed);
    }
}

/// Several tests, since they run side by side.
macro_rules! pairs {
    ($($name:ident: $from:expr;)*) => {
        $(
            #[test]
            fn $name() {
                try_pairs($from);
            }
        )*
    };
}

pairs! {
    pairs_from_0: 0;
    pairs_from_10: 10;
    pairs_from_20: 20;
    pairs_from_30: 30;
    pairs_from_40: 40;
    pairs_from_50: 50;
    pairs_from_60: 60;
    pairs_from_70: 70;
    pairs_from_80: 80;
    pairs_from_90: 90;
}

/// The pair that the environment names, or one more.
#[test]
fn replay() {
    let seed = std::env::var("RELOAD_SEED").ok().and_then(|text| text.parse().ok());
    Twins::new().try_pair(seed.unwrap_or(1000));
}
