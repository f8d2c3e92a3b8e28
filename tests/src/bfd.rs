//! What configurations with BFD sessions have in common.

use std::net::IpAddr;

/// A session that notices the other side's silence in 150 ms, with `more` lines in its block.
pub fn session(name: &str, [own, other]: [IpAddr; 2], more: &str) -> String {
    format!(
        "bfd_instance {name} {{
    neighbor_ip {other}
    source_ip {own}
    min_rx 50
    min_tx 50
    multiplier 3
    {more}
}}\n"
    )
}

/// An instance that no session matters to: BFD alone is no reason for the daemon to run.
pub fn idle_instance(vrid: u8) -> String {
    format!(
        "vrrp_instance idle {{
    interface eth0
    virtual_router_id {vrid}
    virtual_ipaddress {{
        10.9.0.{vrid}/24
    }}
}}\n"
    )
}
