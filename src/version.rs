//! What this program says about itself.

use std::fmt::Write;

use nix::sys::utsname::uname;

pub(crate) use runtime::options::BANNER;

/// The version alone.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The oldest kernel that has all that is used: `close_range` with CLOSE_RANGE_CLOEXEC came last.
pub(crate) const KERNEL: (u32, u32, u32) = (5, 11, 0);

/// Where the configuration of all programs is, as it was chosen for this build.
pub(crate) const SYSCONFDIR: &str = match option_env!("SYSCONFDIR") {
    Some(directory) => directory,
    None => "/etc",
};

/// What `configure` of the C program would have been told. Monitoring looks for `--enable-json` here.
pub(crate) fn configure_options() -> String {
    format!("--sysconfdir={SYSCONFDIR} --enable-json")
}

/// What was built in, in the words of the C program, which scripts look for.
pub(crate) const CONFIG_OPTIONS: &str =
    "VRRP VRRP_AUTH JSON BFD OLD_CHKSUM_COMPAT DBUS INIT=systemd SYSTEMD_NOTIFY";

/// What is used of the system, in the words of the C program.
pub(crate) const SYSTEM_OPTIONS: &str =
    "MEMFD_CREATE CLOSE_RANGE F_OFD_SETLK IFA_FLAGS IFA_PROTO INET6_ADDR_GEN_MODE";

/// The answer to `--version`. Scripts take the version from its first line.
pub(crate) fn text() -> String {
    let mut text = format!("{BANNER}\n\n{COPYRIGHT}\n\nBuilt for Linux {}\n", kernel());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Running on {}", running_on());
    if let Some(name) = distribution() {
        let _ = writeln!(text, "Distro: {name}");
    }
    let _ = writeln!(text, "\nconfigure options: {}", configure_options());
    let _ = writeln!(text, "\nConfig options:  {CONFIG_OPTIONS}");
    let _ = writeln!(text, "\nSystem options:  {SYSTEM_OPTIONS}");
    text
}

const COPYRIGHT: &str =
    "Copyright(C) 2026 the keepalived authors; GNU General Public License, version 2 or later";

/// [`KERNEL`] as it is written.
pub(crate) fn kernel() -> String {
    let (major, minor, patch) = KERNEL;
    format!("{major}.{minor}.{patch}")
}

/// Name, release and version of the running system.
pub(crate) fn running_on() -> String {
    match uname() {
        Ok(name) => [name.sysname(), name.release(), name.version()]
            .map(|part| part.to_string_lossy().into_owned())
            .join(" "),
        Err(error) => format!("an unknown system ({error})"),
    }
}

/// Whether the running kernel is older than [`KERNEL`]. A release that cannot be read is taken for a new one.
pub(crate) fn kernel_is_older() -> bool {
    let release = uname().ok().and_then(|name| name.release().to_str().and_then(parse_release));
    release.is_some_and(|release| release < KERNEL)
}

fn parse_release(release: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = release.splitn(3, '.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part.get(..digits)?.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

/// The name of the distribution (os-release(5)).
fn distribution() -> Option<String> {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // What mehdy/keepalived-exporter, neutron and the Ansible roles look for.
    #[test]
    fn the_first_line_tells_the_version_to_scripts() {
        let text = text();
        let first = text.lines().next().unwrap();
        let words: Vec<&str> = first.split(' ').collect();
        assert_eq!(words[..2], ["Keepalived", concat!("v", env!("CARGO_PKG_VERSION"))]);
        assert!(words[2].starts_with('(') && words[2].ends_with(')'), "{first}");
        assert!(text.contains("--enable-json"));
        assert!(text.contains("\nConfig options:  "));
    }

    #[test]
    fn kernel_releases_are_compared_by_number() {
        assert_eq!(parse_release("6.18.44-fc"), Some((6, 18, 44)));
        assert_eq!(parse_release("5.10.0-rc1"), Some((5, 10, 0)));
        assert_eq!(parse_release("6.1"), Some((6, 1, 0)));
        assert_eq!(parse_release("next"), None);
        assert!(Some((5, 10, 9)) < Some(KERNEL) && Some((5, 11, 0)) >= Some(KERNEL));
    }
}
