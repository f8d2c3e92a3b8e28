//! What rules are made of.

use crate::netlink::attribute_writer::AttributeWriter;

use super::transaction::NESTED;

/// Octets of the name of an interface, or of its kind, as rules compare it.
pub const IFNAME_LEN: usize = 16;

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;

/// Where rules put 16 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// The first one.
    First,
    /// The one behind it. What is in both is one key.
    Second,
    /// The second four octets of the first one.
    SecondWord,
}

impl Register {
    fn number(self) -> u32 {
        match self {
            Register::First => 1,
            Register::Second => 2,
            Register::SecondWord => 9,
        }
    }
}

/// A part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// From the beginning of the IP header.
    Network {
        /// Where.
        offset: u32,
        /// How many octets.
        len: u32,
    },
    /// From the beginning of what is in the IP packet.
    Transport {
        /// Where.
        offset: u32,
        /// How many octets.
        len: u32,
    },
}

/// What is known of a packet besides its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// The interface that it came in by.
    InputIndex,
    /// The interface that it goes out by.
    OutputIndex,
    /// Its name.
    InputName,
    /// Its name.
    OutputName,
    /// What kind of interface it goes out by.
    OutputKind,
    /// The protocol in the IP packet, behind all extension headers.
    Layer4,
}

impl Meta {
    fn number(self) -> u32 {
        match self {
            Meta::InputIndex => 4,
            Meta::OutputIndex => 5,
            Meta::InputName => 6,
            Meta::OutputName => 7,
            Meta::Layer4 => 16,
            Meta::OutputKind => 27,
        }
    }
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This chain lets it pass.
    Accept,
    /// It is gone.
    Drop,
    /// Another chain decides.
    Goto(String),
    /// This chain is done with it.
    Return,
}

/// A step of a rule. The first that does not match ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Loads a part of the packet.
    Payload(Payload, Register),
    /// Loads what is known of it.
    Meta(Meta, Register),
    /// Matches what is equal to these octets.
    Equal(Register, Vec<u8>),
    /// Keeps these bits only.
    Mask(Register, Vec<u8>),
    /// Matches what is in a set.
    In(Register, String),
    /// Matches what is in a map, and loads what it stands for there into the same register.
    MappedBy(Register, String),
    /// Marks the packet with what is in the register.
    SetMark(Register),
    /// Counts.
    Counter,
    /// Sends a copy by the interface in the second register to the address in the first.
    Duplicate,
    /// Ends the rule.
    Verdict(Verdict),
}

/// The octets of the name of an interface, or of its kind, as rules compare it.
pub fn interface_name(name: &str) -> [u8; IFNAME_LEN] {
    let mut octets = [0; IFNAME_LEN];
    for (place, octet) in octets.iter_mut().zip(name.bytes().take(IFNAME_LEN - 1)) {
        *place = octet;
    }
    octets
}

/// Matches packets with this protocol in IP.
pub fn layer4_is(protocol: u8) -> [Expression; 2] {
    [
        Expression::Meta(Meta::Layer4, Register::First),
        Expression::Equal(Register::First, vec![protocol]),
    ]
}

impl Expression {
    fn name(&self) -> &'static str {
        match self {
            Expression::Payload(..) => "payload",
            Expression::Meta(..) | Expression::SetMark(_) => "meta",
            Expression::Equal(..) => "cmp",
            Expression::Mask(..) => "bitwise",
            Expression::In(..) | Expression::MappedBy(..) => "lookup",
            Expression::Counter => "counter",
            Expression::Duplicate => "dup",
            Expression::Verdict(_) => "immediate",
        }
    }

    pub(super) fn encode(&self, out: &mut AttributeWriter) {
        out.nest(NFTA_LIST_ELEM | NESTED, |out| self.encode_bare(out));
    }

    /// Without the frame of an element of a list.
    pub(super) fn encode_bare(&self, out: &mut AttributeWriter) {
        out.put_text(NFTA_EXPR_NAME, self.name());
        out.nest(NFTA_EXPR_DATA | NESTED, |out| self.encode_data(out));
    }

    fn encode_data(&self, out: &mut AttributeWriter) {
        match self {
            Expression::Payload(payload, register) => {
                let (base, offset, len) = match *payload {
                    Payload::Network { offset, len } => (1, offset, len),
                    Payload::Transport { offset, len } => (2, offset, len),
                };
                for (kind, value) in (1..).zip([register.number(), base, offset, len]) {
                    out.put_be32(kind, value);
                }
            }
            Expression::Meta(meta, register) => {
                out.put_be32(2, meta.number());
                out.put_be32(1, register.number());
            }
            Expression::Equal(register, value) => {
                out.put_be32(1, register.number());
                out.put_be32(2, 0);
                put_value(3, value, out);
            }
            Expression::Mask(register, mask) => {
                out.put_be32(1, register.number());
                out.put_be32(2, register.number());
                out.put_be32(3, u32::try_from(mask.len()).expect("a mask is short"));
                put_value(4, mask, out);
                put_value(5, &vec![0; mask.len()], out);
            }
            Expression::In(register, set) => {
                out.put_be32(2, register.number());
                out.put_text(1, set);
            }
            Expression::MappedBy(register, map) => {
                out.put_be32(2, register.number());
                out.put_be32(3, register.number());
                out.put_text(1, map);
            }
            Expression::SetMark(register) => {
                const MARK: u32 = 3;
                out.put_be32(2, MARK);
                out.put_be32(3, register.number());
            }
            Expression::Counter => {}
            Expression::Duplicate => {
                out.put_be32(1, Register::First.number());
                out.put_be32(2, Register::Second.number());
            }
            Expression::Verdict(verdict) => {
                out.put_be32(1, 0);
                out.nest(2 | NESTED, |out| {
                    out.nest(NFTA_DATA_VERDICT | NESTED, |out| put_verdict(verdict, out));
                });
            }
        }
    }
}

fn put_verdict(verdict: &Verdict, out: &mut AttributeWriter) {
    const DROP: u32 = 0;
    const ACCEPT: u32 = 1;
    // -4 and -5 as the kernel counts.
    const GOTO: u32 = u32::MAX - 3;
    const RETURN: u32 = u32::MAX - 4;
    match verdict {
        Verdict::Drop => out.put_be32(1, DROP),
        Verdict::Accept => out.put_be32(1, ACCEPT),
        Verdict::Return => out.put_be32(1, RETURN),
        Verdict::Goto(chain) => {
            out.put_be32(1, GOTO);
            out.put_text(2, chain);
        }
    }
}

/// Octets where the kernel could also expect a verdict.
pub(super) fn put_value(kind: u16, value: &[u8], out: &mut AttributeWriter) {
    out.nest(kind | NESTED, |out| out.put(NFTA_DATA_VALUE, value));
}
