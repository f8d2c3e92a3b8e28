//! Who may send echo requests through sockets of their own: a setting of the kernel, which PING_CHECK needs.
//!
//! The group of the process must be in the range. What was there before is put back at the end.

use std::fs;
use std::io;
use std::path::PathBuf;

use log::{error, info};

const PATH: &str = "/proc/sys/net/ipv4/ping_group_range";

/// The range, and where it started if we have changed it.
#[derive(Debug)]
pub(super) struct PingRange {
    path: PathBuf,
    before: Option<u32>,
}

impl Default for PingRange {
    fn default() -> Self {
        Self { path: PATH.into(), before: None }
    }
}

impl PingRange {
    /// Has the range begin with 0.
    pub(super) fn widen(&mut self) {
        if self.before.is_some() {
            return;
        }
        let (first, last) = match self.read() {
            Ok(range) => range,
            Err(failure) => {
                info!("Unable to read {}: {failure}", self.path.display());
                return;
            }
        };
        if first == 0 {
            return;
        }
        // "1 0" is nobody, as the kernel has it by default.
        if first > 1 && last > 1 {
            let path = self.path.display();
            info!("Warning: {path} being expanded from {first} {last} to 0 {last}");
        }
        if self.write(0, last) {
            self.before = Some(first);
        }
    }

    /// Puts back what was there, unless somebody has changed it meanwhile.
    pub(super) fn put_back(&mut self) {
        let Some(before) = self.before.take() else { return };
        if let Ok((0, last)) = self.read() {
            self.write(before, last);
        }
    }

    fn read(&self) -> io::Result<(u32, u32)> {
        let text = fs::read_to_string(&self.path)?;
        let mut words = text.split_whitespace().map(str::parse);
        match (words.next(), words.next()) {
            (Some(Ok(first)), Some(Ok(last))) => Ok((first, last)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn write(&self, first: u32, last: u32) -> bool {
        let written = fs::write(&self.path, format!("{first}\t{last}\n"));
        let path = self.path.display();
        written.inspect_err(|failure| error!("Write {path} failed - {failure}")).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a range: when it is widened, and when it is put back after `meanwhile` was written.
    fn story(name: &str, before: &str, meanwhile: Option<&str>) -> [String; 2] {
        let name = format!("ping_group_range.{}.{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, before).unwrap();
        let mut range = PingRange { path: path.clone(), before: None };
        range.widen();
        let widened = fs::read_to_string(&path).unwrap();
        if let Some(text) = meanwhile {
            fs::write(&path, text).unwrap();
        }
        range.put_back();
        let after = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        [widened, after]
    }

    #[test]
    fn the_range_is_widened_and_put_back() {
        let before = "5\t2147483647\n";
        assert_eq!(story("narrow", before, None), ["0\t2147483647\n", before]);
        assert_eq!(story("nobody", "1\t0\n", None), ["0\t0\n", "1\t0\n"]);
    }

    #[test]
    fn what_somebody_else_has_written_stays() {
        assert_eq!(story("meanwhile", "1\t0\n", Some("3\t9\n")), ["0\t0\n", "3\t9\n"]);
    }

    #[test]
    fn what_is_wide_enough_or_no_range_is_left() {
        for (name, text) in [("wide", "0\t100\n"), ("garbled", "all\n")] {
            assert_eq!(story(name, text, None), [text, text]);
        }
    }
}
