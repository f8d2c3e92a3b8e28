//! Tests that need another kernel than this machine's: they run on a virtual one.

use std::path::Path;
use std::process::Command;

use crate::target_directory;

/// Tells a test that it runs on the virtual machine.
const INSIDE: &str = "LAB_MACHINE";

/// Does `work` on a virtual machine whose kernel has IPVS. The test that calls this is started there once more, by its
/// `name`, and must then do the same.
#[track_caller]
pub fn on_machine(name: &str, work: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return work();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm.sh");
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(script)
        .args(["env", &format!("{INSIDE}=1"), "RUST_BACKTRACE=0"])
        .envs([("VM_CACHE", target_directory().join("vm"))])
        .arg(program)
        .args(["--exact", name, "--nocapture"])
        .output()
        .expect("the script is in the tree");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "on the virtual machine:\n{text}\n{complaint}");
    assert!(text.contains("1 passed"), "it did not run there:\n{text}");
}
