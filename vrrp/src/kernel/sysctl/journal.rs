//! The file that tells what settings were before they were changed. It is there as long as anything is changed, so it
//! outlives only a process that is killed.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use log::info;

use crate::kernel::note;

/// A setting that is changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is called, as a path below `/proc/sys/net`.
    pub(super) name: String,
    /// What it is now.
    pub(super) value: i32,
    /// What it was before.
    pub(super) before: i32,
}

/// The file. Without a path nothing is kept.
#[derive(Debug, Default)]
pub(super) struct Journal {
    path: Option<PathBuf>,
    /// Which settings its lines are about: those of this start of the machine, in this network namespace.
    world: String,
    text: String,
    /// It was said that it cannot be written.
    failed: bool,
}

impl Journal {
    /// The file at `path`, and what a process that was killed has left in it.
    pub(super) fn open(path: PathBuf) -> (Self, Vec<Entry>) {
        let world = note::world();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        let entries = match lines.next() {
            Some(first) if first == world => lines.filter_map(parse).collect(),
            _ => Vec::new(),
        };
        (Self { path: Some(path), world, text, failed: false }, entries)
    }

    /// Has the file say exactly this.
    pub(super) fn write(&mut self, entries: &[Entry]) {
        let Some(path) = &self.path else { return };
        let mut text = String::new();
        if !entries.is_empty() {
            text = format!("{}\n", self.world);
        }
        for Entry { name, value, before } in entries {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {value} {before}");
        }
        if text == self.text {
            return;
        }
        let done =
            if text.is_empty() { note::remove(path) } else { note::replace(path, text.as_bytes()) };
        if let (Err(error), false) = (&done, self.failed) {
            info!("Unable to note changed settings in {}: {error}", path.display());
        }
        self.failed = done.is_err();
        self.text = text;
    }
}

fn parse(line: &str) -> Option<Entry> {
    let mut words = line.rsplitn(3, ' ');
    let before = words.next()?.parse().ok()?;
    let value = words.next()?.parse().ok()?;
    Some(Entry { name: words.next()?.to_owned(), value, before })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: i32, before: i32) -> Entry {
        Entry { name: name.to_owned(), value, before }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_leaves_no_file() {
        let path = std::env::temp_dir().join(format!("journal-{}", std::process::id()));
        let (mut journal, entries) = Journal::open(path.clone());
        assert_eq!(entries, []);
        let changed =
            [entry("ipv4/conf/eth0/arp_ignore", 1, 0), entry("ipv4/conf/all/rp_filter", 0, -1)];
        journal.write(&changed);
        let (mut heir, entries) = Journal::open(path.clone());
        assert_eq!(entries, changed);
        // Of another start of the machine nothing holds any more.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("another {text}")).unwrap();
        assert_eq!(Journal::open(path.clone()).1, []);
        heir.write(&[]);
        assert!(!path.exists());
    }
}
