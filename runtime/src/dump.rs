//! Files in which a process shows its state: complete when their name appears, and never through somebody else's link.

mod dumping;
mod queue;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::info;
use nix::unistd::Pid;

use crate::global::Global;
use crate::process::{Ending, Side, fork, pidfd_open, reap_one, restore};
use crate::sys::descriptor::close_from;
use crate::sys::process::exit_now;
use crate::sys::random::random;

pub use dumping::Dumping;
pub use queue::Dumps;

/// Who may read data and statistics: everybody whom the file creation mask allows it.
pub const SHARED: u32 = 0o666;
/// Only the administrator reads the JSON dump.
pub const PRIVATE: u32 = 0o600;

/// Which process writes a dump of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The parent.
    Parent,
    /// The VRRP child.
    Vrrp,
    /// The checker child.
    Checker,
    /// The BFD child.
    Bfd,
}

impl Writer {
    /// What its files have in their names.
    fn suffix(self) -> &'static str {
        match self {
            Self::Parent => "_parent",
            Self::Vrrp => "",
            Self::Checker => "_check",
            Self::Bfd => "_bfd",
        }
    }
}

/// When a process keeps its state: around a reload (`config_save_dir`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As it was.
    Before,
    /// As it has become.
    After,
}

/// The name of the file that keeps the state of this process around its reload of that number.
fn kept_name(writer: Writer, reload: u32, moment: Kept) -> String {
    let process = match writer {
        Writer::Vrrp => "_vrrp",
        _ => writer.suffix(),
    };
    let moment = match moment {
        Kept::Before => "pre",
        Kept::After => "post",
    };
    format!("keepalived{process}.{}.{reload}.{moment}", std::process::id())
}

/// Where a process shows its state (`state_dump_file`).
pub fn state_path(global: &Global, writer: Writer) -> PathBuf {
    let path = located(global.files.state_dump_file.as_deref(), "keepalived.data");
    extended(path, &[writer.suffix(), &instance(global)].concat())
}

/// Where statistics go (`stats_dump_file`).
pub fn statistics_path(global: &Global) -> PathBuf {
    let path = located(global.files.stats_dump_file.as_deref(), "keepalived.stats");
    extended(path, &instance(global))
}

/// Where the JSON dump goes (`json_dump_file`).
pub fn json_path(global: &Global) -> PathBuf {
    located(global.files.json_dump_file.as_deref(), "keepalived.json")
}

/// The configured place. A relative one is in [`directory`], and one that ends in a slash is a directory itself.
fn located(configured: Option<&str>, name: &str) -> PathBuf {
    let configured = configured.unwrap_or_default();
    let path = directory().join(configured);
    if configured.is_empty() || configured.ends_with('/') { path.join(name) } else { path }
}

/// What tells the dumps of several daemons apart, where the configuration asks for it (`data_use_instance`).
fn instance(global: &Global) -> String {
    let names = [&global.processes.network_namespace, &global.processes.instance];
    let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
    let wanted = global.files.data_use_instance && !names.is_empty();
    if wanted { format!(".{}", names.join("_")) } else { String::new() }
}

/// The path with `addition` before the last dot of its name.
fn extended(path: PathBuf, addition: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = name.split_at(name.rfind('.').unwrap_or(name.len()));
    path.with_file_name([stem, addition, extension].concat())
}

/// The directory for dumps: `TMPDIR` where it is a directory, else `/tmp`.
pub fn directory() -> PathBuf {
    let fallback = PathBuf::from("/tmp");
    let Some(wanted) =
        std::env::var_os("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute())
    else {
        return fallback;
    };
    if wanted.is_dir() {
        return wanted;
    }
    info!("Environment TMPDIR={} not a directory", wanted.display());
    fallback
}

/// Writes `content` to `path` as one step. The file is renamed before it is closed, so that whoever waits for the name to be
/// renamed into place, and whoever waits for the name to be closed after writing, both learn of it when all is there.
pub fn write(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let (mut file, temporary) = create_beside(path, mode)?;
    let result = file.write_all(content).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // The failure itself is what matters.
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Writes a dump from a copy of this process, so that no slow disk holds this one up: what the copy shows is the state at
/// the time of the call. Its descriptor turns readable when it has ended; then ask for the [outcome](Copy::outcome).
pub fn write_apart(path: PathBuf, mode: u32, content: impl FnOnce() -> String) -> io::Result<Copy> {
    match fork()? {
        Side::Child => {
            restore();
            // Sockets of the daemon must not live on in a copy that waits for a disk.
            close_from(FIRST_OF_OURS);
            let written = write(&path, mode, content().as_bytes());
            exit_now(written.err().map_or(0, |error| error.raw_os_error().unwrap_or(UNKNOWN)))
        }
        Side::Parent(pid) => Ok(Copy { path, pid, descriptor: pidfd_open(pid)? }),
    }
}

/// Descriptors before it are standard input, output and error.
const FIRST_OF_OURS: u32 = 3;
/// Status of a copy that failed for a reason without number.
const UNKNOWN: i32 = 255;

/// A copy of this process that writes a dump.
#[derive(Debug)]
pub struct Copy {
    path: PathBuf,
    pid: Pid,
    descriptor: OwnedFd,
}

impl Copy {
    /// What became of the dump; `None` while it is being written.
    pub fn outcome(&self) -> Option<Result<(), Failure>> {
        let failure = |cause| Failure { path: self.path.clone(), cause };
        match reap_one(self.pid) {
            Ok(None) => None,
            Ok(Some(Ending::Exited(0))) => Some(Ok(())),
            Ok(Some(Ending::Exited(number))) => {
                Some(Err(failure(io::Error::from_raw_os_error(number))))
            }
            Ok(Some(ending)) => Some(Err(failure(io::Error::other(ending.to_string())))),
            Err(error) => Some(Err(failure(error))),
        }
    }
}

impl AsFd for Copy {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Why there is no dump.
#[derive(Debug)]
pub struct Failure {
    path: PathBuf,
    cause: io::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Can't open dump file {} ({})", self.path.display(), self.cause)
    }
}

/// A new file with a name that nobody can foresee, in the same directory.
fn create_beside(path: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        let mut unique = name.to_owned();
        unique.push(format!("{:08x}", random()?));
        let temporary = path.with_file_name(unique);
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(mode)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        match options.open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("keepalived-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn both_kinds_of_waiters_learn_of_the_finished_file() {
        let directory = scratch("dump");
        let path = directory.join("keepalived.json");
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        let wanted = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(&directory, wanted).unwrap();
        write(&path, 0o600, b"{}").unwrap();
        let events = inotify.read_events().unwrap();
        let seen: Vec<AddWatchFlags> = events
            .iter()
            .filter(|event| event.name.as_deref() == path.file_name())
            .map(|event| event.mask)
            .collect();
        assert_eq!(seen, [AddWatchFlags::IN_MOVED_TO, AddWatchFlags::IN_CLOSE_WRITE]);
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn names_tell_processes_and_daemons_apart() {
        let name = |global: &Global, writer| {
            let path = state_path(global, writer);
            assert!(path.starts_with(directory()), "{}", path.display());
            path.file_name().unwrap().to_string_lossy().into_owned()
        };
        let mut global = Global::default();
        assert_eq!(name(&global, Writer::Vrrp), "keepalived.data");
        assert_eq!(name(&global, Writer::Checker), "keepalived_check.data");
        global.processes.instance = Some("inst".to_owned());
        assert_eq!(name(&global, Writer::Bfd), "keepalived_bfd.data");
        global.files.data_use_instance = true;
        assert_eq!(name(&global, Writer::Bfd), "keepalived_bfd.inst.data");
        global.processes.network_namespace = Some("ns1".to_owned());
        assert_eq!(name(&global, Writer::Parent), "keepalived_parent.ns1_inst.data");
        assert!(statistics_path(&global).ends_with("keepalived.ns1_inst.stats"));
        assert!(json_path(&global).ends_with("keepalived.json"));
    }

    #[test]
    fn the_configuration_may_say_where_dumps_go() {
        for (configured, expected) in [
            ("/run/k/", "/run/k/keepalived_bfd.data"),
            ("/run/k/state", "/run/k/state_bfd"),
            ("/run/k.d/a.b.txt", "/run/k.d/a.b_bfd.txt"),
        ] {
            let mut global = Global::default();
            global.files.state_dump_file = Some(configured.to_owned());
            assert_eq!(state_path(&global, Writer::Bfd), PathBuf::from(expected));
        }
        let mut global = Global::default();
        global.files.json_dump_file = Some("sub/j".to_owned());
        global.files.stats_dump_file = Some("s/".to_owned());
        assert_eq!(json_path(&global), directory().join("sub/j"));
        assert_eq!(statistics_path(&global), directory().join("s/keepalived.stats"));
    }

    /// Waits for the end of a copy.
    fn outcome(copy: &Copy) -> Result<(), Failure> {
        let mut watched = [PollFd::new(copy.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut watched, PollTimeout::from(10_000_u16)), Ok(1));
        copy.outcome().unwrap()
    }

    #[test]
    fn a_copy_writes_the_state_of_the_moment() {
        let directory = scratch("copy");
        let path = directory.join("keepalived.data");
        let mut state = "before".to_owned();
        let copy = write_apart(path.clone(), 0o600, || state.clone()).unwrap();
        state.replace_range(.., "after");
        assert!(outcome(&copy).is_ok());
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), state.as_str()),
            ("before", "after")
        );
        let nowhere = directory.join("missing/keepalived.data");
        let copy = write_apart(nowhere, 0o600, String::new).unwrap();
        let failure = outcome(&copy).unwrap_err().to_string();
        assert!(failure.contains("No such file or directory"), "{failure}");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_link_that_waits_under_the_name_is_replaced_not_followed() {
        let directory = scratch("link");
        let (path, victim) = (directory.join("keepalived.data"), directory.join("victim"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &path).unwrap();
        write(&path, 0o600, b"data").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read(&path).unwrap(), b"data");
        fs::remove_dir_all(&directory).unwrap();
    }
}
