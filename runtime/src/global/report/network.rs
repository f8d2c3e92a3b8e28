//! VRRP's defaults and the firewall in a dump.

use std::time::Duration;

use super::super::{Global, Ipsets, NetlinkBuffer, ReceiveBuffer};
use super::Author;
use crate::dump::Writer;
use crate::json::significant;
use crate::report::Report;

/// What stands for a value that was not given, outside of the process that fills it in.
const UNSET: u64 = 4_294_967_295;

impl Global {
    pub(super) fn report_vrrp_defaults(&self, author: &Author, out: &mut Report) {
        let vrrp = &self.vrrp;
        let garp = &vrrp.garp;
        out.field("VRRP notify priority changes", vrrp.notify_priority_changes);
        out.field("VRRP IPv4 mcast group", vrrp.multicast4);
        out.field("VRRP IPv6 mcast group", vrrp.multicast6);
        out.field("Gratuitous ARP delay", garp.master_delay.as_secs());
        out.field("Gratuitous ARP repeat", garp.master_repeat);
        out.field("Gratuitous ARP refresh timer", garp.master_refresh.as_secs());
        out.field("Gratuitous ARP refresh repeat", garp.master_refresh_repeat);
        let filled = author.writer == Writer::Vrrp;
        let unset = |value: u64| if filled { value } else { UNSET };
        let delay = garp.lower_prio_delay.map(|delay| delay.as_secs());
        let delay = delay.unwrap_or_else(|| unset(garp.master_delay.as_secs()));
        out.field("Gratuitous ARP lower priority delay", delay);
        let repeat = garp.lower_prio_repeat.map(u64::from);
        let repeat = repeat.unwrap_or_else(|| unset(u64::from(garp.master_repeat)));
        out.field("Gratuitous ARP lower priority repeat", repeat);
        out.field("Num adverts before down", vrrp.down_timer_adverts);
        let (what, seconds) = match garp.extra_if {
            Some(extra) if extra.all => ("i/f", extra.interval.as_secs()),
            Some(extra) => ("VMAC", extra.interval.as_secs()),
            None => ("VMAC", 0),
        };
        let text = format!("Gratuitous ARP for each secondary {what}");
        out.field(&text, format_args!("{seconds}s"));
        let lower = "Send advert after receive lower priority advert";
        out.field(lower, !vrrp.lower_prio_no_advert);
        let higher = "Send advert after receive higher priority advert";
        out.field(higher, vrrp.higher_prio_send_advert);
        out.field("Gratuitous ARP interval", fraction(garp.garp_interval));
        out.field("Gratuitous NA interval", fraction(garp.gna_interval));
        out.field("VRRP default protocol version", vrrp.version);
    }

    pub(super) fn report_firewall(&self, out: &mut Report) {
        let firewall = &self.firewall;
        if let Some(iptables) = &firewall.iptables {
            out.field("Iptables input chain", &iptables.input);
            out.field_if_any("Iptables output chain", iptables.output.as_ref());
            out.field("Using ipsets", firewall.ipsets != Ipsets::Off);
            if let Ipsets::Named { address, address6, address_interface6, igmp, mld, vmac_nd } =
                &firewall.ipsets
            {
                out.field("ipset IPv4 address set", address);
                out.field("ipset IPv6 address set", address6);
                out.field("ipset IPv6 address,iface set", address_interface6);
                out.field("ipset IGMP set", igmp);
                out.field("ipset MLD set", mld);
                out.field("ipset ND set", vmac_nd);
            }
        }
        if let Some(nftables) = &firewall.nftables {
            out.field("nftables table name", &nftables.table);
            out.field("nftables base chain priority", nftables.priority);
            let negation = if nftables.ifindex { "" } else { "don't " };
            let text = format!("nftables {negation}force use ifindex for link local IPv6");
            out.line(text);
        }
        if let Some(nftables) = &firewall.ipvs_nftables {
            out.field("ipvs nftables table name", &nftables.table);
            out.field("ipvs nftables base chain priority", nftables.priority);
            out.field("ipvs nftables start fwmark", nftables.start_fwmark);
        }
        let with = if firewall.counters { "with" } else { "without" };
        out.line(format_args!("nftables {with} counters"));
    }

    pub(super) fn report_checks(&self, out: &mut Report) {
        out.field("VRRP check unicast_src", self.vrrp.check_unicast_src);
        out.field("VRRP skip check advert addresses", self.vrrp.skip_check_adv_addr);
        out.field("VRRP strict mode", self.vrrp.strict);
    }

    pub(super) fn report_buffers(&self, out: &mut Report) {
        let (vrrp, lvs) = (&self.vrrp, &self.lvs);
        report_buffer("vrrp_netlink_cmd_rcv_bufs", vrrp.netlink_command, out);
        report_buffer("vrrp_netlink_monitor_rcv_bufs", vrrp.netlink_monitor, out);
        report_buffer("process_monitor_rcv_bufs", vrrp.process_monitor, out);
        report_buffer("lvs_netlink_cmd_rcv_bufs", lvs.netlink_command, out);
        report_buffer("lvs_netlink_monitor_rcv_bufs", lvs.netlink_monitor, out);
        out.field("rs_init_notifies", u8::from(lvs.rs_init_notifies));
        out.field("no_checker_emails", u8::from(self.mail.no_checkers));
        match vrrp.receive_buffer {
            ReceiveBuffer::System => {}
            ReceiveBuffer::Mtu => out.field("rx_bufs_policy", "MTU"),
            ReceiveBuffer::Advert => out.field("rx_bufs_policy", "ADVERT"),
            ReceiveBuffer::Bytes(bytes) => out.field("rx_bufs_size", bytes),
        }
        out.field("rx_bufs_multiples", vrrp.receive_buffer_multiplier);
    }

    pub(super) fn report_rest(&self, author: &Author, out: &mut Report) {
        let vrrp = &self.vrrp;
        out.field("umask", format_args!("0{:o}", self.processes.umask.unwrap_or(MASK)));
        if !vrrp.startup_delay.is_zero() {
            out.field("vrrp_startup_delay", significant(vrrp.startup_delay.as_secs_f64()));
        }
        out.line_if(vrrp.log_unknown_vrids, "log_unknown_vrids");
        out.line_if(vrrp.owner_ignore_adverts, "vrrp_owner_ignore_adverts");
        let (prefix, of_addresses) = (&vrrp.vmac_prefix, &vrrp.vmac_addr_prefix);
        out.field_if_any("VMAC prefix", Some(prefix).filter(|&prefix| prefix != VMAC_PREFIX));
        // It follows the other one unless it is given itself.
        out.field_if_any("VMAC address prefix", Some(of_addresses).filter(|&it| it != prefix));
        if let Some(real_time) = author.real_time {
            out.field("current realtime priority", real_time.priority);
            let limit = real_time.limit.map(|limit| limit.as_micros());
            out.field_if_any("current realtime time limit", limit);
        }
        out.line(format_args!("json_version {}", self.files.json_version));
        for (name, path) in [("usr", &vrrp.iproute_usr_dir), ("etc", &vrrp.iproute_etc_dir)] {
            let path = if path.is_empty() { "(none)" } else { path };
            out.line(format_args!("iproute {name} directory {path}"));
        }
        let files = &self.files;
        for (name, path) in [
            ("state", &files.state_dump_file),
            ("stats", &files.stats_dump_file),
            ("json", &files.json_dump_file),
        ] {
            if let Some(path) = path {
                out.line(format_args!("{name} dump file {path}"));
            }
        }
    }
}

/// File creation mask of the daemon.
const MASK: u32 = 0o177;
/// What names of VMACs begin with where the configuration does not say.
const VMAC_PREFIX: &str = "vrrp";

fn report_buffer(name: &str, buffer: NetlinkBuffer, out: &mut Report) {
    out.field(name, buffer.size.unwrap_or(0));
    out.field(&format!("{name}_force"), u8::from(buffer.force));
}

/// Seconds with six decimals.
pub(super) fn fraction(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}
