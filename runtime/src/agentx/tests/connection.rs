//! A subagent and its master agent over a socket.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use nix::time::{ClockId, clock_gettime};

use super::*;
use crate::reactor::Reactor;

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

/// What this thread has used; what others use meanwhile is not its fault.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
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
        let before = processor_time();
        all.serve(Instant::now());
        assert!(processor_time() - before < Duration::from_millis(200), "a turn took too long");
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
