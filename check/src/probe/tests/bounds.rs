//! Whatever a server does, and whenever: each attempt is over within its own bound.
//!
//! The clock is the test's own. So a server can take its time, and no test waits for it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslAcceptor, SslStream};
use proptest::prelude::*;

use super::{connection, http, page, server, tls};
use crate::config::Connection;
use crate::config::checker::Smtp;
use crate::config::dns::{Dns, RecordKind};
use crate::config::http::Http;
use crate::config::udp::{Pattern, Reply, Udp};
use crate::probe::datagram::{Datagram, Query};
use crate::probe::ping::Echo;
use crate::probe::{Begun, Job, Kept, Outcome, Probe, Progress, Tools, Transport};

const TIMEOUT: Duration = Duration::from_secs(5);

/// What a server does next.
#[derive(Clone, Debug)]
enum Deed {
    /// It says something.
    Say(Vec<u8>),
    /// It sends the question back, with these bytes changed, and no longer than this.
    Answer(Vec<(u8, u8)>, usize),
    /// It says nothing more.
    Close,
    /// It breaks the connection.
    Reset,
}

/// What it does, each after so many thousandths of the timeout.
fn deeds() -> impl Strategy<Value = Vec<(u32, Deed)>> {
    let words = prop_oneof![
        Just("HTTP/1.1 200 OK\r\n"),
        Just("Content-Length: 99999999999\r\n"),
        Just("\r\n"),
        Just("\r\n\r\n"),
        Just("220 mx\r\n"),
        Just("220-mx\r\n"),
        Just("250 fine\r\n"),
        Just("needle"),
    ];
    let flipped = prop::collection::vec((0..20_u8, any::<u8>()), 0..3);
    let deed = prop_oneof![
        6 => words.prop_map(|word| Deed::Say(word.into())),
        3 => prop::collection::vec(any::<u8>(), 0..30).prop_map(Deed::Say),
        1 => (1..200_000_usize).prop_map(|length| Deed::Say(vec![b'x'; length])),
        6 => (flipped, 0..40_usize).prop_map(|(flipped, length)| Deed::Answer(flipped, length)),
        1 => Just(Deed::Close),
        1 => Just(Deed::Reset),
    ];
    // Most come just in time.
    let pause = prop_oneof![3 => 900..1000_u32, 2 => 0..50_u32, 1 => 0..1500_u32];
    prop::collection::vec((pause, deed), 0..40)
}

/// The other side of a connection.
enum Other {
    Gone,
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
    Datagrams(UdpSocket, SocketAddr, Vec<u8>),
}

impl Other {
    fn does(&mut self, deed: &Deed) {
        let answer;
        let said = match (deed, &self) {
            (Deed::Say(said), _) => said,
            (Deed::Answer(changes, length), Self::Datagrams(_, _, question)) => {
                let mut bytes = question.clone();
                for &(place, change) in changes {
                    if let Some(byte) = bytes.get_mut(usize::from(place)) {
                        *byte ^= change;
                    }
                }
                bytes.truncate(*length);
                answer = bytes;
                &answer
            }
            (Deed::Answer(..), _) => return,
            (Deed::Close | Deed::Reset, _) => {
                match std::mem::replace(self, Self::Gone) {
                    Self::Plain(stream) if matches!(deed, Deed::Reset) => server::reset(stream),
                    Self::Plain(_) | Self::Tls(_) | Self::Datagrams(..) | Self::Gone => {}
                }
                return;
            }
        };
        // It does not matter whether anybody listens.
        match self {
            Self::Gone => {}
            Self::Plain(stream) => {
                let _ = stream.write(said);
                let _ = stream.read(&mut [0; 1000]);
            }
            Self::Tls(stream) => {
                // The handshake goes on with each step, as far as it can.
                let _ = stream.ssl_write(said);
                let _ = stream.ssl_read(&mut [0; 1000]);
            }
            Self::Datagrams(socket, client, _) => {
                let _ = socket.send_to(said, *client);
            }
        }
    }
}

/// How long after its beginning an attempt was over, and how.
fn over(
    mut probe: Probe,
    mut other: Other,
    begun: Instant,
    deeds: &[(u32, Deed)],
) -> (Duration, Outcome) {
    let mut tools = Tools::for_pages(true).unwrap();
    let mut now = begun;
    let mut look = |probe: &mut Probe, now| loop {
        match probe.on_ready(&mut tools, now) {
            Progress::Waiting => return None,
            Progress::Again => {}
            Progress::Over(outcome) => return Some(outcome),
        }
    };
    for (pause, deed) in deeds {
        if let Some(outcome) = look(&mut probe, now) {
            return (now - begun, outcome);
        }
        let then = now + TIMEOUT * *pause / 1000;
        while probe.deadline() <= then {
            now = probe.deadline();
            if let Some(outcome) = probe.on_deadline(now) {
                return (now - begun, outcome);
            }
        }
        now = then;
        other.does(deed);
    }
    // Nothing more comes.
    loop {
        if let Some(outcome) = look(&mut probe, now) {
            return (now - begun, outcome);
        }
        now = probe.deadline();
        if let Some(outcome) = probe.on_deadline(now) {
            return (now - begun, outcome);
        }
    }
}

fn patient(to: SocketAddr) -> Connection {
    Connection { timeout: TIMEOUT, ..connection(to) }
}

static ACCEPTOR: LazyLock<SslAcceptor> = LazyLock::new(tls::acceptor);

/// An attempt over TCP. `honest`: the server speaks TLS where that is wanted.
fn over_tcp(job: Job<'_>, honest: bool, deeds: &[(u32, Deed)]) -> (Duration, Outcome) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let begun = Instant::now();
    let connection = patient(listener.local_addr().unwrap());
    let mut tools = Tools::for_pages(true).unwrap();
    let attempt = Probe::begin(job, &connection, &mut tools, &mut Kept::default(), begun);
    let Begun::Going(probe) = attempt.unwrap() else { panic!("it has only begun") };
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let other = if honest {
        let mut stream = SslStream::new(Ssl::new(ACCEPTOR.context()).unwrap(), stream).unwrap();
        let error = stream.accept().unwrap_err();
        assert!(error.io_error().is_none_or(|error| error.kind() == ErrorKind::WouldBlock));
        Other::Tls(Box::new(stream))
    } else {
        Other::Plain(stream)
    };
    over(probe, other, begun, deeds)
}

/// An attempt by a datagram.
fn by_datagram(query: Query, deeds: &[(u32, Deed)]) -> (Duration, Outcome) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connection = patient(socket.local_addr().unwrap());
    let own = UdpSocket::bind("127.0.0.1:0").unwrap();
    own.connect(connection.to).unwrap();
    own.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    let asked = Datagram::ask(own.into(), query, &connection, &mut Kept::default(), begun);
    let probe = Probe(Transport::Datagram(asked.unwrap()));
    let mut question = vec![0; 500];
    let (length, client) = socket.recv_from(&mut question).unwrap();
    question.truncate(length);
    over(probe, Other::Datagrams(socket, client, question), begun, deeds)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_attempt_over_tcp_ends_within_its_bound(deeds in deeds(), honest in any::<bool>()) {
        let [plain, secure] = [false, true].map(|tls| Http { tls, ..http() });
        let smtp = Smtp { helo: "me".to_owned() };
        for (job, honest, phases) in [
            (Job::Tcp, false, 1),
            (page(&plain), false, 10),
            (page(&secure), honest, 10),
            (Job::Smtp(&smtp), false, 6),
        ] {
            let (time, outcome) = over_tcp(job, honest, &deeds);
            prop_assert!(time <= TIMEOUT * phases, "{job:?}: {time:?} {outcome:?}");
        }
    }

    #[test]
    fn every_attempt_by_a_datagram_ends_within_its_bound(deeds in deeds()) {
        let dns = Dns { kind: RecordKind::A, name: "www.example.org".to_owned() };
        let pattern = vec![Pattern { value: 0, mask: 1 }];
        let reply = Some(Reply { pattern, min_length: 1, max_length: 30 });
        let udp = Udp { payload: None, reply };
        let queries = [
            Query::Dns(crate::probe::dns::Query::new(&dns, 0x1234)),
            Query::Udp(crate::probe::udp::Exchange::new(&udp)),
            Query::Ping(Echo::new(7, false)),
        ];
        for query in queries {
            let shown = format!("{query:?}");
            let (time, outcome) = by_datagram(query, &deeds);
            prop_assert!(time <= TIMEOUT, "{shown}: {time:?} {outcome:?}");
        }
    }
}
