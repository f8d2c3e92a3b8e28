//! Sessions with a master agent, and what other tests of the subagent have in common with them.

mod connection;
mod encoding;
mod walks;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::pdu::{self, Header, Pdu, SearchRange};
use super::session::{Loss, News, Session};
use super::*;
use crate::line::{Talk, TalkOf};

fn oid(numbers: &[u32]) -> Oid {
    Oid::from(numbers)
}

fn range(start: &[u32], inclusive: bool, end: &[u32]) -> SearchRange {
    SearchRange { start: oid(start), inclusive, end: oid(end) }
}

/// Objects that are numbers; those of names that end with 13 break when they are set to 13.
#[derive(Default)]
struct Numbers(BTreeMap<Vec<u32>, i32>);

impl Objects for Numbers {
    fn get(&self, name: &[u32]) -> Option<Value> {
        self.0.get(name).map(|number| Value::Integer(*number))
    }

    fn next(&self, from: &[u32], inclusive: bool) -> Option<(Oid, Value)> {
        let after = |name: &&Vec<u32>| name.as_slice() > from || (inclusive && *name == from);
        let name = self.0.keys().find(after)?;
        Some((Oid(name.clone()), self.get(name)?))
    }

    fn test(&self, name: &[u32], value: &Value) -> Result<(), SetError> {
        match (self.0.get(name), value) {
            (None, _) => Err(SetError::NotWritable),
            (Some(_), Value::Integer(0)) => Err(SetError::WrongValue),
            (Some(_), Value::Integer(_)) => Ok(()),
            (Some(_), _) => Err(SetError::WrongType),
        }
    }

    fn set(&mut self, name: &[u32], value: &Value) -> Result<(), SetError> {
        let Value::Integer(number) = value else { return Err(SetError::WrongType) };
        if *number == 13 && name.ends_with(&[13]) {
            return Err(SetError::CommitFailed);
        }
        self.0.insert(name.to_vec(), *number);
        Ok(())
    }
}

fn numbers() -> Numbers {
    Numbers([(vec![5, 1], 10), (vec![5, 2], 20), (vec![5, 13], 30)].into())
}

const BRANCH: Branch =
    Branch { root: &[5], priority: Branch::PRIORITY, capabilities: Some((&[5], "fives")) };

fn settings() -> Settings {
    Settings { description: "test", branches: vec![BRANCH] }
}

/// All that a session wants to send.
fn sent(session: &mut Session) -> Vec<(Header, Pdu)> {
    let data = std::mem::take(session.unsent());
    let mut rest = data.as_slice();
    let mut pdus = Vec::new();
    while let Some((header, pdu, length)) = pdu::decode(rest).unwrap() {
        pdus.push((header, pdu));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    pdus
}

fn give(
    session: &mut Session,
    header: Header,
    pdu: &Pdu,
    objects: &mut Numbers,
    now: Instant,
) -> Result<Vec<News>, Loss> {
    let mut data = Vec::new();
    pdu::encode(header, pdu, &mut data);
    let mut news = Vec::new();
    let taken = session.receive(&data, objects, now, &mut news)?;
    assert_eq!(taken, data.len());
    Ok(news)
}

fn fine() -> Pdu {
    Pdu::Response { uptime: 0, error: 0, index: 0, binds: vec![] }
}

/// A session that is at work.
fn open(now: Instant) -> (Session, Numbers) {
    let (mut session, mut objects) = (Session::new(settings()), numbers());
    session.begin(now);
    let opening = sent(&mut session);
    let [(header, Pdu::Open { .. })] = opening[..] else { panic!("{opening:?}") };
    let header = Header { session: 42, ..header };
    assert_eq!(give(&mut session, header, &fine(), &mut objects, now), Ok(vec![]));
    let registering = sent(&mut session);
    let [(_, Pdu::AddAgentCaps { .. }), (header, Pdu::Register { .. })] = registering[..] else {
        panic!("{registering:?}")
    };
    assert_eq!(header.session, 42);
    assert_eq!(give(&mut session, header, &fine(), &mut objects, now), Ok(vec![News::Connected]));
    (session, objects)
}

fn ask(pdu: &Pdu, objects: &mut Numbers) -> Pdu {
    let now = Instant::now();
    let (mut session, _) = open(now);
    ask_in(&mut session, pdu, objects)
}

fn ask_in(session: &mut Session, pdu: &Pdu, objects: &mut Numbers) -> Pdu {
    let header = Header { session: 42, transaction: 8, packet: 99 };
    give(session, header, pdu, objects, Instant::now()).unwrap();
    match sent(session).as_slice() {
        [(answer, pdu)] if *answer == header => pdu.clone(),
        other => panic!("{other:?}"),
    }
}

fn integer(name: &[u32], number: i32) -> VarBind {
    VarBind { name: oid(name), value: Value::Integer(number) }
}

fn answer(binds: Vec<VarBind>) -> Pdu {
    Pdu::Response { uptime: 0, error: 0, index: 0, binds }
}

fn refused(error: u16, index: u16) -> Pdu {
    Pdu::Response { uptime: 0, error, index, binds: vec![] }
}

#[test]
fn objects_are_found_by_name_and_by_what_precedes_them() {
    let mut objects = numbers();
    let get = Pdu::Get(vec![range(&[5, 1], false, &[]), range(&[5, 3], false, &[])]);
    let missing = VarBind { name: oid(&[5, 3]), value: Value::NoSuchInstance };
    assert_eq!(ask(&get, &mut objects), answer(vec![integer(&[5, 1], 10), missing]));

    let ranges = vec![range(&[5, 1], false, &[6]), range(&[5, 1], true, &[6])];
    let wanted = vec![integer(&[5, 2], 20), integer(&[5, 1], 10)];
    assert_eq!(ask(&Pdu::GetNext(ranges), &mut objects), answer(wanted));

    let end = |name: &[u32]| VarBind { name: oid(name), value: Value::EndOfMibView };
    let ranges = vec![range(&[5, 13], false, &[6]), range(&[5, 2], false, &[5, 13])];
    let wanted = vec![end(&[5, 13]), end(&[5, 2])];
    assert_eq!(ask(&Pdu::GetNext(ranges), &mut objects), answer(wanted));
}

#[test]
fn many_objects_come_at_once_but_not_without_end() {
    let mut objects = numbers();
    let bulk = |max_repetitions| Pdu::GetBulk {
        non_repeaters: 1,
        max_repetitions,
        ranges: vec![range(&[5, 2], true, &[]), range(&[5], false, &[])],
    };
    let wanted = vec![integer(&[5, 2], 20), integer(&[5, 1], 10), integer(&[5, 2], 20)];
    assert_eq!(ask(&bulk(2), &mut objects), answer(wanted));
    objects.0.extend((100..2000).map(|number| (vec![5, number], 1)));
    let Pdu::Response { error: 0, binds, .. } = ask(&bulk(u16::MAX), &mut objects) else {
        panic!("refused")
    };
    assert!((100..=200).contains(&binds.len()), "{}", binds.len());
    let all = vec![range(&[5], false, &[]); 1000];
    assert_eq!(ask(&Pdu::GetNext(all), &mut objects), refused(1, 0));
}

#[test]
fn objects_change_together_or_not_at_all() {
    let mut objects = numbers();
    let wrong = Pdu::TestSet(vec![integer(&[5, 1], 11), integer(&[5, 2], 0)]);
    assert_eq!(ask(&wrong, &mut objects), refused(10, 2));
    let kind = VarBind { name: oid(&[5, 1]), value: Value::Gauge(1) };
    assert_eq!(ask(&Pdu::TestSet(vec![kind]), &mut objects), refused(7, 1));
    assert_eq!(ask(&Pdu::TestSet(vec![integer(&[5, 9], 1)]), &mut objects), refused(17, 1));
    assert_eq!(ask(&Pdu::CommitSet, &mut objects), refused(14, 0));

    let (mut session, _) = open(Instant::now());
    let test = Pdu::TestSet(vec![integer(&[5, 1], 11), integer(&[5, 13], 13)]);
    assert_eq!(ask_in(&mut session, &test, &mut objects), fine());
    assert_eq!(ask_in(&mut session, &Pdu::CommitSet, &mut objects), refused(14, 2));
    assert_eq!(objects.0[&vec![5, 1]], 11);
    assert_eq!(ask_in(&mut session, &Pdu::UndoSet, &mut objects), fine());
    assert_eq!(objects.0, numbers().0);

    let test = Pdu::TestSet(vec![integer(&[5, 1], 11), integer(&[5, 13], 14)]);
    assert_eq!(ask_in(&mut session, &test, &mut objects), fine());
    assert_eq!(ask_in(&mut session, &Pdu::CommitSet, &mut objects), fine());
    assert_eq!((objects.0[&vec![5, 1]], objects.0[&vec![5, 13]]), (11, 14));
    let header = Header { session: 42, transaction: 8, packet: 1 };
    give(&mut session, header, &Pdu::CleanupSet, &mut objects, Instant::now()).unwrap();
    assert_eq!(sent(&mut session), []);
    assert_eq!(ask_in(&mut session, &Pdu::CommitSet, &mut objects), refused(14, 0));
}

#[test]
fn requests_of_other_sessions_and_of_others_than_masters_are_refused() {
    let now = Instant::now();
    let (mut session, mut objects) = open(now);
    let stranger = Header { session: 41, transaction: 1, packet: 1 };
    give(&mut session, stranger, &Pdu::Get(vec![]), &mut objects, now).unwrap();
    assert_eq!(sent(&mut session), [(stranger, refused(257, 0))]);
    assert_eq!(ask_in(&mut session, &Pdu::Ping, &mut objects), refused(266, 0));
    let closed = give(&mut session, stranger, &Pdu::Close { reason: 5 }, &mut objects, now);
    assert_eq!(closed, Err(Loss::Closed(5)));
}

#[test]
fn silence_is_asked_about_and_then_believed() {
    let start = Instant::now();
    let (mut session, mut objects) = open(start);
    let due = session.deadline().unwrap();
    assert_eq!(due - start, Duration::from_secs(120));
    session.due(due).unwrap();
    let pings = sent(&mut session);
    let [(header, Pdu::Ping)] = pings[..] else { panic!("{pings:?}") };
    give(&mut session, header, &fine(), &mut objects, due).unwrap();
    let again = session.deadline().unwrap();
    assert_eq!(again - due, Duration::from_secs(120));
    session.due(again).unwrap();
    assert_eq!(session.due(session.deadline().unwrap()), Err(Loss::Silent));

    let mut opening = Session::new(settings());
    opening.begin(start);
    assert_eq!(opening.due(start + Duration::from_secs(9)), Ok(()));
    assert_eq!(opening.due(start + Duration::from_secs(10)), Err(Loss::Silent));
}

#[test]
fn a_branch_that_somebody_else_has_is_reported_and_the_others_go_on() {
    let now = Instant::now();
    let (mut session, mut objects) = (Session::new(settings()), numbers());
    session.begin(now);
    let (header, _) = sent(&mut session)[0];
    give(&mut session, header, &fine(), &mut objects, now).unwrap();
    let (header, _) = sent(&mut session)[1];
    let news = give(&mut session, header, &refused(263, 0), &mut objects, now).unwrap();
    assert_eq!(news, [News::NotRegistered(BRANCH, 263), News::Connected]);
    session.begin(now);
    let (header, _) = sent(&mut session)[0];
    let refusal = give(&mut session, header, &refused(256, 0), &mut objects, now);
    assert_eq!(refusal, Err(Loss::Refused(256)));
}

#[test]
fn notifications_wait_for_the_session_and_for_a_reader_within_bounds() {
    let now = Instant::now();
    let (mut session, mut objects) = (Session::new(settings()), numbers());
    session.begin(now);
    for number in 0..5000 {
        session.notify(&[5, 0, 1], vec![integer(&[5, 1], number)]);
    }
    let (header, _) = sent(&mut session)[0];
    give(&mut session, header, &fine(), &mut objects, now).unwrap();
    let (header, _) = sent(&mut session)[1];
    give(&mut session, header, &fine(), &mut objects, now).unwrap();
    let notices = sent(&mut session);
    assert_eq!(notices.len(), 1024, "the first ones are kept");
    let trap = VarBind {
        name: oid(&[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0]),
        value: Value::Oid(oid(&[5, 0, 1])),
    };
    assert_eq!(notices[0].1, Pdu::Notify(vec![trap, integer(&[5, 1], 0)]));
    for number in 0..100_000 {
        session.notify(&[5, 0, 1], vec![integer(&[5, 1], number)]);
    }
    assert!(session.unsent().len() < 300_000, "nobody reads: {}", session.unsent().len());
    assert!(session.is_full());
}
