//! The settings of the whole daemon in a dump. Every process begins its dump with them.

mod network;
mod processes;

use std::time::Duration;

use super::{Fifo, FlushOnStop, Global, Mail, ReloadFile, Script};
use crate::dump::Writer;
use crate::process::RealTime;
use crate::report::{Report, command};
use crate::sys::time::{LocalTime, local_time};

/// How long the daemon's scripts may take where the configuration does not say.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Who writes the dump, and what it knows besides the settings.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    /// The process.
    pub writer: Writer,
    /// Its real-time priority.
    pub real_time: Option<RealTime>,
    /// When the configuration is to be reloaded; the parent knows.
    pub reload: Option<Reload>,
}

impl Author {
    /// A process that runs with normal priority, and knows of no reload.
    pub fn new(writer: Writer) -> Self {
        Self { writer, real_time: None, reload: None }
    }
}

/// When the configuration is to be reloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// In seconds since 1970.
    pub at: i64,
    /// Whether `reload_time_file` names a day.
    pub dated: bool,
}

impl Global {
    /// Writes all settings, in the order of the original.
    pub fn report(&self, author: &Author, out: &mut Report) {
        out.heading("Global definitions");
        self.report_names(out);
        self.report_mail(out);
        self.report_reload(author, out);
        self.report_daemon_scripts(author, out);
        out.field("Dynamic interfaces", self.vrrp.dynamic_interfaces);
        if self.vrrp.dynamic_interfaces {
            out.field("Allow interface changes", self.vrrp.allow_if_changes);
        }
        out.line_if(self.mail.no_faults, "Send emails for fault transitions = off");
        self.report_lvs(author, out);
        self.report_fifos(author, out);
        self.report_vrrp_defaults(author, out);
        self.report_firewall(out);
        self.report_checks(out);
        self.report_processes(out);
        self.report_snmp_and_dbus(out);
        self.report_script_security(out);
        self.report_buffers(out);
        self.report_rest(author, out);
    }

    fn report_names(&self, out: &mut Report) {
        let processes = &self.processes;
        out.field_if_any("Config save dir", self.files.config_save_dir.as_ref());
        let namespace = processes.network_namespace.as_deref().unwrap_or("(default)");
        out.field("Network namespace", namespace);
        let ipvs = match &processes.ipvs_namespace {
            None => "(main namespace)",
            Some(super::IpvsNamespace::Default) => "(default)",
            Some(super::IpvsNamespace::Named(name)) => name,
        };
        out.field("Network namespace ipvs", ipvs);
        out.field_if_any("Instance name", processes.instance.as_ref());
        out.field_if_any("Parent process name", processes.name.as_ref());
        out.field_if_any("VRRP process name", processes.vrrp.name.as_ref());
        out.field_if_any("LVS process name", processes.checker.name.as_ref());
        out.field_if_any("BFD process name", processes.bfd.name.as_ref());
        let verb = if self.scripts.symlink_paths { "Keep" } else { "Replace" };
        out.line(format_args!("{verb} symlinks in script paths"));
        let verb = if self.scripts.supplementary_groups { "Set" } else { "Don't set" };
        out.line(format_args!("{verb} supplementary groups for all scripts"));
    }

    fn report_mail(&self, out: &mut Report) {
        let mail = &self.mail;
        out.field_if_any("Router ID", mail.router_id.as_ref().or(mail.machine.as_ref()));
        if let Some(server) = mail.server {
            out.field("Smtp server", server.ip());
            out.field("Smtp server port", server.port());
            out.field_if_any("Smtp HELO name", mail.helo.as_ref().or(mail.machine.as_ref()));
        } else {
            out.field_if_any("Smtp HELO name", mail.helo.as_ref());
        }
        let timeout = mail.connect_timeout;
        if mail.server.is_some() || timeout != Mail::default().connect_timeout {
            out.field("Smtp server connection timeout", timeout.as_secs());
        }
        if let Some(from) = &mail.from {
            out.field("Email notification from", from);
            out.line("Email notification to:");
            out.inside(|out| mail.to.iter().for_each(|address| out.line(address)));
        }
        let alert = |value| match value {
            None => "unset",
            Some(true) => "on",
            Some(false) => "off",
        };
        out.field("Default smtp_alert", alert(mail.alert));
        out.field("Default smtp_alert_vrrp", alert(mail.alert_vrrp));
        out.field("Default smtp_alert_checker", alert(mail.alert_checker));
        out.field("Checkers log all failures", self.lvs.log_all_failures);
    }

    fn report_reload(&self, author: &Author, out: &mut Report) {
        let files = &self.files;
        match &files.reload_check_config {
            Some(log) => out.line(format_args!("Test config before reload, log to {log}")),
            None => out.line("No test config before reload"),
        }
        if let Some(file) = &files.reload_time_file {
            let repeat = if files.reload_repeat { " (repeat)" } else { "" };
            out.field("Reload time file", format_args!("{file}{repeat}"));
            match author.reload {
                Some(reload) => out.line(format_args!("Reload scheduled for {}", when(reload))),
                None => out.line("No reload scheduled"),
            }
        }
        if let Some(ReloadFile::Path(path)) = &files.reload_file {
            out.field("Reload_file", path);
        }
        out.field_if_any("config save directory", files.tmp_config_directory.as_ref());
        out.line_if(files.data_use_instance, "Use instance name in data dumps");
    }

    /// The parent runs them, and nobody else knows of them.
    fn report_daemon_scripts(&self, author: &Author, out: &mut Report) {
        if author.writer != Writer::Parent {
            return;
        }
        let scripts = &self.scripts;
        let seconds = |timeout: Option<Duration>| timeout.unwrap_or(SCRIPT_TIMEOUT).as_secs();
        if let Some(script) = &scripts.startup {
            let timeout = seconds(scripts.startup_timeout);
            out.field("Startup script", format_args!("{}, timeout {timeout}", run_as(script)));
        }
        if let Some(script) = &scripts.shutdown {
            let timeout = seconds(scripts.shutdown_timeout);
            out.field("Shutdown script", format_args!("{} timeout {timeout}", run_as(script)));
        }
    }

    fn report_lvs(&self, author: &Author, out: &mut Report) {
        let lvs = &self.lvs;
        let seconds = |timeout: Option<Duration>| {
            timeout.map(|timeout| timeout.as_secs()).filter(|&seconds| seconds > 0)
        };
        out.field_if_any("LVS TCP timeout", seconds(lvs.timeouts.tcp));
        out.field_if_any("LVS TCP FIN timeout", seconds(lvs.timeouts.tcp_fin));
        // Readers know the one for UDP by this name.
        out.field_if_any("LVS TCP timeout", seconds(lvs.timeouts.udp));
        if author.writer == Writer::Vrrp {
            out.field("Default interface", &self.vrrp.default_interface);
        }
        let yes_no = crate::report::yes_no;
        out.field("Disable local IGMP", yes_no(self.vrrp.disable_local_igmp));
        out.field("Use VRRPv2 checksum for VRRPv3 IPv4", yes_no(self.vrrp.v3_checksum_as_v2));
        if let Some(daemon) = &lvs.sync_daemon {
            let what = match author.writer {
                Writer::Vrrp => "LVS syncd vrrp instance",
                Writer::Parent | Writer::Checker | Writer::Bfd => "LVS syncd vrrp name",
            };
            out.field_if_any(what, daemon.instance.as_ref());
            out.field("LVS syncd interface", &daemon.interface);
            out.field("LVS syncd syncid", daemon.id.unwrap_or(0));
            out.field_if_any("LVS syncd maxlen", daemon.max_length);
            if let Some(group) = daemon.group {
                out.line(format_args!("LVS mcast group {group}"));
            }
            out.field_if_any("LVS syncd mcast port", daemon.port);
            out.field_if_any("LVS syncd mcast ttl", daemon.ttl);
        }
        out.field("LVS flush", lvs.flush);
        let on_stop = match lvs.flush_on_stop {
            FlushOnStop::Off => "disabled",
            FlushOnStop::Everything => "full",
            FlushOnStop::VirtualServers => "VS",
        };
        out.field("LVS flush on stop", on_stop);
    }

    fn report_fifos(&self, author: &Author, out: &mut Report) {
        let scripts = &self.scripts;
        let (vrrp, checker) = (author.writer == Writer::Vrrp, author.writer == Writer::Checker);
        report_fifo("Global", scripts.notify_fifo.as_ref(), vrrp || checker, out);
        report_fifo("VRRP", scripts.vrrp_notify_fifo.as_ref(), vrrp, out);
        report_fifo("LVS", scripts.lvs_notify_fifo.as_ref(), checker, out);
        out.field("FIFO write vrrp states on reload", scripts.write_vrrp_states_on_reload);
    }

    fn report_script_security(&self, out: &mut Report) {
        let security = crate::report::enabled(self.scripts.security);
        out.line(format_args!("Script security {security}"));
        let Some(account) = &self.scripts.account else { return };
        out.line(format_args!("Default script uid:gid {}:{}", account.uid, account.gid));
        out.inside(|out| out.list("Supplementary groups:", &account.groups));
    }
}

/// A process that writes to the FIFO starts its reader, with the path as last argument.
fn report_fifo(kind: &str, fifo: Option<&Fifo>, writes: bool, out: &mut Report) {
    let Some(Fifo { path, owner, script }) = fifo else { return };
    let (uid, gid) = (owner.uid, owner.gid);
    out.line(format_args!("{kind} notify fifo = {path}, uid:gid {uid}:{gid}"));
    let Some(mut script) = script.clone() else { return };
    if writes {
        script.argv.push(path.into());
    }
    let text = run_as(&script);
    match script.resolved() {
        Some(path) => {
            out.line(format_args!("{kind} notify fifo path = {path}, script = {text}"));
        }
        None => out.line(format_args!("{kind} notify fifo script = {text}")),
    }
    out.inside(|out| out.list("Supplementary groups:", &script.account.groups));
}

/// The command and whom it runs as.
fn run_as(script: &Script) -> String {
    format!("{}, uid:gid {}:{}", command(script), script.account.uid, script.account.gid)
}

/// The bracket that readers know is never closed.
fn when(reload: Reload) -> String {
    let LocalTime { year, month, day, hour, minute, second, .. } =
        local_time(reload.at).unwrap_or_default();
    let month = month + 1;
    let dated = if reload.dated { " (date specified" } else { "" };
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{dated}")
}

#[cfg(test)]
mod tests;
