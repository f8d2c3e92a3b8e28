//! The verdicts on what servers have sent, without servers: for fuzzing and for property tests.

use std::net::{Ipv4Addr, SocketAddr};

use super::failure::{Failure, Notice, Verdict};
use super::http::Exchange;
use super::ping::Echo;
use super::tools::Tools;
use super::{dns, smtp};
use crate::config::dns::{Dns, RecordKind};
use crate::config::http::{Http, Url};

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
/// The number of the question that answers are to.
const ID: u16 = 0x1234;

/// That on a server that sends `stream`, in parts of `size`, for this page of a check, and what is said about it.
pub fn page(
    tools: &Tools,
    (http, page): (&Http, &Url),
    stream: &[u8],
    size: usize,
) -> (Verdict, Vec<Notice>) {
    let mut exchange = Exchange::new(http, page, SERVER, tools);
    let mut notices = Vec::new();
    for part in stream.chunks(size) {
        if let Err(failure) = exchange.received(part, &mut notices) {
            return (Err(Failure::Http(failure)), notices);
        }
    }
    (exchange.ended(true, &mut notices).map_err(Failure::Http), notices)
}

/// That on a mail server, if there is one yet, and what it is told.
pub fn mail(stream: &[u8], size: usize) -> (Option<Verdict>, Vec<u8>) {
    let mut dialogue = smtp::Dialogue::new("me");
    let mut out = Vec::new();
    let verdict = stream.chunks(size).find_map(|part| dialogue.received(part, &mut out));
    (verdict.map(|verdict| verdict.map_err(|failure| Failure::Smtp(failure, SERVER))), out)
}

/// That on a name server that answers question number 0x1234; `None` if that is no answer.
pub fn name(datagram: &[u8]) -> Option<Verdict> {
    let dns = Dns { kind: RecordKind::A, name: "www.example.org".to_owned() };
    dns::Query::new(&dns, ID).received(datagram)
}

/// That on a host that answers an echo request.
pub fn echo(message: &[u8]) -> (Verdict, Vec<Notice>) {
    let mut notices = Vec::new();
    let verdict = Echo::new(ID, false).received(message, &mut notices);
    (verdict, notices)
}
