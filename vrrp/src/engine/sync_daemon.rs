//! The daemon of the kernel that keeps the connections of two IPVS directors in step: it sends while its instance is
//! master, and listens otherwise (`lvs_sync_daemon`).

use ipvs_sys::{Client, Request, Role, SyncDaemon};
use log::{debug, error, info};
use nix::errno::Errno;
use runtime::global;

use super::Engine;
use crate::fsm::State;

/// The daemon, as we have left it.
#[derive(Debug, Default)]
pub(super) struct Synchronisation {
    client: Option<Client>,
    running: Option<SyncDaemon>,
}

impl Synchronisation {
    /// Has the kernel run `wanted`, and nothing else.
    fn run(&mut self, wanted: Option<SyncDaemon>) {
        if wanted == self.running {
            return;
        }
        let first = self.running.is_none();
        // Whatever comes of it, it is tried again only when something else is wanted.
        let before = std::mem::replace(&mut self.running, wanted);
        let mut requests: Vec<Request> = match before {
            // What a process before us has left behind would be in the way.
            None if first => vec![Role::Master, Role::Backup],
            before => before.into_iter().map(|daemon| daemon.role).collect(),
        }
        .into_iter()
        .map(Request::StopDaemon)
        .collect();
        let stops = requests.len();
        requests.extend(self.running.clone().map(Request::StartDaemon));
        let Some(client) = self.connect() else { return };
        let answers = match client.execute(&requests) {
            Ok(answers) => answers,
            Err(failure) => {
                error!("IPVS: {failure}");
                self.client = None;
                return;
            }
        };
        for (place, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(()) | Err(Errno::ESRCH) if place < stops => {}
                Ok(()) => {
                    debug!("IPVS: sync daemon started as {}", role(self.running.as_ref()));
                }
                Err(errno) => info!("IPVS: sync daemon: {}", errno.desc()),
            }
        }
    }

    fn connect(&mut self) -> Option<&mut Client> {
        if self.client.is_none() {
            match Client::open() {
                Ok(client) => self.client = Some(client),
                Err(failure) => error!("IPVS: cannot run the sync daemon: {failure}"),
            }
        }
        self.client.as_mut()
    }
}

impl Engine {
    /// Brings the daemon in line with the state of its instance.
    pub(super) fn synchronise(&mut self) {
        let wanted = self.wanted_daemon();
        self.synchronisation.run(wanted);
    }

    /// Stops the daemon, if it is ours.
    pub(super) fn stop_synchronisation(&mut self) {
        self.synchronisation.run(None);
    }

    fn wanted_daemon(&self) -> Option<SyncDaemon> {
        let configured =
            self.global.lvs.sync_daemon.as_ref().or(self.config.sync_daemon.as_ref())?;
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

fn role(daemon: Option<&SyncDaemon>) -> &'static str {
    match daemon.map(|daemon| daemon.role) {
        Some(Role::Master) => "master",
        Some(Role::Backup) => "backup",
        None => "nothing",
    }
}
