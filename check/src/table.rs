//! The kernel's IPVS table, brought in line with what the [virtual servers](crate::balance) are.
//!
//! [`Table::reconcile`] sends the difference between what should be there and what is known to be there. What the kernel
//! refuses is logged once and tried again; what others have changed is found when a request fails, or by a look now and
//! then ([`Table::look`]). Services that are not ours are left alone.

mod desired;
mod figures;
mod marks;
mod nftables;
mod service;
mod settings;

use std::collections::{HashMap, HashSet, hash_map};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ipvs_sys::{Client, Error, Key, Refusal, Request, Service};
use log::{error, info};
use runtime::global::{FlushOnStop, Global, IpvsNamespace};
use runtime::ipvs;

use crate::balance::{Balance, PoolId};

use crate::config::{Config, Group, GroupId};
use desired::Wanted;
pub(crate) use figures::Figures;
use marks::Marks;
use service::{Entry, There};

/// Requests that are planned at once: what they take in memory is bounded.
const PLANNED: usize = 1024;
/// How often what somebody else has changed is read again at once.
const ROUNDS: usize = 3;
/// In so many looks all services have been looked at closely.
const LOOKS: usize = 30;
/// At least so many are looked at each time.
const CLOSE_LOOKS: usize = 64;

/// IPVS cannot be used.
#[derive(Debug)]
pub(crate) struct Unusable(Error);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IPVS: Can't initialize ipvs: ")?;
        match &self.0 {
            // As the original reads it from the kernel, which knows no such family.
            Error::Missing => write!(f, "No such file or directory"),
            other => write!(f, "{other}"),
        }
    }
}

impl std::error::Error for Unusable {}

/// Our part of the table.
#[derive(Debug)]
pub(crate) struct Table {
    /// `None` after it has failed, until it is opened again.
    client: Option<Client>,
    namespace: Option<IpvsNamespace>,
    entries: HashMap<Key, Entry>,
    marks: Marks,
    nftables: nftables::Tables,
    settings: settings::Settings,
    /// What the claims of the entries belong to.
    config: Rc<Config>,
    is_configured: bool,
    /// Which entries are looked at closely next.
    next_look: usize,
    /// How often the kernel could not be asked since it last could.
    failures: u32,
    /// What has been logged of that.
    complaint: Option<String>,
}

impl Table {
    /// The marks by which nftables tells IPVS of groups: for TCP, UDP and SCTP; 0 where there is none.
    pub(crate) fn marks(&self, config: &Config) -> Vec<(GroupId, [u32; 3])> {
        let groups = (0..).map(GroupId).zip(&config.groups);
        groups.map(|(id, group)| (id, self.marks.given(group))).collect()
    }

    /// How often to [look](Self::look).
    const LOOK: Duration = Duration::from_secs(10);
    /// How soon to look again after that was impossible, for the first few times.
    const AGAIN: Duration = Duration::from_secs(1);
    const FEW: u32 = 3;

    /// Opens IPVS, loading its module if need be. The error says what the original logs before it ends with status 1.
    pub(crate) fn open(global: &Global) -> Result<Self, Unusable> {
        info!("Initializing ipvs");
        let namespace = global.processes.ipvs_namespace.clone();
        let client = open(namespace.as_ref()).map_err(Unusable)?;
        Ok(Self {
            client: Some(client),
            namespace,
            entries: HashMap::new(),
            marks: Marks::default(),
            nftables: nftables::Tables::default(),
            settings: settings::Settings::default(),
            config: Rc::default(),
            is_configured: false,
            next_look: 0,
            failures: 0,
            complaint: None,
        })
    }

    /// Puts the settings for all of IPVS in force: time-outs, synchronisation, marks. To be called after
    /// [`open`](Self::open) and at each reload, before [`reconcile`](Self::reconcile).
    pub(crate) fn configure(&mut self, global: &Global) {
        self.marks.configure(global.firewall.ipvs_nftables.as_ref());
        self.nftables.configure(&global.firewall, self.namespace.as_ref());
        if std::mem::replace(&mut self.is_configured, true) {
            info!("Reinitializing ipvs");
        }
        if let Some(mut client) = self.client() {
            let outcome = self.settings.apply(&global.lvs, &mut client);
            self.keep(client, outcome);
        }
    }

    /// Empties the table, which may have services of others (`lvs_flush` at the start).
    pub(crate) fn flush(&mut self) {
        self.execute_each(&[Request::Flush]);
        self.entries.values_mut().for_each(|entry| entry.there = There::Nothing);
    }

    /// Has the kernel have what the virtual servers want, as far as they have changed.
    pub(crate) fn reconcile(&mut self, balance: &mut Balance) {
        let dirty = balance.take_dirty();
        if dirty.is_empty() {
            return;
        }
        // Each once, in order.
        let (mut keys, mut seen) = (Vec::new(), HashSet::new());
        let mut is_new = false;
        if balance.is_stopped() || !Rc::ptr_eq(&self.config, balance.config()) {
            is_new = true;
            self.config = Rc::clone(balance.config());
            self.warn_of_wide_groups();
            self.entries.values_mut().for_each(Entry::abandon);
        }
        for pool in dirty {
            for wanted in desired::services(balance, pool, &mut self.marks) {
                let key = wanted.service.key;
                match self.entries.entry(key) {
                    hash_map::Entry::Occupied(known) => known.into_mut().claim(pool, wanted),
                    hash_map::Entry::Vacant(place) => {
                        place.insert(Entry::new(There::Unknown)).claim(pool, wanted);
                    }
                }
                if seen.insert(key) {
                    keys.push(key);
                }
            }
        }
        let abandoned = self.entries.iter().filter(|(_, entry)| entry.is_abandoned());
        keys.extend(abandoned.map(|(key, _)| *key));
        if balance.is_stopped() {
            self.nftables.remove(self.namespace.as_ref());
        }
        self.settle(keys);
        if is_new && !balance.is_stopped() {
            self.mark_packets();
        }
    }

    /// How long from now the next [look](Self::look) is due.
    pub(crate) fn until_look(&self) -> Duration {
        let soon = (1..=Self::FEW).contains(&self.failures);
        if soon { Self::AGAIN } else { Self::LOOK }
    }

    /// Whether the kernel could not be asked at the last attempt.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        self.client.is_none()
    }

    fn mark_packets(&mut self) {
        let wanted = self.marks.elements(&self.config);
        self.nftables.apply(&wanted, self.namespace.as_ref());
    }

    /// Sees whether somebody else has changed our part of the table, repairs it, and tries again what was refused. Of the
    /// servers a part is read each time, so that it costs little however many there are.
    pub(crate) fn look(&mut self) {
        let keys: Vec<Key> = self.entries.keys().copied().collect();
        let share = keys.len().div_ceil(LOOKS).max(CLOSE_LOOKS).min(keys.len());
        let start = if self.next_look < keys.len() { self.next_look } else { 0 };
        self.next_look = start + share;
        let mut open = HashSet::new();
        for (place, (key, entry)) in self.entries.iter_mut().enumerate() {
            let is_refused = entry.is_refused();
            if is_refused || !entry.is_settled() {
                open.insert(*key);
            }
            if is_refused || (place >= start && place < start + share) {
                entry.there = There::Unknown;
            }
        }
        if !self.read(true) {
            return;
        }
        let unsettled = self.entries.iter().filter(|(_, entry)| !entry.is_settled());
        let changed: Vec<Key> = unsettled.map(|(key, _)| *key).collect();
        for key in changed.iter().filter(|key| !open.contains(key)) {
            info!("IPVS: somebody else has changed {key} - repairing it");
        }
        self.settle(changed);
        self.mark_packets();
    }

    /// The end: removes what is ours, and puts settings back. With `keep` (`--dont-release-ipvs`) the services stay; else
    /// the virtual servers must have been [stopped](Balance::stop).
    pub(crate) fn close(&mut self, balance: &mut Balance, global: &Global, keep: bool) {
        if !keep {
            if global.lvs.flush_on_stop == FlushOnStop::Everything {
                self.nftables.remove(self.namespace.as_ref());
                self.execute_each(&[Request::Flush]);
                self.entries.clear();
            } else {
                self.reconcile(balance);
            }
        }
        if let Some(mut client) = self.client() {
            let outcome = self.settings.restore(&mut client);
            self.keep(client, outcome);
        }
    }

    /// The services of a virtual server.
    pub(crate) fn services_of(&self, pool: PoolId) -> impl Iterator<Item = Key> + '_ {
        self.entries.iter().filter(move |(_, entry)| entry.is_for(pool)).map(|(key, _)| *key)
    }

    fn warn_of_wide_groups(&self) {
        for Group { name, entries } in &self.config.groups {
            for entry in entries.iter().filter(|entry| desired::is_too_wide(entry)) {
                error!("virtual server group {name}: {entry} has too many addresses - skipping");
            }
        }
    }

    /// Brings these services in line.
    fn settle(&mut self, mut keys: Vec<Key>) {
        for _ in 0..ROUNDS {
            let is_unknown = |key: &Key| {
                self.entries.get(key).is_some_and(|entry| entry.there == There::Unknown)
            };
            if keys.iter().any(is_unknown) && !self.read(false) {
                return;
            }
            self.send(&keys);
            let entries = &mut self.entries;
            keys.retain(|key| match entries.get(key) {
                Some(entry) if entry.is_over() => {
                    entries.remove(key);
                    false
                }
                Some(entry) => entry.there == There::Unknown,
                None => false,
            });
            if keys.is_empty() {
                return;
            }
        }
    }

    /// Sends what these services need.
    fn send(&mut self, keys: &[Key]) {
        let mut requests = Vec::new();
        let mut owners: Vec<(Key, usize)> = Vec::new();
        for key in keys {
            let Some(entry) = self.entries.get(key) else { continue };
            let before = requests.len();
            entry.plan(*key, &mut requests);
            if requests.len() > before {
                owners.push((*key, requests.len() - before));
            }
            if requests.len() >= PLANNED {
                self.execute(&mut requests, &mut owners);
            }
        }
        self.execute(&mut requests, &mut owners);
    }

    fn execute(&mut self, requests: &mut Vec<Request>, owners: &mut Vec<(Key, usize)>) {
        if requests.is_empty() {
            return;
        }
        if let Some(mut client) = self.client() {
            let outcome = client.execute(requests);
            let answers = self.keep(client, outcome);
            let mut at = 0;
            for (key, count) in owners.iter() {
                let Some(entry) = self.entries.get_mut(key) else { continue };
                let range = at..at + count;
                at += count;
                let asked = requests.get(range.clone()).unwrap_or_default();
                match answers.as_ref().and_then(|answers| answers.get(range)) {
                    Some(answers) => entry.absorb(asked, answers),
                    None => entry.there = There::Unknown,
                }
            }
        }
        requests.clear();
        owners.clear();
    }

    /// Sends requests that concern all, and logs what is refused.
    fn execute_each(&mut self, requests: &[Request]) {
        let Some(mut client) = self.client() else { return };
        let outcome = client.execute(requests);
        for (request, answer) in requests.iter().zip(self.keep(client, outcome).unwrap_or_default())
        {
            if let Err(errno) = answer {
                info!("{}", Refusal { request, errno });
            }
        }
    }

    /// Reads what the kernel has of the services of which that is not known; with `all`, of the others whether they are there
    /// and what they are like. `false` when it cannot be read.
    fn read(&mut self, all: bool) -> bool {
        let Some(mut client) = self.client() else { return false };
        let outcome = read(&mut client, &mut self.entries, all);
        self.keep(client, outcome).is_some()
    }

    /// The socket, opened again where it has failed.
    fn client(&mut self) -> Option<Client> {
        match self.client.take() {
            Some(client) => Some(client),
            None => match open(self.namespace.as_ref()) {
                Ok(client) => Some(client),
                Err(failure) => {
                    self.complain(Unusable(failure).to_string());
                    None
                }
            },
        }
    }

    /// The table cannot be reached: says so once.
    fn complain(&mut self, text: String) {
        self.failures = self.failures.saturating_add(1);
        if self.complaint.as_ref() != Some(&text) {
            error!("{text}");
            self.complaint = Some(text);
        }
    }

    /// Keeps the socket unless it has failed. Nothing is known for certain then.
    fn keep<T>(&mut self, client: Client, outcome: Result<T, Error>) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.client = Some(client);
                (self.failures, self.complaint) = (0, None);
                Some(value)
            }
            Err(failure) => {
                self.complain(format!("IPVS: {failure} - reading the table again"));
                self.entries.values_mut().for_each(|entry| entry.there = There::Unknown);
                None
            }
        }
    }
}

fn open(namespace: Option<&IpvsNamespace>) -> Result<Client, Error> {
    ipvs::open(namespace, Client::open, |error| matches!(error, Error::Missing))
}

fn read(client: &mut Client, entries: &mut HashMap<Key, Entry>, all: bool) -> Result<(), Error> {
    let services = client.services()?;
    let mut found: HashMap<Key, Service> =
        services.into_iter().map(|(service, _)| (service.key, service)).collect();
    for (key, entry) in entries {
        let is_unknown = entry.there == There::Unknown;
        if !all && !is_unknown {
            continue;
        }
        let Some(service) = found.remove(key) else {
            entry.there = There::Nothing;
            continue;
        };
        if is_unknown || entry.there == There::Nothing {
            let servers = client.destinations(*key)?;
            let destinations = servers.into_iter().map(|(server, _)| server).collect();
            entry.found(Wanted { service: Rc::new(service), destinations });
        } else if let There::This(there) = &mut entry.there {
            if *there.service != service {
                there.service = Rc::new(service);
            }
        }
    }
    Ok(())
}
