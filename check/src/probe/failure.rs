//! What attempts end with, and what is to be logged about them. The texts are those of 2.4.3.

use std::fmt;
use std::net::SocketAddr;

use log::Level;
use nix::errno::Errno;

/// What an attempt has shown, and what is to be logged whatever it has shown.
#[derive(Debug)]
pub struct Outcome {
    /// Whether the server did what is asked of it.
    pub verdict: Verdict,
    /// Lines that are logged each time, before those of the check.
    pub notices: Vec<Notice>,
}

/// Whether a server did what is asked of it.
pub type Verdict = Result<Good, Failure>;

/// It did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Good {
    /// It answered, or what counts as an answer.
    Answered,
    /// It served a page, which passed this test last.
    Page(LastTest),
}

/// The last test that a page was put to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastTest {
    /// Its status.
    Status,
    /// The digest of its body.
    Digest,
    /// A pattern for its body.
    Regex,
}

impl fmt::Display for LastTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "HTTP status code",
            Self::Digest => "MD5 digest",
            Self::Regex => "Regex match",
        })
    }
}

/// Why an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Of TCP_CHECK.
    Tcp(Unconnected),
    /// Of HTTP_GET and SSL_GET.
    Http(HttpFailure),
    /// Of SMTP_CHECK, with the server that was connected to.
    Smtp(SmtpFailure, SocketAddr),
    /// Of DNS_CHECK.
    Dns(DnsFailure),
    /// Of UDP_CHECK.
    Udp(UdpFailure),
    /// Of PING_CHECK.
    Ping(PingFailure),
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconnected {
    /// Nothing could be sent that way.
    Unreachable,
    /// The other side said nothing.
    Timeout,
    /// The other side, or a router, does not want it.
    Refused,
}

/// Why a page is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFailure {
    /// There is no connection.
    Unconnected(Unconnected),
    /// TLS was not agreed on.
    Handshake,
    /// The request was not taken.
    Request,
    /// Nothing came.
    NoAnswer,
    /// The rest did not come.
    Unfinished {
        /// Whether over TLS.
        tls: bool,
    },
    /// The connection broke.
    Broken {
        /// Whether over TLS.
        tls: bool,
    },
    /// It ended before the headers did, or the headers do not end.
    NoHeader,
    /// The status is none of those that are good.
    Status,
    /// The digest is another one.
    Digest,
    /// The pattern does not match, or must not and does, or took too long to tell.
    Regex,
}

/// Why a mail server is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpFailure {
    /// There is no connection.
    Unconnected(Unconnected),
    /// An answer did not come.
    ReadTimeout,
    /// The connection ended or broke.
    Read,
    /// It takes nothing.
    WriteTimeout,
    /// The connection broke.
    Write,
    /// It does not greet.
    Banner,
    /// It does not answer HELO as it should.
    Helo,
}

/// Why a name server is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsFailure {
    /// Nothing can be sent there.
    Unreachable(SocketAddr),
    /// It does not answer.
    Timeout,
    /// Its host, or a router, refuses.
    Read(Errno),
    /// It has answered with this code.
    Code(u8),
    /// The question was not taken.
    Write,
    /// A part of the question was not taken.
    ShortWrite,
}

/// Why a server of datagrams is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpFailure {
    /// Nothing can be sent there, or nothing comes back that has to.
    Connection,
    /// What has come back is not what must.
    Mismatch,
}

/// Why a host is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingFailure {
    /// No echo request can be sent.
    Send,
    /// No reply came.
    Timeout,
    /// What came is not the reply.
    Reply,
}

impl Failure {
    /// What 2.4.3 calls it. `real_server` is the server that is checked.
    pub fn text(&self, real_server: SocketAddr) -> String {
        match *self {
            Self::Tcp(Unconnected::Timeout) => "timeout".to_owned(),
            Self::Tcp(_) => "failed".to_owned(),
            Self::Http(failure) => failure.to_string(),
            Self::Smtp(SmtpFailure::Unconnected(Unconnected::Unreachable), server) => {
                let (server, real) = (server.ip(), Pair(real_server));
                format!("Network unreachable for server {server} - real server {real}")
            }
            Self::Smtp(failure, server) => format!("{failure} server {}", Pair(server)),
            Self::Dns(failure) => failure.to_string(),
            Self::Udp(UdpFailure::Connection) => "failed".to_owned(),
            Self::Udp(UdpFailure::Mismatch) => "reply data mismatch".to_owned(),
            Self::Ping(PingFailure::Timeout) => "timeout".to_owned(),
            Self::Ping(_) => "failed".to_owned(),
        }
    }
}

/// An address and port as 2.4.3 writes them: IPv4 stands in brackets too.
struct Pair(SocketAddr);

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.0.ip(), self.0.port())
    }
}

impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unconnected(Unconnected::Unreachable) => "HTTP/SSL_CHECK - network unreachable",
            Self::Unconnected(Unconnected::Timeout) => "Timeout connecting",
            Self::Unconnected(Unconnected::Refused) => "Connection failed",
            Self::Handshake => "SSL handshake/communication error connecting to",
            Self::Request => "Cannot send get request to",
            Self::NoAnswer => "Timeout WEB read",
            Self::Unfinished { tls: false } => "Timeout HTTP read",
            Self::Unfinished { tls: true } => "Timeout SSL read",
            Self::Broken { tls: false } => "Read error with",
            Self::Broken { tls: true } => "SSL read error from",
            Self::NoHeader => "Read, no data received from ",
            Self::Status => "HTTP status code error to",
            Self::Digest => "MD5 digest error to",
            Self::Regex => "Regex match failed",
        })
    }
}

/// All but the server, which the text ends with.
impl fmt::Display for SmtpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unconnected(Unconnected::Unreachable) => "Network unreachable for",
            Self::Unconnected(Unconnected::Timeout) => "Connection timeout to",
            Self::Unconnected(Unconnected::Refused) => "Could not connect to",
            Self::ReadTimeout => "Read timeout from",
            Self::Read => "Read failure from",
            Self::WriteTimeout => "Write timeout to",
            Self::Write => "Write failure to",
            Self::Banner => "Bad greeting banner from",
            Self::Helo => "Bad HELO response from",
        })
    }
}

impl fmt::Display for DnsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unreachable(server) => write!(f, "network unreachable for {}", Pair(server)),
            Self::Timeout => f.write_str("read timeout from socket"),
            Self::Read(errno) => {
                let (number, text) = (errno as i32, errno.desc());
                write!(f, "failed to read socket; errno {number} ({text})")
            }
            Self::Code(code) => write!(f, "read error occurred. (rcode = {code})"),
            Self::Write => f.write_str("failed to write socket."),
            Self::ShortWrite => f.write_str("failed to write all of the datagram."),
        }
    }
}

/// A line that an attempt has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A whole line.
    Line(Level, String),
    /// A whole line, if details are logged.
    Detail(String),
    /// A page has another length than its headers announce.
    Length {
        /// Its virtual host and path.
        url: String,
        /// What the headers say.
        announced: u64,
        /// What came.
        received: u64,
    },
}

impl Notice {
    /// A line at the usual priority.
    pub(super) fn info(text: impl Into<String>) -> Self {
        Self::Line(Level::Info, text.into())
    }

    /// The priority and the line; `None` if it is not logged. `server` and `service` are the names of the real and the
    /// virtual server.
    pub fn line(&self, server: &str, service: &str, details: bool) -> Option<(Level, String)> {
        match self {
            Self::Line(level, text) => Some((*level, text.clone())),
            Self::Detail(text) => details.then(|| (Level::Info, text.clone())),
            Self::Length { url, announced, received } => {
                let text = format!(
                    "http_check for RS {server} VS {service} url {url}: content_length ({announced}) does not match \
                     received bytes ({received})"
                );
                Some((Level::Info, text))
            }
        }
    }
}

/// An attempt that could not even be made. It does not count, and comes again after the delay loop.
#[derive(Debug)]
pub struct NotMade {
    /// What is to be logged first.
    pub notices: Vec<Notice>,
    pub(super) check: CheckWord,
    pub(super) socket: bool,
}

/// The checks as these lines call them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckWord {
    Tcp,
    Web,
    Smtp,
    Dns,
    Udp,
    Ping { ipv6: bool },
}

impl NotMade {
    /// The line that says so. `server` is the name of the real server.
    pub fn line(&self, server: &str) -> String {
        let bind = match (self.check, self.socket) {
            (CheckWord::Tcp, true) => "TCP connect fail to create socket.",
            (CheckWord::Tcp, false) => "TCP socket bind failed.",
            (CheckWord::Web, true) => "WEB connection fail to create socket.",
            (CheckWord::Web, false) => return "WEB socket bind failed. Rescheduling".to_owned(),
            (CheckWord::Smtp, true) => "SMTP_CHECK connection failed to create socket.",
            (CheckWord::Smtp, false) => "SMTP_CHECK socket bind failed.",
            (CheckWord::Dns, true) => {
                return format!("DNS_CHECK ({server}) failed to create socket. Rescheduling.");
            }
            (CheckWord::Dns, false) => {
                return format!("DNS_CHECK ({server}) UDP socket bind failed. Rescheduling.");
            }
            (CheckWord::Udp, _) => "UDP connect fail to create socket.",
            (CheckWord::Ping { ipv6: false }, true) => "ICMP connect fail to create socket.",
            (CheckWord::Ping { ipv6: true }, true) => "ICMPv6 connect fail to create socket.",
            (CheckWord::Ping { ipv6: false }, false) => "ICMP socket bind failed.",
            (CheckWord::Ping { ipv6: true }, false) => "ICMPv6 socket bind failed.",
        };
        format!("{bind} Rescheduling.")
    }
}
