//! Who may send echo requests through sockets of their own: a setting of the kernel, which PING_CHECK needs.
//!
//! The group of the process must be in the range. What was there before is put back at the end.

use std::fs;
use std::io;

use log::{error, info};

const PATH: &str = "/proc/sys/net/ipv4/ping_group_range";

/// The start of the range, while we have changed it.
#[derive(Debug, Default)]
pub(super) struct PingRange {
    before: Option<u32>,
}

impl PingRange {
    /// Has the range begin with 0.
    pub(super) fn widen(&mut self) {
        if self.before.is_some() {
            return;
        }
        let (first, last) = match read() {
            Ok(range) => range,
            Err(failure) => {
                info!("Unable to read {PATH}: {failure}");
                return;
            }
        };
        if first == 0 {
            return;
        }
        // "1 0" is nobody, as the kernel has it by default.
        if first > 1 && last > 1 {
            info!("Warning: {PATH} being expanded from {first} {last} to 0 {last}");
        }
        if write(0, last) {
            self.before = Some(first);
        }
    }

    /// Puts back what was there, unless somebody has changed it meanwhile.
    pub(super) fn put_back(&mut self) {
        let Some(before) = self.before.take() else { return };
        if let Ok((0, last)) = read() {
            write(before, last);
        }
    }
}

fn read() -> io::Result<(u32, u32)> {
    let text = fs::read_to_string(PATH)?;
    let mut words = text.split_whitespace().map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Ok((first, last)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn write(first: u32, last: u32) -> bool {
    let written = fs::write(PATH, format!("{first}\t{last}\n"));
    written.inspect_err(|failure| error!("Write {PATH} failed - {failure}")).is_ok()
}
