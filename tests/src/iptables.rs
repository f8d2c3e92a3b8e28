//! The programs of iptables, which there are two of.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Binary, Daemon, Namespace, Node, Scratch};

/// A directory with iptables of one variant, and nothing else.
#[derive(Debug)]
pub struct Iptables(Scratch);

impl Iptables {
    /// That of `variant`, `legacy` or `nft`.
    #[track_caller]
    pub fn new(variant: &str) -> Self {
        let scratch = Scratch::new();
        let target = PathBuf::from(format!("/usr/sbin/xtables-{variant}-multi"));
        for name in ["iptables", "iptables-save", "iptables-restore"] {
            for name in [name.to_owned(), name.replacen("ip", "ip6", 1)] {
                symlink(&target, scratch.path().join(name)).expect("it is ours");
            }
        }
        Self(scratch)
    }

    /// As [`Iptables::new`], with a lock of their own instead of that of the machine.
    #[track_caller]
    pub fn with_lock(variant: &str) -> Self {
        let programs = Self::new(variant);
        let (target, lock) = (format!("/usr/sbin/xtables-{variant}-multi"), programs.lock());
        for name in ["iptables-restore", "ip6tables-restore"] {
            let path = programs.path().join(name);
            fs::remove_file(&path).expect("it is ours");
            let script = format!(
                "#!/bin/sh\nXTABLES_LOCKFILE={} exec {target} {name} \"$@\"\n",
                lock.display()
            );
            fs::write(&path, script).expect("it is ours");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        programs
    }

    /// The lock, where there is one of their own.
    pub fn lock(&self) -> PathBuf {
        self.path().join("lock")
    }

    /// Where the programs are.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A daemon that finds these, on `node`.
    pub fn start(&self, node: &Node, config: &str) -> Daemon {
        let binary = Binary::under_test().with_programs(self.path());
        Daemon::start(&binary, node.namespace(), config)
    }

    /// Makes chains for both families.
    #[track_caller]
    pub fn chains(&self, namespace: &Namespace, names: &[&str]) {
        for program in ["iptables", "ip6tables"] {
            for name in names {
                let mut command = Command::new(self.path().join(program));
                let status = namespace.enter(|| command.args(["-w", "-N", name]).status());
                assert!(status.expect("it is installed").success(), "{program} -N {name}");
            }
        }
    }

    /// The rules of the table `filter` of IPv4, then of IPv6.
    pub fn rules(&self, namespace: &Namespace) -> Vec<String> {
        let list = |name: &str| {
            let program = self.path().join(name);
            let output = namespace.enter(|| Command::new(program).output());
            let output = output.expect("it is installed");
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().filter_map(|line| line.strip_prefix("-A ")).map(str::to_owned).collect()
        };
        let both: [Vec<String>; 2] = ["iptables-save", "ip6tables-save"].map(list);
        both.concat()
    }
}
