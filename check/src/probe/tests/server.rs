//! Servers on loopback that do one thing to whoever connects.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt::Linger};

/// Does `serve` to each connection, until the process ends.
pub(super) fn tcp(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    address
}

/// Answers each datagram with all that `answers` makes of it.
pub(super) fn udp(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            for answer in answers(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

/// Reads to the end of a request, and returns it.
pub(super) fn read_request(stream: &mut impl Read) -> Vec<u8> {
    let mut request = vec![];
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.extend(byte),
            _ => break,
        }
    }
    request
}

/// Answers a request and closes.
pub(super) fn page(answer: &[u8]) -> SocketAddr {
    let answer = answer.to_vec();
    tcp(move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(&answer);
    })
}

/// Closes so that the other side is told of an error.
pub(super) fn reset(stream: TcpStream) {
    let _ = setsockopt(&stream, Linger, &linger { l_onoff: 1, l_linger: 0 });
}
