//! Where each process of the daemon logs to.

use runtime::dump;
use runtime::global::Processes;
use runtime::logging::{LogFile, Settings};

use crate::command_line::Options;

/// The log of the process that is called `ident` in the system's log, and whose log file has `suffix` in its name. Both
/// also name the network namespace and the instance, so that several daemons can be told apart.
pub(crate) fn settings(
    ident: &str,
    suffix: Option<&str>,
    options: &Options,
    processes: &Processes,
) -> Settings {
    let place = [&processes.network_namespace, &processes.instance];
    let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
    let ident = std::iter::once(ident).chain(place.iter().copied()).collect::<Vec<_>>().join("_");
    let suffixes: Vec<&str> = suffix.into_iter().chain(place).collect();
    Settings {
        ident,
        facility: options.log.syslog.then_some(options.log.facility),
        console: options.log.console && options.foreground,
        file: options.log.file.as_ref().map(|path| {
            let file = LogFile { path: dump::directory().join(path) };
            file.with_suffixes(&suffixes)
        }),
        detail: options.child.detail,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn names_tell_process_namespace_and_instance() {
        let mut options = Options::default();
        options.log.file = Some(PathBuf::from("/log/foo.x"));
        let mut processes = Processes::default();
        let plain = settings("Keepalived", None, &options, &processes);
        assert_eq!(plain.ident, "Keepalived");
        assert_eq!(plain.file.unwrap().path, Path::new("/log/foo.x"));
        processes.network_namespace = Some("ns1".to_owned());
        processes.instance = Some("ii".to_owned());
        let child = settings("Keepalived_vrrp", Some("vrrp"), &options, &processes);
        assert_eq!(child.ident, "Keepalived_vrrp_ns1_ii");
        assert_eq!(child.file.unwrap().path, Path::new("/log/foo_vrrp_ns1_ii.x"));
    }

    #[test]
    fn the_console_is_for_the_foreground() {
        let mut options = Options::default();
        options.log.console = true;
        let console = |options: &Options| {
            settings("Keepalived", None, options, &Processes::default()).console
        };
        assert!(!console(&options));
        options.foreground = true;
        assert!(console(&options));
        options.log.syslog = false;
        assert_eq!(settings("", None, &options, &Processes::default()).facility, None);
    }
}
