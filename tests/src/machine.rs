//! Tests that need another kernel than this machine's: they run on a virtual one.

use std::path::Path;
use std::process::Command;

use crate::target_directory;

/// Tells a test that it runs on the virtual machine.
const INSIDE: &str = "LAB_MACHINE";

/// What a test is told from outside, and shall know inside as well.
const PASSED_ON: [&str; 5] = ["KEEPALIVED", "PEER", "RECORD", "STORIES", "LAB_KEEP"];

/// Does `work` on a virtual machine whose kernel has IPVS. The test that calls this is started there once more, by its
/// `name`, and must then do the same.
#[track_caller]
pub fn on_machine(name: &str, work: impl FnOnce()) {
    on_machine_for(name, 120, work);
}

/// Whether this is the virtual machine.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// [`on_machine`], for as many `seconds` at most. Returns what was printed there, and nothing inside.
#[track_caller]
pub fn on_machine_for(name: &str, seconds: u32, work: impl FnOnce()) -> Option<String> {
    if is_inside() {
        work();
        return None;
    }
    let program = std::env::current_exe().expect("a running program has a path");
    let output = machine(seconds)
        .args([&format!("{INSIDE}=1"), "RUST_BACKTRACE=0"])
        .args(PASSED_ON.iter().filter_map(|name| {
            let value = std::env::var(name).ok()?;
            // Files of this machine are there, under the same path.
            let path = std::fs::canonicalize(&value).ok().filter(|_| value.contains('/'));
            Some(format!("{name}={}", path.map_or(value, |path| path.display().to_string())))
        }))
        .arg(program)
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .output()
        .expect("the script is in the tree");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "on the virtual machine:\n{text}\n{complaint}");
    assert!(text.contains("1 passed"), "it did not run there:\n{text}");
    Some(text.into_owned())
}

/// [`on_machine_for`], for several that share a machine, one after the other: each has a name. `STORIES=NAME,NAME` does only
/// these.
#[track_caller]
pub fn each_on_machine(name: &str, seconds: u32, works: &[(&str, fn())]) {
    on_machine_for(name, seconds, || {
        let chosen = std::env::var("STORIES").ok();
        let chosen: Option<Vec<&str>> = chosen.as_deref().map(|names| names.split(',').collect());
        let wanted = |name: &str| chosen.as_ref().is_none_or(|chosen| chosen.contains(&name));
        let works = works.iter().filter(|(name, _)| wanted(name));
        let failed = works.filter(|(name, work)| {
            println!("{name}");
            std::panic::catch_unwind(work).is_err()
        });
        let failed: Vec<&str> = failed.map(|(name, _)| *name).collect();
        assert!(failed.is_empty(), "failed: {}", failed.join(", "));
    });
}

/// A command that runs another one (`env` with the arguments that are still to come) on the virtual machine, for as many
/// `seconds` at most.
pub fn machine(seconds: u32) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("vm.sh"));
    command.env("VM_CACHE", target_directory().join("vm"));
    command.env("VM_TIMEOUT", seconds.to_string()).arg("env");
    command
}
