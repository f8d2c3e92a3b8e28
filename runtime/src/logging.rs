//! Logging to syslog, to the console and to a file, without ever waiting for any of them but at the end.
//!
//! Code logs by the macros of the `log` crate. `info!` is what everybody sees, `debug!` what `-D` adds, `trace!` what a
//! second `-D` adds; all three are informational for syslog, as in the original. `error!` is an alert, `warn!` a warning.

mod console;
mod line;
mod syslog;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};

use crate::options::Detail;
use crate::process;
use console::Console;
pub(crate) use line::Clock;
use syslog::Syslog;

pub use syslog::Facility;

/// So many lines wait for each reader that is slow or away: with `-D`, a takeover of hundreds of addresses is told in no
/// time.
const WAITING: usize = 2000;

/// What waited has been written. If that was a burst, room for it is not kept.
fn give_room_back(waiting: &mut VecDeque<Vec<u8>>) {
    const KEPT: usize = WAITING / 10;
    if waiting.capacity() > KEPT {
        waiting.shrink_to(KEPT);
        process::trim_memory();
    }
}
/// How long the end of a process may take for lines that wait.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Where a process logs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The name in syslog, such as `Keepalived_vrrp`.
    pub ident: String,
    /// The syslog facility; `None` is no syslog (`-G`).
    pub facility: Option<Facility>,
    /// Standard error as well (`-l` with `-n`).
    pub console: bool,
    /// A file (`-g`).
    pub file: Option<LogFile>,
    /// How much.
    pub detail: Detail,
}

/// A log file. Each line is written to it at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its path.
    pub path: PathBuf,
}

impl LogFile {
    /// The file of another process of the daemon: `suffixes` go before the last dot of the name.
    pub fn with_suffixes(&self, suffixes: &[&str]) -> Self {
        let name = self
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let (stem, extension) =
            name.rsplit_once('.').map_or((&name[..], None), |(stem, end)| (stem, Some(end)));
        let added: String = suffixes.iter().map(|suffix| format!("_{suffix}")).collect();
        let name = match extension {
            Some(extension) => format!("{stem}{added}.{extension}"),
            None => format!("{stem}{added}"),
        };
        Self { path: self.path.with_file_name(name) }
    }
}

/// Directs the log of this process. Called again in a child, and whenever the settings change.
pub fn direct(settings: &Settings) {
    let target = Target::open(settings);
    *LOGGER.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    log::set_max_level(match settings.detail {
        Detail::Normal => LevelFilter::Info,
        Detail::Detailed => LevelFilter::Debug,
        Detail::Extra => LevelFilter::Trace,
    });
    // The logger is a constant: a second attempt finds it in place.
    let _ = log::set_logger(&LOGGER);
}

static LOGGER: Logger = Logger { target: Mutex::new(None), behind: AtomicBool::new(false) };

struct Logger {
    target: Mutex<Option<Target>>,
    /// Lines wait because their readers are slow.
    behind: AtomicBool,
}

/// Sends lines that wait because their readers were slow; whether some still do. The event loop calls this before it sleeps.
pub(crate) fn is_behind() -> bool {
    if LOGGER.behind.load(Ordering::Relaxed) {
        LOGGER.flush();
    }
    LOGGER.behind.load(Ordering::Relaxed)
}

/// The process ends: readers that are behind are given a moment for what still waits.
pub fn finish() {
    let deadline = Instant::now() + LAST_WORDS;
    while is_behind() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = target.as_mut() {
            let behind = target.write(record.level(), &text);
            self.behind.store(behind, Ordering::Relaxed);
        }
    }

    /// Sends what waits, as far as that is taken now.
    fn flush(&self) {
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        self.behind.store(target.as_mut().is_some_and(Target::flush), Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Target {
    syslog: Option<Syslog>,
    console: Option<Console>,
    file: Option<File>,
}

impl Target {
    fn open(settings: &Settings) -> Self {
        Self {
            syslog: settings.facility.map(|facility| Syslog::new(&settings.ident, facility)),
            console: settings.console.then(Console::new),
            file: settings.file.as_ref().and_then(|file| open_file(&file.path)),
        }
    }

    /// Whether lines wait because their readers are slow.
    fn write(&mut self, level: log::Level, text: &str) -> bool {
        let clock = Clock::now();
        let syslog = self.syslog.as_mut().is_some_and(|syslog| syslog.write(level, &clock, text));
        let console = self.console.as_mut().is_some_and(|console| console.write(&clock, text));
        if let Some(file) = &mut self.file {
            // A full disk must not stop the daemon.
            let _ = file.write_all(format!("{}: {text}\n", clock.full_nanoseconds()).as_bytes());
        }
        syslog | console
    }

    /// Sends what waits; whether some still does because its reader is slow.
    fn flush(&mut self) -> bool {
        let syslog = self.syslog.as_mut().is_some_and(Syslog::flush);
        let console = self.console.as_mut().is_some_and(Console::flush);
        syslog | console
    }
}

/// Symbolic links are not followed: the file may lie in a directory that everybody can write to.
fn open_file(path: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o666).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    options.open(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_a_file_of_its_own() {
        let name = |path: &str, suffixes: &[&str]| {
            let file = LogFile { path: path.into() };
            file.with_suffixes(suffixes).path.to_string_lossy().into_owned()
        };
        assert_eq!(name("/tmp/foo.x", &["vrrp", "ii"]), "/tmp/foo_vrrp_ii.x");
        assert_eq!(name("/tmp/a.b/log", &["check"]), "/tmp/a.b/log_check");
        assert_eq!(name("/tmp/keepalived.log", &[]), "/tmp/keepalived.log");
    }

    #[test]
    fn lines_are_in_the_file_at_once() {
        let path = std::env::temp_dir().join(format!("keepalived-log-{}", std::process::id()));
        let file = Some(LogFile { path: path.clone() });
        let mut target = Target::open(&Settings { file, ..Settings::default() });
        target.write(log::Level::Info, "first");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(": first\n"), "{text}");
        let length = "Tue Nov 24 16:57:29.140938120 2026: first\n".len();
        assert_eq!(text.len(), length, "{text}");
        std::fs::remove_file(&path).unwrap();
    }
}
