//! Somebody who listens at the FIFO of a daemon.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::thread;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::Timeline;

/// What ends the one who listens.
const END: &str = "end of the story";

/// A FIFO called `fifo` in a directory, and what was written to it. The thread that reads ends when it is dropped.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    told: Timeline<String>,
}

impl Listener {
    /// Makes the FIFO, and listens at it from now on.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn new(directory: &Path) -> Self {
        Self::named(directory, "fifo")
    }

    /// [`Listener::new`], at a FIFO with another name.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn named(directory: &Path, name: &str) -> Self {
        let (path, told) = (directory.join(name), Timeline::default());
        mkfifo(&path, Mode::from_bits_truncate(0o600)).expect("the directory is ours");
        // Open for writing too, so that there is no end while nobody else writes.
        let fifo = OpenOptions::new().read(true).write(true).open(&path);
        let lines = BufReader::new(fifo.expect("we have just made it")).lines();
        let record = told.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok).take_while(|line| line != END) {
                record.push(line);
            }
        });
        Self { path, told }
    }

    /// What was told, line by line.
    pub fn told(&self) -> &Timeline<String> {
        &self.told
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, format!("{END}\n"));
    }
}
