//! Standard error: a terminal, a file, or a pipe to whoever gathers logs. What that does not take now waits in a bounded
//! queue, and lines that find no room are counted.

use std::collections::VecDeque;
use std::io::{self, Stderr, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::line::Clock;
use super::{WAITING, give_room_back};

#[derive(Debug)]
pub(super) struct Console<W = Stderr> {
    to: W,
    /// Lines, in parts that are written at once.
    waiting: VecDeque<Vec<u8>>,
    dropped: u64,
}

impl Console {
    pub(super) fn new() -> Self {
        Self { to: io::stderr(), waiting: VecDeque::new(), dropped: 0 }
    }
}

impl<W: Write + AsFd> Console<W> {
    /// Writes a line, or keeps it. Whether some wait.
    pub(super) fn write(&mut self, clock: &Clock, text: &str) -> bool {
        self.flush();
        if self.waiting.len() >= WAITING {
            self.dropped += 1;
            return true;
        }
        if self.dropped > 0 {
            let lost = format!("{} log messages dropped", std::mem::take(&mut self.dropped));
            self.keep(clock, &lost);
        }
        self.keep(clock, text);
        self.flush()
    }

    fn keep(&mut self, clock: &Clock, text: &str) {
        let line = format!("{}: {text}\n", clock.full());
        // What is told to be writable takes so much without blocking, and no less.
        self.waiting.extend(line.as_bytes().chunks(libc::PIPE_BUF).map(<[u8]>::to_vec));
    }

    /// Writes what waits, as far as that is taken now. Whether some still waits.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(part) = self.waiting.front() {
            let mut polled = [PollFd::new(self.to.as_fd(), PollFlags::POLLOUT)];
            if !poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
                return true;
            }
            // Nobody reads any more: it is lost whatever is done.
            let _ = self.to.write_all(part);
            self.waiting.pop_front();
        }
        give_room_back(&mut self.waiting);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    #[test]
    fn lines_wait_for_a_reader_that_is_slow_and_the_lost_ones_are_counted() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut reader = File::from(reader);
        let to = File::from(writer);
        let mut console = Console { to, waiting: VecDeque::new(), dropped: 0 };
        let clock = Clock::now();
        let mut written = 0;
        while console.waiting.len() < WAITING {
            console.write(&clock, &written.to_string());
            written += 1;
        }
        assert!(console.write(&clock, "lost") && console.write(&clock, "lost"));
        let mut text = String::new();
        let mut read_on = |console: &mut Console<File>| {
            while console.flush() {
                let mut bytes = [0; libc::PIPE_BUF];
                let length = reader.read(&mut bytes).unwrap();
                text += std::str::from_utf8(&bytes[..length]).unwrap();
            }
        };
        read_on(&mut console);
        console.write(&clock, &"x".repeat(10_000));
        read_on(&mut console);
        assert!(console.waiting.capacity() < WAITING / 2, "{}", console.waiting.capacity());
        drop(console);
        reader.read_to_string(&mut text).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once("6: ").unwrap().1).collect();
        let expected: Vec<String> = (0..written)
            .map(|number| number.to_string())
            .chain(["2 log messages dropped".to_owned(), "x".repeat(10_000)])
            .collect();
        assert_eq!(lines, expected);
    }
}
