//! Fetching a page as the HTTP checks do, to learn the digest that they compare it with.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use runtime::reactor::Readiness;

use crate::config::checker::{Connection, Way};
use crate::config::http::{Http, HttpVersion, Url};
use crate::probe::{
    Begun, Failure, HttpFailure, NotMade, Probe, Progress, Record, Tools, ToolsError,
};

/// How long a step may take where nothing else is said: what 32 bits of microseconds hold.
const TIMEOUT: Duration = Duration::from_micros(u32::MAX as u64);

/// What to fetch, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The server.
    pub server: SocketAddr,
    /// The page.
    pub path: String,
    /// `Host` header, and server name for TLS; the address and port where none is given.
    pub virtual_host: Option<String>,
    /// Whether to use TLS. The certificate is not verified.
    pub tls: bool,
    /// Whether to name the virtual host in the TLS handshake.
    pub server_name: bool,
    /// Version of the protocol.
    pub protocol: HttpVersion,
    /// Firewall mark of the packets.
    pub mark: Option<u32>,
    /// How long connecting and each step after it may take.
    pub timeout: Option<Duration>,
}

/// A part of a page, as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The headers with the empty line behind them.
    Header(&'a [u8]),
    /// What follows of the body.
    Body(&'a [u8]),
}

/// What is known of a page at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// MD5 of the body.
    pub digest: [u8; 16],
    /// How long it took.
    pub elapsed: Duration,
}

/// Why a page could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// TLS cannot be spoken.
    Tools(ToolsError),
    /// There is no socket for it.
    NotMade(NotMade),
    /// The server did not serve it.
    Failed(Failure),
    /// The system does not say when there is something to read.
    Poll(io::Error),
}

impl Fetch {
    /// Fetches the page. Its parts go to `show`, if there is one.
    pub fn run(&self, mut show: Option<&mut dyn FnMut(Part<'_>)>) -> Result<Fetched, FetchError> {
        let begin = Instant::now();
        let (http, page, connection) = (self.http(), self.page(), self.connection());
        let mut tools = Tools::for_pages(self.tls).map_err(FetchError::Tools)?;
        let record = Record { whole: show.is_some(), ..Record::default() };
        let begun = Probe::fetch(&http, &page, record, &connection, &tools, begin);
        let mut probe = match begun.map_err(FetchError::NotMade)? {
            Begun::Going(probe) => probe,
            Begun::Over(outcome) => return Err(failed(outcome.verdict.err())),
        };
        let outcome = loop {
            let progress = step(&mut probe, &mut tools).map_err(FetchError::Poll)?;
            if let (Some(show), Some(record)) = (&mut show, probe.recorded()) {
                hand_over(record, show);
            }
            if let Progress::Over(outcome) = progress {
                break outcome;
            }
        };
        match (outcome.verdict, probe.recorded().and_then(|record| record.digest)) {
            (Ok(_), Some(digest)) => Ok(Fetched { digest, elapsed: begin.elapsed() }),
            (verdict, _) => Err(failed(verdict.err())),
        }
    }

    fn page(&self) -> Url {
        Url {
            path: self.path.clone(),
            digest: None,
            status: Vec::new(),
            virtualhost: None,
            regex: None,
            tls_compliant: false,
        }
    }

    fn http(&self) -> Http {
        Http {
            tls: self.tls,
            virtualhost: self.virtual_host.clone(),
            version: self.protocol,
            sni: self.server_name,
            sni_name: None,
            fast_recovery: false,
            tls_compliant: false,
            urls: Vec::new(),
        }
    }

    fn connection(&self) -> Connection {
        Connection {
            to: self.server,
            timeout: self.timeout.unwrap_or(TIMEOUT),
            way: self.mark.map(|mark| Box::new(Way { mark, ..Way::default() })),
        }
    }
}

fn failed(failure: Option<Failure>) -> FetchError {
    FetchError::Failed(failure.unwrap_or(Failure::Http(HttpFailure::NoHeader)))
}

/// Waits until something happens, and looks after it.
fn step(probe: &mut Probe, tools: &mut Tools) -> io::Result<Progress> {
    // Asked for room to write, the system would always find it, but for a connection that is not there yet.
    let wanted = match probe.readiness() {
        Readiness::Writable => PollFlags::POLLOUT,
        Readiness::Both if probe.is_sending() => PollFlags::POLLOUT | PollFlags::POLLIN,
        Readiness::Readable | Readiness::Both => PollFlags::POLLIN,
    };
    let wait = probe.deadline().saturating_duration_since(Instant::now());
    // Rounded up, or the last part of a millisecond would be spent asking.
    let timeout =
        PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    let ready = poll(&mut [PollFd::new(probe.as_fd(), wanted)], timeout)?;
    let now = Instant::now();
    if ready > 0 {
        return Ok(probe.on_ready(tools, now));
    }
    Ok(probe.on_deadline(now).map_or(Progress::Waiting, Progress::Over))
}

fn hand_over(record: &mut Record, show: &mut dyn FnMut(Part<'_>)) {
    if !record.header.is_empty() {
        show(Part::Header(&record.header));
        record.header.clear();
    }
    if !record.body.is_empty() {
        show(Part::Body(&record.body));
        record.body.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::probe::Unconnected;

    /// A server on loopback that answers one request with `answer`; what it was asked is returned by the thread.
    fn server(answer: &'static [u8]) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![];
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer).unwrap();
            request
        });
        (address, thread)
    }

    fn fetch(server: SocketAddr) -> Fetch {
        Fetch {
            server,
            path: "/cl".to_owned(),
            virtual_host: None,
            tls: false,
            server_name: false,
            protocol: HttpVersion::Http10,
            mark: None,
            timeout: Some(Duration::from_secs(20)),
        }
    }

    fn digest(answer: &'static [u8]) -> String {
        let (address, _thread) = server(answer);
        let page = fetch(address).run(None).unwrap();
        page.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // What the original was seen to print.
    #[test]
    fn the_digest_is_that_of_the_body_as_far_as_announced() {
        let hello = "5d41402abc4b2a76b9719d911017c592";
        for answer in [
            &b"HTTP/1.1 200 OK\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloEXTRA",
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
            b"HTTP/1.1 500 No\r\n\r\nhello",
        ] {
            assert_eq!(digest(answer), hello, "{}", String::from_utf8_lossy(answer));
        }
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        assert_eq!(digest(chunked), "79e9489e3bd3f0cb0158215341de046d");
    }

    #[test]
    fn parts_are_shown_as_they_come() {
        let (address, thread) = server(b"HTTP/1.1 200 OK\r\n\r\nhello");
        let (mut header, mut body) = (vec![], vec![]);
        let mut show = |part: Part<'_>| match part {
            Part::Header(bytes) => header.extend_from_slice(bytes),
            Part::Body(bytes) => body.extend_from_slice(bytes),
        };
        let virtual_host = Some("www.example.com".to_owned());
        let fetch = Fetch { protocol: HttpVersion::Http11, virtual_host, ..fetch(address) };
        fetch.run(Some(&mut show)).unwrap();
        assert_eq!((&header[..], &body[..]), (&b"HTTP/1.1 200 OK\r\n\r\n"[..], &b"hello"[..]));
        let request = String::from_utf8(thread.join().unwrap()).unwrap();
        assert!(request.starts_with("GET /cl HTTP/1.1\r\n"));
        assert!(request.ends_with("Connection: close\r\nHost: www.example.com\r\n\r\n"));
    }

    #[test]
    fn an_answer_without_headers_is_no_page() {
        let (address, _thread) = server(b"HTTP/1.1 200 OK\r\nContent");
        let error = fetch(address).run(None).unwrap_err();
        assert!(matches!(error, FetchError::Failed(Failure::Http(HttpFailure::NoHeader))));
    }

    #[test]
    fn nobody_there_is_a_failure() {
        // Not where other tests have their ports, of which one may be this one by then.
        let listener = TcpListener::bind("127.9.9.9:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let refused = fetch(address).run(None).unwrap_err();
        let unconnected = HttpFailure::Unconnected(Unconnected::Refused);
        let at_once = HttpFailure::Unconnected(Unconnected::Unreachable);
        let FetchError::Failed(Failure::Http(failure)) = refused else { panic!("{refused:?}") };
        assert!([unconnected, at_once].contains(&failure));
    }
}
