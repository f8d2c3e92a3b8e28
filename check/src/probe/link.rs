//! A connection, with TLS or without.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use openssl::ssl::{ErrorCode, Ssl, SslStream};

use super::failure::Notice;
use super::http::Exchange;

/// What OpenSSL 3 calls an end without a word. It cannot see it through the bindings, which do not tell it of ends.
const UNEXPECTED_EOF: u64 = 0x0a00_0126;

/// A connection.
pub(super) enum Link {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

/// What comes of moving bytes, or of the handshake.
pub(super) enum Moved {
    /// So many.
    Bytes(usize),
    /// None now.
    Wait,
    /// The other side has closed; over TLS it has said so.
    Closed,
    /// The connection has ended without a word. Over TLS this is why.
    Cut(Option<openssl::ssl::Error>),
}

impl Link {
    /// `None` if the library refuses.
    pub(super) fn new(socket: TcpStream, ssl: Option<Ssl>) -> Option<Self> {
        Some(match ssl {
            None => Self::Plain(socket),
            Some(ssl) => Self::Tls(Box::new(SslStream::new(ssl, socket).ok()?)),
        })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    /// Goes on with the handshake, as far as there is one.
    pub(super) fn shake_hands(&mut self) -> Moved {
        match self {
            Self::Plain(_) => Moved::Bytes(0),
            Self::Tls(stream) => tls(stream.connect().map(|()| 0)),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Moved {
        match self {
            Self::Plain(socket) => match plain(|| socket.read(buffer)) {
                Moved::Bytes(0) => Moved::Closed,
                moved => moved,
            },
            Self::Tls(stream) => tls(stream.ssl_read(buffer)),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Moved {
        match self {
            Self::Plain(socket) => plain(|| socket.write(bytes)),
            Self::Tls(stream) => tls(stream.ssl_write(bytes)),
        }
    }

    /// Tells the other side that nothing more comes, within TLS.
    pub(super) fn say_end(&mut self) {
        if let Self::Tls(stream) = self {
            // It is over, whether this arrives or not.
            let _ = stream.shutdown();
        }
    }
}

fn plain(mut call: impl FnMut() -> io::Result<usize>) -> Moved {
    loop {
        return match call() {
            Ok(length) => Moved::Bytes(length),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Moved::Wait,
            Err(_) => Moved::Cut(None),
        };
    }
}

fn tls(result: Result<usize, openssl::ssl::Error>) -> Moved {
    match result {
        Ok(length) => Moved::Bytes(length),
        Err(error) => match error.code() {
            ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Moved::Wait,
            ErrorCode::ZERO_RETURN => Moved::Closed,
            _ => Moved::Cut(Some(error)),
        },
    }
}

/// The lines about what went wrong within TLS, those that have not been logged before.
pub(super) fn complaints(
    error: &openssl::ssl::Error,
    exchange: &mut Exchange,
    notices: &mut Vec<Notice>,
) {
    if error.code() == ErrorCode::SYSCALL && error.io_error().is_none() {
        notices.extend(exchange.tls_error(UNEXPECTED_EOF, || {
            format!(
                "SSL error 'error:{UNEXPECTED_EOF:08X}:SSL routines::unexpected eof while reading'"
            )
        }));
    }
    for error in error.ssl_error().iter().flat_map(|stack| stack.errors()) {
        let line = || {
            let data = error.data().unwrap_or_default();
            format!(
                "SSL error 'error:{:08X}:{}::{}' at {}:{} ({}) data '{data}' flags 0x{:x}",
                error.code(),
                error.library().unwrap_or_default(),
                error.reason().unwrap_or_default(),
                error.file(),
                error.line(),
                error.function().unwrap_or_default(),
                if data.is_empty() { 0 } else { 3 },
            )
        };
        notices.extend(exchange.tls_error(error.code(), line));
    }
}
