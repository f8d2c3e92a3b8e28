//! The routes and policy rules of a namespace: as they are, and as they come and go.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::{Mark, Namespace, PATIENCE, Timeline, run};

/// The number that marks what the kernel has made by itself (`RTPROT_KERNEL`).
const KERNEL: &str = "2";

/// Where the rules are that every namespace has.
const KERNEL_RULES: [u32; 3] = [0, 32766, 32767];

/// A route that nothing else has.
const PROBE: &str = "192.0.2.255";

impl Namespace {
    /// The routes of both families in all tables, without those of the kernel: one JSON object each, numbers instead of
    /// names, without what changes with time.
    pub fn routes(&self) -> BTreeSet<String> {
        let families = ["-4", "-6"].map(|family| {
            self.table(&["-N", family, "route", "show", "table", "all"], &["expires"])
        });
        families.into_iter().flatten().collect()
    }

    /// The policy rules of both families, without those of the kernel.
    pub fn rules(&self) -> BTreeSet<String> {
        let families = ["-4", "-6"].map(|family| self.table(&["-N", family, "rule", "show"], &[]));
        families.into_iter().flatten().collect()
    }

    fn table(&self, arguments: &[&str], unsteady: &[&str]) -> Vec<String> {
        let Value::Array(entries) = self.ip_json(arguments) else { return Vec::new() };
        let is_kernels = |entry: &Value| {
            // Older versions of ip do not show whose the rules are.
            entry["protocol"] == KERNEL || KERNEL_RULES.iter().any(|one| entry["priority"] == *one)
        };
        let ours = entries.into_iter().filter(|entry| !is_kernels(entry));
        let plain = ours.map(|mut entry| {
            if let Some(entry) = entry.as_object_mut() {
                entry.retain(|key, _| !unsteady.contains(&key.as_str()));
            }
            entry.to_string()
        });
        plain.collect()
    }
}

/// Follows the routes and rules of a namespace from its making until it is dropped: lines of `ip monitor`, in which
/// those begin with `Deleted` that tell of an end.
#[derive(Debug)]
pub struct TableWatch {
    lines: Timeline<String>,
    monitor: Child,
}

impl TableWatch {
    /// Begins to follow: every change after the return is seen.
    pub fn start(namespace: &Namespace) -> Self {
        Self::with(namespace, &["rule"])
    }

    /// Follows routes and `objects`, as `ip monitor` calls them.
    pub fn with(namespace: &Namespace, objects: &[&str]) -> Self {
        let mut monitor = Command::new("ip")
            .args(["-n", namespace.name(), "-o", "monitor", "route"])
            .args(objects)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ip is installed");
        let output = BufReader::new(monitor.stdout.take().expect("it was asked for"));
        let lines = Timeline::default();
        let record = lines.clone();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| record.push(line))
        });
        let watch = Self { lines, monitor };
        watch.await_readiness(namespace);
        watch
    }

    /// It does not say when it listens, so something is changed until it has heard of it.
    fn await_readiness(&self, namespace: &Namespace) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            run("ip", &["-n", namespace.name(), "route", "add", "blackhole", PROBE]);
            run("ip", &["-n", namespace.name(), "route", "del", "blackhole", PROBE]);
            let heard = self.lines.all().iter().any(|line| line.contains(PROBE));
            if heard || std::time::Instant::now() > deadline {
                return assert!(heard, "ip monitor is silent");
            }
        }
    }

    /// What it has told.
    pub fn lines(&self) -> &Timeline<String> {
        &self.lines
    }

    /// Waits until something that contains `text` comes, or goes.
    #[track_caller]
    pub fn wait(&self, mark: Mark, text: &str, comes: bool) {
        let is_it = |line: &String| {
            (line.contains(text) && line.starts_with("Deleted") != comes).then_some(())
        };
        let found = self.lines.wait(mark, PATIENCE, is_it);
        assert!(found.is_some(), "{text:?} comes: {comes}: {:#?}", self.lines.since(mark));
    }

    /// What has gone since `mark`.
    pub fn deleted(&self, mark: Mark) -> Vec<String> {
        let lines = self.lines.since(mark);
        let gone = lines.iter().filter_map(|line| line.strip_prefix("Deleted "));
        gone.filter(|line| !line.contains(PROBE)).map(|line| line.trim().to_owned()).collect()
    }
}

impl Drop for TableWatch {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_and_followed() {
        let namespace = Namespace::new();
        let watch = TableWatch::start(&namespace);
        let mark = watch.lines().mark();
        namespace.ip("route add blackhole 10.1.0.0/16 proto 18\nrule add pref 7 table 9\n");
        watch.wait(mark, "10.1.0.0/16", true);
        watch.wait(mark, "lookup 9", true);
        let routes = namespace.routes();
        assert!(routes.iter().any(|one| one.contains(r#""dst":"10.1.0.0/16""#)), "{routes:?}");
        assert!(routes.iter().all(|one| !one.contains("127.0.0.1")), "{routes:?}");
        assert_eq!(
            namespace.rules().iter().filter(|one| one.contains(r#""priority":7"#)).count(),
            1
        );
        namespace.ip("route del blackhole 10.1.0.0/16\n");
        watch.wait(mark, "10.1.0.0/16", false);
        assert_eq!(watch.deleted(mark).len(), 1);
    }
}
