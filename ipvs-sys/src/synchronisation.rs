//! Keeps the daemons of the kernel that synchronise connections as they are wanted.

use nix::errno::Errno;

use crate::{Client, Error, Request, Role, SyncDaemon};

/// The daemons, as we have left them.
#[derive(Debug, Default)]
pub struct Synchronisation {
    running: Vec<SyncDaemon>,
}

impl Synchronisation {
    /// Whether something else is running than is `wanted`, as far as we know.
    pub fn differs_from(&self, wanted: &[SyncDaemon]) -> bool {
        self.running != wanted
    }

    /// Another process of ours has them from now on. It stops what is there, and may have done so already.
    pub fn hand_over(&mut self) {
        self.running.clear();
    }

    /// They cannot be had: nothing is tried again before something else is wanted.
    pub fn give_up(&mut self, wanted: Vec<SyncDaemon>) {
        self.running = wanted;
    }

    /// Has the kernel run `wanted`, and nothing else. Returns what it has refused to start; that is tried again only when
    /// something else is wanted. That nothing was there to be stopped is no refusal.
    pub fn run(
        &mut self,
        wanted: Vec<SyncDaemon>,
        client: &mut Client,
    ) -> Result<Vec<(Request, Errno)>, Error> {
        let stops: Vec<Role> = if self.running.is_empty() {
            // What a process before us has left behind would be in the way.
            vec![Role::Master, Role::Backup]
        } else {
            let gone = self.running.iter().filter(|daemon| !wanted.contains(daemon));
            gone.map(|daemon| daemon.role).collect()
        };
        let starts = wanted.iter().filter(|daemon| !self.running.contains(daemon)).cloned();
        let requests: Vec<Request> = stops
            .into_iter()
            .map(Request::StopDaemon)
            .chain(starts.map(Request::StartDaemon))
            .collect();
        self.running = wanted;
        let answers = client.execute(&requests)?;
        let refused = requests.into_iter().zip(answers).filter_map(|(request, answer)| {
            let errno = answer.err()?;
            let is_idle = matches!(request, Request::StopDaemon(_)) && errno == Errno::ESRCH;
            (!is_idle).then_some((request, errno))
        });
        Ok(refused.collect())
    }
}
