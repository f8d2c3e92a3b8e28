//! The whole configuration: one tree of statements from the files, and from it one typed part for each process.

use std::path::{Path, PathBuf};

use conf_parser::{Class, Diagnostics, Place, Schema, Schemas, Statement};
use log::info;
use nix::sys::utsname::uname;
use runtime::global::{self, Global};
use runtime::machine::Machine;
use runtime::netlink::Client;
use runtime::scripts::ScriptChecker;
use serde::{Deserialize, Serialize};

use crate::command_line::Options;
use crate::namespace;
use crate::version::SYSCONFDIR;

/// Where the configuration is on most machines.
const DEFAULT: &str = "/etc/keepalived/keepalived.conf";

/// The keywords of the top level: each part declares its own.
pub(crate) static ROOT: Schemas =
    Schemas(&[&global::ROOT, &vrrp::config::ROOT, &check::config::ROOT, &bfd::config::ROOT]);

/// What the files say, complete and in range.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    /// The settings of the whole daemon.
    pub(crate) global: Global,
    /// For the VRRP child.
    pub(crate) vrrp: vrrp::config::Config,
    /// For the checker child.
    pub(crate) checker: check::config::Config,
    /// For the BFD child.
    pub(crate) bfd: bfd::config::Config,
}

/// Which children the files ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Needs {
    /// The VRRP child.
    pub(crate) vrrp: bool,
    /// The checker child.
    pub(crate) checker: bool,
    /// The BFD child.
    pub(crate) bfd: bool,
}

impl Configuration {
    /// Which children are asked for.
    pub(crate) fn needs(&self) -> Needs {
        Needs {
            vrrp: self.vrrp.needs_child(),
            checker: self.checker.needs_child(),
            bfd: self.bfd.needs_child(),
        }
    }
}

/// Why a load happens: it decides what is looked at besides the files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// The daemon starts, or the configuration is only tested. The network namespace has not been entered yet.
    Start,
    /// The daemon runs with these settings, in its namespace.
    Reload(&'a Global),
}

/// Reads and expands the files.
pub(crate) fn read(options: &Options, diagnostics: &mut Diagnostics) -> Vec<Statement> {
    conf_parser::parse(&language_options(options), &ROOT, diagnostics)
}

/// The settings of the whole daemon: what the files say, then the command line, then the daemon that runs.
pub(crate) fn settings(
    statements: &[Statement],
    options: &Options,
    purpose: Purpose<'_>,
    diagnostics: &mut Diagnostics,
) -> Global {
    let mut global = global::load(statements, diagnostics);
    override_by_command_line(&mut global, options, purpose, diagnostics);
    if let Purpose::Reload(running) = purpose {
        global.keep_from(running);
    }
    global
}

/// Validates all that the files say against this machine. It may enter the network namespace that they name, so a process
/// that goes on to something else leaves the work to a child.
pub(crate) fn interpret(
    statements: Vec<Statement>,
    mut global: Global,
    purpose: Purpose<'_>,
    diagnostics: &mut Diagnostics,
) -> Configuration {
    global.mail.look_up_machine();
    let bfd = bfd::config::load(&statements, diagnostics);
    global.bfd_names.clone_from(&bfd.names);
    check_scripts(&mut global, purpose, diagnostics);
    let machine = machine(&global, purpose, diagnostics);
    // What has been read makes room for what it means.
    let (balancing, others): (Vec<_>, Vec<_>) = statements
        .into_iter()
        .partition(|statement| check::config::ROOT.find(statement.keyword()).is_some());
    let checker = check::config::load(balancing, &global, diagnostics);
    let vrrp = machine.map(|machine| {
        vrrp::config::load(others, &global, &machine, &global.bfd_names, diagnostics)
    });
    let vrrp = vrrp.unwrap_or_default();
    if checker.needs_child() || vrrp.needs_child() {
        check_fifo_scripts(&mut global, diagnostics);
    }
    Configuration { global, vrrp, checker, bfd }
}

fn language_options(options: &Options) -> conf_parser::Options {
    conf_parser::Options {
        main: main_file(options),
        config_id: options.config_id.clone().unwrap_or_else(host_name),
        check_all_includes: options.check_all_includes,
    }
}

/// The file, or pattern of files, that the configuration starts with.
pub(crate) fn main_file(options: &Options) -> PathBuf {
    options.configuration.clone().unwrap_or_else(|| {
        let chosen = Path::new(SYSCONFDIR).join("keepalived/keepalived.conf");
        if chosen.exists() || chosen == Path::new(DEFAULT) || !Path::new(DEFAULT).exists() {
            return chosen;
        }
        info!(
            "WARNING - using deprecated default config file '{DEFAULT}' - please move to '{}'",
            chosen.display()
        );
        PathBuf::from(DEFAULT)
    })
}

/// The name of the node up to its first dot.
fn host_name() -> String {
    let name = uname().map(|name| name.nodename().to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The command line has the last word on what it can say too.
fn override_by_command_line(
    global: &mut Global,
    options: &Options,
    purpose: Purpose<'_>,
    diagnostics: &mut Diagnostics,
) {
    let mut note = |text: String| diagnostics.report_overall(Class::Notice, text);
    let processes = &mut global.processes;
    if let Some(name) = &options.namespace {
        if let (Some(configured), Purpose::Start) = (&processes.network_namespace, purpose) {
            note(format!(
                "Overriding config net_namespace '{configured}' with command line namespace '{name}'"
            ));
        }
        processes.network_namespace = Some(name.clone());
        processes.use_pid_dir = true;
    }
    if let Some(mask) = options.umask {
        if processes.umask.is_some() {
            note("umask command line option specified, ignoring config option".to_owned());
        }
        processes.umask = Some(mask);
    }
    let snmp = &mut global.snmp;
    if let Some(socket) = &options.snmp_socket {
        snmp.socket = Some(socket.clone());
    }
    if options.child.snmp {
        snmp.vrrp = true;
        snmp.checker = true;
        snmp.rfc_v2 = true;
        snmp.rfc_v3 = true;
    }
}

/// The scripts that the parent runs itself. A reload does not run the one for the start again.
fn check_scripts(global: &mut Global, purpose: Purpose<'_>, diagnostics: &mut Diagnostics) {
    let (startup, shutdown) = (global.scripts.startup.take(), global.scripts.shutdown.take());
    let mut checker = ScriptChecker::new(&global.scripts);
    let mut check = |script: Option<_>| checker.check(script?, Place::default(), diagnostics);
    let startup = match purpose {
        Purpose::Start => check(startup),
        Purpose::Reload(_) => None,
    };
    let shutdown = check(shutdown);
    checker.finish("start/shutdown ", diagnostics);
    global.scripts.startup = startup;
    global.scripts.shutdown = shutdown;
}

/// The programs that read FIFOs. The children who start them count them among their own scripts.
fn check_fifo_scripts(global: &mut Global, diagnostics: &mut Diagnostics) {
    let scripts = &mut global.scripts;
    let mut fifos =
        [&mut scripts.notify_fifo, &mut scripts.vrrp_notify_fifo, &mut scripts.lvs_notify_fifo]
            .map(Option::take);
    let mut checker = ScriptChecker::new(scripts);
    for fifo in fifos.iter_mut().flatten() {
        let script = fifo.script.take();
        fifo.script = script.and_then(|one| checker.check(one, Place::default(), diagnostics));
    }
    [scripts.notify_fifo, scripts.vrrp_notify_fifo, scripts.lvs_notify_fifo] = fifos;
}

/// The machine as the children will see it: in the network namespace that they are going to run in. `None` when that
/// cannot be seen; a daemon that starts cannot get there either, and says so itself.
fn machine(
    global: &Global,
    purpose: Purpose<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Machine> {
    if let (Some(name), Purpose::Start) = (&global.processes.network_namespace, purpose) {
        if let Err(refusal) = namespace::enter_network(name) {
            if diagnostics.is_test() {
                diagnostics.report_overall(Class::Fatal, refusal.to_string());
            }
            return None;
        }
    }
    let machine = Client::open(global.vrrp.netlink_command).and_then(|mut client| client.machine());
    machine
        .map_err(|error| {
            let text = format!("Unable to read interfaces: {error}");
            diagnostics.report_overall(Class::Fatal, text);
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_keyword_of_the_top_level_belongs_to_two_parts() {
        let names: Vec<&str> = ROOT.entries().iter().map(|entry| entry.name).collect();
        let distinct: HashSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| ROOT.find(name).is_some()));
    }
}
