//! What VRRP instances start from, and VRRP's own settings.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// How a new master announces its addresses: gratuitous ARP, and unsolicited neighbour advertisements for IPv6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpDefaults {
    /// Time until the second burst; zero is none.
    pub master_delay: Duration,
    /// Messages per address in a burst.
    pub master_repeat: u32,
    /// Period of the refresh while master; zero is none.
    pub master_refresh: Duration,
    /// Messages per address in a refresh.
    pub master_refresh_repeat: u32,
    /// Time until the second burst after an advert of lower priority; `None` is [`Self::master_delay`].
    pub lower_prio_delay: Option<Duration>,
    /// Messages per address after an advert of lower priority; `None` is [`Self::master_repeat`].
    pub lower_prio_repeat: Option<u32>,
    /// Gap between ARP messages on an interface.
    pub garp_interval: Duration,
    /// Gap between neighbour advertisements on an interface.
    pub gna_interval: Duration,
    /// Periodic messages on other interfaces.
    pub extra_if: Option<ExtraGarp>,
}

impl Default for GarpDefaults {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: None,
            lower_prio_repeat: None,
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            extra_if: None,
        }
    }
}

/// Periodic announcements on interfaces other than the instance's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraGarp {
    /// On all interfaces rather than the VMAC ones only.
    pub all: bool,
    /// Period.
    pub interval: Duration,
}

/// Receive buffer of a netlink socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetlinkBuffer {
    /// Bytes; `None` is the system's default.
    pub size: Option<u32>,
    /// Whether the system's limit is passed over.
    pub force: bool,
}

/// Receive buffer of the sockets for adverts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReceiveBuffer {
    /// The system's default.
    #[default]
    System,
    /// A number of largest packets of the interface.
    Mtu,
    /// A number of adverts of the largest instance.
    Advert,
    /// So many bytes.
    Bytes(u32),
}
