//! Attempts over loopback, against servers that behave and servers that do not.

mod bounds;
mod client;
mod hostile;
mod property;
mod server;
mod settings;
mod tls;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::config::checker::{Smtp, Way};
use crate::config::dns::{Dns, RecordKind};
use crate::config::http::{Http, HttpVersion, Url};
use crate::config::udp::{Pattern, Reply, Udp};
use client::{attempt, attempt_with, connection};

/// How long a step may take where the server is to be waited for in vain: long enough for one that does something, on a
/// busy machine.
const SHORT: Duration = Duration::from_millis(400);

/// Where a port that was closed stays so: other tests have theirs at another address, and so have connections of our own.
const ALONE: &str = "127.9.9.9:0";

fn short(to: SocketAddr) -> Connection {
    Connection { timeout: SHORT, ..connection(to) }
}

fn http() -> Http {
    let url = Url {
        path: "/".to_owned(),
        digest: None,
        status: vec![200..=299],
        virtualhost: None,
        regex: None,
        tls_compliant: false,
    };
    Http {
        tls: false,
        virtualhost: None,
        version: HttpVersion::Http10,
        sni: false,
        sni_name: None,
        fast_recovery: false,
        tls_compliant: false,
        urls: vec![url],
    }
}

/// The first page of a check.
fn page(http: &Http) -> Job<'_> {
    Job::page(http, 0).unwrap()
}

fn fetch(connection: &Connection) -> Outcome {
    attempt(page(&http()), connection)
}

fn http_failure(outcome: &Outcome) -> HttpFailure {
    match outcome.verdict {
        Err(Failure::Http(failure)) => failure,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_is_enough_for_tcp() {
    let listener = TcpListener::bind(ALONE).unwrap();
    let to = listener.local_addr().unwrap();
    assert_eq!(attempt(Job::Tcp, &connection(to)).verdict, Ok(Good::Answered));
    drop(listener);
    let refused = attempt(Job::Tcp, &connection(to)).verdict;
    assert!(matches!(refused, Err(Failure::Tcp(Unconnected::Refused | Unconnected::Unreachable))));
}

#[test]
fn what_cannot_be_bound_does_not_count() {
    let to = "127.0.0.1:9".parse().unwrap();
    let way = Way { from: Some("192.0.2.77:0".parse().unwrap()), ..Way::default() };
    let elsewhere = Connection { way: Some(Box::new(way)), ..connection(to) };
    let mut tools = Tools::for_pages(false).unwrap();
    let now = Instant::now();
    let error = Probe::begin(Job::Tcp, &elsewhere, &mut tools, &mut Kept::default(), now);
    let error = error.unwrap_err();
    let text = "Checker bind failed: Cannot assign requested address";
    assert_eq!(error.notices, [Notice::info(text)]);
    assert_eq!(error.line("x"), "TCP socket bind failed. Rescheduling.");
    let udp = Udp { payload: None, reply: None };
    let outcome = attempt(Job::Udp(&udp), &elsewhere);
    assert_eq!(outcome.verdict, Err(Failure::Udp(UdpFailure::Connection)));
}

#[test]
fn a_page_is_judged_by_its_status_and_its_length_is_mentioned_once() {
    let to = server::page(b"HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\nhello");
    let (http, connection) = (http(), connection(to));
    let mut tools = Tools::for_pages(false).unwrap();
    let mut kept = Kept::default();
    let job = page(&http);
    let outcome = attempt_with(job, &connection, &mut tools, &mut kept);
    assert_eq!(outcome.verdict, Ok(Good::Page(LastTest::Status)));
    let length = Notice::Length { url: "/".to_owned(), announced: 7, received: 5 };
    assert_eq!(outcome.notices, [length]);
    let again = attempt_with(job, &connection, &mut tools, &mut kept);
    assert!(again.verdict.is_ok() && again.notices.is_empty());
}

#[test]
fn garbage_has_no_status() {
    for answer in [
        &b"HTTP/1.1 200\r\n\r\n"[..],
        b"HTTP/1.1 404 No\r\n\r\n",
        b"\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
        b"200 200 200\r\n\r\n\r\n\r\n",
        b"HTTP/1.1 99999999999999999999 OK\r\n\r\n",
    ] {
        let outcome = fetch(&connection(server::page(answer)));
        if answer == b"200 200 200\r\n\r\n\r\n\r\n" {
            assert_eq!(outcome.verdict, Ok(Good::Page(LastTest::Status)));
        } else {
            assert_eq!(http_failure(&outcome), HttpFailure::Status, "{answer:?}");
        }
    }
    let nothing = fetch(&connection(server::page(b"HTTP/1.1 200 OK\r\n")));
    assert_eq!(http_failure(&nothing), HttpFailure::NoHeader);
}

#[test]
fn headers_without_end_are_not_read_for_ever() {
    let to = server::tcp(|mut stream| {
        server::read_request(&mut stream);
        while stream.write_all(b"X-Header: x\r\n").is_ok() {}
    });
    assert_eq!(http_failure(&fetch(&connection(to))), HttpFailure::NoHeader);
}

/// Says one byte after another, so slowly that each is just in time, until nobody listens.
fn drip(mut stream: TcpStream, bytes: impl Iterator<Item = u8>) {
    let (_never, tick) = mpsc::channel::<()>();
    for byte in bytes {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        let _ = tick.recv_timeout(SHORT / 4);
    }
}

#[test]
fn a_slow_loris_does_not_hold_a_check() {
    let to = server::tcp(|mut stream| {
        server::read_request(&mut stream);
        drip(stream, std::iter::repeat(b'x'));
    });
    let begin = Instant::now();
    let outcome = fetch(&short(to));
    assert_eq!(http_failure(&outcome), HttpFailure::Unfinished { tls: false });
    assert!(begin.elapsed() >= SHORT * 3, "each byte was in time");
    let to = server::tcp(|stream| drip(stream, std::iter::repeat(b'x')));
    let smtp = Smtp { helo: "me".to_owned() };
    let outcome = attempt(Job::Smtp(&smtp), &short(to));
    assert_eq!(outcome.verdict, Err(Failure::Smtp(SmtpFailure::ReadTimeout, to)));
}

#[test]
fn a_body_without_end_is_not_read_for_ever() {
    let to = server::tcp(|mut stream| {
        server::read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        drip(stream, std::iter::repeat(b'x'));
    });
    let outcome = fetch(&short(to));
    assert_eq!(http_failure(&outcome), HttpFailure::Unfinished { tls: false });
}

#[test]
fn silence_is_a_timeout() {
    let (_never, end) = mpsc::channel::<()>();
    let end = std::sync::Mutex::new(end);
    let to = server::tcp(move |_stream| {
        let _ = end.lock().unwrap().recv();
    });
    assert_eq!(http_failure(&fetch(&short(to))), HttpFailure::NoAnswer);
}

/// The most memory that the process has had, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_gigabyte_takes_no_memory() {
    let to = server::tcp(|mut stream| {
        server::read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        let part = vec![b'x'; 1 << 20];
        for _ in 0..1024 {
            if stream.write_all(&part).is_err() {
                return;
            }
        }
    });
    let before = memory();
    let outcome = fetch(&connection(to));
    assert_eq!(outcome.verdict, Ok(Good::Page(LastTest::Status)));
    assert!(outcome.notices.is_empty(), "all of it was counted");
    assert!(memory() - before < 64 << 10);
}

#[test]
fn a_reset_is_noticed_at_every_stage() {
    let stages: [(&[u8], bool, &[HttpFailure]); 4] = [
        (
            b"",
            false,
            &[
                HttpFailure::Unconnected(Unconnected::Refused),
                HttpFailure::Request,
                HttpFailure::Broken { tls: false },
            ],
        ),
        (b"", true, &[HttpFailure::Broken { tls: false }]),
        (b"HTTP/1.1 2", true, &[HttpFailure::Broken { tls: false }]),
        (b"HTTP/1.1 200 OK\r\n\r\nhel", true, &[HttpFailure::Broken { tls: false }]),
    ];
    for (answer, reads, expected) in stages {
        let to = server::tcp(move |mut stream| {
            if reads {
                server::read_request(&mut stream);
            }
            let _ = stream.write_all(answer);
            server::reset(stream);
        });
        let failure = http_failure(&fetch(&connection(to)));
        assert!(expected.contains(&failure), "{answer:?} {failure:?}");
    }
}

#[test]
fn tls_that_ends_without_a_word_is_good_and_mentioned_once() {
    let acceptor = tls::acceptor();
    let to = server::tcp(move |stream| {
        tls::serve(&acceptor, stream, |stream| {
            server::read_request(stream);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello");
        });
    });
    let http = Http { tls: true, ..http() };
    let mut tools = Tools::for_pages(true).unwrap();
    let mut kept = Kept::default();
    let job = page(&http);
    for mentioned in [1, 0] {
        let outcome = attempt_with(job, &connection(to), &mut tools, &mut kept);
        assert_eq!(outcome.verdict, Ok(Good::Page(LastTest::Status)));
        assert_eq!(outcome.notices.len(), mentioned, "{:?}", outcome.notices);
    }
}

#[test]
fn tls_that_breaks_off_is_bad() {
    let acceptor = tls::acceptor();
    let to = server::tcp(move |stream| {
        tls::serve(&acceptor, stream, |stream| {
            server::read_request(stream);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n");
        });
    });
    let http = Http { tls: true, ..http() };
    let mut tools = Tools::for_pages(true).unwrap();
    let mut get = |connection: Connection| {
        attempt_with(page(&http), &connection, &mut tools, &mut Kept::default())
    };
    assert_eq!(http_failure(&get(connection(to))), HttpFailure::NoHeader);
    for hello in [&b""[..], b"\x16\x03\x03", b"HTTP/1.1 400 Bad\r\n\r\n", &[0xff; 5000]] {
        let to = server::tcp(move |mut stream| {
            let mut first = [0; 1];
            let _ = stream.read(&mut first);
            let _ = stream.write_all(hello);
        });
        assert_eq!(http_failure(&get(connection(to))), HttpFailure::Handshake, "{hello:?}");
    }
    let (_never, end) = mpsc::channel::<()>();
    let end = std::sync::Mutex::new(end);
    let silent = server::tcp(move |_stream| {
        let _ = end.lock().unwrap().recv();
    });
    let timeout = HttpFailure::Unconnected(Unconnected::Timeout);
    assert_eq!(http_failure(&get(short(silent))), timeout);
}

#[test]
fn a_mail_server_must_stay_to_the_end() {
    let smtp = Smtp { helo: "me".to_owned() };
    let talk = |lines: &'static [&'static str]| {
        let to = server::tcp(move |mut stream| {
            for line in lines {
                if stream.write_all(line.as_bytes()).is_err() {
                    return;
                }
                let mut byte = [0];
                while stream.read(&mut byte).is_ok_and(|length| length == 1 && byte != *b"\n") {}
            }
        });
        (attempt(Job::Smtp(&smtp), &connection(to)).verdict, to)
    };
    let good = talk(&["220 mx\r\n", "250-mx\r\n250 me\r\n", "221\r\n"]);
    assert_eq!(good.0, Ok(Good::Answered));
    let (verdict, to) = talk(&["220 mx\r\n", "250 me\r\n"]);
    assert_eq!(verdict, Err(Failure::Smtp(SmtpFailure::Read, to)));
    let (verdict, to) = talk(&["554 no\r\n"]);
    assert_eq!(verdict, Err(Failure::Smtp(SmtpFailure::Banner, to)));
    let text = verdict.unwrap_err().text(to);
    assert_eq!(text, format!("Bad greeting banner from server [127.0.0.1]:{}", to.port()));
}

#[test]
fn a_name_server_is_heard_among_others() {
    let dns = Dns { kind: RecordKind::A, name: "www.example.org".to_owned() };
    let answer = |question: &[u8], code: u8| {
        let mut answer = question.to_vec();
        (answer[2], answer[3]) = (0x81, 0x80 | code);
        answer
    };
    let to = server::udp(move |question| {
        let mut wrong = answer(question, 0);
        wrong[1] ^= 1;
        let short = answer(question, 0)[..11].to_vec();
        vec![wrong, vec![], short, question.to_vec(), answer(question, 3), answer(question, 0)]
    });
    let verdict = attempt(Job::Dns(&dns), &connection(to)).verdict;
    assert_eq!(verdict, Err(Failure::Dns(DnsFailure::Code(3))));
    let liar = server::udp(|question| vec![vec![!question[0]; 12]; 300]);
    let verdict = attempt(Job::Dns(&dns), &short(liar)).verdict;
    assert_eq!(verdict, Err(Failure::Dns(DnsFailure::Timeout)));
}

#[test]
fn what_a_closed_port_says_is_heard() {
    let socket = UdpSocket::bind(ALONE).unwrap();
    let to = socket.local_addr().unwrap();
    drop(socket);
    let dns = Dns { kind: RecordKind::Soa, name: ".".to_owned() };
    let verdict = attempt(Job::Dns(&dns), &connection(to)).verdict;
    assert_eq!(
        verdict.unwrap_err().text(to),
        "failed to read socket; errno 111 (Connection refused)"
    );
    let udp = Udp { payload: None, reply: None };
    let verdict = attempt(Job::Udp(&udp), &connection(to)).verdict;
    assert_eq!(verdict, Err(Failure::Udp(UdpFailure::Connection)));
}

#[test]
fn datagrams_are_judged_as_wanted() {
    let to = server::udp(|_| vec![vec![]]);
    let pattern = vec![Pattern { value: 1, mask: 0xff }];
    let wanted = |min_length| Udp {
        payload: Some(vec![1, 2]),
        reply: Some(Reply { pattern: pattern.clone(), min_length, max_length: 255 }),
    };
    let verdict = |udp: &Udp| attempt(Job::Udp(udp), &connection(to)).verdict;
    assert_eq!(verdict(&wanted(0)), Ok(Good::Answered), "nothing differs from nothing");
    assert_eq!(verdict(&wanted(1)), Err(Failure::Udp(UdpFailure::Mismatch)));
    let silent = server::udp(|_| vec![]);
    let any = Udp { payload: None, reply: None };
    assert_eq!(attempt(Job::Udp(&any), &short(silent)).verdict, Ok(Good::Answered));
    let verdict = attempt(Job::Udp(&wanted(0)), &short(silent)).verdict;
    assert_eq!(verdict, Err(Failure::Udp(UdpFailure::Connection)));
}
