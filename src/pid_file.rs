//! Pid files: where they are, and that each belongs to one process only.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use runtime::global::Processes;
use runtime::sys::descriptor::lock_file;

/// Where processes of a machine leave their numbers.
const RUN: &str = "/run";
/// Where they do so when there may be several daemons.
pub(crate) const DIRECTORY: &str = "/run/keepalived";

/// The path of a pid file that the command line does not name. `stem` is what it is called, such as `vrrp`.
pub(crate) fn default_path(stem: &str, processes: &Processes) -> PathBuf {
    let directory = if processes.use_pid_dir { DIRECTORY } else { RUN };
    let name = match &processes.instance {
        Some(instance) => format!("{stem}_{instance}.pid"),
        None => format!("{stem}.pid"),
    };
    Path::new(directory).join(name)
}

/// Makes a directory that everybody can look into, whatever the file creation mask is. It may be there already.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match unmasked(|| DirBuilder::new().mode(0o755).create(path)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Runs `make` with an empty file creation mask.
fn unmasked<T>(make: impl FnOnce() -> T) -> T {
    let mask = umask(Mode::empty());
    let made = make();
    umask(mask);
    made
}

/// Why a pid file could not be had.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A process that lives holds it.
    Locked(PathBuf),
    /// It could not be opened or locked.
    Unusable(PathBuf, io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(path) => {
                write!(f, "Another process has pid file {} locked", path.display())
            }
            Self::Unusable(path, error) => {
                write!(f, "Unable to lock pid file {}: {error}", path.display())
            }
        }
    }
}

/// A pid file that is ours as long as this value, or a copy of its descriptor in a child, lives.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Locks the file at `path`, made or emptied. It is not written yet.
    pub(crate) fn lock(path: &Path) -> Result<Self, Refusal> {
        let unusable = |error| Refusal::Unusable(path.to_owned(), error);
        loop {
            let file = unmasked(|| {
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o644)
                    .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
                    .open(path)
            })
            .map_err(unusable)?;
            if !lock_file(&file).map_err(unusable)? {
                return Err(Refusal::Locked(path.to_owned()));
            }
            let locked = Self { path: path.to_owned(), file };
            // Between opening and locking, its last owner may have removed it.
            if locked.is_in_place() {
                locked.file.set_len(0).map_err(unusable)?;
                return Ok(locked);
            }
        }
    }

    /// Whether the path still leads to this very file.
    pub(crate) fn is_in_place(&self) -> bool {
        let identity = |data: fs::Metadata| (data.dev(), data.ino());
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(ours)) => identity(there) == identity(ours),
            _ => false,
        }
    }

    /// The same file, or a new one where somebody removed or replaced it.
    pub(crate) fn renewed(self) -> Result<Self, Refusal> {
        if self.is_in_place() { Ok(self) } else { Self::lock(&self.path) }
    }

    /// Writes the number of a process, and nothing else, into it.
    pub(crate) fn write(&mut self, pid: Pid) -> io::Result<()> {
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(format!("{pid}\n").as_bytes())
    }

    /// Removes it from the directory, unless another has taken its place.
    pub(crate) fn remove(&self) {
        if self.is_in_place() {
            // Nothing depends on its absence: what counts is the lock.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pid-file-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn names_follow_directory_and_instance() {
        let path = |use_pid_dir, instance: Option<&str>| {
            let instance = instance.map(str::to_owned);
            let processes = Processes { use_pid_dir, instance, ..Processes::default() };
            default_path("vrrp", &processes).display().to_string()
        };
        assert_eq!(path(false, None), "/run/vrrp.pid");
        assert_eq!(path(true, None), "/run/keepalived/vrrp.pid");
        assert_eq!(path(true, Some("one")), "/run/keepalived/vrrp_one.pid");
    }

    #[test]
    fn a_number_is_written_over_whatever_was_there() {
        let directory = Directory::new("write");
        let path = directory.0.join("a.pid");
        fs::write(&path, "123456789\nrubbish\n").unwrap();
        let mut file = PidFile::lock(&path).unwrap();
        file.write(Pid::from_raw(1234)).unwrap();
        file.write(Pid::from_raw(5)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "5\n");
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn it_belongs_to_one_process_only() {
        let directory = Directory::new("lock");
        let path = directory.0.join("a.pid");
        let first = PidFile::lock(&path).unwrap();
        let refusal = PidFile::lock(&path).unwrap_err();
        let text = format!("Another process has pid file {} locked", path.display());
        assert_eq!(refusal.to_string(), text);
        drop(first);
        PidFile::lock(&path).unwrap();
    }

    #[test]
    fn a_replaced_file_is_neither_used_nor_removed() {
        let directory = Directory::new("replace");
        let path = directory.0.join("a.pid");
        let file = PidFile::lock(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        assert!(!file.is_in_place());
        file.remove();
        assert!(path.exists());
        let mut file = file.renewed().unwrap();
        file.write(Pid::from_raw(7)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "7\n");
    }

    #[test]
    fn symbolic_links_are_refused() {
        let directory = Directory::new("link");
        let target = directory.0.join("target");
        fs::write(&target, "precious").unwrap();
        let link = directory.0.join("a.pid");
        symlink(&target, &link).unwrap();
        assert!(matches!(PidFile::lock(&link), Err(Refusal::Unusable(..))));
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn everybody_may_read_it_and_only_we_write() {
        let directory = Directory::new("mode");
        let path = directory.0.join("a.pid");
        PidFile::lock(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
