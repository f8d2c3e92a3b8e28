//! The processes of the machine, as `/proc` shows them.

use std::fs;
use std::path::PathBuf;

/// What a process is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// The kernel's name for it, at most 15 bytes.
    pub name: Vec<u8>,
    /// The command line as the process shows it: words that end in NUL.
    pub command_line: Vec<u8>,
}

/// The numbers of all processes.
pub fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// What the process is called; `None` when it has ended, though nobody may have taken note yet.
pub fn called(process: u32) -> Option<Called> {
    let directory = PathBuf::from(format!("/proc/{process}"));
    let status = fs::read(directory.join("stat")).ok()?;
    let (name, state) = name_and_state(&status)?;
    if matches!(state, b'Z' | b'X') {
        return None;
    }
    let command_line = fs::read(directory.join("cmdline")).unwrap_or_default();
    Some(Called { name: name.to_vec(), command_line })
}

/// `number (name) state …`, where the name may hold anything.
fn name_and_state(status: &[u8]) -> Option<(&[u8], u8)> {
    let open = status.iter().position(|&byte| byte == b'(')?;
    let close = status.iter().rposition(|&byte| byte == b')')?;
    Some((status.get(open + 1..close)?, *status.get(close + 2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        assert_eq!(name_and_state(b"7 (a) Z (b) S 1 7"), Some((&b"a) Z (b"[..], b'S')));
        assert_eq!(name_and_state(b"7 (a)"), None);
        assert_eq!(name_and_state(b"7 )a( S"), None);
    }

    #[test]
    fn this_process_is_there() {
        let own = std::process::id();
        assert!(all().contains(&own));
        assert!(called(own).is_some_and(|called| !called.command_line.is_empty()));
        assert_eq!(called(u32::MAX), None);
    }

    #[test]
    fn one_that_has_ended_is_not() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while called(child.id()).is_some() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
