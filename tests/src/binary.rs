//! Which keepalived is under test, and which is its peer.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A keepalived program, and what it needs to be started.
#[derive(Clone, Debug)]
pub struct Binary {
    path: PathBuf,
    libraries: Option<PathBuf>,
    programs: Option<PathBuf>,
    /// What else its environment says.
    variables: Vec<(&'static str, String)>,
    /// Seconds that the clock since boot is ahead of that of the machine.
    boot_offset: Option<i64>,
    version: String,
    original: bool,
}

impl Binary {
    /// The program under test: `$KEEPALIVED`, or what was built last of this tree.
    pub fn under_test() -> Self {
        let path = std::env::var_os("KEEPALIVED").map(PathBuf::from).unwrap_or_else(|| {
            let built = ["release", "debug"]
                .map(|profile| target_directory().join(profile).join("keepalived"));
            let age = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
            let latest = built.iter().filter(|path| path.exists()).max_by_key(|path| age(path));
            latest.cloned().unwrap_or_else(|| panic!("build first: none of {built:?} is there"))
        });
        Self::new(path, None)
    }

    /// The C daemon that it must get along with: `$PEER`, or the distribution's that `tests/fetch-peers.sh` unpacked.
    pub fn peer() -> Self {
        if let Some(path) = std::env::var_os("PEER") {
            return Self::new(PathBuf::from(path), None);
        }
        let root = target_directory().join("peer");
        Self::new(root.join("usr/sbin/keepalived"), Some(root.join("usr/lib")))
    }

    /// The peer, where it is 2.4.3 and has been built with `option`.
    pub fn original_with(option: &str) -> Option<Self> {
        let peer = Self::peer();
        let output = peer.command().arg("--version").output().expect("it ran a moment ago");
        let said = String::from_utf8_lossy(&output.stderr);
        let has_it = said.split_whitespace().any(|word| word == option);
        (peer.version == "2.4.3" && has_it).then_some(peer)
    }

    fn new(path: PathBuf, libraries: Option<PathBuf>) -> Self {
        let mut binary = Self {
            path,
            libraries,
            programs: None,
            variables: Vec::new(),
            boot_offset: None,
            version: String::new(),
            original: false,
        };
        let output = binary.command().arg("--version").output();
        let output = output.unwrap_or_else(|error| {
            panic!("{}: {error} (tests/fetch-peers.sh fetches the peer)", binary.path.display())
        });
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let version = text.split_whitespace().nth(1).and_then(|word| word.strip_prefix('v'));
        let version =
            version.unwrap_or_else(|| panic!("{} told no version: {text}", binary.path.display()));
        binary.version = version.to_owned();
        binary.original = text.contains("Alexandre Cassen");
        binary
    }

    /// The same, which finds programs in `directory` and nowhere else.
    pub fn with_programs(self, directory: &Path) -> Self {
        Self { programs: Some(directory.to_owned()), ..self }
    }

    /// The same, with one more variable in its environment.
    pub fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The same, which believes that the machine was booted so many seconds ago.
    pub fn booted_ago(self, seconds: i64) -> Self {
        let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        let uptime = text.split('.').next().and_then(|word| word.parse::<i64>().ok());
        Self { boot_offset: Some(seconds - uptime.expect("it is a number")), ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, such as `2.4.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it is the C daemon.
    pub fn is_original(&self) -> bool {
        self.original
    }

    /// A command that runs it.
    pub fn command(&self) -> Command {
        let mut command = match self.boot_offset {
            Some(offset) => {
                let mut command = Command::new("unshare");
                command.args(["--time", "--boottime", &offset.to_string()]).arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(programs) = &self.programs {
            command.env("PATH", programs);
        }
        if let Some(libraries) = &self.libraries {
            let mut directories = vec![libraries.clone()];
            let inner =
                libraries.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
            directories.extend(inner.filter(|path| path.is_dir()));
            let joined = std::env::join_paths(directories).expect("no path of ours has a colon");
            command.env("LD_LIBRARY_PATH", joined);
        }
        command
    }
}

/// Where cargo puts what it builds: the `target` that the running program was built in.
pub fn target_directory() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let mut directory = program.parent().unwrap_or(Path::new("."));
    if directory.ends_with("deps") {
        directory = directory.parent().unwrap_or(directory);
    }
    directory.parent().unwrap_or(directory).to_owned()
}
