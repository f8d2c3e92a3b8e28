//! The syslog daemon: a datagram for each line. The daemon may be away, restart, or fall behind; lines wait for it in a
//! bounded queue, and those that find no room are counted.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixDatagram;

use log::Level;

use super::line::Clock;

const SOCKET: &str = "/dev/log";
/// So many lines wait for a daemon that is away or slow.
const WAITING: usize = 1000;

/// Where syslog files a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// System daemons, the default.
    pub const DAEMON: Self = Self(3);

    /// What `-S` takes: 0 to 7 and `local0` to `local7`, `user`, `daemon`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "user" => return Some(Self(1)),
            "daemon" => return Some(Self::DAEMON),
            _ => {}
        }
        let number: u8 = name.strip_prefix("local").unwrap_or(name).parse().ok()?;
        (number < 8).then_some(Self(16 + number))
    }

    /// The number before a line (RFC 3164 §4.1.1).
    fn priority(self, level: Level) -> u16 {
        let severity = match level {
            Level::Error => 1,
            Level::Warn => 4,
            Level::Info | Level::Debug | Level::Trace => 6,
        };
        u16::from(self.0) * 8 + severity
    }
}

#[derive(Debug)]
pub(super) struct Syslog {
    ident: String,
    facility: Facility,
    socket: Option<UnixDatagram>,
    waiting: VecDeque<Vec<u8>>,
    dropped: u64,
}

impl Syslog {
    pub(super) fn new(ident: &str, facility: Facility) -> Self {
        Self {
            ident: ident.to_owned(),
            facility,
            socket: None,
            waiting: VecDeque::new(),
            dropped: 0,
        }
    }

    pub(super) fn write(&mut self, level: Level, clock: &Clock, text: &str) {
        if self.dropped > 0 && self.waiting.len() < WAITING {
            let lost = format!("{} log messages dropped", std::mem::take(&mut self.dropped));
            self.waiting.push_back(self.format(Level::Warn, clock, &lost));
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back(self.format(level, clock, text));
        } else {
            self.dropped += 1;
        }
        while let Some(line) = self.waiting.front() {
            if send(&mut self.socket, line).is_err() {
                break;
            }
            self.waiting.pop_front();
        }
    }

    fn format(&self, level: Level, clock: &Clock, text: &str) -> Vec<u8> {
        let (priority, pid) = (self.facility.priority(level), std::process::id());
        format!("<{priority}>{} {}[{pid}]: {text}", clock.short(), self.ident).into_bytes()
    }
}

/// Sends a line, on a new connection if the old one broke because the daemon was restarted.
fn send(socket: &mut Option<UnixDatagram>, line: &[u8]) -> io::Result<()> {
    if let Some(open) = socket {
        match open.send(line) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(_) => *socket = None,
        }
    }
    let fresh = UnixDatagram::unbound()?;
    fresh.set_nonblocking(true)?;
    fresh.connect(SOCKET)?;
    fresh.send(line)?;
    *socket = Some(fresh);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_have_names_and_numbers() {
        assert_eq!(Facility::by_name("3"), Facility::by_name("local3"));
        assert_eq!(
            Facility::by_name("daemon").map(|facility| facility.priority(Level::Info)),
            Some(30)
        );
        assert_eq!(
            Facility::by_name("local7").map(|facility| facility.priority(Level::Error)),
            Some(185)
        );
        for name in ["8", "local8", "", "kern", "-1"] {
            assert_eq!(Facility::by_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_line_is_as_the_original_writes_it() {
        let syslog = Syslog::new("Keepalived_vrrp", Facility::DAEMON);
        let line = String::from_utf8(syslog.format(Level::Info, &Clock::now(), "text")).unwrap();
        let (head, tail) = line.split_once(" Keepalived_vrrp[").unwrap();
        assert!(head.starts_with("<30>") && head.len() == "<30>Nov 24 16:38:17".len(), "{line}");
        assert_eq!(tail, format!("{}]: text", std::process::id()));
    }
}
