use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::address::target;
use super::message::{Decoded, Kind, LONGEST, Message, decode};
use super::session::{Loss, News, Session};
use super::*;
use crate::line::{Talk, TalkOf, Target};

/// `dbus-send` calls `Hello` as its first message: little-endian, on the wire of a `dbus-daemon`.
const HELLO: &[u8] = b"l\x01\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x6e\x00\x00\x00\
    \x01\x01o\x00\x15\x00\x00\x00/org/freedesktop/DBus\x00\x00\x00\
    \x06\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00\
    \x02\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00\
    \x03\x01s\x00\x05\x00\x00\x00Hello\x00\x00\x00";

/// The lamp of a house, as an object.
#[derive(Debug, Default)]
struct House {
    switched: u32,
    tickets: Vec<Ticket>,
}

static LAMP: Interface = Interface {
    name: "house.Lamp",
    methods: &["Switch", "SwitchLater"],
    signals: &[Signal {
        name: "Switched",
        arguments: &[Argument { name: "times", signature: "u" }],
    }],
    properties: &[Property { name: "Switched", signature: "(us)" }],
};

impl Objects for House {
    fn interface(&self, path: &str) -> Option<&'static Interface> {
        (path == "/house/lamp").then_some(&LAMP)
    }

    fn paths(&self) -> Vec<String> {
        vec!["/house/lamp".to_owned()]
    }

    fn property(&self, _: &str, name: &str) -> Option<Value> {
        let times = vec![Value::Number(self.switched), Value::text("times")];
        (name == "Switched").then_some(Value::Struct(times))
    }

    fn call(&mut self, _: &str, method: &str, ticket: Ticket) -> Answer {
        self.switched += 1;
        if method == "SwitchLater" {
            self.tickets.push(ticket);
            return Answer::Later;
        }
        Answer::Done
    }
}

fn encoded(message: &Message, serial: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    message.encode(serial, &mut octets);
    octets
}

fn whole(octets: &[u8]) -> (Message, usize) {
    match decode(octets).unwrap() {
        Decoded::Whole(message, length) => (*message, length),
        other => panic!("{other:?}"),
    }
}

/// A call by `:1.7`, as the bus passes it on.
fn call(path: &str, interface: &str, member: &str, arguments: &[Value]) -> Message {
    Message {
        kind: Kind::Call,
        wants_reply: true,
        sender: ":1.7".to_owned(),
        ..Message::signal(path, interface, member, arguments)
    }
}

#[test]
fn a_message_of_another_program_is_read() {
    let (message, length) = whole(HELLO);
    assert_eq!(length, HELLO.len());
    let wanted = Message { serial: 1, ..Message::call_bus("Hello", &[]) };
    assert_eq!(message, wanted);
    for end in 0..HELLO.len() {
        assert_eq!(decode(&HELLO[..end]).unwrap(), Decoded::Part, "{end} octets");
    }
}

#[test]
fn big_endian_numbers_are_read() {
    let octets = [
        &b"B\x02\x01\x01\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00\x0f"[..],
        b"\x05\x01u\x00\x00\x00\x00\x02\x08\x01g\x00\x01u\x00\x00\x00\x00\x00\x01",
    ]
    .concat();
    let (message, length) = whole(&octets);
    assert_eq!((message.kind, message.answers, message.number()), (Kind::Return, 2, Some(1)));
    assert_eq!((message.serial, length), (3, octets.len()));
}

/// The values of all types, as the specification has them.
#[test]
fn values_are_aligned_and_typed() {
    let values = [
        Value::text("a"),
        Value::Struct(vec![Value::Number(1), Value::text("b")]),
        Value::Variant(Box::new(Value::Number(2))),
        Value::Texts(vec!["c".to_owned()]),
        Value::Named(vec![("d", Value::Number(3))]),
    ];
    let message = Message::signal("/x", "x.y", "Z", &values);
    assert_eq!(message.signature, "s(us)vasa{sv}");
    let octets = encoded(&message, 9);
    let (read, _) = whole(&octets);
    assert_eq!(read, Message { serial: 9, ..message });
    let body = [
        &b"\x01\0\0\0a\0\0\0\x01\0\0\0\x01\0\0\0b\0"[..], // the struct begins at 8
        b"\x01u\0\0\0\0\x02\0\0\0",                       // the number of the variant at 24
        b"\x06\0\0\0\x01\0\0\0c\0\0\0",                   // six octets of an array, at 28
        b"\x10\0\0\0\0\0\0\0\x01\0\0\0d\0\x01u\0\0\0\0\x03\0\0\0",
    ]
    .concat();
    assert!(octets.ends_with(&body), "{octets:?}");
}

#[test]
fn a_message_that_is_too_long_or_of_another_kind_is_passed_over() {
    let long = Message::signal("/x", "x.y", "Z", &[Value::Text("x".repeat(LONGEST))]);
    let octets = encoded(&long, 1);
    assert_eq!(decode(&octets[..100]).unwrap(), Decoded::Other(octets.len()));
    let mut odd = HELLO.to_vec();
    odd[1] = 9;
    assert_eq!(decode(&odd).unwrap(), Decoded::Other(HELLO.len()));
    odd[0] = b'x';
    assert!(decode(&odd).is_err());
}

proptest! {
    #[test]
    fn no_octets_are_too_much(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&octets);
    }

    #[test]
    fn a_damaged_message_is_no_trouble(at in 0..HELLO.len(), to in any::<u8>()) {
        let mut octets = HELLO.to_vec();
        octets[at] = to;
        if let Ok(Decoded::Whole(message, length)) = decode(&octets) {
            prop_assert!(length <= octets.len());
            let mut session = named();
            let _ = session.receive(&octets, &mut House::default(), Instant::now(), &mut Vec::new());
            let _ = (message.texts::<2>(), message.number());
        }
    }

    #[test]
    fn whatever_is_sent_can_be_read(path in "/[a-z]{1,9}", text in ".{0,40}", number in any::<u32>()) {
        let values = [Value::Text(text.clone()), Value::Text(path.clone()), Value::Number(number)];
        let message = call(&path, "a.b", "C", &values);
        let (read, length) = whole(&encoded(&message, 5));
        prop_assert_eq!(read.texts(), Some([text.as_str(), path.as_str()]));
        prop_assert_eq!(length, encoded(&message, 5).len());
    }
}

/// What a session has sent, as messages; it is taken out.
fn sent(session: &mut Session) -> Vec<Message> {
    let octets = std::mem::take(session.unsent());
    let mut rest = &octets[..];
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (message, length) = whole(rest);
        messages.push(message);
        rest = &rest[length..];
    }
    messages
}

/// Has the session hear what the bus says.
fn hear(session: &mut Session, octets: &[u8]) -> Result<Vec<News>, Loss> {
    let mut news = Vec::new();
    let taken = session.receive(octets, &mut House::default(), Instant::now(), &mut news)?;
    assert_eq!(taken, octets.len());
    Ok(news)
}

/// What the bus says to a message of ours.
fn answer_of_bus(serial: u32, outcome: &Result<Vec<Value>, Failure>) -> Vec<u8> {
    let mut answer = Message::answer(":1.5", serial, outcome);
    "org.freedesktop.DBus".clone_into(&mut answer.sender);
    encoded(&answer, 77)
}

/// The bus tells of our name.
fn told(member: &str, sender: &str) -> Vec<u8> {
    let mut signal = Message::signal(
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus",
        member,
        &[Value::text("a.house")],
    );
    sender.clone_into(&mut signal.sender);
    encoded(&signal, 78)
}

/// A session that has asked for its name.
fn asking() -> Session {
    let mut session = Session::new("a.house".to_owned(), 0, Some("f00d".to_owned()));
    session.begin(Instant::now());
    assert_eq!(std::mem::take(session.unsent()), b"\0AUTH EXTERNAL 30\r\n");
    assert_eq!(hear(&mut session, b"OK 1234\r\n"), Ok(vec![]));
    let begun = std::mem::take(session.unsent());
    let greeting = begun.strip_prefix(b"BEGIN\r\n").expect("it begins");
    assert_eq!(whole(greeting).0.member, "Hello");
    let welcome = answer_of_bus(1, &Ok(vec![Value::text(":1.5")]));
    assert_eq!(hear(&mut session, &welcome), Ok(vec![News::Connected]));
    let [request] = &sent(&mut session)[..] else { panic!("one message") };
    assert_eq!((request.member.as_str(), request.texts()), ("RequestName", Some(["a.house"])));
    session
}

/// A session that has its name.
fn named() -> Session {
    let mut session = asking();
    assert_eq!(
        hear(&mut session, &answer_of_bus(2, &Ok(vec![Value::Number(1)]))),
        Ok(vec![News::Named])
    );
    assert_eq!(session.deadline(), None);
    session
}

#[test]
fn a_name_that_somebody_else_has_is_waited_for() {
    let mut session = asking();
    session.signal("/house/lamp", "house.Lamp", "Switched", &[Value::Number(1)]);
    assert!(!session.has_unsent(), "nobody knows us yet");
    let queued = answer_of_bus(2, &Ok(vec![Value::Number(2)]));
    assert_eq!(hear(&mut session, &queued), Ok(vec![News::Unnamed]));
    assert_eq!(
        hear(&mut session, &told("NameAcquired", ":1.99")),
        Ok(vec![]),
        "anybody can say so"
    );
    assert_eq!(
        hear(&mut session, &told("NameAcquired", "org.freedesktop.DBus")),
        Ok(vec![News::Named])
    );
    session.signal("/house/lamp", "house.Lamp", "Switched", &[Value::Number(1)]);
    assert_eq!(sent(&mut session)[0].member, "Switched");
    assert_eq!(
        hear(&mut session, &told("NameLost", "org.freedesktop.DBus")),
        Ok(vec![News::Unnamed])
    );
    assert!(!session.is_named());
}

#[test]
fn a_bus_that_does_not_want_us_says_why() {
    let mut session = Session::new("a.house".to_owned(), 1000, None);
    session.begin(Instant::now());
    assert!(session.unsent().ends_with(b"31303030\r\n"), "the digits of the user's number");
    assert_eq!(
        hear(&mut session, b"REJECTED EXTERNAL\r\n"),
        Err(Loss::Rejected("REJECTED EXTERNAL".to_owned()))
    );
    let failure =
        Failure { name: "org.freedesktop.DBus.Error.AccessDenied", text: "no".to_owned() };
    let refused = hear(&mut asking(), &answer_of_bus(2, &Err(failure)));
    assert_eq!(refused, Err(Loss::NoName("no".to_owned())));
    assert_eq!(hear(&mut named(), &[b'?'; 16]), Err(Loss::Garbled));
}

#[test]
fn a_bus_that_is_silent_or_does_not_read_is_given_up() {
    let now = Instant::now();
    let mut session = Session::new("a.house".to_owned(), 0, None);
    session.begin(now);
    assert_eq!(session.due(now), Ok(()));
    assert_eq!(session.due(now + Duration::from_secs(10)), Err(Loss::Silent));
    let mut session = named();
    let large = [Value::Text("x".repeat(1 << 20))];
    (0..5).for_each(|_| session.signal("/house/lamp", "house.Lamp", "Switched", &large));
    assert!(session.is_full(), "no call is read any more");
    assert_eq!(session.due(now), Err(Loss::Stuck));
    session.end();
    assert!(!session.has_unsent());
}

/// What comes of a call, and of the number of calls that the lamp was switched.
fn outcome(message: &Message) -> (Message, u32) {
    let (mut session, mut house) = (named(), House::default());
    let octets = encoded(message, 4);
    session.receive(&octets, &mut house, Instant::now(), &mut Vec::new()).unwrap();
    let answers = sent(&mut session);
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((answer.destination.as_str(), answer.answers), (":1.7", 4));
    (answer.clone(), house.switched)
}

#[test]
fn methods_are_called_and_mistakes_named() {
    let (answer, switched) = outcome(&call("/house/lamp", "house.Lamp", "Switch", &[]));
    assert_eq!((answer.kind, answer.signature.as_str(), switched), (Kind::Return, "", 1));
    // The interface need not be named.
    assert_eq!(outcome(&call("/house/lamp", "", "Switch", &[])).1, 1);
    let argument = [Value::Number(1)];
    for (message, error) in [
        (call("/house/lamp", "house.Lamp", "Switch", &argument), "InvalidArgs"),
        (call("/house/lamp", "house.Lamp", "Break", &[]), "UnknownMethod"),
        (call("/house/lamp", "house.Door", "Switch", &[]), "UnknownMethod"),
        (call("/house/door", "house.Lamp", "Switch", &[]), "UnknownMethod"),
        (call("/house", "org.freedesktop.DBus.Properties", "Get", &[]), "UnknownMethod"),
    ] {
        let (answer, switched) = outcome(&message);
        assert_eq!((answer.kind, switched), (Kind::Error, 0), "{message:?}");
        assert_eq!(answer.error, format!("org.freedesktop.DBus.Error.{error}"), "{message:?}");
    }
}

#[test]
fn properties_are_read_and_not_changed() {
    let texts = |texts: &[&str]| texts.iter().map(|&text| Value::text(text)).collect::<Vec<_>>();
    let ask = |member: &str, arguments: &[Value]| {
        outcome(&call("/house/lamp", "org.freedesktop.DBus.Properties", member, arguments)).0
    };
    let value = || Value::Struct(vec![Value::Number(0), Value::text("times")]);
    let same = |answer: &Message, values: &[Value]| {
        let wanted = Message::answer(":1.7", 4, &Ok(values.to_vec()));
        assert_eq!(answer, &Message { serial: answer.serial, ..wanted });
    };
    let answer = ask("Get", &texts(&["house.Lamp", "Switched"]));
    same(&answer, &[Value::Variant(Box::new(value()))]);
    let answer = ask("GetAll", &texts(&["house.Lamp"]));
    same(&answer, &[Value::Named(vec![("Switched", value())])]);
    let new = Value::Variant(Box::new(Value::Number(3)));
    let setting = [texts(&["house.Lamp", "Switched"]), vec![new]].concat();
    for (member, arguments) in [
        ("Get", texts(&["house.Lamp", "Colour"])),
        ("Get", texts(&["house.Door", "Switched"])),
        ("Get", texts(&["house.Lamp"])),
        ("GetAll", texts(&["house.Door"])),
        ("Set", setting),
    ] {
        let answer = ask(member, &arguments);
        assert_eq!(
            answer.error, "org.freedesktop.DBus.Error.InvalidArgs",
            "{member} {arguments:?}"
        );
    }
}

#[test]
fn objects_and_the_way_to_them_describe_themselves() {
    let describe = |path: &str| {
        let call = call(path, "org.freedesktop.DBus.Introspectable", "Introspect", &[]);
        let (answer, _) = outcome(&call);
        answer.texts().map(|[text]| text.to_owned()).unwrap()
    };
    let lamp = describe("/house/lamp");
    for part in [
        "<interface name=\"house.Lamp\">",
        "<method name=\"SwitchLater\"/>",
        "<arg name=\"times\" type=\"u\"/>",
        "<property name=\"Switched\" type=\"(us)\" access=\"read\"/>",
        "<interface name=\"org.freedesktop.DBus.Properties\">",
    ] {
        assert!(lamp.contains(part), "no {part} in {lamp}");
    }
    assert!(describe("/house").contains("<node name=\"lamp\"/>"));
    assert!(describe("/").contains("<node name=\"house\"/>"));
    assert!(describe("/garden").contains("<node>\n</node>"), "there is nothing");
    let alone = LAMP.document();
    assert!(alone.contains("house.Lamp") && !alone.contains("freedesktop.DBus.Properties"));
}

#[test]
fn everything_answers_pings_and_names_its_machine() {
    let peer =
        |member: &str| outcome(&call("/anywhere", "org.freedesktop.DBus.Peer", member, &[])).0;
    assert_eq!(peer("Ping").kind, Kind::Return);
    assert_eq!(peer("GetMachineId").texts(), Some(["f00d"]));
}

#[test]
fn an_answer_may_come_later_but_not_over_another_connection() {
    let (mut session, mut house) = (named(), House::default());
    let now = Instant::now();
    let later = encoded(&call("/house/lamp", "house.Lamp", "SwitchLater", &[]), 4);
    session.receive(&later, &mut house, now, &mut Vec::new()).unwrap();
    assert!(!session.has_unsent());
    session.answer(&house.tickets[0], &Ok(Vec::new()));
    assert_eq!(sent(&mut session)[0].answers, 4);
    let silent = Message { wants_reply: false, ..call("/house/lamp", "house.Lamp", "Switch", &[]) };
    session.receive(&encoded(&silent, 5), &mut house, now, &mut Vec::new()).unwrap();
    assert_eq!((house.switched, session.has_unsent()), (2, false), "nobody wants to hear of it");
    session.end();
    session.begin(now);
    session.unsent().clear();
    session.answer(&house.tickets[0], &Ok(Vec::new()));
    assert!(!session.has_unsent(), "whoever asked is somebody else now");
}

#[test]
fn what_is_passed_over_may_come_in_parts() {
    let mut session = named();
    let long = Message::signal("/x", "x.y", "Z", &[Value::Text("x".repeat(LONGEST))]);
    let octets =
        [encoded(&long, 1), encoded(&call("/", "org.freedesktop.DBus.Peer", "Ping", &[]), 2)]
            .concat();
    let mut input = Vec::new();
    for part in octets.chunks(1000) {
        input.extend_from_slice(part);
        loop {
            let taken = session
                .receive(&input, &mut House::default(), Instant::now(), &mut Vec::new())
                .unwrap();
            input.drain(..taken);
            if taken == 0 || input.is_empty() {
                break;
            }
        }
        assert!(input.len() < 1000, "it is kept");
    }
    assert_eq!(sent(&mut session)[0].answers, 2);
}

#[test]
fn addresses_are_read_as_the_specification_writes_them() {
    let path = |path: &str| Ok(Target::Path(PathBuf::from(path)));
    assert_eq!(target("unix:path=/run/bus"), path("/run/bus"));
    assert_eq!(target("unix:guid=1,path=/run/a%20b;tcp:host=::1,port=5"), path("/run/a b"));
    assert_eq!(target("unix:abstract=/x"), Ok(Target::Abstract(b"/x".to_vec())));
    assert_eq!(
        target("launchd:x=y;tcp:host=::1,port=5"),
        Ok(Target::Tcp("[::1]:5".parse().unwrap()))
    );
    for text in ["", "/run/bus", "unix:tmpdir=/tmp", "tcp:host=a.name,port=5", "unix:path=%4"] {
        assert!(target(text).is_err(), "{text}");
    }
}

#[test]
fn parts_of_paths_have_letters_and_digits_only() {
    assert_eq!(path_element("eth0.1-b"), "eth0_1_b");
    assert_eq!(path_element("ä"), "__");
    assert_eq!(path_element(""), "_");
}

/// Somebody who asks all the time and reads nothing is left waiting, and costs no memory.
#[test]
fn answers_that_nobody_reads_hold_up_questions() {
    let mut session = named();
    let question =
        encoded(&call("/house", "org.freedesktop.DBus.Introspectable", "Introspect", &[]), 3);
    let mut asked = 0;
    while !session.is_full() && asked < 100_000 {
        session.receive(&question, &mut House::default(), Instant::now(), &mut Vec::new()).unwrap();
        asked += 1;
    }
    assert!(asked < 100_000 && session.unsent().len() < 512 * 1024);
}
