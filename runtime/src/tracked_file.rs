//! Files that hold a number: giving them one at start, watching them, and reading them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use crate::global::TrackFile;

/// So much of a file is looked at.
pub const READ_LIMIT: usize = 127;
/// Numbers beyond are not taken; the number before stays.
const LIMIT: i128 = 1 << 31;

/// A number that is out of range, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange(pub i128);

/// The number at the start of `content` as C reads it: blanks, a sign, then decimal, `0x` hexadecimal or `0` octal
/// digits. Whatever follows is ignored, and where there is no number it is 0.
pub fn number(content: &[u8]) -> Result<i64, OutOfRange> {
    let content = content.get(..READ_LIMIT).unwrap_or(content);
    let rest = content.trim_ascii_start();
    let (negative, rest) = match rest.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, rest),
    };
    let (radix, digits) = match rest {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, digits)
        }
        [b'0', digits @ ..] => (8, digits),
        digits => (10, digits),
    };
    let values = digits.iter().map_while(|&byte| char::from(byte).to_digit(radix));
    let sum = values.fold(0_i128, |sum, digit| {
        sum.saturating_mul(i128::from(radix))
            .saturating_add(i128::from(digit))
            .min(i128::from(i64::MAX))
    });
    let value = if negative { -sum } else { sum };
    let inside = (-LIMIT..=LIMIT).contains(&value);
    i64::try_from(value).ok().filter(|_| inside).ok_or(OutOfRange(value))
}

/// Why a file gives no new number.
#[derive(Debug)]
pub enum ReadError {
    /// The number in it is out of range.
    OutOfRange(OutOfRange),
    /// It is there, but cannot be read.
    Unreadable(io::Error),
}

/// The number in the file at `path`; a file that is not there holds 0.
pub fn read(path: &Path) -> Result<i64, ReadError> {
    let mut content = Vec::with_capacity(READ_LIMIT);
    let mut options = OpenOptions::new();
    // A FIFO in its place must not hold us up.
    let file = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path);
    let limit = u64::try_from(READ_LIMIT).unwrap_or(u64::MAX);
    match file.and_then(|file: File| file.take(limit).read_to_end(&mut content)) {
        Ok(_) => number(&content).map_err(ReadError::OutOfRange),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(ReadError::Unreadable(error)),
    }
}

/// Gives the file the number that the configuration wants it to start with. An existing file stays as it is unless it is
/// to be overwritten; only a plain file is, and never through a symbolic link.
pub fn initialise(settings: &TrackFile) -> io::Result<()> {
    let Some(initial) = settings.initial else { return Ok(()) };
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    match fs::symlink_metadata(&settings.path) {
        Ok(_) if !initial.overwrite => return Ok(()),
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(_) => options.truncate(true),
        Err(_) => options.create_new(true),
    };
    options.open(&settings.path)?.write_all(format!("{}\n", initial.value).as_bytes())
}

/// Watches files by their directories, so that a file that is replaced or removed is noticed too.
#[derive(Debug)]
pub struct FileWatcher {
    inotify: Inotify,
    watches: Vec<Watch>,
}

#[derive(Debug)]
struct Watch {
    directory: WatchDescriptor,
    name: OsString,
}

/// A file that cannot be watched.
#[derive(Debug)]
pub struct WatchError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot watch {}: {}", self.path.display(), self.error)
    }
}

impl FileWatcher {
    /// Watches the files at `paths`, which are known by their places in it from then on. Symbolic links are followed
    /// once, now.
    pub fn new<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, WatchError> {
        let failed = |path: &Path, error| WatchError { path: path.to_owned(), error };
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(|errno| failed(Path::new("inotify"), errno.into()))?;
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ONLYDIR;
        let watch = |path: &Path| {
            let (directory, name) = resolve(path)?;
            Ok(Watch { directory: inotify.add_watch(&directory, flags)?, name })
        };
        let watches = paths
            .into_iter()
            .map(|path| watch(path.as_ref()).map_err(|error| failed(path.as_ref(), error)))
            .collect::<Result<Vec<Watch>, WatchError>>()?;
        Ok(Self { inotify, watches })
    }

    /// The places of the files that may hold another number now, each once.
    pub fn changed(&self) -> io::Result<BTreeSet<usize>> {
        let mut changed = BTreeSet::new();
        loop {
            match self.inotify.read_events() {
                Ok(events) => {
                    for event in events {
                        changed.extend(self.concerned(&event));
                    }
                }
                Err(Errno::EAGAIN) => return Ok(changed),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn concerned<'a>(&'a self, event: &'a InotifyEvent) -> impl Iterator<Item = usize> + 'a {
        // Some events were lost, or the directory is gone with all that was in it.
        let all = event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
        let whole = event.mask.contains(AddWatchFlags::IN_IGNORED);
        let watches = self.watches.iter().enumerate().filter(move |(_, watch)| {
            let inside = watch.directory == event.wd;
            all || inside && (whole || event.name.as_ref() == Some(&watch.name))
        });
        watches.map(|(place, _)| place)
    }
}

impl AsFd for FileWatcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// The directory of a file that need not be there, and its name in it.
fn resolve(path: &Path) -> io::Result<(PathBuf, OsString)> {
    let found = fs::canonicalize(path).or_else(|_| {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = fs::canonicalize(directory.unwrap_or(Path::new(".")))?;
        Ok::<_, io::Error>(directory.join(path.file_name().unwrap_or_default()))
    })?;
    match (found.parent(), found.file_name()) {
        (Some(directory), Some(name)) => Ok((directory.to_owned(), name.to_owned())),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (content, value) in [
            ("", 0),
            ("nothing", 0),
            ("0\n", 0),
            ("42", 42),
            ("  -7 and more", -7),
            ("+5", 5),
            ("010", 8),
            ("089", 0),
            ("0x1F", 31),
            ("0xg", 0),
            ("-2147483648", -2_147_483_648),
        ] {
            assert_eq!(number(content.as_bytes()), Ok(value), "{content:?}");
        }
        assert_eq!(number(b"2147483649"), Err(OutOfRange(2_147_483_649)));
        assert!(number(&[b'9'; 500]).is_err());
    }

    /// A directory for one test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tracked-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn places(watcher: &FileWatcher) -> Vec<usize> {
        watcher.changed().unwrap().into_iter().collect()
    }

    #[test]
    fn writing_replacing_and_removing_is_noticed() {
        let directory = Directory::new("watch");
        let [first, second, other] =
            ["first", "second", "other"].map(|name| directory.0.join(name));
        let watcher = FileWatcher::new([&first, &second]).unwrap();
        fs::write(&other, "1").unwrap();
        assert_eq!(places(&watcher), [], "it is not watched");
        fs::write(&second, "7").unwrap();
        assert_eq!(places(&watcher), [1]);
        assert_eq!(read(&second).unwrap(), 7);
        fs::rename(&second, &first).unwrap();
        assert_eq!(places(&watcher), [0, 1]);
        assert_eq!((read(&first).unwrap(), read(&second).unwrap()), (7, 0));
        fs::remove_file(&first).unwrap();
        assert_eq!(places(&watcher), [0]);
    }

    #[test]
    fn a_link_is_followed_to_where_the_file_is() {
        let (here, there) = (Directory::new("here"), Directory::new("there"));
        let (link, file) = (here.0.join("link"), there.0.join("file"));
        fs::write(&file, "1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let watcher = FileWatcher::new([&link]).unwrap();
        fs::write(&file, "2").unwrap();
        assert_eq!(places(&watcher), [0]);
    }

    #[test]
    fn a_file_is_given_its_first_number_only_where_that_was_asked_for() {
        let directory = Directory::new("initial");
        let path = directory.0.join("file");
        let settings = |overwrite, value| TrackFile {
            name: "file".to_owned(),
            path: path.to_string_lossy().into_owned(),
            weight: 1,
            reverse: false,
            initial: Some(crate::global::InitialValue { value, overwrite }),
        };
        initialise(&settings(false, 5)).unwrap();
        initialise(&settings(false, 6)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "5\n");
        initialise(&settings(true, 6)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "6\n");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(initialise(&settings(true, 7)).is_err(), "not through a link");
    }
}
