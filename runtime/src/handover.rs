//! Handing a typed configuration to a child: encoded, in sealed memory.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a configuration could not be taken over.
#[derive(Debug)]
pub enum Error {
    /// The memory could not be made or read.
    Memory(io::Error),
    /// The bytes are no such configuration.
    Encoding(postcard::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(error) => write!(f, "configuration memory: {error}"),
            Self::Encoding(error) => write!(f, "configuration encoding: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Memory(error)
    }
}

/// Puts `value` into memory that nobody can change any more.
pub fn seal<T: Serialize>(value: &T) -> Result<OwnedFd, Error> {
    let bytes = encode(value)?;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file =
        File::from(memfd_create("keepalived/configuration", flags).map_err(io::Error::from)?);
    file.write_all(&bytes)?;
    let seals = SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).map_err(io::Error::from)?;
    Ok(file.into())
}

/// Reads what [`seal`] wrote.
pub fn open<T: DeserializeOwned>(memory: &OwnedFd) -> Result<T, Error> {
    let file = File::from(memory.try_clone()?);
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    // Several processes share the position in the file, so it is left alone.
    file.read_exact_at(&mut bytes, 0)?;
    decode(&bytes)
}

/// A value as [`seal`] writes it.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    postcard::to_allocvec(value).map_err(Error::Encoding)
}

/// Reads what [`encode`] wrote.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(Error::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_and_can_be_read_again() {
        let value = (vec![Some("a".to_owned()), None], 7_u64);
        let memory = seal(&value).unwrap();
        for _ in 0..2 {
            assert_eq!(open::<(Vec<Option<String>>, u64)>(&memory).unwrap(), value);
        }
    }

    #[test]
    fn nobody_changes_it_afterwards() {
        let mut file = File::from(seal(&1_u8).unwrap());
        assert!(file.write_all(b"x").is_err());
    }

    #[test]
    fn bytes_that_end_early_are_an_error() {
        let memory = seal(&9_u8).unwrap();
        assert!(matches!(open::<Vec<u64>>(&memory), Err(Error::Encoding(_))));
    }
}
