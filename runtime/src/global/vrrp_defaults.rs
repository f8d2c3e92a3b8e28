//! What VRRP instances start from, and VRRP's own settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Reload, Statement, Value, keyword, parse_address,
    parse_bool, parse_int, report_missing_parameter,
};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{AccessFlags, access};
use serde::{Deserialize, Serialize};

use super::Draft;
use super::buffers::{NetlinkBuffer, ReceiveBuffer};
use super::garp::GarpDefaults;

/// Defaults for instances, and the settings of the VRRP process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpDefaults {
    /// Whether interfaces may be missing when the daemon starts, and come and go.
    pub dynamic_interfaces: bool,
    /// Whether an interface may come back as another type.
    pub allow_if_changes: bool,
    /// Interface of addresses and routes that name none.
    pub default_interface: String,
    /// Whether the kernel's IGMP reports for link-local groups are switched off while running.
    pub disable_local_igmp: bool,
    /// Where IPv4 adverts go.
    pub multicast4: Ipv4Addr,
    /// Where IPv6 adverts go.
    pub multicast6: Ipv6Addr,
    /// How addresses are announced.
    pub garp: GarpDefaults,
    /// How many advert intervals without an advert make a master be down.
    pub down_timer_adverts: u8,
    /// Whether a master does not answer an advert of lower priority.
    pub lower_prio_no_advert: bool,
    /// Whether a master sends a last advert when one of higher priority takes over.
    pub higher_prio_send_advert: bool,
    /// Whether the owner of the addresses (priority 255) ignores adverts.
    pub owner_ignore_adverts: bool,
    /// Protocol version, 2 or 3. IPv6 is always 3.
    pub version: u8,
    /// Whether the checksum of version 3 over IPv4 goes without the pseudo-header.
    pub v3_checksum_as_v2: bool,
    /// Whether a unicast advert must come from a configured peer.
    pub check_unicast_src: bool,
    /// Whether the addresses in an advert are not compared when it comes from the same master as the last one.
    pub skip_check_adv_addr: bool,
    /// Whether instances follow the protocol strictly.
    pub strict: bool,
    /// Whether adverts for unknown virtual routers are logged.
    pub log_unknown_vrids: bool,
    /// How long instances wait after the start of the daemon.
    pub startup_delay: Duration,
    /// Until which uptime of the machine instances wait.
    pub delay_after_boot: Duration,
    /// Whether changes of priority are notified.
    pub notify_priority_changes: bool,
    /// Prefix of generated VMAC names.
    pub vmac_prefix: String,
    /// Prefix of generated names of VMACs for addresses.
    pub vmac_addr_prefix: String,
    /// Size of the sockets' receive buffers.
    pub receive_buffer: ReceiveBuffer,
    /// How many packets a receive buffer holds.
    pub receive_buffer_multiplier: u32,
    /// The socket for netlink requests.
    pub netlink_command: NetlinkBuffer,
    /// The socket for netlink events.
    pub netlink_monitor: NetlinkBuffer,
    /// The socket for process events.
    pub process_monitor: NetlinkBuffer,
    /// Whether link states of all interfaces are polled.
    pub linkbeat_use_polling: bool,
    /// Where iproute2's tables are, as shipped.
    pub iproute_usr_dir: String,
    /// Where iproute2's tables are, as changed by the administrator.
    pub iproute_etc_dir: String,
}

impl Default for VrrpDefaults {
    fn default() -> Self {
        Self {
            dynamic_interfaces: false,
            allow_if_changes: false,
            default_interface: "eth0".to_owned(),
            disable_local_igmp: false,
            multicast4: Ipv4Addr::new(224, 0, 0, 18),
            multicast6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            garp: GarpDefaults::default(),
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            version: 2,
            v3_checksum_as_v2: false,
            check_unicast_src: false,
            skip_check_adv_addr: false,
            strict: false,
            log_unknown_vrids: false,
            startup_delay: Duration::ZERO,
            delay_after_boot: Duration::ZERO,
            notify_priority_changes: false,
            vmac_prefix: "vrrp".to_owned(),
            vmac_addr_prefix: "vrrp".to_owned(),
            receive_buffer: ReceiveBuffer::System,
            receive_buffer_multiplier: 3,
            netlink_command: NetlinkBuffer::default(),
            netlink_monitor: NetlinkBuffer::default(),
            process_monitor: NetlinkBuffer::default(),
            linkbeat_use_polling: false,
            iproute_usr_dir: "/usr/share/iproute2".to_owned(),
            iproute_etc_dir: "/etc/iproute2".to_owned(),
        }
    }
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword(
        "dynamic_interfaces",
        Args::Words("[allow_if_changes]"),
        "interfaces may be missing, and come and go",
        dynamic_interfaces,
    ),
    keyword(
        "default_interface",
        Args::Word("IFNAME"),
        "interface of addresses and routes that name none",
        |draft: &mut Draft, value, _, _| value.word().clone_into(&mut draft.vrrp.default_interface),
    )
    .missing("default_interface requires interface name"),
    keyword(
        "disable_local_igmp",
        Args::Flag,
        "switch the kernel's IGMP reports for link-local groups off while running",
        disable_local_igmp,
    )
    .reload(Reload::Refused),
    keyword(
        "vrrp_mcast_group4",
        Args::Word("IPV4_MULTICAST"),
        "where IPv4 adverts go",
        |draft: &mut Draft, value, statement, diagnostics| {
            if let Some(IpAddr::V4(group)) = group(value.word(), "4", statement, diagnostics) {
                draft.vrrp.multicast4 = group;
            }
        },
    ),
    keyword(
        "vrrp_mcast_group6",
        Args::Word("IPV6_MULTICAST"),
        "where IPv6 adverts go",
        |draft: &mut Draft, value, statement, diagnostics| {
            if let Some(IpAddr::V6(group)) = group(value.word(), "6", statement, diagnostics) {
                draft.vrrp.multicast6 = group;
            }
        },
    ),
    keyword(
        "vrrp_down_timer_adverts",
        Args::Uint { unit: "UINT", min: 1, max: 100, strict: false },
        "how many missed adverts make a master be down",
        |draft: &mut Draft, value, _, _| draft.vrrp.down_timer_adverts = value.u8(),
    )
    .invalid("Invalid vrrp_down_timer_adverts [1:100] '{}'"),
    keyword(
        "vrrp_lower_prio_no_advert",
        Args::Bool,
        "do not answer an advert of lower priority",
        |draft: &mut Draft, value, _, _| {
            draft.vrrp.lower_prio_no_advert = value.bool();
        },
    )
    .invalid("Invalid value for vrrp_lower_prio_no_advert specified"),
    keyword(
        "vrrp_higher_prio_send_advert",
        Args::Bool,
        "send a last advert when one of higher priority takes over",
        |draft: &mut Draft, value, _, _| {
            draft.vrrp.higher_prio_send_advert = value.bool();
        },
    )
    .invalid("Invalid value for vrrp_higher_prio_send_advert specified"),
    keyword(
        "vrrp_owner_ignore_adverts",
        Args::Bool,
        "the owner of the addresses ignores adverts",
        |draft: &mut Draft, value, _, _| {
            draft.vrrp.owner_ignore_adverts = value.bool();
        },
    )
    .invalid("Invalid value '{}' for global vrrp_owner_ignore_adverts specified"),
    keyword("vrrp_version", Args::Words("2|3"), "protocol version for IPv4", version),
    keyword(
        "v3_checksum_as_v2",
        Args::Flag,
        "leave the pseudo-header out of the checksum of version 3 over IPv4",
        |draft: &mut Draft, _, statement, _| {
            let off = statement.arg(0).and_then(|word| parse_bool(word.text)) == Some(false);
            draft.vrrp.v3_checksum_as_v2 = !off;
        },
    ),
    keyword(
        "vrrp_check_unicast_src",
        Args::Flag,
        "accept unicast adverts of configured peers only",
        |draft: &mut Draft, _, _, _| {
            draft.vrrp.check_unicast_src = true;
        },
    ),
    keyword(
        "vrrp_skip_check_adv_addr",
        Args::Bool,
        "compare the addresses in adverts of a new master only",
        |draft: &mut Draft, value, _, _| {
            draft.vrrp.skip_check_adv_addr = value.bool();
        },
    )
    .invalid("Invalid value '{}' for global vrrp_check_adv_addr specified"),
    keyword(
        "vrrp_strict",
        Args::Bool,
        "follow the protocol strictly",
        |draft: &mut Draft, value, _, _| {
            draft.vrrp.strict = value.bool();
        },
    )
    .invalid("Invalid value '{}' for global vrrp_strict specified"),
    keyword(
        "log_unknown_vrids",
        Args::Flag,
        "log adverts for unknown virtual routers",
        |draft: &mut Draft, _, _, _| {
            draft.vrrp.log_unknown_vrids = true;
        },
    ),
    keyword(
        "vrrp_startup_delay",
        DELAY,
        "how long instances wait after the start of the daemon",
        |draft: &mut Draft, value, statement, diagnostics| {
            let delay = value.duration();
            if delay >= LONG_DELAY {
                large("vrrp_startup_delay", statement, diagnostics);
            }
            draft.vrrp.startup_delay = draft.vrrp.startup_delay.max(delay);
        },
    )
    .invalid("vrrp_startup_delay '{}' is invalid"),
    keyword(
        "vrrp_delay_after_boot",
        DELAY,
        "until which uptime of the machine instances wait",
        |draft: &mut Draft, value, statement, diagnostics| {
            delay_after_boot(draft, value, statement, diagnostics)
        },
    )
    .invalid("vrrp_delay_after_boot '{}' is invalid"),
    keyword(
        "vrrp_notify_priority_changes",
        Args::Bool,
        "notify changes of priority",
        |draft: &mut Draft, value, _, _| {
            draft.vrrp.notify_priority_changes = value.bool();
        },
    )
    .invalid("Invalid value '{}' for global vrrp_notify_priority_changes specified"),
    keyword(
        "vmac_prefix",
        Args::Word("STRING"),
        "prefix of generated VMAC names",
        |draft: &mut Draft, value, statement, diagnostics| {
            prefix(&mut draft.vmac_prefix, "vmac", value, statement, diagnostics);
        },
    ),
    keyword(
        "vmac_addr_prefix",
        Args::Word("STRING"),
        "prefix of generated names of VMACs for addresses",
        |draft: &mut Draft, value, statement, diagnostics| {
            prefix(&mut draft.vmac_addr_prefix, "vmac_addr", value, statement, diagnostics);
        },
    ),
    keyword(
        "iproute_usr_dir",
        Args::Words("PATH"),
        "where iproute2's tables are, as shipped",
        |draft: &mut Draft, _, statement, diagnostics| {
            only_path(&mut draft.vrrp.iproute_usr_dir, statement, diagnostics);
        },
    ),
    keyword(
        "iproute_etc_dir",
        Args::Words("PATH"),
        "where iproute2's tables are, as changed by the administrator",
        |draft: &mut Draft, _, statement, diagnostics| {
            only_path(&mut draft.vrrp.iproute_etc_dir, statement, diagnostics);
        },
    ),
];

/// The keywords of the top level.
pub(super) const TOP: &[Keyword<Draft>] = &[keyword(
    "linkbeat_use_polling",
    Args::Flag,
    "poll link states of all interfaces",
    |draft: &mut Draft, _, _, _| draft.vrrp.linkbeat_use_polling = true,
)];

const DELAY: Args = Args::Timer { min: 1_000, max: 4_294_967_295 };

/// From here on a delay at start is worth a word.
const LONG_DELAY: Duration = Duration::from_secs(60);

const LOCAL_IGMP: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

fn dynamic_interfaces(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    draft.vrrp.dynamic_interfaces = true;
    match statement.arg(0) {
        None => {}
        Some(word) if word.text == "allow_if_changes" => draft.vrrp.allow_if_changes = true,
        Some(word) => {
            let text = format!("Unknown dynamic_interfaces option '{}'", word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
}

fn disable_local_igmp(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if access(LOCAL_IGMP, AccessFlags::W_OK).is_ok() {
        draft.vrrp.disable_local_igmp = true;
    } else {
        let text = format!("kernel does not support {LOCAL_IGMP}");
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
}

/// A multicast group of IP version `version`.
fn group(
    text: &str,
    version: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) -> Option<IpAddr> {
    let keyword = statement.keyword();
    let mut refuse = |problem| diagnostics.report(Class::GeneralError, statement.place(), problem);
    let Some(group) = parse_address(text) else {
        refuse(format!("Can't parse {keyword} [{text}]. Skipping"));
        return None;
    };
    if group.is_ipv4() != (version == "4") {
        refuse(format!("{keyword} [{text}] is not IPv{version}. Skipping"));
        return None;
    }
    if !group.is_multicast() {
        refuse(format!("{keyword} [{text}] is not multicast. Skipping"));
        return None;
    }
    if matches!(group, IpAddr::V6(group) if group.segments()[0] & 0x000f != 2) {
        let problem = format!("{keyword} [{text}] should be link-local multicast.");
        diagnostics.report(Class::Warning, statement.place(), problem);
    }
    Some(group)
}

fn version(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let Some(word) = statement.arg(0) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    match parse_int(word, Limits { min: 2, max: 3, strict: false }, diagnostics) {
        Some(version) => draft.vrrp.version = u8::try_from(version).unwrap_or(3),
        None => {
            let text = "VRRP Error: Version must be either 2 or 3";
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
}

fn large(keyword: &str, statement: &Statement, diagnostics: &mut Diagnostics) {
    let given = statement.arg(0).map_or("", |word| word.text);
    let text = format!("The {keyword} is very large - {given} seconds");
    diagnostics.report(Class::Notice, statement.place(), text);
}

fn delay_after_boot(
    draft: &mut Draft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Ok(uptime) = clock_gettime(ClockId::CLOCK_BOOTTIME) else {
        let text = "Unable to read /proc/uptime for vrrp_delay_after_boot - ignoring";
        return diagnostics.report(Class::Warning, statement.place(), text);
    };
    let left = value.duration().saturating_sub(Duration::from(uptime));
    if left >= LONG_DELAY && left > draft.vrrp.startup_delay {
        let text = format!("The vrrp_wait_after_boot is very large - {} seconds", left.as_secs());
        diagnostics.report(Class::Notice, statement.place(), text);
    }
    draft.vrrp.delay_after_boot = draft.vrrp.delay_after_boot.max(value.duration());
}

impl VrrpDefaults {
    /// How long instances still wait on a machine that has been up for `uptime`, counted from the start of the daemon.
    pub fn delay(&self, uptime: Duration) -> Duration {
        self.startup_delay.max(self.delay_after_boot.saturating_sub(uptime))
    }
}

fn prefix(
    place: &mut Option<String>,
    kind: &str,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if place.is_none() {
        *place = Some(value.word().to_owned());
        return;
    }
    let text = format!("{kind} prefix has already been specified - ignoring {}", value.word());
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

fn only_path(path: &mut String, statement: &Statement, diagnostics: &mut Diagnostics) {
    match (statement.arg(0), statement.arg(1)) {
        (Some(word), None) => word.text.clone_into(path),
        _ => {
            let text = format!("{} requires path", statement.keyword());
            diagnostics.report(Class::GeneralError, statement.place(), text);
        }
    }
}
