//! The file that exists while the configuration is read (`reload_file`).

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::info;
use nix::sys::stat::{Mode, umask};
use runtime::global::{Files, ReloadFile};

/// Makes or empties it.
pub(crate) fn create(files: &Files, pid_path: &Path) {
    let Some(path) = path(files, pid_path) else { return };
    // Everybody may see it, whatever the file creation mask is.
    let mask = umask(Mode::empty());
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path);
    umask(mask);
    if let Err(error) = made {
        info!("Failed to create reload file ({}) {error}", path.display());
    }
}

/// Removes it.
pub(crate) fn remove(files: &Files, pid_path: &Path) {
    if let Some(path) = path(files, pid_path) {
        // It need not be there.
        let _ = fs::remove_file(path);
    }
}

/// Where it is: without a path of its own, beside the parent's pid file.
pub(crate) fn path(files: &Files, pid_path: &Path) -> Option<PathBuf> {
    match files.reload_file.as_ref()? {
        ReloadFile::BesidePidFile => Some(pid_path.with_extension("reload")),
        ReloadFile::Path(path) => Some(PathBuf::from(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_beside_the_pid_file() {
        let files = |reload_file| Files { reload_file, ..Files::default() };
        let path = |reload_file| path(&files(reload_file), Path::new("/run/keepalived.pid"));
        assert_eq!(path(None), None);
        let beside = path(Some(ReloadFile::BesidePidFile));
        assert_eq!(beside, Some(PathBuf::from("/run/keepalived.reload")));
        assert_eq!(path(Some(ReloadFile::Path("/a/b".to_owned()))), Some(PathBuf::from("/a/b")));
    }
}
