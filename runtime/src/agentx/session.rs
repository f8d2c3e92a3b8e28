//! A session with the master agent, without I/O: octets and the time go in, octets and a deadline come out.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use super::oid::Oid;
use super::pdu::{self, BadPdu, Header, Pdu, SearchRange, Value, VarBind};
use super::{Objects, SetError};
use crate::line::{Talk, TalkOf};

/// How long the master agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the master agent is asked whether it is there.
const PING: Duration = Duration::from_secs(120);
/// So many ranges of one request are looked up, and so many objects come of it: others have to be served too.
const RANGES: usize = 128;
/// So many octets may an answer have.
const ANSWER: usize = 48 * 1024;
/// While so many octets wait for the master agent, nothing is read from it, and notifications are dropped.
const UNSENT: usize = 256 * 1024;
/// So many notifications wait for a session.
const WAITING: usize = 1024;
/// So many requests to change objects are under way at once.
const TRANSACTIONS: usize = 8;

/// `snmpTrapOID.0` (RFC 3418).
const TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

const TOO_BIG: u16 = 1;
const GENERAL_ERROR: u16 = 5;
const RESOURCE_UNAVAILABLE: u16 = 13;
const UNDO_FAILED: u16 = 15;
const NOT_OPEN: u16 = 257;
const PARSE_ERROR: u16 = 266;

/// A part of the tree that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// How the names of its objects begin.
    pub root: &'static [u32],
    /// The lowest of those who offer the same is asked (RFC 2741 §6.2.3).
    pub priority: u8,
    /// What `sysORTable` says of it, in whose name.
    pub capabilities: Option<(&'static [u32], &'static str)>,
}

/// What a session begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name of the subagent.
    pub description: &'static str,
    /// What it offers.
    pub branches: Vec<Branch>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The master agent says so, with its reason.
    Closed(u8),
    /// It does not want us, with its error.
    Refused(u16),
    /// It does not answer.
    Silent,
    /// It sends what cannot be understood.
    Garbled(BadPdu),
}

impl Branch {
    /// The priority where nothing speaks for another one.
    pub const PRIORITY: u8 = 127;
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "closed, reason {reason}"),
            Self::Refused(error) => write!(f, "refused, error {error}"),
            Self::Silent => f.write_str("no answer"),
            Self::Garbled(bad) => write!(f, "{bad}"),
        }
    }
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// All is registered.
    Connected,
    /// The master agent does not want a branch, with its error.
    NotRegistered(Branch, u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not connected.
    Idle,
    /// The master agent has been asked for a session.
    Opening,
    /// It has been told what we have; that many answers are to come.
    Registering(usize),
    /// At work.
    Open,
}

/// What an answer is expected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Open,
    Register(Branch),
    Ping,
    /// Its answer changes nothing.
    Other,
}

/// Changes that a manager has asked for.
#[derive(Debug, Default)]
struct Transaction {
    wanted: Vec<VarBind>,
    /// What the changed ones were before.
    before: Vec<VarBind>,
}

#[derive(Debug)]
pub(super) struct Session {
    settings: Settings,
    phase: Phase,
    id: u32,
    next_packet: u32,
    asked: BTreeMap<u32, Asked>,
    transactions: BTreeMap<u32, Transaction>,
    deadline: Option<Instant>,
    notices: VecDeque<Vec<VarBind>>,
    unsent: Vec<u8>,
}

impl Talk for Session {
    type Loss = Loss;
    type News = News;

    fn begin(&mut self, now: Instant) {
        self.phase = Phase::Opening;
        let description = self.settings.description.as_bytes().to_vec();
        let open = Pdu::Open { timeout: 0, id: Oid::default(), description };
        self.ask(&open, Asked::Open);
        self.deadline = Some(now + PATIENCE);
    }

    fn end(&mut self) {
        *self = Self::new(Settings {
            description: self.settings.description,
            branches: std::mem::take(&mut self.settings.branches),
        });
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn due(&mut self, now: Instant) -> Result<(), Loss> {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return Ok(());
        }
        if self.phase != Phase::Open || self.asked.values().any(|asked| *asked == Asked::Ping) {
            return Err(Loss::Silent);
        }
        self.ask(&Pdu::Ping, Asked::Ping);
        self.deadline = Some(now + PATIENCE);
        Ok(())
    }

    fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn is_full(&self) -> bool {
        self.unsent.len() > UNSENT
    }
}

impl<O: Objects> TalkOf<O> for Session {
    fn receive(
        &mut self,
        data: &[u8],
        objects: &mut O,
        now: Instant,
        news: &mut Vec<News>,
    ) -> Result<usize, Loss> {
        let Some((header, pdu, length)) = pdu::decode(data).map_err(Loss::Garbled)? else {
            return Ok(0);
        };
        match pdu {
            Pdu::Response { error, .. } => self.answered(header, error, now, news)?,
            Pdu::Close { reason } => return Err(Loss::Closed(reason)),
            request if header.session == self.id => self.requested(header, request, objects),
            Pdu::CleanupSet => {}
            _ => self.respond(header, NOT_OPEN, 0, Vec::new()),
        }
        Ok(length)
    }
}

impl Session {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Idle,
            id: 0,
            next_packet: 0,
            asked: BTreeMap::new(),
            transactions: BTreeMap::new(),
            deadline: None,
            notices: VecDeque::new(),
            unsent: Vec::new(),
        }
    }

    /// Takes leave.
    pub(super) fn close(&mut self) {
        const SHUTDOWN: u8 = 5;
        if self.phase != Phase::Idle {
            self.ask(&Pdu::Close { reason: SHUTDOWN }, Asked::Other);
        }
    }

    /// Tells the master agent, and it those who listen, that something has happened.
    pub(super) fn notify(&mut self, trap: &[u32], objects: Vec<VarBind>) {
        let name = Oid(TRAP_OID.to_vec());
        let mut binds = vec![VarBind { name, value: Value::Oid(Oid::from(trap)) }];
        binds.extend(objects);
        if self.phase == Phase::Open {
            if !self.is_full() {
                self.ask(&Pdu::Notify(binds), Asked::Other);
            }
        } else if self.notices.len() < WAITING {
            self.notices.push_back(binds);
        }
    }

    fn answered(
        &mut self,
        header: Header,
        error: u16,
        now: Instant,
        news: &mut Vec<News>,
    ) -> Result<(), Loss> {
        match self.asked.remove(&header.packet) {
            Some(Asked::Open) if error == 0 => {
                self.id = header.session;
                self.register();
                self.deadline = Some(now + PATIENCE);
                self.registered(now, news);
            }
            Some(Asked::Open) => return Err(Loss::Refused(error)),
            Some(Asked::Register(branch)) => {
                if error != 0 {
                    news.push(News::NotRegistered(branch, error));
                }
                if let Phase::Registering(left) = &mut self.phase {
                    *left = left.saturating_sub(1);
                }
                self.registered(now, news);
            }
            Some(Asked::Ping) if error == NOT_OPEN => return Err(Loss::Refused(error)),
            Some(Asked::Ping) => self.deadline = Some(now + PING),
            Some(Asked::Other) | None => {}
        }
        Ok(())
    }

    fn register(&mut self) {
        let branches = self.settings.branches.clone();
        self.phase = Phase::Registering(branches.len());
        for branch in branches {
            if let Some((id, description)) = branch.capabilities {
                let (id, description) = (Oid::from(id), description.as_bytes().to_vec());
                self.ask(&Pdu::AddAgentCaps { id, description }, Asked::Other);
            }
            let subtree = Oid::from(branch.root);
            let register = Pdu::Register { timeout: 0, priority: branch.priority, subtree };
            self.ask(&register, Asked::Register(branch));
        }
    }

    /// Begins to work, once all has been registered.
    fn registered(&mut self, now: Instant, news: &mut Vec<News>) {
        if self.phase != Phase::Registering(0) {
            return;
        }
        self.phase = Phase::Open;
        self.deadline = Some(now + PING);
        news.push(News::Connected);
        for binds in std::mem::take(&mut self.notices) {
            self.ask(&Pdu::Notify(binds), Asked::Other);
        }
    }

    fn requested(&mut self, header: Header, request: Pdu, objects: &mut impl Objects) {
        let answer = match request {
            Pdu::Get(ranges) => get(&ranges, objects),
            Pdu::GetNext(ranges) => get_next(&ranges, objects),
            Pdu::GetBulk { non_repeaters, max_repetitions, ranges } => {
                get_bulk(&ranges, non_repeaters.into(), max_repetitions.into(), objects)
            }
            Pdu::TestSet(wanted) => self.test(header.transaction, wanted, objects),
            Pdu::CommitSet => self.commit(header.transaction, objects),
            Pdu::UndoSet => self.undo(header.transaction, objects),
            Pdu::CleanupSet => {
                self.transactions.remove(&header.transaction);
                return;
            }
            _ => Err((PARSE_ERROR, 0)),
        };
        match answer {
            Ok(binds) => self.respond(header, 0, 0, binds),
            Err((error, index)) => self.respond(header, error, index, Vec::new()),
        }
    }

    fn test(&mut self, transaction: u32, wanted: Vec<VarBind>, objects: &impl Objects) -> Answer {
        if wanted.len() > RANGES || self.transactions.len() >= TRANSACTIONS {
            return Err((RESOURCE_UNAVAILABLE, 0));
        }
        for (index, bind) in (1..).zip(&wanted) {
            objects.test(&bind.name.0, &bind.value).map_err(|error| (error.code(), index))?;
        }
        self.transactions.insert(transaction, Transaction { wanted, before: Vec::new() });
        Ok(Vec::new())
    }

    fn commit(&mut self, transaction: u32, objects: &mut impl Objects) -> Answer {
        let failed = SetError::CommitFailed.code();
        let transaction = self.transactions.get_mut(&transaction).ok_or((failed, 0))?;
        for (index, bind) in (1..).zip(&transaction.wanted) {
            let value = objects.get(&bind.name.0).ok_or((failed, index))?;
            objects.set(&bind.name.0, &bind.value).map_err(|_| (failed, index))?;
            transaction.before.push(VarBind { name: bind.name.clone(), value });
        }
        Ok(Vec::new())
    }

    fn undo(&mut self, transaction: u32, objects: &mut impl Objects) -> Answer {
        let transaction = self.transactions.remove(&transaction).unwrap_or_default();
        for bind in transaction.before.iter().rev() {
            objects.set(&bind.name.0, &bind.value).map_err(|_| (UNDO_FAILED, 0))?;
        }
        Ok(Vec::new())
    }

    fn respond(&mut self, header: Header, error: u16, index: u16, binds: Vec<VarBind>) {
        pdu::encode(header, &Pdu::Response { uptime: 0, error, index, binds }, &mut self.unsent);
    }

    fn ask(&mut self, pdu: &Pdu, asked: Asked) {
        self.next_packet = self.next_packet.wrapping_add(1);
        let packet = self.next_packet;
        if asked != Asked::Other {
            self.asked.insert(packet, asked);
        }
        pdu::encode(
            Header { session: self.id, transaction: packet, packet },
            pdu,
            &mut self.unsent,
        );
    }
}

/// What an answer says, or what is wrong, and with which object.
type Answer = Result<Vec<VarBind>, (u16, u16)>;

/// An answer as it grows.
#[derive(Default)]
struct Binds {
    binds: Vec<VarBind>,
    octets: usize,
}

impl Binds {
    fn push(&mut self, bind: VarBind) -> bool {
        let value = match &bind.value {
            Value::Octets(octets) | Value::Opaque(octets) => octets.len(),
            _ => 8,
        };
        self.octets += bind.name.0.len() * 4 + value + 16;
        self.binds.push(bind);
        self.octets < ANSWER
    }
}

fn admit(ranges: &[SearchRange]) -> Result<(), (u16, u16)> {
    if ranges.len() > RANGES { Err((TOO_BIG, 0)) } else { Ok(()) }
}

fn get(ranges: &[SearchRange], objects: &impl Objects) -> Answer {
    admit(ranges)?;
    let mut answer = Binds::default();
    for range in ranges {
        let value = objects.get(&range.start.0).unwrap_or(Value::NoSuchInstance);
        if !answer.push(VarBind { name: range.start.clone(), value }) {
            return Err((TOO_BIG, 0));
        }
    }
    Ok(answer.binds)
}

fn get_next(ranges: &[SearchRange], objects: &impl Objects) -> Answer {
    admit(ranges)?;
    let mut answer = Binds::default();
    for range in ranges {
        if !answer.push(next(range, objects)) {
            return Err((TOO_BIG, 0));
        }
    }
    Ok(answer.binds)
}

/// The first object of a range.
fn next(range: &SearchRange, objects: &impl Objects) -> VarBind {
    let is_near = |name: &Oid| range.end.0.is_empty() || *name < range.end;
    match objects.next(&range.start.0, range.inclusive) {
        Some((name, value)) if is_near(&name) => VarBind { name, value },
        _ => VarBind { name: range.start.clone(), value: Value::EndOfMibView },
    }
}

/// RFC 2741 §7.2.3.3. Less than what is wanted may be returned.
fn get_bulk(
    ranges: &[SearchRange],
    non_repeaters: usize,
    repetitions: usize,
    objects: &impl Objects,
) -> Answer {
    admit(ranges)?;
    let (single, repeated) = ranges.split_at(non_repeaters.min(ranges.len()));
    let mut answer = Binds::default();
    for range in single {
        if !answer.push(next(range, objects)) {
            return Err((TOO_BIG, 0));
        }
    }
    let mut repeated = repeated.to_vec();
    for _ in 0..repetitions {
        if repeated.is_empty() || answer.binds.len() + repeated.len() > RANGES {
            break;
        }
        let mut is_over = true;
        for range in &mut repeated {
            let bind = next(range, objects);
            is_over &= bind.value == Value::EndOfMibView;
            range.start.clone_from(&bind.name);
            range.inclusive = false;
            if !answer.push(bind) {
                return Ok(answer.binds);
            }
        }
        if is_over {
            break;
        }
    }
    if answer.binds.is_empty() && !repeated.is_empty() && repetitions > 0 {
        return Err((GENERAL_ERROR, 0));
    }
    Ok(answer.binds)
}
