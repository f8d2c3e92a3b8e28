//! How the processes run, and SNMP and D-Bus, in a dump.

use super::super::{Child, Dbus, Global};
use super::network::fraction;
use crate::report::{Report, enabled};

impl Global {
    pub(super) fn report_processes(&self, out: &mut Report) {
        let processes = &self.processes;
        match processes.max_auto_priority {
            -1 => out.field("Max auto priority", "Disabled"),
            priority => out.field("Max auto priority", priority),
        }
        let delay = processes.min_auto_priority_delay.as_micros();
        out.field("Min auto priority delay", format_args!("{delay} usecs"));
        report_child("VRRP", &processes.vrrp, out);
        report_child("Checker", &processes.checker, out);
        report_child("BFD", &processes.bfd, out);
    }

    pub(super) fn report_snmp_and_dbus(&self, out: &mut Report) {
        let snmp = &self.snmp;
        for (what, is_enabled) in [
            ("vrrp", snmp.vrrp),
            ("checker", snmp.checker),
            ("RFCv2", snmp.rfc_v2),
            ("RFCv3", snmp.rfc_v3),
            ("traps", snmp.traps),
        ] {
            out.line(format_args!("SNMP {what} {}", enabled(is_enabled)));
        }
        let socket = snmp.socket.as_deref().unwrap_or("default (unix:/var/agentx/master)");
        out.field("SNMP socket", socket);
        let virtual_servers = snmp.virtual_server_interval;
        out.field("SNMP VS stats update interval", fraction(virtual_servers));
        let real_servers = snmp.real_server_interval.unwrap_or(virtual_servers);
        out.field("SNMP RS stats update interval", fraction(real_servers));
        out.line(format_args!("DBus {}", enabled(self.dbus.enabled)));
        let default = Dbus::default().service_name;
        let name = if self.dbus.service_name == default { "" } else { &self.dbus.service_name };
        out.field("DBus service name", name);
        out.field("DBus no interface name", &self.dbus.no_interface_name);
    }
}

fn report_child(name: &str, child: &Child, out: &mut Report) {
    out.field(&format!("{name} process priority"), child.priority);
    out.field(&format!("{name} don't swap"), child.no_swap);
    out.field(&format!("{name} realtime priority"), child.realtime.unwrap_or(0));
    if !child.cpus.is_empty() {
        let mut cpus = child.cpus.clone();
        cpus.sort_unstable();
        let list: String = cpus.iter().map(|cpu| format!("{cpu} ")).collect();
        out.field(&format!("{name} CPU Affinity"), list);
    }
    let limit = child.realtime_limit.unwrap_or_default().as_micros();
    out.field(&format!("{name} realtime limit"), limit);
}
