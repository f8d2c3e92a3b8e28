//! The IPVS generic-netlink family: message codec and a small client.
