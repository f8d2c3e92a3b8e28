//! Network namespaces: entering one by name, and a run directory of its own in it.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use log::info;
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::pid_file::{DIRECTORY, make_directory};

/// Where `ip netns` keeps them.
const NAMESPACES: &str = "/run/netns";

/// Why a namespace could not be entered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is none of that name.
    Absent(PathBuf, io::Error),
    /// The kernel does not let us in.
    Closed(nix::errno::Errno),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(path, error) => write!(f, "Failed to open {}: {error}", path.display()),
            Self::Closed(error) => write!(f, "setns() failed with error {}", *error as i32),
        }
    }
}

/// Moves this process into the network namespace `name`.
pub(crate) fn enter_network(name: &str) -> Result<(), Refusal> {
    let path = Path::new(NAMESPACES).join(name);
    let file = File::open(&path).map_err(|error| Refusal::Absent(path, error))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(Refusal::Closed)
}

/// A directory for pid files that belongs to one namespace, and stands where that of all others is.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    outside: PathBuf,
    mounted: bool,
}

impl RunDirectory {
    /// Makes the directory `name` in the run directory, and has it take the place of the latter, for this process and its
    /// children. What cannot be done is logged: the daemon can do without.
    pub(crate) fn new(name: &str) -> Self {
        let outside = Path::new(DIRECTORY).join(name);
        let mut directory = Self { outside, mounted: false };
        match directory.take_over() {
            Ok(()) => directory.mounted = true,
            Err((attempt, error)) => info!("{attempt} failed: {error}"),
        }
        directory
    }

    fn take_over(&self) -> Result<(), (&'static str, io::Error)> {
        make_directory(&self.outside).map_err(|error| ("Making the run directory", error))?;
        unshare(CloneFlags::CLONE_NEWNS).map_err(|error| ("mount unshare", error.into()))?;
        // systemd shares all mounts: what is mounted here must not be seen outside.
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
            .map_err(|error| ("Mount slave", error.into()))?;
        mount(Some(&self.outside), DIRECTORY, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|error| ("Mount", error.into()))
    }

    /// Undoes it all. A directory that others use stays.
    pub(crate) fn remove(self) {
        if self.mounted {
            if let Err(error) = umount(DIRECTORY) {
                info!("unmount of {DIRECTORY} failed - errno {}", error as i32);
            }
        }
        let _ = fs::remove_dir(&self.outside);
    }
}
