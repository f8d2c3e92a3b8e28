//! A mail server that writes down all it hears.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::{Namespace, Timeline};

/// A mail server on 127.0.0.1 of a namespace. It serves for as long as the test runs.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    sessions: Timeline<Session>,
}

/// One connection, when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Every octet that the client has sent.
    pub heard: String,
}

impl Session {
    /// The subject of the mail; empty where there was none.
    pub fn subject(&self) -> &str {
        let subject = self.heard.lines().find_map(|line| line.strip_prefix("Subject: "));
        subject.unwrap_or_default()
    }
}

impl MailServer {
    /// A server that greets, agrees to everything, and says good-bye.
    pub fn agreeing(namespace: &Namespace) -> Self {
        Self::start(namespace, |_| None)
    }

    /// A server whose answer to a line is `answer`, and the usual one where that is `None`. The greeting answers an
    /// empty line.
    pub fn start(
        namespace: &Namespace,
        answer: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let listener = namespace.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("loopback is up");
        let address = listener.local_addr().expect("it is bound");
        let sessions = Timeline::default();
        let (record, answer) = (sessions.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (record, answer) = (record.clone(), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut heard = String::new();
                    // A client may leave in the middle.
                    let _ = converse(&stream, &mut heard, &*answer);
                    record.push(Session { heard });
                });
            }
        });
        Self { address, sessions }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections that are over.
    pub fn sessions(&self) -> &Timeline<Session> {
        &self.sessions
    }
}

fn converse(
    stream: &TcpStream,
    heard: &mut String,
    answer: &(dyn Fn(&str) -> Option<&'static str> + Send + Sync),
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    let say = |line: &str, usual: &str| {
        let text = answer(line).unwrap_or(usual);
        let mut socket = stream;
        write!(socket, "{text}\r\n").map(|()| text.starts_with("354"))
    };
    say("", "220-hello\r\n220 test ESMTP")?;
    let mut in_message = false;
    loop {
        let start = heard.len();
        if lines.read_line(heard)? == 0 {
            return Ok(());
        }
        let line = heard[start..].trim_end();
        match (in_message, line) {
            (true, ".") => {
                in_message = false;
                say(line, "250 2.0.0 queued")?;
            }
            (true, _) => {}
            (false, "DATA") => in_message = say(line, "354 go")?,
            (false, "QUIT") => {
                say(line, "221 bye")?;
            }
            (false, _) => {
                say(line, "250-a\r\n250 ok")?;
            }
        }
    }
}
