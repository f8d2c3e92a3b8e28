//! Waiting for what a process writes into a file.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::{PATIENCE, Process};

/// What `find` makes of the content of the file, once it makes something of it. The file need not be there yet; its
/// directory must be.
#[track_caller]
pub fn await_file<R>(path: &Path, mut find: impl FnMut(&str) -> Option<R>) -> R {
    let deadline = Instant::now() + PATIENCE;
    let changes = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).expect("inotify");
    let wanted =
        AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO;
    let directory = path.parent().expect("a file stands in a directory");
    changes
        .add_watch(directory, wanted | AddWatchFlags::IN_CREATE)
        .expect("the directory is there");
    loop {
        if let Some(found) = fs::read_to_string(path).ok().and_then(|content| find(&content)) {
            return found;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        assert!(ready.is_ok_and(|ready| ready > 0), "{} does not say it", path.display());
        changes.read_events().expect("there are events");
    }
}

/// The process whose number is in the file, once it is there.
#[track_caller]
pub fn await_process(path: &Path) -> Process {
    await_file(path, |content| Process::new(content.trim().parse().ok()?))
}
