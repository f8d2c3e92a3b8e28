//! Tells `ip` the name of the number that marks our addresses, as 2.4.3 does.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// The first version of iproute2 that knows such names, and the first that reads a directory of them.
const NAMES: (u32, u32) = (6, 3);
const DIRECTORIES: (u32, u32) = (6, 13);

/// Makes `protocol` known as `keepalived` in the configuration of iproute2 below `etc`, if its version has a use for it.
pub(crate) fn publish(protocol: u8, etc: &Path) -> io::Result<()> {
    let output = Command::new("ip").arg("-V").stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match version(&text) {
        Some(version) if version >= NAMES => write(protocol, etc, version >= DIRECTORIES),
        _ => Ok(()),
    }
}

/// The version in `ip utility, iproute2-6.7.0, libbpf 1.2.3`. BusyBox has no such names.
fn version(text: &str) -> Option<(u32, u32)> {
    let (_, rest) = text.split_once("iproute2-")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn write(protocol: u8, etc: &Path, has_directories: bool) -> io::Result<()> {
    let file = if has_directories {
        etc.join("rt_addrprotos.d/keepalived.conf")
    } else {
        etc.join("rt_addrprotos")
    };
    let directory = file.parent().unwrap_or(etc);
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    let mut file = OpenOptions::new().append(true).create(true).mode(0o644).open(file)?;
    file.write_all(format!("{protocol}\tkeepalived\t# added by keepalived\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version("ip utility, iproute2-5.10.0"), Some((5, 10)));
        assert_eq!(version("ip utility, iproute2-6.15.0, libbpf 1.5.0\n"), Some((6, 15)));
        assert_eq!(version("ip utility, iproute2-ss200127\n"), None);
        assert_eq!(version("BusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary"), None);
    }

    #[test]
    fn the_name_is_where_each_version_looks_for_it() {
        let etc = std::env::temp_dir().join(format!("addrprotos-{}", std::process::id()));
        write(18, &etc, false).unwrap();
        write(18, &etc, true).unwrap();
        for name in ["rt_addrprotos", "rt_addrprotos.d/keepalived.conf"] {
            let text = fs::read_to_string(etc.join(name)).unwrap();
            assert_eq!(text, "18\tkeepalived\t# added by keepalived\n");
        }
        fs::remove_dir_all(&etc).unwrap();
    }
}
