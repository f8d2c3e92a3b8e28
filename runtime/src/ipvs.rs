//! The way to the kernel's IPVS: in another network namespace perhaps, and with the module loaded.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use log::info;
use nix::sched::{CloneFlags, setns};

use crate::global::IpvsNamespace;

/// Where `ip netns` keeps namespaces.
const NAMESPACES: &str = "/run/netns";
/// The namespace of the first process, which is the default one.
const DEFAULT: &str = "/proc/1/ns/net";
const OWN: &str = "/proc/self/ns/net";
/// Where the kernel says how it loads modules.
const MODPROBE: &str = "/proc/sys/kernel/modprobe";

/// Opens IPVS by `open`, in the namespace that is configured for it. Where the kernel has none, which `is_missing` finds in
/// the error, its module is loaded once.
pub fn open<C, E: From<io::Error>>(
    namespace: Option<&IpvsNamespace>,
    open: impl Fn() -> Result<C, E>,
    is_missing: impl Fn(&E) -> bool,
) -> Result<C, E> {
    let attempt = || within(namespace, &open)?;
    match attempt() {
        Err(error) if is_missing(&error) && load_module() => attempt(),
        outcome => outcome,
    }
}

/// Does something in another network namespace. Errors are those of getting there and back.
pub fn within<T>(namespace: Option<&IpvsNamespace>, action: impl FnOnce() -> T) -> io::Result<T> {
    let path = match namespace {
        None => return Ok(action()),
        Some(IpvsNamespace::Default) => PathBuf::from(DEFAULT),
        Some(IpvsNamespace::Named(name)) => Path::new(NAMESPACES).join(name),
    };
    let own = File::open(OWN)?;
    let other = File::open(&path).inspect_err(|_| info!("Failed to open {}", path.display()))?;
    setns(other, CloneFlags::CLONE_NEWNET)?;
    let outcome = action();
    setns(own, CloneFlags::CLONE_NEWNET)?;
    Ok(outcome)
}

/// Has `ip_vs` loaded, by the program that the kernel itself would use. The look-up of the family has failed before, which
/// should have done the same; on some machines only this does.
fn load_module() -> bool {
    let configured = fs::read_to_string(MODPROBE).ok();
    let program = configured.as_deref().map(str::trim_end).filter(|path| Path::new(path).is_file());
    let program = program.unwrap_or("/sbin/modprobe");
    // Not every program knows where to log.
    [&["-s", "--", "ip_vs"][..], &["ip_vs"]].into_iter().any(|arguments| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                info!("modprobe: {program}: {error}");
                false
            }
        }
    })
}
