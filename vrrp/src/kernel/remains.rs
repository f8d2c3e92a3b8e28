//! What a process may leave in the kernel when it is killed, noted in a file for whoever comes after it.
//!
//! What the next configuration names too is recognised by that. This is about the rest, which nobody would ever remove.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use log::info;
use runtime::handover;
use runtime::machine::{AddressKey, IfIndex, Route, Rule};
use serde::{Deserialize, Serialize};

use super::firewall::Trace;
use super::note;

/// What may be left.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remains {
    /// Interfaces that the process has made.
    pub links: Vec<(IfIndex, String)>,
    /// Addresses that its configuration names.
    pub addresses: Vec<AddressKey>,
    /// Routes that its configuration names.
    pub routes: Vec<Route>,
    /// Rules that its configuration names.
    pub rules: Vec<Rule>,
    /// The firewall that it uses.
    pub firewall: Option<Trace>,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Note {
    path: PathBuf,
    /// Which kernel it is about, and who can read it.
    world: String,
    /// What it says.
    content: Option<u64>,
    /// It was said that it cannot be written.
    failed: bool,
}

impl Note {
    /// The file at `path`, and what a process that was killed has noted in it.
    pub(crate) fn open(path: PathBuf) -> (Self, Remains) {
        let world = format!("{} {}", env!("CARGO_PKG_VERSION"), note::world());
        let bytes = fs::read(&path).unwrap_or_default();
        let found = handover::decode::<(String, Remains)>(&bytes);
        let remains = found.ok().filter(|(of, _)| *of == world).map(|(_, remains)| remains);
        (Self { path, world, content: None, failed: false }, remains.unwrap_or_default())
    }

    /// Has the file say this.
    pub(crate) fn write(&mut self, remains: &Remains) {
        if *remains == Remains::default() {
            self.remove();
            return;
        }
        let bytes = match handover::encode(&(&self.world, remains)) {
            Ok(bytes) => bytes,
            Err(error) => {
                info!("{error}");
                return;
            }
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let content = Some(hasher.finish());
        if self.content == content {
            return;
        }
        let done = note::replace(&self.path, &bytes);
        if let (Err(error), false) = (&done, self.failed) {
            info!("Unable to note what may be left behind in {}: {error}", self.path.display());
        }
        self.failed = done.is_err();
        self.content = content;
    }

    /// There is nothing left.
    pub(crate) fn remove(&mut self) {
        if let Err(error) = note::remove(&self.path) {
            info!("Unable to remove {}: {error}", self.path.display());
        }
        self.content = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_and_nothing_leaves_no_file() {
        let path = std::env::temp_dir().join(format!("remains-{}", std::process::id()));
        let (mut first, found) = Note::open(path.clone());
        assert_eq!(found, Remains::default());
        let remains =
            Remains { links: vec![(IfIndex(7), "vrrp.51".to_owned())], ..Remains::default() };
        first.write(&remains);
        let (mut heir, found) = Note::open(path.clone());
        assert_eq!(found, remains);
        // Of another start of the machine nothing holds any more.
        let (mut bytes, end) = (fs::read(&path).unwrap(), heir.world.len());
        bytes[end] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(Note::open(path.clone()).1, Remains::default());
        heir.write(&Remains::default());
        assert!(!path.exists());
    }
}
