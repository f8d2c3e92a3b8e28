//! DNS_CHECK: a name server answers without an error (RFC 1035).

use super::failure::{DnsFailure, Failure, Good, Verdict};
use crate::config::dns::Dns;

/// Our question.
#[derive(Debug)]
pub(super) struct Query {
    message: Vec<u8>,
}

/// Length of the header of a message.
const HEADER: usize = 12;
/// A query, and recursion is desired.
const FLAGS: u16 = 0x0100;
const RESPONSE: u8 = 0x80;
const CODE: u8 = 0x0f;
/// The Internet.
const CLASS: u16 = 1;

impl Query {
    /// `id` is what the answer must carry too.
    pub(super) fn new(dns: &Dns, id: u16) -> Self {
        let mut message = Vec::with_capacity(HEADER + dns.name.len() + 6);
        for word in [id, FLAGS, 1, 0, 0, 0] {
            message.extend(word.to_be_bytes());
        }
        for label in dns.name.split('.').filter(|label| !label.is_empty()) {
            // The configuration has no longer ones than 63.
            message.extend(u8::try_from(label.len()));
            message.extend_from_slice(label.as_bytes());
        }
        message.push(0);
        message.extend((dns.kind as u16).to_be_bytes());
        message.extend(CLASS.to_be_bytes());
        Self { message }
    }

    pub(super) fn question(&self) -> &[u8] {
        &self.message
    }

    /// `None` for what is no answer to the question.
    pub(super) fn received(&self, datagram: &[u8]) -> Option<Verdict> {
        let header = datagram.first_chunk::<HEADER>()?;
        let &[id_high, id_low, flags, code, ..] = header;
        if self.message.get(..2) != Some(&[id_high, id_low]) || flags & RESPONSE == 0 {
            return None;
        }
        Some(match code & CODE {
            0 => Ok(Good::Answered),
            code => Err(Failure::Dns(DnsFailure::Code(code))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::dns::RecordKind;

    fn query(kind: RecordKind, name: &str) -> Query {
        Query::new(&Dns { kind, name: name.to_owned() }, 0x1234)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // As the original was seen to ask.
    #[test]
    fn the_question_is_as_ever() {
        let asked = query(RecordKind::A, "www.example.org");
        let expected =
            "12340100000100000000000003777777076578616d706c65036f72670000010001".to_owned();
        assert_eq!(hex(asked.question()), expected);
        assert_eq!(hex(query(RecordKind::A, "www.example.org.").question()), expected);
        assert_eq!(
            hex(query(RecordKind::Soa, ".").question()),
            "1234010000010000000000000000060001"
        );
    }

    #[test]
    fn the_code_of_the_answer_decides() {
        let query = query(RecordKind::Soa, ".");
        let answer =
            |flags: [u8; 2]| query.received(&[&[0x12, 0x34], &flags[..], &[0; 8]].concat());
        assert_eq!(answer([0x81, 0x80]), Some(Ok(Good::Answered)));
        assert_eq!(answer([0x80, 0x03]), Some(Err(Failure::Dns(DnsFailure::Code(3)))));
        assert_eq!(answer([0x01, 0x00]), None, "that is a question");
    }

    #[test]
    fn what_answers_another_question_is_passed_over() {
        let query = query(RecordKind::Soa, ".");
        assert_eq!(query.received(&[0x12, 0x35, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        let good = [0x12, 0x34, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for length in 0..good.len() {
            assert_eq!(query.received(&good[..length]), None, "{length}");
        }
        assert!(query.received(&good).is_some());
    }
}
