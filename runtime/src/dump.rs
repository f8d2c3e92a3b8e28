//! Files in which a process shows its state: complete when their name appears, and never through somebody else's link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::info;

use crate::sys::random::random;

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
