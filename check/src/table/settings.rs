//! What belongs to all of IPVS: time-outs of connections, and the daemons that synchronise them.

use std::time::Duration;

use ipvs_sys::{Client, Error, Refusal, Request, Role, SyncDaemon, Synchronisation, Timeouts};
use log::info;
use runtime::global::{self, Lvs};

/// What we have set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The time-outs as they were before us, once they have been changed.
    original: Option<Timeouts>,
    daemons: Synchronisation,
}

impl Settings {
    /// Has the kernel do as configured. What is configured no more is put back.
    pub(super) fn apply(&mut self, lvs: &Lvs, client: &mut Client) -> Result<(), Error> {
        self.set_timeouts(&lvs.timeouts, client)?;
        if lvs.sync_daemon.as_ref().is_some_and(|daemon| daemon.instance.is_some()) {
            // They are those of the VRRP process.
            self.daemons.hand_over();
        }
        self.synchronise(wanted_daemons(lvs), client)
    }

    /// Puts everything back.
    pub(super) fn restore(&mut self, client: &mut Client) -> Result<(), Error> {
        self.set_timeouts(&global::Timeouts::default(), client)?;
        self.synchronise(Vec::new(), client)
    }

    fn set_timeouts(
        &mut self,
        configured: &global::Timeouts,
        client: &mut Client,
    ) -> Result<(), Error> {
        let is_set = |timeout: Option<Duration>| timeout.is_some_and(|timeout| !timeout.is_zero());
        let any = [configured.tcp, configured.tcp_fin, configured.udp].into_iter().any(is_set);
        let original = match (self.original, any) {
            (Some(original), _) => original,
            (None, false) => return Ok(()),
            (None, true) => match client.timeouts() {
                Ok(found) => found,
                Err(Error::Refused(_)) => {
                    info!("Failed to get IPVS timeouts");
                    info!("Failed to set ipvs timeouts");
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            },
        };
        let timeouts = Timeouts {
            tcp: seconds(configured.tcp, original.tcp),
            tcp_fin: seconds(configured.tcp_fin, original.tcp_fin),
            udp: seconds(configured.udp, original.udp),
        };
        self.original = any.then_some(original);
        let answers = client.execute(&[Request::SetTimeouts(timeouts)])?;
        if answers.iter().any(Result::is_err) {
            info!("Failed to set ipvs timeouts");
        }
        Ok(())
    }

    fn synchronise(&mut self, wanted: Vec<SyncDaemon>, client: &mut Client) -> Result<(), Error> {
        if !self.daemons.differs_from(&wanted) {
            return Ok(());
        }
        for (request, errno) in self.daemons.run(wanted, client)? {
            info!("{}", Refusal { request: &request, errno });
        }
        Ok(())
    }
}

/// A time-out in seconds, where 0 is as good as none.
fn seconds(configured: Option<Duration>, original: u32) -> u32 {
    let given = configured.filter(|timeout| !timeout.is_zero());
    given.map_or(original, |timeout| u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX))
}

/// Without an instance that decides, both roles are played all the time.
fn wanted_daemons(lvs: &Lvs) -> Vec<SyncDaemon> {
    let Some(configured) = lvs.sync_daemon.as_ref().filter(|daemon| daemon.instance.is_none())
    else {
        return Vec::new();
    };
    let daemon = |role| SyncDaemon {
        role,
        interface: configured.interface.clone(),
        id: configured.id.unwrap_or(0),
        max_length: configured.max_length.unwrap_or(0),
        group: configured.group,
        port: configured.port.unwrap_or(0),
        ttl: configured.ttl.unwrap_or(0),
    };
    [Role::Master, Role::Backup].map(daemon).into()
}
