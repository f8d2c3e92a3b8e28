//! What a `vrrp_instance` block says, before it is held against the machine and the rest of the configuration.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use conf_parser::{Class, Diagnostics, Extent, Line, Place, Spanned};

use super::address_entry::AddressDraft;
use super::auth_keywords::AuthDraft;
use super::garp_keywords::GarpDraft;
use super::notify::NotifyDraft;
use super::own_interface::{IpvlanDraft, VmacDraft};
use crate::packet::{Family, OldChecksum, Peer, Priority, Version, Vrid};

/// What a `vrrp_instance` block says.
#[derive(Clone, Debug)]
pub(super) struct InstanceDraft {
    pub(super) name: Spanned<String>,
    pub(super) block: Extent,
    /// Fixed by the first thing that has one.
    pub(super) family: Option<Family>,
    pub(super) version: Option<Version>,
    pub(super) vrid: Option<Vrid>,
    pub(super) priority: Option<Priority>,
    pub(super) wants_master: Option<bool>,
    pub(super) interface: Option<Spanned<String>>,
    pub(super) vrf: Option<Spanned<String>>,
    pub(super) vmac: Option<Box<VmacDraft>>,
    pub(super) ipvlan: Option<Box<IpvlanDraft>>,
    pub(super) xmit_base: bool,
    pub(super) address_vmacs: bool,
    pub(super) unicast: UnicastDraft,
    pub(super) source: Option<IpAddr>,
    pub(super) group: Option<IpAddr>,
    pub(super) track_source: bool,
    pub(super) advert_interval: Option<Duration>,
    pub(super) down_timer_adverts: Option<u8>,
    pub(super) nopreempt: bool,
    pub(super) preempt_delay: Duration,
    pub(super) accept: Option<bool>,
    pub(super) strict: Option<bool>,
    pub(super) v3_checksum_as_v2: Option<bool>,
    pub(super) skip_check_adv_addr: Option<bool>,
    pub(super) lower_prio_no_advert: Option<bool>,
    pub(super) higher_prio_send_advert: Option<bool>,
    pub(super) owner_ignore_adverts: Option<bool>,
    pub(super) timer_expired_backup: Option<Priority>,
    pub(super) receive_buffer: Option<u32>,
    pub(super) garp: GarpDraft,
    pub(super) auth: AuthDraft,
    pub(super) addresses: Vec<AddressDraft>,
    pub(super) excluded: Vec<AddressDraft>,
    pub(super) routes: Vec<Line>,
    pub(super) rules: Vec<Line>,
    pub(super) no_addresses: bool,
    pub(super) promote_secondaries: bool,
    pub(super) dont_track_primary: bool,
    pub(super) track: TrackLines,
    pub(super) notify: Option<Box<NotifyDraft>>,
    pub(super) notify_priority_changes: Option<bool>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) sync_daemon: Option<Spanned<String>>,
    pub(super) bfd_takeover: Option<(Spanned<String>, bool)>,
    pub(super) linkbeat_use_polling: bool,
    pub(super) debug: u8,
    /// While the block is read.
    seen: Option<Box<SeenAddresses>>,
}

/// The entries of the `track_*` blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct TrackLines {
    pub(super) interfaces: Vec<Line>,
    pub(super) scripts: Vec<Line>,
    pub(super) files: Vec<Line>,
    pub(super) processes: Vec<Line>,
    pub(super) sessions: Vec<Line>,
}

/// What the unicast keywords say.
#[derive(Clone, Debug, Default)]
pub(super) struct UnicastDraft {
    /// Whether there is one of these keywords.
    pub(super) configured: bool,
    pub(super) fault_no_peer: bool,
    pub(super) peers: Vec<Peer>,
    pub(super) check_source: bool,
    pub(super) old_checksum: OldChecksum,
    pub(super) ttl: Option<u8>,
}

/// The addresses of an instance so far, to find repetitions.
#[derive(Clone, Debug, Default)]
struct SeenAddresses {
    /// Those that adverts carry, each on its interface.
    carried: HashMap<IpAddr, Option<String>>,
    excluded: HashSet<(IpAddr, Option<String>)>,
}

/// Whether adverts carry an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// They do.
    Yes,
    /// They do not (`virtual_ipaddress_excluded`).
    No,
}

impl InstanceDraft {
    /// A block of which nothing is known but its name and where it stands.
    pub(super) fn new(name: Spanned<String>, block: Extent) -> Self {
        Self {
            name,
            block,
            family: None,
            version: None,
            vrid: None,
            priority: None,
            wants_master: None,
            interface: None,
            vrf: None,
            vmac: None,
            ipvlan: None,
            xmit_base: false,
            address_vmacs: false,
            unicast: UnicastDraft::default(),
            source: None,
            group: None,
            track_source: false,
            advert_interval: None,
            down_timer_adverts: None,
            nopreempt: false,
            preempt_delay: Duration::ZERO,
            accept: None,
            strict: None,
            v3_checksum_as_v2: None,
            skip_check_adv_addr: None,
            lower_prio_no_advert: None,
            higher_prio_send_advert: None,
            owner_ignore_adverts: None,
            timer_expired_backup: None,
            receive_buffer: None,
            garp: GarpDraft::default(),
            auth: AuthDraft::default(),
            addresses: Vec::new(),
            excluded: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            no_addresses: false,
            promote_secondaries: false,
            dont_track_primary: false,
            track: TrackLines::default(),
            notify: None,
            notify_priority_changes: None,
            smtp_alert: None,
            sync_daemon: None,
            bfd_takeover: None,
            linkbeat_use_polling: false,
            debug: 0,
            seen: None,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name.value
    }

    /// Where the block stands.
    pub(super) fn place(&self) -> Place {
        self.name.place
    }

    /// Fixes the family if nothing has fixed it yet; whether it is `family` now.
    pub(super) fn deduce_family(&mut self, family: Family) -> bool {
        *self.family.get_or_insert(family) == family
    }

    /// Whether the block makes it the owner of its addresses. Without a priority the state decides.
    pub(super) fn is_owner(&self) -> bool {
        match self.priority {
            Some(priority) => priority == Priority::OWNER,
            None => self.wants_master == Some(true),
        }
    }

    /// Whether the block says outright that it is the owner and starts as master.
    pub(super) fn is_declared_owner(&self) -> bool {
        self.wants_master == Some(true) && self.priority == Some(Priority::OWNER)
    }

    /// Makes room for so many more addresses.
    pub(super) fn expect_addresses(&mut self, count: usize, carried: Carried) {
        let seen = self.seen.get_or_insert_default();
        match carried {
            Carried::Yes => {
                self.addresses.reserve_exact(count);
                seen.carried.reserve(count);
            }
            Carried::No => {
                self.excluded.reserve_exact(count);
                seen.excluded.reserve(count);
            }
        }
    }

    /// Forgets what only matters while the block is read.
    pub(super) fn end(&mut self) {
        self.seen = None;
    }

    /// Adds an address, unless it is of the wrong family or a repetition, which is reported then.
    pub(super) fn add_address(
        &mut self,
        address: AddressDraft,
        carried: Carried,
        diagnostics: &mut Diagnostics,
    ) {
        if carried == Carried::Yes && !self.deduce_family(address.family()) {
            let text = format!(
                "({}): address family must match VRRP instance [{}] - ignoring",
                self.name(),
                address.text.value
            );
            diagnostics.report(Class::GeneralError, address.place(), text);
            return;
        }
        if let Err(what) = self.seen.get_or_insert_default().insert(&address, carried) {
            let kind = if carried == Carried::Yes { "" } else { "Excluded " };
            let text = format!(
                "({}): {kind}VIP duplicates {what} {} - ignoring",
                self.name(),
                address.text.value
            );
            diagnostics.report(Class::GeneralError, address.place(), text);
            return;
        }
        match carried {
            Carried::Yes => self.addresses.push(address),
            Carried::No => self.excluded.push(address),
        }
    }
}

impl SeenAddresses {
    /// Notes an address; an error names what it repeats. The adverts cannot carry an address twice, but an excluded one
    /// may be on another interface.
    fn insert(&mut self, draft: &AddressDraft, carried: Carried) -> Result<(), &'static str> {
        let (address, device) = (draft.address, draft.device().map(str::to_owned));
        let repeats = |known: &Option<String>| carried == Carried::Yes || *known == device;
        if self.carried.get(&address).is_some_and(repeats) {
            return Err("a VIP");
        }
        let excluded = (address, device);
        if !self.excluded.is_empty() && self.excluded.contains(&excluded) {
            return Err("an excluded VIP");
        }
        match carried {
            Carried::Yes => {
                self.carried.insert(address, excluded.1);
            }
            Carried::No => {
                self.excluded.insert(excluded);
            }
        }
        Ok(())
    }
}
