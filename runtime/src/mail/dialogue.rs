//! The client's side of an SMTP conversation (RFC 5321), as a value: replies go in, commands come out.

use std::collections::VecDeque;

use super::Envelope;
use super::message::bare_address;

/// The longest reply that is listened to.
const REPLY_LIMIT: usize = 4096;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The reply is not complete.
    Wait,
    /// Say this.
    Say(Vec<u8>),
    /// The server has the mail, and good-bye was said.
    Taken,
    /// The server refused a command.
    Refused {
        /// Its name.
        command: &'static str,
        /// The code of the reply; 0 when it was no reply at all.
        code: u16,
    },
}

#[derive(Debug)]
struct Step {
    command: &'static str,
    say: Vec<u8>,
    expect: u16,
}

#[derive(Debug)]
pub(super) struct Dialogue {
    /// What was said last, and what it should be answered with.
    command: &'static str,
    expect: u16,
    steps: VecDeque<Step>,
    reply: Vec<u8>,
}

impl Dialogue {
    /// A conversation that hands over `message`, headers and body.
    pub(super) fn new(envelope: &Envelope, message: String) -> Self {
        let mut steps = VecDeque::new();
        let mut step = |command, say: String, expect| {
            steps.push_back(Step { command, say: say.into_bytes(), expect });
        };
        step("HELO", format!("HELO {}\r\n", envelope.helo), 250);
        step("MAIL", format!("MAIL FROM:<{}>\r\n", bare_address(&envelope.from)), 250);
        for recipient in &envelope.to {
            step("RCPT", format!("RCPT TO:<{}>\r\n", bare_address(recipient)), 250);
        }
        step("DATA", "DATA\r\n".to_owned(), 354);
        step("BODY", format!("{message}\r\n.\r\n"), 250);
        step("QUIT", "QUIT\r\n".to_owned(), 221);
        Self { command: "CONNECTION", expect: 220, steps, reply: Vec::new() }
    }

    /// Takes what the server said.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Progress {
        self.reply.extend_from_slice(bytes);
        let code = match final_code(&self.reply) {
            Some(code) => code,
            None if self.reply.len() > REPLY_LIMIT => 0,
            None => return Progress::Wait,
        };
        self.reply.clear();
        if code != self.expect {
            return Progress::Refused { command: self.command, code };
        }
        match self.steps.pop_front() {
            Some(step) => {
                self.command = step.command;
                self.expect = step.expect;
                Progress::Say(step.say)
            }
            None => Progress::Taken,
        }
    }
}

/// The code of a complete reply (RFC 5321 §4.2): the last line has a blank, or nothing, behind its code. 0 where there is none.
fn final_code(reply: &[u8]) -> Option<u16> {
    let lines = reply.strip_suffix(b"\n")?;
    let last = lines.split(|&byte| byte == b'\n').next_back()?;
    let last = last.strip_suffix(b"\r").unwrap_or(last);
    let (digits, rest) = last.split_at_checked(3).unwrap_or((last, b""));
    if rest.first() == Some(&b'-') {
        return None;
    }
    Some(std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn dialogue() -> Dialogue {
        let envelope = Envelope {
            server: ([127, 0, 0, 1], 25).into(),
            from: "\"Alerts\" <lb1@example.com>".to_owned(),
            helo: "lb1".to_owned(),
            to: vec!["ops@example.com".to_owned(), "\"Night\" <night@example.com>".to_owned()],
            patience: Duration::from_secs(1),
        };
        Dialogue::new(&envelope, "Subject: x\r\n\r\nbody".to_owned())
    }

    fn said(progress: Progress) -> String {
        match progress {
            Progress::Say(text) => String::from_utf8(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mail_is_handed_over_step_by_step() {
        let mut dialogue = dialogue();
        assert_eq!(said(dialogue.receive(b"220 hello\r\n")), "HELO lb1\r\n");
        assert_eq!(dialogue.receive(b"250-lb1\r\n"), Progress::Wait);
        assert_eq!(said(dialogue.receive(b"250 ok\r\n")), "MAIL FROM:<lb1@example.com>\r\n");
        assert_eq!(said(dialogue.receive(b"250 ok\r\n")), "RCPT TO:<ops@example.com>\r\n");
        assert_eq!(said(dialogue.receive(b"250 ok\r\n")), "RCPT TO:<night@example.com>\r\n");
        assert_eq!(said(dialogue.receive(b"250 ok\r\n")), "DATA\r\n");
        assert_eq!(said(dialogue.receive(b"354 go\r\n")), "Subject: x\r\n\r\nbody\r\n.\r\n");
        assert_eq!(said(dialogue.receive(b"250 taken\r\n")), "QUIT\r\n");
        assert_eq!(dialogue.receive(b"221 bye\r\n"), Progress::Taken);
    }

    #[test]
    fn a_refusal_names_the_command_and_the_code() {
        let mut dialogue = dialogue();
        dialogue.receive(b"220 hello\r\n");
        assert_eq!(
            dialogue.receive(b"550 no\r\n"),
            Progress::Refused { command: "HELO", code: 550 }
        );
    }

    #[test]
    fn nonsense_without_end_is_a_refusal() {
        let refused = Progress::Refused { command: "CONNECTION", code: 0 };
        assert_eq!(dialogue().receive(&[b'x'; 5000]), refused);
        assert_eq!(dialogue().receive(b"\r\n"), refused);
        assert_eq!(dialogue().receive(b"\xff\xff\xff\n"), refused);
    }
}
