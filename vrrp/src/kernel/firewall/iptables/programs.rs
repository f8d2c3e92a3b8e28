//! The programs that change iptables, and the kernel's side of sets.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use log::info;
use runtime::netlink::NetlinkError;
use runtime::netlink::ipset::{Ipset, SetChange, SetKind};
use runtime::netlink::nftables::Family;

use super::{Failure, STAND_IN, Tools};

/// How long another program may hold the lock of iptables, in seconds: adverts wait meanwhile.
const LOCKED: &str = "1";

/// Which iptables there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// None.
    Missing,
    /// A face of nftables.
    Nftables,
    /// iptables itself.
    Legacy,
}

impl Variant {
    /// Asks the program that the machine has.
    pub(crate) fn of_machine() -> Self {
        match run("iptables", &["-V"], "") {
            Err(_) => Self::Missing,
            Ok(text) => Self::of_version(&text),
        }
    }

    fn of_version(text: &str) -> Self {
        if text.trim_end().ends_with("(nf_tables)") { Self::Nftables } else { Self::Legacy }
    }
}

/// The programs of iptables, and a socket for sets.
#[derive(Debug)]
pub(crate) struct Programs {
    ipset: Option<Ipset>,
}

impl Programs {
    /// Opens what is needed. `sets` is whether sets are wanted.
    pub(crate) fn open(sets: bool) -> Self {
        if !sets {
            return Self { ipset: None };
        }
        let opened = Ipset::open().and_then(|mut ipset| {
            // It takes the module of the kernel to answer.
            let trial = [
                SetChange::Create(STAND_IN.to_owned(), SetKind::Addresses, Family::Ip),
                SetChange::Destroy(STAND_IN.to_owned()),
            ];
            ipset.execute(&trial).into_iter().collect::<Result<Vec<()>, _>>()?;
            Ok(ipset)
        });
        match opened {
            Ok(ipset) => Self { ipset: Some(ipset) },
            Err(error) => {
                info!("{error} - not using ipsets");
                Self { ipset: None }
            }
        }
    }

    /// Whether sets can be used.
    pub(crate) fn has_sets(&self) -> bool {
        self.ipset.is_some()
    }
}

impl Tools for Programs {
    fn list(&mut self, family: Family) -> Result<String, Failure> {
        let (name, tables) = match family {
            Family::Ip => ("iptables-save", "/proc/net/ip_tables_names"),
            Family::Ip6 => ("ip6tables-save", "/proc/net/ip6_tables_names"),
        };
        // Asking for a table makes it.
        let tables = fs::read_to_string(tables).unwrap_or_default();
        if !tables.lines().any(|table| table == "filter") {
            return Ok(String::new());
        }
        run(name, &["-t", "filter"], "")
    }

    fn change(&mut self, family: Family, script: &str) -> Result<(), Failure> {
        let name = match family {
            Family::Ip => "iptables-restore",
            Family::Ip6 => "ip6tables-restore",
        };
        run(name, &["--noflush", "-w", LOCKED], script).map(drop)
    }

    fn change_sets(&mut self, changes: &[SetChange]) -> Vec<Result<(), NetlinkError>> {
        self.ipset.as_mut().map_or_else(Vec::new, |ipset| ipset.execute(changes))
    }
}

/// Runs a program to its end and returns what it printed.
fn run(name: &'static str, arguments: &[&str], input: &str) -> Result<String, Failure> {
    let failed = |text: String| Failure::Program { name, text };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whether it read all of it shows in how it ends.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let lines = complaint.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.map(|line| line.trim_start_matches(&format!("{name}: ")[..])).next();
    Err(failed(line.map_or_else(|| output.status.to_string(), str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_tells_the_variant() {
        assert_eq!(Variant::of_version("iptables v1.8.9 (nf_tables)\n"), Variant::Nftables);
        assert_eq!(Variant::of_version("iptables v1.8.9 (legacy)\n"), Variant::Legacy);
        assert_eq!(Variant::of_version("iptables v1.6.0\n"), Variant::Legacy);
    }

    #[test]
    fn a_program_that_fails_has_its_say() {
        let failure = run("ls", &["/nowhere/at/all"], "").unwrap_err().to_string();
        assert!(failure.contains("/nowhere/at/all"), "{failure}");
        assert!(run("no-such-program", &[], "").is_err());
        assert_eq!(run("cat", &[], "text").unwrap(), "text");
    }
}
