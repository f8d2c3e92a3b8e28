//! Fetching a page as the HTTP checks do, to learn the digest that they compare it with.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use runtime::sys::socket::set_option;

/// So much of a page is taken; a server that sends for ever is not listened to for ever.
const PAGE_LIMIT: u64 = 64 << 20;

/// The version of the protocol, and whether the server is asked to close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0.
    #[default]
    V1_0,
    /// HTTP/1.0 with `Connection: close`.
    V1_0Close,
    /// HTTP/1.1 with `Connection: close`.
    V1_1,
}

/// What to fetch, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The server.
    pub server: IpAddr,
    /// Its port.
    pub port: u16,
    /// The page.
    pub path: String,
    /// `Host` header, and server name for TLS; the address and port where none is given.
    pub virtual_host: Option<String>,
    /// Whether to use TLS. The certificate is not verified.
    pub tls: bool,
    /// Whether to name the virtual host in the TLS handshake.
    pub server_name: bool,
    /// Version of the protocol.
    pub protocol: Protocol,
    /// Firewall mark of the packets.
    pub mark: Option<u32>,
    /// How long connecting and each step after it may take.
    pub timeout: Option<Duration>,
}

/// A fetched page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The headers with the empty line behind them.
    pub header: Vec<u8>,
    /// What follows them.
    pub body: Vec<u8>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why a page could not be fetched.
#[derive(Debug)]
pub enum Failure {
    /// The connection was not made.
    Connect(io::Error),
    /// TLS was not agreed on.
    Tls(String),
    /// The connection broke, or nothing came in time.
    Transfer(io::Error),
    /// The answer has no complete headers.
    NoHeader,
}

impl Page {
    /// The digest of the body.
    pub fn digest(&self) -> [u8; 16] {
        Md5::digest(&self.body).into()
    }
}

impl Fetch {
    /// Fetches the page.
    pub fn run(&self) -> Result<Page, Failure> {
        let begin = Instant::now();
        let stream = self.connect().map_err(Failure::Connect)?;
        let answer = if self.tls {
            let mut stream = self.encrypt(stream)?;
            let answer = exchange(&mut stream, &self.request()).map_err(Failure::Transfer)?;
            // The page is here; that the other side is not told so properly does no harm.
            let _ = stream.shutdown();
            answer
        } else {
            let mut stream = stream;
            exchange(&mut stream, &self.request()).map_err(Failure::Transfer)?
        };
        let end =
            answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or(Failure::NoHeader)?;
        let (header, body) = answer.split_at(end + 4);
        Ok(Page { header: header.to_vec(), body: body.to_vec(), elapsed: begin.elapsed() })
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let address = SocketAddr::new(self.server, self.port);
        let stream = match self.timeout {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout)?,
            None => TcpStream::connect(address)?,
        };
        if let Some(mark) = self.mark {
            let mark = i32::from_ne_bytes(mark.to_ne_bytes());
            set_option(stream.as_fd(), libc::SOL_SOCKET, libc::SO_MARK, mark)?;
        }
        stream.set_read_timeout(self.timeout)?;
        stream.set_write_timeout(self.timeout)?;
        Ok(stream)
    }

    fn encrypt(&self, stream: TcpStream) -> Result<openssl::ssl::SslStream<TcpStream>, Failure> {
        let broken = |error: openssl::error::ErrorStack| Failure::Tls(error.to_string());
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(broken)?;
        builder.set_verify(SslVerifyMode::NONE);
        let mut configuration = builder.build().configure().map_err(broken)?;
        configuration.set_verify_hostname(false);
        configuration.set_use_server_name_indication(self.server_name);
        let name = self.virtual_host.clone().unwrap_or_else(|| self.server.to_string());
        configuration.connect(&name, stream).map_err(|error| Failure::Tls(error.to_string()))
    }

    /// The request as the HTTP checks send it.
    fn request(&self) -> Vec<u8> {
        let (version, close) = match self.protocol {
            Protocol::V1_0 => ("1.0", ""),
            Protocol::V1_0Close => ("1.0", "Connection: close\r\n"),
            Protocol::V1_1 => ("1.1", "Connection: close\r\n"),
        };
        let host = self.virtual_host.clone();
        let host = host.unwrap_or_else(|| SocketAddr::new(self.server, self.port).to_string());
        let path = &self.path;
        format!("GET {path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {host}\r\n\r\n")
            .into_bytes()
    }
}

/// Sends the request and reads until the other side closes.
fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    match stream.take(PAGE_LIMIT).read_to_end(&mut answer) {
        Ok(_) => Ok(answer),
        // Servers that close TLS without saying so, or reset a connection that they are done with.
        Err(error)
            if !answer.is_empty()
                && matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
        {
            Ok(answer)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server on loopback that answers one request with `answer`; what it was asked is returned by the thread.
    fn server(answer: &'static [u8]) -> (u16, thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
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
        (port, thread)
    }

    fn fetch(port: u16) -> Fetch {
        Fetch {
            server: [127, 0, 0, 1].into(),
            port,
            path: "/cl".to_owned(),
            virtual_host: None,
            tls: false,
            server_name: false,
            protocol: Protocol::V1_0,
            mark: None,
            timeout: Some(Duration::from_secs(5)),
        }
    }

    #[test]
    fn the_digest_is_that_of_the_body_alone() {
        let (port, thread) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        let page = fetch(port).run().unwrap();
        let hex: String = page.digest().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5d41402abc4b2a76b9719d911017c592");
        let expected = format!(
            "GET /cl HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        );
        assert_eq!(String::from_utf8(thread.join().unwrap()).unwrap(), expected);
    }

    #[test]
    fn version_1_1_asks_for_the_end() {
        let (port, thread) = server(b"HTTP/1.1 200 OK\r\n\r\n");
        let virtual_host = Some("www.example.com".to_owned());
        let fetch = Fetch { protocol: Protocol::V1_1, virtual_host, ..fetch(port) };
        fetch.run().unwrap();
        let request = String::from_utf8(thread.join().unwrap()).unwrap();
        assert!(request.starts_with("GET /cl HTTP/1.1\r\n"));
        assert!(request.ends_with("Connection: close\r\nHost: www.example.com\r\n\r\n"));
    }

    #[test]
    fn an_answer_without_headers_is_no_page() {
        let (port, _thread) = server(b"HTTP/1.1 200 OK\r\nContent");
        assert!(matches!(fetch(port).run(), Err(Failure::NoHeader)));
    }

    #[test]
    fn nobody_there_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(matches!(fetch(port).run(), Err(Failure::Connect(_))));
    }
}
