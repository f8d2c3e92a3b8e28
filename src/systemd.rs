//! Telling systemd how the daemon is (sd_notify(3)).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, getpid, getppid};

/// The service manager, where there is one that listens.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

/// What the manager put into our environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `NOTIFY_SOCKET`.
    pub(crate) socket: Option<OsString>,
    /// `WATCHDOG_USEC`.
    pub(crate) watchdog_micros: Option<OsString>,
    /// `WATCHDOG_PID`.
    pub(crate) watchdog_pid: Option<OsString>,
}

impl Environment {
    /// Its variables, which none of the processes that we start must have.
    pub(crate) const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

    /// What is there.
    pub(crate) fn read() -> Self {
        let [socket, watchdog_micros, watchdog_pid] = Self::VARIABLES.map(std::env::var_os);
        Self { socket, watchdog_micros, watchdog_pid }
    }
}

/// Whether the process that started us is systemd itself. The variables alone may be inherited from another service.
pub(crate) fn started_by_systemd() -> bool {
    const START: &[u8] = b"1 (systemd) ";
    getppid() == Pid::from_raw(1)
        && fs::read("/proc/1/stat").is_ok_and(|text| text.starts_with(START))
}

impl Notifier {
    /// The manager that the environment names; one that does not exist or cannot be reached is left alone.
    pub(crate) fn new(environment: &Environment) -> Self {
        let Some(manager) = environment.socket.as_ref().and_then(|name| connect(name).ok()) else {
            return Self::default();
        };
        Self { manager: Some(manager), watchdog: watchdog(environment) }
    }

    /// How often the manager wants to hear that we are alive; half of its limit.
    pub(crate) fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// Start or reload is complete.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nMAINPID={}\nSTATUS={status}", getpid()));
    }

    /// A reload begins. It ends with [`Self::ready`], whatever comes of it.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        self.send(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reloading the configuration",
            now.as_micros()
        ));
    }

    /// The daemon stops.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Stopping");
    }

    /// Why the daemon gives up.
    pub(crate) fn failed(&self, error: nix::errno::Errno) {
        self.send(&format!("ERRNO={}", error as i32));
    }

    /// The event loop turns.
    pub(crate) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// A manager that does not listen, or not fast enough, must not stop the daemon.
    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.manager {
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

/// A name that starts with `@` is in the abstract name space.
fn connect(name: &OsString) -> io::Result<(UnixDatagram, SocketAddr)> {
    let bytes = name.as_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

fn watchdog(environment: &Environment) -> Option<Duration> {
    let number = |value: &OsString| value.to_str()?.parse::<u64>().ok();
    let ours = i64::from(getpid().as_raw());
    let for_us = match &environment.watchdog_pid {
        Some(pid) => number(pid).and_then(|pid| i64::try_from(pid).ok()) == Some(ours),
        None => true,
    };
    let micros = environment.watchdog_micros.as_ref().and_then(number)?;
    (for_us && micros > 0).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> (UnixDatagram, Environment) {
        let name = format!("{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let environment =
            Environment { socket: Some(format!("@{name}").into()), ..Environment::default() };
        (socket, environment)
    }

    fn heard(manager: &UnixDatagram) -> String {
        manager.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn the_manager_hears_what_happens() {
        let (manager, environment) = manager("heard");
        let notifier = Notifier::new(&environment);
        notifier.ready("Running");
        let pid = std::process::id();
        assert_eq!(heard(&manager), format!("READY=1\nMAINPID={pid}\nSTATUS=Running"));
        notifier.stopping();
        assert_eq!(heard(&manager), "STOPPING=1\nSTATUS=Stopping");
        notifier.failed(nix::errno::Errno::EPERM);
        assert_eq!(heard(&manager), "ERRNO=1");
        notifier.alive();
        assert_eq!(heard(&manager), "WATCHDOG=1");
    }

    // Type=notify-reload refuses a RELOADING=1 without the time.
    #[test]
    fn a_reload_tells_when_it_began() {
        let (manager, environment) = manager("reload");
        let micros = |text: &str| -> u128 {
            let line = text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
            line.unwrap().parse().unwrap()
        };
        let now = || Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_micros();
        let before = now();
        Notifier::new(&environment).reloading();
        let text = heard(&manager);
        assert!(text.starts_with("RELOADING=1\n"), "{text}");
        assert!((before..=now()).contains(&micros(&text)), "{text}");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        Notifier::default().ready("");
        let gone = Environment { socket: Some("/nonexistent/notify".into()), ..Default::default() };
        Notifier::new(&gone).stopping();
    }

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_it_asks() {
        let (_manager, environment) = manager("watchdog");
        let interval = |micros: &str, pid: Option<String>| {
            let watchdog_micros = Some(micros.into());
            let watchdog_pid = pid.map(OsString::from);
            let environment = Environment { watchdog_micros, watchdog_pid, ..environment.clone() };
            Notifier::new(&environment).watchdog_interval()
        };
        let own = std::process::id().to_string();
        assert_eq!(interval("3000000", None), Some(Duration::from_millis(1500)));
        assert_eq!(interval("3000000", Some(own)), Some(Duration::from_millis(1500)));
        assert_eq!(interval("3000000", Some("1".to_owned())), None);
        assert_eq!(interval("0", None), None);
        assert_eq!(interval("soon", None), None);
    }
}
