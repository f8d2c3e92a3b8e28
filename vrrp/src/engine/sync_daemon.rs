//! The daemon of the kernel that keeps the connections of two IPVS directors in step: it sends while its instance is
//! master, and listens otherwise (`lvs_sync_daemon`).

use ipvs_sys::Error::Missing;
use ipvs_sys::{Client, Refusal, Role, SyncDaemon};
use log::{error, info};
use runtime::global::IpvsNamespace;
use runtime::{global, ipvs};

use super::Engine;
use crate::fsm::State;

/// The daemon, and how we speak to the kernel.
#[derive(Debug, Default)]
pub(super) struct Synchronisation {
    client: Option<Client>,
    daemons: ipvs_sys::Synchronisation,
}

impl Synchronisation {
    /// Has the kernel run `wanted`, and nothing else, in this network namespace.
    fn run(&mut self, wanted: Option<SyncDaemon>, namespace: Option<&IpvsNamespace>) {
        let wanted: Vec<SyncDaemon> = wanted.into_iter().collect();
        if !self.daemons.differs_from(&wanted) {
            return;
        }
        if self.client.is_none() {
            match ipvs::open(namespace, Client::open, |error| matches!(error, Missing)) {
                Ok(client) => self.client = Some(client),
                Err(failure) => error!("IPVS: cannot run the sync daemon: {failure}"),
            }
        }
        let Some(client) = &mut self.client else { return self.daemons.give_up(wanted) };
        match self.daemons.run(wanted, client) {
            Ok(refused) => {
                for (request, errno) in refused {
                    info!("{}", Refusal { request: &request, errno });
                }
            }
            Err(failure) => {
                error!("IPVS: {failure}");
                self.client = None;
            }
        }
    }
}

impl Engine {
    /// Brings the daemon in line with the state of its instance.
    pub(super) fn synchronise(&mut self) {
        let wanted = self.wanted_daemon();
        self.synchronisation.run(wanted, self.global.processes.ipvs_namespace.as_ref());
    }

    /// Stops the daemon, if it is ours.
    pub(super) fn stop_synchronisation(&mut self) {
        self.synchronisation.run(None, self.global.processes.ipvs_namespace.as_ref());
    }

    /// To be called after a reload: without an instance the daemons are the checker's.
    pub(super) fn hand_over_synchronisation(&mut self) {
        if self.configured_daemon().is_some_and(|daemon| daemon.instance.is_none()) {
            self.synchronisation.daemons.hand_over();
        }
    }

    /// Says that IPVS is about to be used, as the checker does for virtual servers.
    pub(super) fn announce_synchronisation(&self, reloads: bool) {
        if self.configured_daemon().is_some_and(|daemon| daemon.instance.is_some()) {
            info!("{}nitializing ipvs", if reloads { "Rei" } else { "I" });
        }
    }

    fn configured_daemon(&self) -> Option<&global::SyncDaemon> {
        self.global.lvs.sync_daemon.as_ref().or(self.config.sync_daemon.as_ref())
    }

    fn wanted_daemon(&self) -> Option<SyncDaemon> {
        let configured = self.configured_daemon()?;
        let name = configured.instance.as_deref()?;
        let instance = self.instances.iter().find(|instance| instance.name() == name)?;
        let role = match instance.router.state() {
            State::Init => return None,
            State::Master => Role::Master,
            State::Backup | State::Fault => Role::Backup,
        };
        let vrid = instance.config.vrid.0;
        Some(daemon(configured, role, vrid))
    }
}

fn daemon(configured: &global::SyncDaemon, role: Role, vrid: u8) -> SyncDaemon {
    SyncDaemon {
        role,
        interface: configured.interface.clone(),
        id: configured.id.unwrap_or(vrid),
        max_length: configured.max_length.unwrap_or(0),
        group: configured.group,
        port: configured.port.unwrap_or(0),
        ttl: configured.ttl.unwrap_or(0),
    }
}
