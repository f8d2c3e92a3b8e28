//! What can go wrong between the kernel and us.

use std::fmt;

use nix::errno::Errno;

/// A request that did not succeed, and what was attempted with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetlinkError {
    /// The kernel refused it.
    Refused {
        /// What was attempted.
        attempted: String,
        /// Why not.
        errno: Errno,
        /// What the kernel has to say about it.
        text: Option<String>,
    },
    /// No answer came in time, or it was lost. Whether it was done is not known.
    Unanswered {
        /// What was attempted.
        attempted: String,
    },
    /// The socket failed.
    Socket {
        /// What was attempted.
        attempted: String,
        /// Why not.
        errno: Errno,
    },
}

impl NetlinkError {
    /// The kernel's reason, where it gave one.
    pub fn errno(&self) -> Option<Errno> {
        match *self {
            NetlinkError::Refused { errno, .. } | NetlinkError::Socket { errno, .. } => Some(errno),
            NetlinkError::Unanswered { .. } => None,
        }
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetlinkError::Refused { attempted, errno, text: Some(text) } => {
                write!(f, "cannot {attempted}: {} ({text})", errno.desc())
            }
            NetlinkError::Refused { attempted, errno, text: None }
            | NetlinkError::Socket { attempted, errno } => {
                write!(f, "cannot {attempted}: {}", errno.desc())
            }
            NetlinkError::Unanswered { attempted } => {
                write!(f, "cannot {attempted}: the kernel does not answer")
            }
        }
    }
}

impl std::error::Error for NetlinkError {}
