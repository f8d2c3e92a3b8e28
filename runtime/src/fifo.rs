//! Notification FIFOs: a line for each event, for whoever reads them.

mod listeners;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use log::{error, info, warn};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{getuid, mkfifo};

use crate::global;
use crate::scripts::{self, Running};

pub(crate) use listeners::Listeners;
pub use listeners::Reader;

/// So many lines wait for a reader that has fallen behind by more than the kernel holds.
const WAITING: usize = 1000;

/// How often a FIFO that is about to be closed is looked at.
const UNREAD: Duration = Duration::from_millis(1);

/// An open FIFO, and the program that reads it.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    file: File,
    /// We made it, and so take it away.
    made: bool,
    reader: Option<Running>,
    waiting: VecDeque<Vec<u8>>,
    overflowing: bool,
    kind: &'static str,
}

impl Fifo {
    /// Makes the FIFO if need be, starts its reader, and opens it. `kind` goes before the word notify in messages, such as
    /// `vrrp `. `None` when it cannot be used, which has been logged then.
    pub fn open(settings: &global::Fifo, kind: &'static str) -> Option<Self> {
        let path = PathBuf::from(&settings.path);
        let made = match make(&path, settings) {
            Ok(made) => made,
            Err(failure) => {
                error!("Unable to create {kind}notify fifo {} - {failure}", settings.path);
                return None;
            }
        };
        let reader = settings.script.as_ref().and_then(|script| {
            let started = scripts::start(script, &[&path]);
            started.inspect_err(|failure| error!("{kind}notify fifo script: {failure}")).ok()
        });
        let file = match open(&path, settings.owner.uid) {
            Ok(Some(file)) => file,
            Ok(None) => {
                error!("{kind}notify fifo {} is not a fifo we own - not using", settings.path);
                return None;
            }
            Err(failure) => {
                let errno = failure.raw_os_error().unwrap_or_default();
                error!("Unable to open {kind}notify fifo {} - errno {errno}", settings.path);
                return None;
            }
        };
        let (waiting, overflowing) = (VecDeque::new(), false);
        Some(Self { path, file, made, reader, waiting, overflowing, kind })
    }

    /// Writes a line, or keeps it until the reader has made room. Each line is one write, so that readers see it whole.
    pub fn write(&mut self, line: &str) {
        self.waiting.push_back(line.as_bytes().to_vec());
        self.flush();
        if self.waiting.len() <= WAITING {
            self.overflowing = false;
            return;
        }
        self.waiting.pop_front();
        if !std::mem::replace(&mut self.overflowing, true) {
            warn!("{}notify fifo {}: nobody reads, lines are lost", self.kind, self.path.display());
        }
    }

    /// Writes what waits, as far as there is room.
    pub fn flush(&mut self) {
        while let Some(line) = self.waiting.front() {
            match self.file.write(line) {
                Ok(_) => {}
                Err(failure) if failure.kind() == ErrorKind::WouldBlock => return,
                Err(failure) => error!("{}notify fifo write error: {failure}", self.kind),
            }
            self.waiting.pop_front();
        }
    }

    /// The program that reads it, while it runs.
    pub fn reader(&self) -> Option<&Running> {
        self.reader.as_ref()
    }

    /// The reader has ended; it is not started again.
    pub(crate) fn reader_ended(&mut self) {
        info!("{}notify fifo script terminated", self.kind);
        self.reader = None;
    }

    /// Takes the FIFO away if we made it, and ends the reader. It has so much `patience` to read what is there and to
    /// end by itself, which it can since there is nobody left who could write.
    pub fn close(mut self, patience: Duration) {
        self.flush();
        let deadline = Instant::now() + patience;
        // One that has only just started has yet to open it, and what is there would be lost with us.
        while self.reader.is_some() && has_unread(&self.file) && Instant::now() < deadline {
            thread::sleep(UNREAD);
        }
        drop(self.file);
        if let Some(reader) = &self.reader {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            let ended = poll(&mut [PollFd::new(reader.as_fd(), PollFlags::POLLIN)], timeout);
            if ended != Ok(1) {
                // It may have ended just now.
                let _ = reader.signal(Signal::SIGTERM);
            }
        }
        if self.made {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether nobody has read yet what is in it.
fn has_unread(file: &File) -> bool {
    poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(1)
}

/// Whether it was made by us.
fn make(path: &Path, settings: &global::Fifo) -> io::Result<bool> {
    match mkfifo(path, Mode::from_bits_truncate(0o644)) {
        Ok(()) => {
            chown(path, Some(settings.owner.uid), Some(settings.owner.gid))?;
            Ok(true)
        }
        Err(nix::errno::Errno::EEXIST) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Open for reading too, so that writing works without a reader, and readers see no end while we run.
fn open(path: &Path, owner: u32) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_CLOEXEC);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    let ours = metadata.uid() == owner || metadata.uid() == getuid().as_raw();
    Ok((metadata.file_type().is_fifo() && ours).then_some(file))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use nix::unistd::getgid;

    use super::*;
    use crate::global::Account;

    fn settings(name: &str) -> global::Fifo {
        let path = std::env::temp_dir().join(format!("keepalived-{name}-{}", std::process::id()));
        let owner = Account { uid: getuid().as_raw(), gid: getgid().as_raw(), groups: vec![] };
        global::Fifo { path: path.to_string_lossy().into_owned(), owner, script: None }
    }

    #[test]
    fn lines_arrive_in_order_and_the_fifo_goes_with_us() {
        let settings = settings("fifo");
        let mut fifo = Fifo::open(&settings, "vrrp ").unwrap();
        let mut reader = File::open(&settings.path).unwrap();
        fifo.write("INSTANCE \"web\" BACKUP 100\n");
        fifo.write("INSTANCE \"web\" MASTER 100\n");
        let mut text = [0; 52];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"INSTANCE \"web\" BACKUP 100\nINSTANCE \"web\" MASTER 100\n");
        fifo.close(Duration::ZERO);
        assert!(!Path::new(&settings.path).exists());
    }

    #[test]
    fn a_reader_that_falls_behind_loses_only_the_oldest() {
        let settings = settings("slow");
        let mut fifo = Fifo::open(&settings, "").unwrap();
        let line = |number: usize| format!("{number:0>4095}\n");
        for number in 0..1100 {
            fifo.write(&line(number));
        }
        let mut reader = File::open(&settings.path).unwrap();
        let mut text = vec![0; 4096];
        let mut last = String::new();
        while !fifo.waiting.is_empty() {
            reader.read_exact(&mut text).unwrap();
            last = String::from_utf8(text.clone()).unwrap();
            fifo.flush();
        }
        assert!(last < line(1099));
        fifo.close(Duration::ZERO);
    }

    #[test]
    fn a_plain_file_in_its_place_is_not_used() {
        let settings = settings("plain");
        fs::write(&settings.path, "").unwrap();
        assert!(Fifo::open(&settings, "").is_none());
        fs::remove_file(&settings.path).unwrap();
    }
}
