//! SMTP_CHECK: a mail server greets, and answers HELO and QUIT.

use super::failure::{Good, SmtpFailure};

/// Our side of the conversation.
#[derive(Debug)]
pub(super) struct Dialogue {
    helo: String,
    expects: Expects,
    line: Line,
}

/// The answer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Banner,
    Helo,
    Quit,
}

/// What of the current line tells anything: its code, and what stands behind it.
#[derive(Debug, Default)]
struct Line {
    start: [u8; 4],
    length: usize,
}

/// A line of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    /// The last one, with its code.
    Last(u16),
    /// More lines follow.
    Continued,
    /// It is not of this protocol.
    Garbage,
}

impl Dialogue {
    /// `helo` is what we call ourselves.
    pub(super) fn new(helo: &str) -> Self {
        Self { helo: helo.to_owned(), expects: Expects::Banner, line: Line::default() }
    }

    /// Takes what has come, and appends to `out` what is to be said. What comes too early is taken as what comes later.
    pub(super) fn received(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Result<Good, SmtpFailure>> {
        bytes.iter().find_map(|&byte| match byte {
            b'\n' => {
                let line = std::mem::take(&mut self.line);
                self.read(line.reply(), out)
            }
            _ => {
                self.line.push(byte);
                None
            }
        })
    }

    fn read(&mut self, reply: Reply, out: &mut Vec<u8>) -> Option<Result<Good, SmtpFailure>> {
        match (self.expects, reply) {
            // 2.4.3 looks at the first line only, and refuses one that has others behind it.
            (Expects::Banner | Expects::Helo, Reply::Continued) => None,
            (Expects::Banner, Reply::Last(220)) => {
                self.expects = Expects::Helo;
                out.extend_from_slice(b"HELO ");
                out.extend_from_slice(self.helo.as_bytes());
                out.extend_from_slice(b"\r\n");
                None
            }
            (Expects::Banner, _) => Some(Err(SmtpFailure::Banner)),
            (Expects::Helo, Reply::Last(250)) => {
                self.expects = Expects::Quit;
                out.extend_from_slice(b"QUIT\r\n");
                None
            }
            (Expects::Helo, _) => Some(Err(SmtpFailure::Helo)),
            (Expects::Quit, _) => Some(Ok(Good::Answered)),
        }
    }
}

impl Line {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.start.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Three digits, then the end, or a blank before the text, or a dash where lines follow (RFC 5321 §4.2).
    fn reply(&self) -> Reply {
        let start = self.start.get(..self.length).unwrap_or_default();
        let Some((digits, rest)) = start.split_first_chunk::<3>() else { return Reply::Garbage };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Reply::Garbage;
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        match rest {
            [] | [b' ' | b'\r'] => Reply::Last(code),
            [b'-'] => Reply::Continued,
            _ => Reply::Garbage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server that says `lines` is told, and the verdict.
    fn converse(lines: &[u8]) -> (String, Option<Result<Good, SmtpFailure>>) {
        let mut dialogue = Dialogue::new("me.example.org");
        let mut out = vec![];
        let verdict = dialogue.received(lines, &mut out);
        (String::from_utf8(out).unwrap(), verdict)
    }

    // As the original was seen to speak.
    #[test]
    fn a_mail_server_is_greeted_and_left() {
        let mut dialogue = Dialogue::new("me.example.org");
        for (said, answer) in
            [("220 mx ESMTP\r\n", "HELO me.example.org\r\n"), ("250 hello\r\n", "QUIT\r\n")]
        {
            let mut out = vec![];
            assert_eq!(dialogue.received(said.as_bytes(), &mut out), None);
            assert_eq!(out, answer.as_bytes());
        }
        assert_eq!(dialogue.received(b"whatever", &mut vec![]), None, "a line has an end");
        assert_eq!(dialogue.received(b"\n", &mut vec![]), Some(Ok(Good::Answered)));
    }

    #[test]
    fn answers_of_several_lines_and_codes_without_text_are_good() {
        for banner in ["220-mx\r\n220-is\r\n220 here\r\n", "220\r\n", "220\n", "220 \n"] {
            assert_eq!(converse(banner.as_bytes()), ("HELO me.example.org\r\n".into(), None));
        }
        let (said, verdict) = converse(b"220 mx\r\n250-mx\r\n250\r\n221 bye\r\n");
        assert_eq!((said.lines().count(), verdict), (2, Some(Ok(Good::Answered))));
    }

    #[test]
    fn other_codes_and_garbage_are_not() {
        for banner in ["554 no\n", "22 x\n", "2200 x\n", "220x\n", "\n", "+20 x\n", "SSH-2.0\n"] {
            assert_eq!(converse(banner.as_bytes()).1, Some(Err(SmtpFailure::Banner)), "{banner:?}");
        }
        assert_eq!(converse(b"220 mx\r\n550 no\r\n").1, Some(Err(SmtpFailure::Helo)));
    }
}
