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
    /// Say this; the reply may be worth a note.
    Say(Vec<u8>, Option<Note>),
    /// Good-bye was said.
    Over,
}

/// What the log says of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The server has the mail.
    Delivered,
    /// The server refused a command.
    Refused {
        /// Its name.
        command: &'static str,
        /// The code of the reply; 0 when it was no reply at all.
        code: u16,
    },
}

const QUIT: &str = "QUIT";
const BODY: &str = "BODY";

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
        step(BODY, format!("{message}\r\n.\r\n"), 250);
        step(QUIT, "QUIT\r\n".to_owned(), 221);
        Self { command: "(E)SMTP", expect: 220, steps, reply: Vec::new() }
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
        let note = match (code == self.expect, self.command) {
            (true, BODY) => Some(Note::Delivered),
            (true, _) => None,
            (false, command) => {
                let farewell = self.give_up();
                let note = Note::Refused { command, code };
                return farewell.map_or(Progress::Over, |text| Progress::Say(text, Some(note)));
            }
        };
        match self.steps.pop_front() {
            Some(step) => {
                self.command = step.command;
                self.expect = step.expect;
                Progress::Say(step.say, note)
            }
            None => Progress::Over,
        }
    }

    /// Leaves out everything up to the good-bye, which is to be said; `None` when it was said already.
    pub(super) fn give_up(&mut self) -> Option<Vec<u8>> {
        let farewell = self.steps.pop_back()?;
        self.steps.clear();
        self.command = farewell.command;
        self.expect = farewell.expect;
        Some(farewell.say)
    }

    /// What will be said with a command.
    #[cfg(test)]
    pub(super) fn says(&self, command: &str) -> String {
        let steps = self.steps.iter().filter(|step| step.command == command);
        steps.map(|step| String::from_utf8_lossy(&step.say)).collect()
    }
}

/// The code of a complete reply (RFC 5321 §4.2): the last line has a blank, or nothing, behind its code. 0 where there is
/// none.
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
            router: "lb1".to_owned(),
            to: vec!["ops@example.com".to_owned(), "\"Night\" <night@example.com>".to_owned()],
            patience: Duration::from_secs(1),
        };
        Dialogue::new(&envelope, "Subject: x\r\n\r\nbody".to_owned())
    }

    fn said(progress: Progress) -> String {
        match progress {
            Progress::Say(text, _) => String::from_utf8(text).unwrap(),
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
        let farewell = Progress::Say(b"QUIT\r\n".to_vec(), Some(Note::Delivered));
        assert_eq!(dialogue.receive(b"250 taken\r\n"), farewell);
        assert_eq!(dialogue.receive(b"221 bye\r\n"), Progress::Over);
    }

    fn refused(command: &'static str, code: u16) -> Progress {
        Progress::Say(b"QUIT\r\n".to_vec(), Some(Note::Refused { command, code }))
    }

    #[test]
    fn a_refusal_names_the_command_and_the_code_and_leads_to_the_end() {
        let mut dialogue = dialogue();
        dialogue.receive(b"220 hello\r\n");
        assert_eq!(dialogue.receive(b"550 no\r\n"), refused("HELO", 550));
        assert_eq!(dialogue.receive(b"221 bye\r\n"), Progress::Over);
        assert_eq!(dialogue.give_up(), None);
    }

    #[test]
    fn nonsense_without_end_is_a_refusal() {
        assert_eq!(dialogue().receive(&[b'x'; 5000]), refused("(E)SMTP", 0));
        assert_eq!(dialogue().receive(b"\r\n"), refused("(E)SMTP", 0));
        assert_eq!(dialogue().receive(b"\xff\xff\xff\n"), refused("(E)SMTP", 0));
    }
}
