//! The checks of the configuration in force, each with what it is doing.

use runtime::reactor::Registration;
use runtime::scripts::{Patience, Running};

use crate::balance::{PoolId, ServerId};
use crate::check::{Check, Subject};
use crate::config::Config;
use crate::probe::{Kept, Probe};

/// A check, as its position in [`Checks`]: valid until the next load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CheckId(u32);

/// A check while it runs.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) check: Check,
    pub(super) server: ServerId,
    /// Its position among the checks of its server.
    pub(super) place: usize,
    /// Whether it makes attempts, or waits for the address of its virtual server.
    pub(super) enabled: bool,
    pub(super) work: Work,
    /// What it keeps from one attempt to the next.
    pub(super) kept: Kept,
}

/// What a check is doing. It never does two things at a time.
#[derive(Debug, Default)]
pub(super) enum Work {
    /// It waits for its next attempt, or for what others say.
    #[default]
    Nothing,
    /// An attempt over the network.
    Attempt(Box<Probe>, Registration),
    /// A run of a script.
    Run(Box<Run>),
}

/// A run of a script.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) running: Running,
    pub(super) registration: Registration,
    pub(super) patience: Patience,
}

impl Live {
    /// A check that does nothing yet.
    pub(super) fn new(check: Check, server: ServerId, place: usize) -> Self {
        Self { check, server, place, enabled: true, work: Work::Nothing, kept: Kept::default() }
    }

    /// What it is about.
    pub(super) fn subject<'a>(&self, config: &'a Config) -> Option<Subject<'a>> {
        let service = config.virtual_servers.get(self.server.pool.0)?;
        let server = service.real_servers.get(self.server.place)?;
        let checker = server.checkers.get(self.place)?;
        Some(Subject { service, server, checker })
    }
}

/// All checks, in the order of the configuration.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Live>);

impl Checks {
    pub(super) fn get(&self, id: CheckId) -> Option<&Live> {
        self.0.get(usize::try_from(id.0).ok()?)
    }

    pub(super) fn get_mut(&mut self, id: CheckId) -> Option<&mut Live> {
        self.0.get_mut(usize::try_from(id.0).ok()?)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = CheckId> + use<> {
        (0..u32::try_from(self.0.len()).unwrap_or(u32::MAX)).map(CheckId)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.0.iter()
    }

    /// The checks of a virtual server.
    pub(super) fn of_pool(&self, pool: PoolId) -> impl Iterator<Item = CheckId> + '_ {
        self.ids()
            .zip(self.iter())
            .filter(move |(_, live)| live.server.pool == pool)
            .map(|(id, _)| id)
    }
}

impl FromIterator<Live> for Checks {
    fn from_iter<I: IntoIterator<Item = Live>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl IntoIterator for Checks {
    type Item = Live;
    type IntoIter = std::vec::IntoIter<Live>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
