//! Messages and their octets (D-Bus specification, "Message Protocol").

use super::Failure;
use super::value::Value;
use super::wire::{Order, Reader, Writer, length};

/// Longer messages are not read. What is said to us has two names at most.
pub const LONGEST: usize = 16 * 1024;
/// Octets before the fields of a header, with their length.
const FIXED: usize = 16;
const VERSION: u8 = 1;
const NO_REPLY_EXPECTED: u8 = 1;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It wants something done.
    Call,
    /// It was done.
    Return,
    /// It was not done.
    Error,
    /// Something has happened.
    Signal,
}

/// A message. What it has no use for is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// Whether the caller wants to hear what comes of it.
    pub wants_reply: bool,
    /// Its number.
    pub serial: u32,
    /// The path of the object.
    pub path: String,
    /// The interface of the method or signal.
    pub interface: String,
    /// The method or signal.
    pub member: String,
    /// The name of the kind of error.
    pub error: String,
    /// The number of the message that it answers.
    pub answers: u32,
    /// Whom it is for.
    pub destination: String,
    /// Who sent it; the bus says so.
    pub sender: String,
    /// The types of the arguments.
    pub signature: String,
    pub(super) order: Order,
    pub(super) body: Vec<u8>,
}

/// What octets turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The beginning of a message.
    Part,
    /// A message, and how long it is.
    Whole(Box<Message>, usize),
    /// A message that is not for us to understand, and how long it is. The whole of it may not have arrived.
    Other(usize),
}

/// Octets that are no message: what follows cannot be understood either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

impl Message {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            wants_reply: kind == Kind::Call,
            serial: 0,
            path: String::new(),
            interface: String::new(),
            member: String::new(),
            error: String::new(),
            answers: 0,
            destination: String::new(),
            sender: String::new(),
            signature: String::new(),
            order: Order::Little,
            body: Vec::new(),
        }
    }

    /// A call of a method of the bus itself.
    pub(super) fn call_bus(member: &str, arguments: &[Value]) -> Self {
        let mut message = Self::new(Kind::Call);
        "org.freedesktop.DBus".clone_into(&mut message.destination);
        "org.freedesktop.DBus".clone_into(&mut message.interface);
        "/org/freedesktop/DBus".clone_into(&mut message.path);
        member.clone_into(&mut message.member);
        message.with(arguments)
    }

    /// A signal of the object at `path`.
    pub(super) fn signal(path: &str, interface: &str, member: &str, arguments: &[Value]) -> Self {
        let mut message = Self::new(Kind::Signal);
        path.clone_into(&mut message.path);
        interface.clone_into(&mut message.interface);
        member.clone_into(&mut message.member);
        message.with(arguments)
    }

    /// What comes of message `serial`, which `caller` has sent.
    pub(super) fn answer(caller: &str, serial: u32, outcome: &Result<Vec<Value>, Failure>) -> Self {
        let mut message = match outcome {
            Ok(values) => Self::new(Kind::Return).with(values),
            Err(failure) => {
                let mut message = Self::new(Kind::Error);
                failure.name.clone_into(&mut message.error);
                message.with(&[Value::text(&failure.text)])
            }
        };
        message.answers = serial;
        caller.clone_into(&mut message.destination);
        message
    }

    fn with(mut self, arguments: &[Value]) -> Self {
        self.signature = arguments.iter().map(Value::signature).collect();
        let mut writer = Writer::new(&mut self.body);
        arguments.iter().for_each(|argument| argument.write(&mut writer));
        self
    }

    /// The first arguments, if they are `N` texts.
    pub fn texts<const N: usize>(&self) -> Option<[&str; N]> {
        let are_texts =
            self.signature.len() >= N && self.signature.bytes().take(N).all(|b| b == b's');
        are_texts.then_some(())?;
        let mut reader = Reader::new(&self.body, self.order);
        let mut texts = [""; N];
        for text in &mut texts {
            *text = reader.text()?;
        }
        Some(texts)
    }

    /// The first argument, if it is a number.
    pub fn number(&self) -> Option<u32> {
        self.signature.starts_with('u').then_some(())?;
        Reader::new(&self.body, self.order).number()
    }

    /// Appends the message to `out` as message `serial`.
    pub fn encode(&self, serial: u32, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.octets(&[b'l', code(self.kind), u8::from(!self.wants_reply), VERSION]);
        writer.number(length(self.body.len()));
        writer.number(serial);
        writer.array(8, |writer| {
            text_field(writer, 1, "o", &self.path);
            text_field(writer, 2, "s", &self.interface);
            text_field(writer, 3, "s", &self.member);
            text_field(writer, 4, "s", &self.error);
            if self.answers != 0 {
                field(writer, 5, "u");
                writer.number(self.answers);
            }
            text_field(writer, 6, "s", &self.destination);
            text_field(writer, 7, "s", &self.sender);
            if !self.signature.is_empty() {
                field(writer, 8, "g");
                writer.signature(&self.signature);
            }
        });
        writer.align(8);
        writer.octets(&self.body);
    }
}

fn field(writer: &mut Writer<'_>, code: u8, signature: &str) {
    writer.align(8);
    writer.octet(code);
    writer.signature(signature);
}

fn text_field(writer: &mut Writer<'_>, code: u8, signature: &str, text: &str) {
    if !text.is_empty() {
        field(writer, code, signature);
        writer.text(text);
    }
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Call => 1,
        Kind::Return => 2,
        Kind::Error => 3,
        Kind::Signal => 4,
    }
}

/// Reads the message that stands first in `data`.
pub fn decode(data: &[u8]) -> Result<Decoded, Garbled> {
    let Some(fixed) = data.first_chunk::<FIXED>() else { return Ok(Decoded::Part) };
    let order = match fixed[0] {
        b'l' => Order::Little,
        b'B' => Order::Big,
        _ => return Err(Garbled),
    };
    if fixed[3] != VERSION {
        return Err(Garbled);
    }
    let (fields_end, end) = ends(fixed, order).ok_or(Garbled)?;
    if end > LONGEST {
        return Ok(Decoded::Other(end));
    }
    let Some(message) = data.get(..end) else { return Ok(Decoded::Part) };
    let fields = message.get(..fields_end).unwrap_or_default();
    let body = message.get(fields_end.next_multiple_of(8)..).unwrap_or_default();
    Ok(match read(fields, body, order) {
        Some(message) => Decoded::Whole(Box::new(message), end),
        None => Decoded::Other(end),
    })
}

/// Where the fields of the header and where the message ends.
fn ends(fixed: &[u8; FIXED], order: Order) -> Option<(usize, usize)> {
    let mut reader = Reader::new(fixed, order);
    let mut number = || usize::try_from(reader.number()?).ok();
    let (_, body, _, fields) = (number()?, number()?, number()?, number()?);
    let fields_end = FIXED.checked_add(fields)?;
    Some((fields_end, fields_end.checked_next_multiple_of(8)?.checked_add(body)?))
}

fn read(header: &[u8], body: &[u8], order: Order) -> Option<Message> {
    let mut reader = Reader::new(header, order);
    reader.octet()?;
    let kind = match reader.octet()? {
        1 => Kind::Call,
        2 => Kind::Return,
        3 => Kind::Error,
        4 => Kind::Signal,
        _ => return None,
    };
    let mut message = Message { order, body: body.to_vec(), ..Message::new(kind) };
    message.wants_reply = kind == Kind::Call && reader.octet()? & NO_REPLY_EXPECTED == 0;
    reader.align(8);
    message.serial = reader.number()?;
    reader.number()?;
    while !reader.is_at_end() {
        reader.align(8);
        let code = reader.octet()?;
        let place = match (code, reader.signature()?) {
            (1, "o") => &mut message.path,
            (2, "s") => &mut message.interface,
            (3, "s") => &mut message.member,
            (4, "s") => &mut message.error,
            (6, "s") => &mut message.destination,
            (7, "s") => &mut message.sender,
            (5, "u") => {
                message.answers = reader.number()?;
                continue;
            }
            (8, "g") => {
                reader.signature()?.clone_into(&mut message.signature);
                continue;
            }
            // Descriptors, which nobody can send us without having been asked.
            (9, "u") => {
                reader.number()?;
                continue;
            }
            _ => return None,
        };
        reader.text()?.clone_into(place);
    }
    Some(message)
}
