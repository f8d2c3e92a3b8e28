//! The syslog daemon: a datagram for each line. The daemon may be away, restart, or fall behind; lines wait for it in a
//! bounded queue, and those that find no room are counted.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use log::Level;

use super::line::Clock;
use super::{WAITING, give_room_back};

const SOCKET: &str = "/dev/log";
/// Whoever writes many lines asks for a daemon that is away no more often than this.
const AGAIN: Duration = Duration::from_millis(20);

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
    path: PathBuf,
    ident: String,
    facility: Facility,
    socket: Option<UnixDatagram>,
    waiting: VecDeque<Vec<u8>>,
    /// When the daemon was last found to be away.
    away: Option<Instant>,
    dropped: u64,
}

impl Syslog {
    pub(super) fn new(ident: &str, facility: Facility) -> Self {
        Self {
            path: PathBuf::from(SOCKET),
            ident: ident.to_owned(),
            facility,
            socket: None,
            waiting: VecDeque::new(),
            away: None,
            dropped: 0,
        }
    }

    /// Sends a line, or keeps it. Whether the daemon has fallen behind, and may take more soon.
    pub(super) fn write(&mut self, level: Level, clock: &Clock, text: &str) -> bool {
        let away = self.away.is_some_and(|since| since.elapsed() < AGAIN);
        if !self.waiting.is_empty() && !away {
            self.flush();
        }
        if self.dropped > 0 && self.waiting.len() < WAITING {
            let lost = format!("{} log messages dropped", std::mem::take(&mut self.dropped));
            self.waiting.push_back(self.format(Level::Warn, clock, &lost));
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back(self.format(level, clock, text));
        } else {
            self.dropped += 1;
        }
        if away { false } else { self.flush() }
    }

    /// Sends what waits, as far as the daemon takes it now. Whether it has fallen behind, and may take more soon.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(line) = self.waiting.front() {
            match send(&mut self.socket, &self.path, line).map_err(|error| error.raw_os_error()) {
                // No daemon would ever take a line that is too long.
                Ok(()) | Err(Some(libc::EMSGSIZE)) => self.waiting.pop_front(),
                Err(reason) => {
                    let behind = matches!(reason, Some(libc::EAGAIN | libc::ENOBUFS));
                    self.away = if behind { None } else { Some(Instant::now()) };
                    return behind;
                }
            };
            self.away = None;
        }
        give_room_back(&mut self.waiting);
        false
    }

    fn format(&self, level: Level, clock: &Clock, text: &str) -> Vec<u8> {
        let (priority, pid) = (self.facility.priority(level), std::process::id());
        format!("<{priority}>{} {}[{pid}]: {text}", clock.short(), self.ident).into_bytes()
    }
}

/// Sends a line, on a new connection if the old one broke because the daemon was restarted.
fn send(socket: &mut Option<UnixDatagram>, path: &Path, line: &[u8]) -> io::Result<()> {
    if let Some(open) = socket {
        match open.send(line) {
            Ok(_) => return Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::ENOBUFS | libc::EMSGSIZE) => return Err(error),
                _ => *socket = None,
            },
        }
    }
    let fresh = UnixDatagram::unbound()?;
    fresh.set_nonblocking(true)?;
    fresh.connect(path)?;
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

    /// A daemon that listens at `path`, and what it has received so far.
    fn daemon(path: &Path) -> UnixDatagram {
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn texts(daemon: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 1000];
        let mut texts = vec![];
        while let Ok(length) = daemon.recv(&mut buffer) {
            let line = std::str::from_utf8(&buffer[..length]).unwrap();
            texts.push(line.split_once("]: ").unwrap().1.to_owned());
        }
        texts
    }

    #[test]
    fn lines_wait_for_a_daemon_that_is_away_and_the_lost_ones_are_counted() {
        let path = std::env::temp_dir().join(format!("keepalived-syslog-{}", std::process::id()));
        let mut syslog =
            Syslog { path: path.clone(), ..Syslog::new("Keepalived", Facility::DAEMON) };
        let clock = Clock::now();
        for number in 0..WAITING + 3 {
            syslog.write(Level::Info, &clock, &number.to_string());
        }
        let first = daemon(&path);
        let mut seen = vec![];
        // The system queues few lines, so the daemon takes them in turns.
        while !syslog.waiting.is_empty() {
            syslog.flush();
            seen.extend(texts(&first));
        }
        assert_eq!((seen.len(), seen.last()), (WAITING, Some(&(WAITING - 1).to_string())));
        syslog.write(Level::Info, &clock, "after");
        assert_eq!(texts(&first), ["3 log messages dropped", "after"]);
        // Too long for any daemon: the others are not held up.
        syslog.write(Level::Info, &clock, &"x".repeat(8 << 20));
        syslog.write(Level::Info, &clock, "short");
        assert_eq!(texts(&first), ["short"]);
        drop(first);
        let second = daemon(&path);
        syslog.write(Level::Info, &clock, "again");
        assert_eq!(texts(&second), ["again"]);
        std::fs::remove_file(&path).unwrap();
    }
}
