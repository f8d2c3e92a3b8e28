//! Servers that want to do harm: they send without end, break off wherever it hurts, or make the matcher run wild. Each
//! check comes to the right verdict in time, and without much memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, shutdown};
use std::os::fd::AsRawFd;

use super::settings::{checker, config};
use super::*;

/// So much memory an attempt may take at most, in KiB, whatever is sent.
const LITTLE: u64 = 64 << 10;

/// Long enough for a build without optimisation on a busy machine, and not for anything without end.
const LATE: Duration = Duration::from_secs(10);

/// Sends `start`, and then `more` as often as somebody takes it.
fn endless(start: &'static [u8], more: Vec<u8>) -> SocketAddr {
    server::tcp(move |mut stream| {
        if start.is_empty() || server::read_request(&mut stream).ends_with(b"\r\n\r\n") {
            let _ = stream.write_all(start);
        }
        while stream.write_all(&more).is_ok() {}
    })
}

/// The verdict, which must come in time and take little memory.
#[track_caller]
fn judged(attempt: impl FnOnce() -> Outcome) -> Outcome {
    let (begin, before) = (Instant::now(), memory());
    let outcome = attempt();
    assert!(begin.elapsed() < LATE, "{:?}: {outcome:?}", begin.elapsed());
    assert!(memory() - before < LITTLE, "{outcome:?}");
    outcome
}

/// A check that has this block, at `to`.
fn of_block(block: &str, to: SocketAddr) -> Outcome {
    let config = config("", block);
    let mut tools = Tools::new(&config).unwrap();
    let (job, _) = Job::of(checker(&config), 0).unwrap();
    attempt_with(job, &short(to), &mut tools, &mut Kept::default())
}

#[test]
fn a_flood_of_pages_ends_with_the_time_of_a_page() {
    let to = endless(b"HTTP/1.0 200 OK\r\n\r\n", vec![b'a'; 1 << 20]);
    let block =
        "HTTP_GET {\nurl {\npath /\ndigest 00000000000000000000000000000000\nregex \"a+b\"\n}\n}";
    let outcome = judged(|| of_block(block, to));
    assert_eq!(http_failure(&outcome), HttpFailure::Unfinished { tls: false });
}

#[test]
fn a_mail_server_without_end_is_given_up() {
    let smtp = Smtp { helo: "me".to_owned() };
    for (said, failure) in [
        (&b"220 mx"[..], SmtpFailure::ReadTimeout),
        (b"220-mx\r\n", SmtpFailure::ReadTimeout),
        (b"\n", SmtpFailure::Banner),
        (&[0xff; 100], SmtpFailure::ReadTimeout),
        (b"220 mx\r\n", SmtpFailure::Helo),
    ] {
        let to = endless(b"", said.repeat(1000));
        let outcome = judged(|| attempt(Job::Smtp(&smtp), &short(to)));
        let said = String::from_utf8_lossy(said);
        assert_eq!(outcome.verdict, Err(Failure::Smtp(failure, to)), "{said:?}");
    }
}

#[test]
fn a_mail_server_that_breaks_off_is_bad_wherever_it_does() {
    let smtp = Smtp { helo: "me".to_owned() };
    const LINES: [&[u8]; 4] = [b"220 mx\r\n", b"250-mx\r\n", b"250 me\r\n", b"221 bye"];
    for lines in 0..=LINES.len() {
        for resets in [false, true] {
            let to = server::tcp(move |mut stream| {
                let _ = stream.write_all(&LINES[..lines].concat());
                // The greeting of the client comes where it was greeted.
                let greeted = lines == 0 || stream.read(&mut [0; 100]).is_ok();
                if resets && greeted {
                    server::reset(stream);
                }
            });
            let outcome = attempt(Job::Smtp(&smtp), &connection(to));
            let expected = [
                SmtpFailure::Read,
                SmtpFailure::Write,
                SmtpFailure::Unconnected(Unconnected::Refused),
            ];
            let Err(Failure::Smtp(failure, _)) = outcome.verdict else {
                panic!("{lines} {resets}: {outcome:?}")
            };
            assert!(expected.contains(&failure), "{lines} {resets}: {failure:?}");
        }
    }
}

#[test]
fn a_flood_of_wrong_answers_is_no_answer() {
    let (socket, going) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), Arc::new(AtomicBool::new(true)));
    let to = socket.local_addr().unwrap();
    let goes_on = Arc::clone(&going);
    let flood = thread::spawn(move || {
        let mut question = [0; 500];
        let (length, client) = socket.recv_from(&mut question).unwrap();
        question[0] ^= 1;
        question[2] |= 0x80;
        while goes_on.load(Ordering::Relaxed) {
            let _ = socket.send_to(&question[..length], client);
            let _ = socket.send_to(&[], client);
        }
    });
    let dns = Dns { kind: RecordKind::A, name: "www.example.org".to_owned() };
    let outcome = judged(|| attempt(Job::Dns(&dns), &short(to)));
    going.store(false, Ordering::Relaxed);
    flood.join().unwrap();
    assert_eq!(outcome.verdict, Err(Failure::Dns(DnsFailure::Timeout)));
}

#[test]
fn the_largest_datagram_is_only_a_datagram() {
    let to = server::udp(|_| vec![vec![0x55; 65_507]]);
    let any = Udp { payload: None, reply: None };
    assert_eq!(attempt(Job::Udp(&any), &connection(to)).verdict, Ok(Good::Answered));
    let pattern = vec![Pattern { value: 0x55, mask: 0xff }; 300];
    let wanted =
        Udp { payload: None, reply: Some(Reply { pattern, min_length: 1, max_length: u16::MAX }) };
    assert_eq!(attempt(Job::Udp(&wanted), &connection(to)).verdict, Ok(Good::Answered));
    let dns = Dns { kind: RecordKind::A, name: "www.example.org".to_owned() };
    let outcome = attempt(Job::Dns(&dns), &short(to));
    assert_eq!(outcome.verdict, Err(Failure::Dns(DnsFailure::Timeout)));
}

#[test]
fn a_pattern_that_explodes_does_not_hold_up_the_others() {
    let body = [&b"a".repeat(200_000)[..], b"b"].concat();
    let page = [b"HTTP/1.0 200 OK\r\n\r\n", &body[..]].concat();
    for pattern in
        ["regex \"^(a+)+$\"", "regex \"^(a|aa)+$\"\nregex_no_match", "regex \"(a*)*b$c\""]
    {
        let to = server::page(&page);
        let outcome = judged(|| {
            let config = config("", &format!("HTTP_GET {{\nurl {{\npath /\n{pattern}\n}}\n}}"));
            let mut tools = Tools::new(&config).unwrap();
            let (job, _) = Job::of(checker(&config), 0).unwrap();
            attempt_with(job, &connection(to), &mut tools, &mut Kept::default())
        });
        assert_eq!(http_failure(&outcome), HttpFailure::Regex, "{pattern}");
    }
}

#[test]
fn a_server_that_says_nothing_at_all_is_bad() {
    let nothing = || server::tcp(drop);
    assert_eq!(attempt(Job::Tcp, &connection(nothing())).verdict, Ok(Good::Answered));
    let failure = http_failure(&fetch(&connection(nothing())));
    let expected = [HttpFailure::NoHeader, HttpFailure::Broken { tls: false }];
    assert!(expected.contains(&failure), "{failure:?}");
    let to = nothing();
    let smtp = Smtp { helo: "me".to_owned() };
    let outcome = attempt(Job::Smtp(&smtp), &connection(to));
    assert_eq!(outcome.verdict, Err(Failure::Smtp(SmtpFailure::Read, to)));
}

/// Between a client and a server at `to`: of what the server sends, only the first `limit` bytes come through. Then the
/// connection is reset, or the client is told that nothing more comes. `passed` is told how many there were, also of those
/// that the client did not wait for.
fn cutting_proxy(
    to: SocketAddr,
    limit: usize,
    resets: bool,
    passed: mpsc::Sender<usize>,
) -> SocketAddr {
    server::tcp(move |client| {
        let Ok(server) = TcpStream::connect(to) else { return };
        let (mut from_client, mut to_server) =
            (client.try_clone().unwrap(), server.try_clone().unwrap());
        let upstream = thread::spawn(move || {
            let _ = std::io::copy(&mut from_client, &mut to_server);
        });
        let mut downstream = (&server).take(u64::try_from(limit).unwrap());
        let (mut buffer, mut count) = ([0; 4096], 0);
        while let Ok(length @ 1..) = downstream.read(&mut buffer) {
            count += length;
            let _ = (&client).write_all(&buffer[..length]);
        }
        let _ = passed.send(count);
        let _ = shutdown(server.as_raw_fd(), Shutdown::Both);
        if resets {
            // The other thread must not hold it open.
            let _ = shutdown(client.as_raw_fd(), Shutdown::Read);
            let _ = upstream.join();
            server::reset(client);
        } else {
            let _ = shutdown(client.as_raw_fd(), Shutdown::Both);
            let _ = upstream.join();
        }
    })
}

#[test]
fn tls_is_bad_wherever_it_is_cut() {
    let acceptor = tls::acceptor();
    let behind = server::tcp(move |stream| {
        tls::serve(&acceptor, stream, |stream| {
            server::read_request(stream);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello");
            let _ = stream.shutdown();
        });
    });
    let http = Http { tls: true, ..http() };
    let mut tools = Tools::for_pages(true).unwrap();
    let mut fetch = |limit, resets| {
        let (passed, told) = mpsc::channel();
        let to = cutting_proxy(behind, limit, resets, passed);
        let outcome = attempt_with(page(&http), &connection(to), &mut tools, &mut Kept::default());
        (outcome.verdict, told.recv_timeout(client::PATIENCE).unwrap())
    };
    let (verdict, whole) = fetch(1 << 20, false);
    assert_eq!(verdict, Ok(Good::Page(LastTest::Status)));
    assert!(whole > 500, "{whole}");
    // The last record says that nothing more comes; nobody misses it.
    let farewell = 24;
    let places = (0..whole - farewell).step_by(61).chain([1, 4, 5, 6, whole - farewell - 1]);
    for limit in places {
        for resets in [false, true] {
            let (verdict, _) = fetch(limit, resets);
            let Err(Failure::Http(failure)) = verdict else {
                panic!("{limit} of {whole}, {resets}: {verdict:?}")
            };
            let expected = [
                HttpFailure::Handshake,
                HttpFailure::Request,
                HttpFailure::NoHeader,
                HttpFailure::Broken { tls: true },
            ];
            assert!(expected.contains(&failure), "{limit} of {whole}, {resets}: {failure:?}");
        }
    }
    assert_eq!(fetch(whole - farewell, false).0, Ok(Good::Page(LastTest::Status)));
}

#[test]
fn a_handshake_that_drips_does_not_hold_a_check() {
    let to = server::tcp(|stream| drip(stream, std::iter::repeat(0x16)));
    let http = Http { tls: true, ..http() };
    let mut tools = Tools::for_pages(true).unwrap();
    let outcome =
        judged(|| attempt_with(page(&http), &short(to), &mut tools, &mut Kept::default()));
    let failure = http_failure(&outcome);
    let expected = [HttpFailure::Handshake, HttpFailure::Unconnected(Unconnected::Timeout)];
    assert!(expected.contains(&failure), "{failure:?}");
}

#[test]
fn who_does_not_take_the_request_is_given_up() {
    // Nobody accepts, and what fits into the buffers is not the whole request.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = format!("/{}", "x".repeat(16 << 20));
    let url = Url { path, ..http().urls.remove(0) };
    let http = Http { urls: vec![url], ..http() };
    let outcome = judged(|| attempt(page(&http), &short(listener.local_addr().unwrap())));
    assert_eq!(http_failure(&outcome), HttpFailure::Request);
    drop(listener);
}
