//! Servers behind a virtual server: what they answer is said in a word, and they can be taken away.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{Shutdown, shutdown};

use crate::{Namespace, PATIENCE};

/// How long a server looks at one client, and how soon one of UDP notices that it is to go.
const GLANCE: Duration = Duration::from_millis(100);

/// What a server does with whoever comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Accepts, and closes.
    Accept,
    /// Accepts, and says nothing for as long as the client stays.
    Silent,
    /// Answers a request of HTTP with these bytes, and closes.
    Http(Vec<u8>),
    /// Does so after some time.
    Late(Duration, Vec<u8>),
    /// Greets, and agrees to everything, as a mail server does; `false` says that it is not available.
    Smtp(bool),
    /// Answers questions of DNS with this code and no answers, or one where the code is 0.
    Dns(u8),
    /// Answers each datagram with this, or with the datagram itself.
    Udp(Option<Vec<u8>>),
    /// Sends its name to each client, and closes.
    Name(String),
}

impl Service {
    /// A response of HTTP with this status and body.
    pub fn page(status: &str, body: &str) -> Self {
        let length = body.len();
        Self::Http(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into())
    }

    fn is_datagrams(&self) -> bool {
        matches!(self, Self::Dns(_) | Self::Udp(_))
    }
}

/// A running server. It is gone with this value.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    service: Arc<Mutex<Service>>,
    descriptor: i32,
    going: Arc<AtomicBool>,
    clients: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Backend {
    /// Starts a server on `address` of `namespace`.
    pub fn start(namespace: &Namespace, address: SocketAddr, service: Service) -> Self {
        let going = Arc::new(AtomicBool::new(false));
        let clients = Arc::new(AtomicUsize::new(0));
        let shared = (Arc::clone(&going), Arc::clone(&clients));
        let is_datagrams = service.is_datagrams();
        let service = Arc::new(Mutex::new(service));
        let current = Arc::clone(&service);
        let (descriptor, thread) = if is_datagrams {
            let socket = bind(|| namespace.enter(|| UdpSocket::bind(address)));
            let descriptor = socket.as_raw_fd();
            (descriptor, thread::spawn(move || datagrams(&socket, &current, &shared)))
        } else {
            let listener = bind(|| namespace.enter(|| TcpListener::bind(address)));
            let descriptor = listener.as_raw_fd();
            (descriptor, thread::spawn(move || connections(&listener, &current, &shared)))
        };
        Self { address, service, descriptor, going, clients, thread: Some(thread) }
    }

    /// Does something else from the next client on, without being away for a moment. `false` where that needs another kind
    /// of socket.
    pub fn become_another(&self, service: &Service) -> bool {
        let mut current = self.service.lock().expect("nobody panics with it");
        let fits = current.is_datagrams() == service.is_datagrams();
        if fits {
            *current = service.clone();
        }
        fits
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many clients it has had.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.going.store(true, Ordering::Relaxed);
        // Wakes who waits for a client. The thread owns the socket, and has not ended yet.
        let _ = shutdown(self.descriptor, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Has `attempt` succeed. A process that is just being started may hold the socket of a server before for a moment.
fn bind<T>(attempt: impl Fn() -> io::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(socket) => return socket,
            Err(error) if Instant::now() > deadline => panic!("a server cannot start: {error}"),
            Err(_) => thread::sleep(GLANCE),
        }
    }
}

fn connections(
    listener: &TcpListener,
    service: &Mutex<Service>,
    (going, clients): &(Arc<AtomicBool>, Arc<AtomicUsize>),
) {
    while let Ok((stream, _)) = listener.accept() {
        if going.load(Ordering::Relaxed) {
            return;
        }
        clients.fetch_add(1, Ordering::Relaxed);
        let service = service.lock().expect("nobody panics with it").clone();
        let going = Arc::clone(going);
        thread::spawn(move || {
            // Clients come and go as they like.
            let _ = serve(&stream, &service, &going);
        });
    }
}

fn serve(mut stream: &TcpStream, service: &Service, going: &AtomicBool) -> std::io::Result<()> {
    match service {
        Service::Accept | Service::Dns(_) | Service::Udp(_) => Ok(()),
        Service::Name(name) => stream.write_all(name.as_bytes()),
        Service::Silent => {
            stream.set_read_timeout(Some(GLANCE))?;
            let mut buffer = [0; 512];
            while !going.load(Ordering::Relaxed) {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
        Service::Http(response) => {
            read_request(stream)?;
            stream.write_all(response)
        }
        Service::Late(after, response) => {
            read_request(stream)?;
            thread::sleep(*after);
            stream.write_all(response)
        }
        Service::Smtp(available) => {
            stream.write_all(if *available { b"220 here\r\n" } else { b"421 not now\r\n" })?;
            let mut buffer = [0; 512];
            loop {
                let count = stream.read(&mut buffer)?;
                if count == 0 {
                    return Ok(());
                }
                let quits = buffer[..count].starts_with(b"QUIT");
                stream.write_all(if quits { b"221 bye\r\n" } else { b"250 fine\r\n" })?;
            }
        }
    }
}

/// Reads to the end of a request of HTTP.
fn read_request(mut stream: &TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => request.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(())
}

fn datagrams(
    socket: &UdpSocket,
    service: &Mutex<Service>,
    (going, clients): &(Arc<AtomicBool>, Arc<AtomicUsize>),
) {
    let mut buffer = [0; 2048];
    if socket.set_read_timeout(Some(GLANCE)).is_err() {
        return;
    }
    while !going.load(Ordering::Relaxed) {
        let Ok((count, client)) = socket.recv_from(&mut buffer) else { continue };
        clients.fetch_add(1, Ordering::Relaxed);
        let heard = &buffer[..count];
        let answer = match &*service.lock().expect("nobody panics with it") {
            Service::Dns(code) => resolve(heard, *code),
            Service::Udp(Some(answer)) => answer.clone(),
            _ => heard.to_vec(),
        };
        let _ = socket.send_to(&answer, client);
    }
}

/// The answer to a question (RFC 1035 §4.1): with code 0 an address that need not exist.
fn resolve(question: &[u8], code: u8) -> Vec<u8> {
    let Some((&[high, low, ..], rest)) = question.split_first_chunk::<12>() else {
        return Vec::new();
    };
    let found = u8::from(code == 0);
    let mut answer = vec![high, low, 0x81, 0x80 | code, 0, 1, 0, found, 0, 0, 0, 0];
    answer.extend_from_slice(rest);
    if found == 1 {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_until_it_is_gone() {
        let namespace = Namespace::new();
        let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let backend = Backend::start(&namespace, address, Service::Name("one".to_owned()));
        let ask = || {
            namespace.enter(|| {
                let mut text = String::new();
                TcpStream::connect(address)
                    .and_then(|mut stream| stream.read_to_string(&mut text))?;
                Ok::<_, std::io::Error>(text)
            })
        };
        assert_eq!(ask().unwrap(), "one");
        assert_eq!(backend.clients(), 1);
        drop(backend);
        assert_eq!(ask().unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn names_are_resolved() {
        let namespace = Namespace::new();
        let address: SocketAddr = "127.0.0.1:53".parse().unwrap();
        let _backend = Backend::start(&namespace, address, Service::Dns(3));
        let answer = namespace.enter(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(b"ab\x01\0\0\x01\0\0\0\0\0\0\0\0\x06\0\x01", address).unwrap();
            let mut buffer = [0; 64];
            let count = socket.recv(&mut buffer).unwrap();
            buffer[..count].to_vec()
        });
        assert_eq!(answer, b"ab\x81\x83\0\x01\0\0\0\0\0\0\0\0\x06\0\x01");
    }
}
