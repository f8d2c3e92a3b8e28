//! Where the bus of the machine listens.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::line::Target;

/// What says where it is, unless it is where it usually is.
const VARIABLE: &str = "DBUS_SYSTEM_BUS_ADDRESS";
/// Where it usually is.
const USUAL: &str = "unix:path=/var/run/dbus/system_bus_socket";

/// Where the bus of the machine listens.
pub(super) fn system_bus() -> Result<Target, BadAddress> {
    let told = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    target(told.as_deref().unwrap_or(USUAL))
}

/// What cannot be connected to: another transport, or a name, which would have to be asked for while others wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAddress(String);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(
            f,
            "'{text}' is neither unix:path=PATH nor unix:abstract=NAME nor tcp:host=ADDRESS,port=PORT"
        )
    }
}

impl std::error::Error for BadAddress {}

/// The first of several addresses that can be used (D-Bus specification, "Server Addresses").
pub(super) fn target(text: &str) -> Result<Target, BadAddress> {
    text.split(';').find_map(one).ok_or_else(|| BadAddress(text.to_owned()))
}

fn one(text: &str) -> Option<Target> {
    let (transport, pairs) = text.split_once(':')?;
    let value = |wanted: &str| {
        let mut pairs = pairs.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == wanted).and_then(|(_, value)| unescaped(value))
    };
    match transport {
        "unix" => value("path")
            .map(|path| Target::Path(PathBuf::from(OsString::from_vec(path))))
            .or_else(|| value("abstract").map(Target::Abstract)),
        "tcp" => {
            let text = |key: &str| String::from_utf8(value(key)?).ok();
            let address = text("host")?.parse().ok()?;
            Some(Target::Tcp(SocketAddr::new(address, text("port")?.parse().ok()?)))
        }
        _ => None,
    }
}

/// Octets that stand for others are written `%` and two hexadecimal digits.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            octets.push(first);
            continue;
        }
        let (digits, tail) = rest.split_first_chunk::<2>()?;
        let digits = std::str::from_utf8(digits).ok()?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    Some(octets)
}
