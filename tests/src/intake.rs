//! What comes in from somewhere, read as soon as it comes, and at the latest when somebody looks.
//!
//! A thread alone would read it when it gets a processor. Who looked before that would take what has happened for what is
//! still to come, and an old state for the present one.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::precedence;

/// Where something comes in.
pub(crate) trait Source: AsFd + Send + 'static {
    /// Takes in all that is there, without waiting for more; `false` when nothing more will ever come.
    fn take_in(&mut self) -> bool;
}

/// Reads a source until it is dropped.
#[derive(Debug)]
pub(crate) struct Intake<S> {
    source: Arc<Mutex<S>>,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Source> Intake<S> {
    pub(crate) fn start(source: S) -> Self {
        let waits_for = source.as_fd().try_clone_to_owned().expect("there are descriptors left");
        let (stopped, stop) =
            nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("there are descriptors left");
        let source = Arc::new(Mutex::new(source));
        let shared = Arc::clone(&source);
        let thread = thread::spawn(move || {
            precedence::go_first();
            loop {
                let mut sources = [
                    PollFd::new(waits_for.as_fd(), PollFlags::POLLIN),
                    PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
                ];
                if poll(&mut sources, PollTimeout::NONE).is_err() {
                    continue;
                }
                let goes_on = take_in(&shared);
                if !goes_on || sources[1].any().unwrap_or(true) {
                    return;
                }
            }
        });
        Self { source, stop: Some(stop), thread: Some(thread) }
    }

    /// Takes in what has come until now.
    pub(crate) fn catch_up(&self) {
        take_in(&self.source);
    }
}

fn take_in<S: Source>(source: &Mutex<S>) -> bool {
    source.lock().unwrap_or_else(PoisonError::into_inner).take_in()
}

impl<S> Drop for Intake<S> {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
