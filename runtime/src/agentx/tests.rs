use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::mib::{Ask, Column, Inclusive, Mib, Part, column, scalars, table};
use super::pdu::{self, BadPdu, Header, Pdu, SearchRange};
use super::session::{Loss, News, Session};
use super::*;
use crate::line::{Talk, TalkOf};
use crate::reactor::Reactor;

/// `snmpwalk` of net-snmp asks for the first object of a table: AgentX, version 1, GetNext, network byte order.
const GET_NEXT: &[u8] = &[
    1, 6, 0x10, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 36, // header
    3, 4, 1, 0, 0, 0, 0x25, 0x72, 0, 0, 0, 100, 0, 0, 0, 5, // 1.3.6.1.4.9586.100.5, included
    4, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0x25, 0x72, 0, 0, 0, 100, 0, 0, 0, 6,
];

fn oid(numbers: &[u32]) -> Oid {
    Oid::from(numbers)
}

fn range(start: &[u32], inclusive: bool, end: &[u32]) -> SearchRange {
    SearchRange { start: oid(start), inclusive, end: oid(end) }
}

#[test]
fn a_request_is_read_as_rfc_2741_writes_it() {
    let header = Header { session: 7, transaction: 1, packet: 2 };
    let wanted = Pdu::GetNext(vec![range(
        &[1, 3, 6, 1, 4, 9586, 100, 5],
        true,
        &[1, 3, 6, 1, 4, 1, 9586, 100, 6],
    )]);
    assert_eq!(pdu::decode(GET_NEXT), Ok(Some((header, wanted.clone(), GET_NEXT.len()))));
    let mut written = Vec::new();
    pdu::encode(header, &wanted, &mut written);
    assert_eq!(written, GET_NEXT);
}

#[test]
fn both_byte_orders_are_understood() {
    let mut ping = Vec::new();
    let header = Header { session: 1, transaction: 2, packet: 3 };
    pdu::encode(header, &Pdu::Ping, &mut ping);
    ping[2] = 0;
    for word in ping[4..].chunks_exact_mut(4) {
        word.reverse();
    }
    assert_eq!(pdu::decode(&ping), Ok(Some((header, Pdu::Ping, 20))));
}

#[test]
fn what_is_cut_off_is_waited_for_and_what_is_too_long_is_refused() {
    for length in 0..GET_NEXT.len() {
        assert_eq!(pdu::decode(&GET_NEXT[..length]), Ok(None), "{length} octets");
    }
    let mut long = GET_NEXT.to_vec();
    long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(pdu::decode(&long), Err(BadPdu::Length(u32::MAX)));
    let mut name = GET_NEXT.to_vec();
    name[20] = 255;
    assert_eq!(pdu::decode(&name), Err(BadPdu::Short));
    let mut version = GET_NEXT.to_vec();
    version[0] = 2;
    assert_eq!(pdu::decode(&version), Err(BadPdu::Version(2)));
}

fn any_oid() -> impl Strategy<Value = Oid> {
    let start = prop_oneof![Just(vec![]), Just(vec![1, 3, 6, 1]), Just(vec![1, 3, 6, 1, 4, 1])];
    (start, prop::collection::vec(any::<u32>(), 0..60)).prop_map(|(mut all, rest)| {
        all.extend(rest);
        Oid(all)
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let octets = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        octets.clone().prop_map(Value::Octets),
        Just(Value::Null),
        any_oid().prop_map(Value::Oid),
        any::<[u8; 4]>().prop_map(Value::IpAddress),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge),
        any::<u32>().prop_map(Value::TimeTicks),
        octets.prop_map(Value::Opaque),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::NoSuchObject),
        Just(Value::NoSuchInstance),
        Just(Value::EndOfMibView),
    ]
}

fn any_ranges() -> impl Strategy<Value = Vec<SearchRange>> {
    let range = (any_oid(), any::<bool>(), any_oid())
        .prop_map(|(start, inclusive, end)| SearchRange { start, inclusive, end });
    prop::collection::vec(range, 0..6)
}

fn any_binds() -> impl Strategy<Value = Vec<VarBind>> {
    let bind = (any_oid(), any_value()).prop_map(|(name, value)| VarBind { name, value });
    prop::collection::vec(bind, 0..6)
}

fn any_pdu() -> impl Strategy<Value = Pdu> {
    let text = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        (any::<u8>(), any_oid(), text.clone()).prop_map(|(timeout, id, description)| Pdu::Open {
            timeout,
            id,
            description
        }),
        any::<u8>().prop_map(|reason| Pdu::Close { reason }),
        (any::<u8>(), any::<u8>(), any_oid())
            .prop_map(|(timeout, priority, subtree)| Pdu::Register { timeout, priority, subtree }),
        (any::<u8>(), any_oid())
            .prop_map(|(priority, subtree)| Pdu::Unregister { priority, subtree }),
        any_ranges().prop_map(Pdu::Get),
        any_ranges().prop_map(Pdu::GetNext),
        (any::<u16>(), any::<u16>(), any_ranges()).prop_map(
            |(non_repeaters, max_repetitions, ranges)| Pdu::GetBulk {
                non_repeaters,
                max_repetitions,
                ranges
            }
        ),
        any_binds().prop_map(Pdu::TestSet),
        any_binds().prop_map(Pdu::Notify),
        Just(Pdu::CommitSet),
        Just(Pdu::UndoSet),
        Just(Pdu::CleanupSet),
        Just(Pdu::Ping),
        (any_oid(), text).prop_map(|(id, description)| Pdu::AddAgentCaps { id, description }),
        (any::<u32>(), any::<u16>(), any::<u16>(), any_binds()).prop_map(
            |(uptime, error, index, binds)| Pdu::Response { uptime, error, index, binds }
        ),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(
        pdu in any_pdu(),
        numbers in any::<[u32; 3]>(),
        more in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let [session, transaction, packet] = numbers;
        let header = Header { session, transaction, packet };
        let mut data = Vec::new();
        pdu::encode(header, &pdu, &mut data);
        let length = data.len();
        data.extend(more);
        prop_assert_eq!(pdu::decode(&data), Ok(Some((header, pdu, length))));
    }

    #[test]
    fn no_octets_are_too_strange(
        mut data in prop::collection::vec(any::<u8>(), 0..200),
        kind in 0u8..20,
    ) {
        if let Some([version, code, ..]) = data.first_chunk_mut::<20>() {
            (*version, *code) = (1, kind);
        }
        let length = u32::try_from(data.len().saturating_sub(20) / 4 * 4).unwrap();
        if let Some(place) = data.get_mut(16..20) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        let _ = pdu::decode(&data);
    }

    /// Whoever asks for one object after the other sees what is there, each once and in order.
    #[test]
    fn a_walk_visits_every_cell_once(
        cells in prop::collection::btree_set((1u32..5, 1u32..6, 1u32..4), 0..40),
        start in prop::collection::vec(0u32..6, 0..5),
        inclusive in any::<bool>(),
    ) {
        let state = Cells(cells.iter().map(|&(c, a, b)| vec![9, 9, 1, c, a, b]).collect());
        let first = Oid([&[9, 9], &start[..]].concat());
        let mut seen = Vec::new();
        let mut next = CELLS.next(&state, &first.0, Inclusive(inclusive));
        while let Some((name, value)) = next {
            prop_assert_eq!(CELLS.get(&state, &name.0), Some(value));
            next = CELLS.next(&state, &name.0, Inclusive(false));
            seen.push(name.0);
        }
        let admitted = |name: &&Vec<u32>| **name > first.0 || (inclusive && **name == first.0);
        let wanted: Vec<Vec<u32>> = state.0.iter().filter(admitted).cloned().collect();
        prop_assert_eq!(seen, wanted);
    }
}

/// A sparse table: the names of the cells that have a value.
struct Cells(Vec<Vec<u32>>);

static CELLS: Mib<Cells> = Mib { root: &[9, 9], parts: &[Part { prefix: &[1], find: find_cell }] };

fn find_cell(state: &Cells, ask: Ask<'_>) -> mib::Found {
    fn cell(row: &(&Cells, [u32; 2]), number: u32) -> Option<Value> {
        let name = [9, 9, 1, number, row.1[0], row.1[1]];
        row.0.0.iter().any(|one| *one == name).then_some(Value::Null)
    }
    let columns: &[Column<(&Cells, [u32; 2])>] = &[
        column(1, |row| cell(row, 1)),
        column(2, |row| cell(row, 2)),
        column(3, |row| cell(row, 3)),
        column(4, |row| cell(row, 4)),
    ];
    let rows = (1..6).flat_map(|a| (1..4).map(move |b| [a, b]));
    table(columns, rows.map(|row| (row.to_vec(), (state, row))), ask)
}

#[test]
fn groups_of_scalars_and_tables_may_alternate() {
    static MIXED: Mib<()> = Mib {
        root: &[7],
        parts: &[
            Part {
                prefix: &[],
                find: |(), ask| scalars(&[column(1, |_| Some(Value::Integer(1)))], (), ask),
            },
            Part {
                prefix: &[3],
                find: |(), ask| scalars(&[column(1, |_| Some(Value::Integer(31)))], (), ask),
            },
            Part {
                prefix: &[],
                find: |(), ask| scalars(&[column(4, |_| Some(Value::Integer(4)))], (), ask),
            },
        ],
    };
    let mut name = oid(&[7]);
    let mut seen = Vec::new();
    while let Some((next, _)) = MIXED.next(&(), &name.0, Inclusive(false)) {
        seen.push(next.0.clone());
        name = next;
    }
    assert_eq!(seen, [vec![7, 1, 0], vec![7, 3, 1, 0], vec![7, 4, 0]]);
    assert_eq!(MIXED.next(&(), &[8], Inclusive(true)), None);
    assert_eq!(MIXED.get(&(), &[7, 4, 0]), Some(Value::Integer(4)));
    assert_eq!(MIXED.get(&(), &[7, 4, 1]), None);
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

#[test]
fn addresses_are_read_as_net_snmp_writes_them() {
    let unix = |path: &str| Ok(Address::Unix(PathBuf::from(path)));
    assert_eq!("unix:/var/agentx/master".parse(), unix("/var/agentx/master"));
    assert_eq!("/run/x".parse(), unix("/run/x"));
    assert_eq!(Address::default(), Address::Unix("/var/agentx/master".into()));
    let tcp = |text: &str| Ok(Address::Tcp(text.parse().unwrap()));
    for (text, wanted) in [
        ("tcp:127.0.0.1:705", "127.0.0.1:705"),
        ("tcp:localhost:1705", "127.0.0.1:1705"),
        ("localhost:705", "127.0.0.1:705"),
        ("tcp:10.0.0.1", "10.0.0.1:705"),
        ("tcp:1705", "127.0.0.1:1705"),
        ("tcp6:[fd00::1]:705", "[fd00::1]:705"),
        ("tcp6:[::1]", "[::1]:705"),
    ] {
        assert_eq!(text.parse::<Address>(), tcp(wanted), "{text}");
    }
    for text in ["udp:127.0.0.1:705", "tcp:some.host:705", "tcp:1.2.3.4:x", "tcp:1.2.3.4:99999"] {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Only {
    Agent,
}

/// A subagent in an event loop, with a master agent that the test is.
struct Connected {
    _directory: tempdir::Directory,
    listener: UnixListener,
    agent: Agent,
    reactor: Reactor<Only, Only>,
    objects: Numbers,
}

/// A directory that goes with its owner.
mod tempdir {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    pub(super) struct Directory(pub(super) PathBuf);

    impl Directory {
        pub(super) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("agentx-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

impl Connected {
    fn new() -> Self {
        let directory = tempdir::Directory::new();
        let path = directory.0.join("master");
        let listener = UnixListener::bind(&path).unwrap();
        let agent = Agent::new(Address::Unix(path), settings(), Instant::now());
        let reactor = Reactor::new().unwrap();
        let mut all = Self { _directory: directory, listener, agent, reactor, objects: numbers() };
        all.turn(Instant::now());
        all
    }

    /// Serves once.
    fn serve(&mut self, now: Instant) {
        self.agent.serve(&mut self.objects, now);
        self.agent.attend(Only::Agent, Only::Agent, &mut self.reactor);
    }

    /// Serves until all is served.
    fn turn(&mut self, now: Instant) {
        self.serve(now);
        while let Some(until) = self.agent.rest() {
            self.serve(until.max(now));
        }
    }

    /// Answers what a subagent says at first.
    fn welcome(&mut self) -> UnixStream {
        let (mut master, _) = self.listener.accept().unwrap();
        master.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        self.turn(Instant::now());
        for _ in 0..3 {
            let (header, pdu) = read(&mut master);
            let session = if matches!(pdu, Pdu::Open { .. }) { 42 } else { header.session };
            send(&mut master, Header { session, ..header }, &fine());
            self.turn(Instant::now());
        }
        master
    }
}

fn send(stream: &mut UnixStream, header: Header, pdu: &Pdu) {
    let mut data = Vec::new();
    pdu::encode(header, pdu, &mut data);
    stream.write_all(&data).unwrap();
}

fn read(stream: &mut UnixStream) -> (Header, Pdu) {
    let mut data = vec![0; 20];
    stream.read_exact(&mut data).unwrap();
    let length = u32::from_be_bytes(data[16..20].try_into().unwrap());
    let start = data.len();
    data.resize(start + usize::try_from(length).unwrap(), 0);
    stream.read_exact(&mut data[start..]).unwrap();
    let (header, pdu, _) = pdu::decode(&data).unwrap().unwrap();
    (header, pdu)
}

#[test]
fn a_master_agent_that_went_away_is_called_again() {
    let mut all = Connected::new();
    let master = all.welcome();
    drop(master);
    let lost = Instant::now();
    all.turn(lost);
    let at = all.reactor.armed(Only::Agent).unwrap();
    assert!(at - lost <= Duration::from_secs(1));
    all.turn(at);
    let mut master = all.welcome();
    let header = Header { session: 42, transaction: 1, packet: 1 };
    send(&mut master, header, &Pdu::Get(vec![range(&[5, 1], false, &[])]));
    all.turn(at);
    assert_eq!(read(&mut master), (header, answer(vec![integer(&[5, 1], 10)])));
}

#[test]
fn a_master_agent_that_is_not_there_is_called_less_and_less_often() {
    let directory = tempdir::Directory::new();
    let address = Address::Unix(directory.0.join("nobody"));
    let mut now = Instant::now();
    let mut agent = Agent::new(address, settings(), now);
    let mut reactor: Reactor<Only, Only> = Reactor::new().unwrap();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        agent.serve(&mut numbers(), now);
        agent.attend(Only::Agent, Only::Agent, &mut reactor);
        let at = reactor.armed(Only::Agent).unwrap();
        pauses.push((at - now).as_secs());
        now = at;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 16, 16]);
}

#[test]
fn a_master_agent_that_asks_and_does_not_listen_is_left_waiting() {
    let mut all = Connected::new();
    let mut master = all.welcome();
    master.set_nonblocking(true).unwrap();
    let header = Header { session: 42, transaction: 1, packet: 1 };
    let mut request = Vec::new();
    pdu::encode(header, &Pdu::GetNext(vec![range(&[5], false, &[]); 100]), &mut request);
    let mut refused = 0;
    while refused < 20 {
        match master.write(&request) {
            Ok(length) if length == request.len() => refused = 0,
            // A part of a request is as good as none.
            Ok(_) | Err(_) => refused += 1,
        }
        let started = Instant::now();
        all.serve(started);
        assert!(started.elapsed() < Duration::from_millis(200), "a turn took too long");
    }
    assert!(all.agent.unsent() < 512 * 1024, "{} octets are kept", all.agent.unsent());
}

#[test]
fn nonsense_ends_the_connection() {
    let mut all = Connected::new();
    let mut master = all.welcome();
    master.write_all(&[9; 64]).unwrap();
    all.turn(Instant::now());
    assert_eq!(master.read(&mut [0; 64]).unwrap(), 0, "it hangs up");
}
