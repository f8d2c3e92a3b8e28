//! What the tests of routes, rules and static objects have in common.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::{Binary, Daemon, Lan, Mark, PATIENCE};

/// An instance with `lines`, which is soon master.
pub fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.2
    virtual_ipaddress {{
        10.9.0.100/24
    }}
{lines}}}\n"
    )
}

/// A daemon on the first node that is master, and has said so to everybody.
#[track_caller]
pub fn master(lan: &Lan, config: &str) -> Daemon {
    let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
    await_master(&daemon, Mark::default());
    daemon
}

/// Waits until `daemon` has become master after `mark`, and what belongs to a master is in place: it is before it is
/// announced.
#[track_caller]
pub fn await_master(daemon: &Daemon, mark: Mark) {
    let mut entered = false;
    let announced = daemon.log().wait(mark, PATIENCE, |line| {
        entered |= line.text.contains("(web) Entering MASTER STATE");
        (entered && line.text.contains("Sending gratuitous ARP")).then_some(())
    });
    assert!(announced.is_some(), "it is no master:\n{}", daemon.log_text());
}

/// What 2.4.3 makes of a configuration. With `RECORD` in the environment and 2.4.3 as `KEEPALIVED`, it is recorded anew.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    name: &'static str,
}

impl Recorded {
    /// That of the configuration `name` of `objects/`.
    pub fn named(name: &'static str) -> Self {
        Self { name }
    }

    fn path(&self, extension: &str) -> PathBuf {
        let tree = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        tree.join("objects").join(self.name).with_extension(extension)
    }

    /// The configuration.
    pub fn config(&self) -> String {
        fs::read_to_string(self.path("conf")).expect("it is in the tree")
    }

    /// Holds what was `found` with `daemon` against what 2.4.3 makes.
    #[track_caller]
    pub fn assert_equal(&self, found: BTreeSet<String>, daemon: &Daemon) {
        let path = self.path("json");
        if std::env::var_os("RECORD").is_some() {
            let text: String = found.iter().map(|entry| format!("{entry}\n")).collect();
            return fs::write(&path, text).expect("the tree can be written");
        }
        let text = fs::read_to_string(&path).expect("it is in the tree");
        let expected: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        let missing: Vec<&String> = expected.difference(&found).collect();
        let surplus: Vec<&String> = found.difference(&expected).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "missing: {missing:#?}\nsurplus: {surplus:#?}\n{}",
            daemon.log_text()
        );
    }
}
