//! Network namespaces: made, entered, swept.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::scratch;

const NAMESPACES: &str = "/run/netns";

/// A network namespace of its own, gone with this value together with every process in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// A fresh namespace: loopback up, no other interface, and no delays by duplicate address detection.
    pub fn new() -> Self {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(sweep);
        let name = scratch::unique_name();
        run("ip", &["netns", "add", &name]);
        let file =
            File::open(Path::new(NAMESPACES).join(&name)).expect("ip has just made the namespace");
        let namespace = Self { name, file };
        namespace.ip("link set lo up\n");
        for (setting, value) in
            [("ipv6/conf/default/accept_dad", "0"), ("ipv6/conf/default/router_solicitations", "0")]
        {
            namespace.sysctl(setting, value);
        }
        namespace
    }

    /// Its name, for `ip -n`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` inside, in a thread of its own.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&self.file, CloneFlags::CLONE_NEWNET).expect("entering a namespace needs root");
            work()
        };
        thread::scope(|scope| {
            let result = scope.spawn(inside).join();
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs lines of `ip -batch` inside.
    pub fn ip(&self, batch: &str) {
        let mut child = Command::new("ip")
            .args(["-n", &self.name, "-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ip is installed");
        let mut input = child.stdin.take().expect("it was asked for");
        input.write_all(batch.as_bytes()).expect("ip reads its batch");
        drop(input);
        let output = child.wait_with_output().expect("ip ends");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip -n {} -batch:\n{batch}\n{complaint}", self.name);
    }

    /// What `ip -j` prints for `arguments`.
    pub fn ip_json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = run("ip", &[&["-n", &self.name, "-j"], arguments].concat());
        serde_json::from_str(&text).expect("ip -j prints JSON")
    }

    /// The addresses of the kernel, of every interface but loopback, as `ADDRESS/LENGTH`.
    pub fn addresses(&self) -> Vec<String> {
        let mut found = Vec::new();
        let interfaces = self.ip_json(&["addr", "show"]);
        for interface in interfaces.as_array().into_iter().flatten() {
            if interface["ifname"] == "lo" {
                continue;
            }
            for address in interface["addr_info"].as_array().into_iter().flatten() {
                if let (Some(local), Some(length)) =
                    (address["local"].as_str(), &address["prefixlen"].as_u64())
                {
                    found.push(format!("{local}/{length}"));
                }
            }
        }
        found
    }

    /// The interface `name` as `ip -d -j link` shows it; `None` where there is none.
    pub fn link(&self, name: &str) -> Option<serde_json::Value> {
        let links = self.ip_json(&["-d", "link", "show"]);
        let found = links.as_array().into_iter().flatten().find(|link| link["ifname"] == name);
        found.cloned()
    }

    /// What is below `/proc/sys/net`.
    pub fn setting(&self, setting: &str) -> String {
        let path = PathBuf::from("/proc/sys/net").join(setting);
        let text = self.enter(|| fs::read_to_string(&path));
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.trim().to_owned()
    }

    /// Writes below `/proc/sys/net`.
    pub fn sysctl(&self, setting: &str, value: &str) {
        let path = PathBuf::from("/proc/sys/net").join(setting);
        let written = self.enter(|| fs::write(&path, value));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Runs `program` to its end and returns what it printed; a failure panics with what it complained of.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {complaint}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Ends what runs in the namespace `name`, and removes it.
fn remove(name: &str) {
    if let Ok(output) = Command::new("ip").args(["netns", "pids", name]).output() {
        let pids = String::from_utf8_lossy(&output.stdout);
        let pids: Vec<&str> = pids.split_whitespace().collect();
        if !pids.is_empty() {
            let _ = Command::new("kill").arg("-KILL").args(&pids).stderr(Stdio::null()).status();
        }
    }
    let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
}

/// Removes what processes that no longer live have left behind.
fn sweep() {
    for entry in fs::read_dir(NAMESPACES).into_iter().flatten().flatten() {
        if let Some(name) = entry.file_name().to_str().filter(|name| scratch::is_orphan(name)) {
            remove(name);
        }
    }
    scratch::sweep();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_apart_and_leaves_nothing() {
        let namespace = Namespace::new();
        let name = namespace.name().to_owned();
        namespace
            .ip("link add here type veth peer name there\nlink set here up\naddr add 192.0.2.1/24 dev here\n");
        assert!(namespace.addresses().contains(&"192.0.2.1/24".to_owned()));
        assert!(namespace.enter(|| nix::net::if_::if_nametoindex("here")).is_ok());
        assert!(nix::net::if_::if_nametoindex("here").is_err());
        let sleeper = namespace.enter(|| Command::new("sleep").arg("60").spawn());
        drop(namespace);
        let ended = sleeper.expect("sleep is installed").wait().expect("it is our child");
        assert!(!ended.success());
        assert!(!Path::new(NAMESPACES).join(name).exists());
    }
}
