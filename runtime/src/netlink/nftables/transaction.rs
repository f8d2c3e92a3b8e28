//! The changes of a transaction, and how they are written.

use super::expression::{Expression, IFNAME_LEN, put_value};
use super::{Family, Table};
use crate::netlink::attribute_writer::AttributeWriter;
use crate::netlink::message::HEADER_LEN;

/// The value of an attribute is made of attributes (`NLA_F_NESTED`).
pub(super) const NESTED: u16 = 0x8000;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;

const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;
pub(super) const NFNL_SUBSYS_NFTABLES: u8 = 10;

const NFT_MSG_NEWTABLE: u8 = 0;
pub(super) const NFT_MSG_DELTABLE: u8 = 2;
const NFT_MSG_NEWCHAIN: u8 = 3;
const NFT_MSG_NEWRULE: u8 = 6;
const NFT_MSG_NEWSET: u8 = 9;
const NFT_MSG_NEWSETELEM: u8 = 12;
const NFT_MSG_DELSETELEM: u8 = 14;

const NFT_SET_CONSTANT: u32 = 2;
const NFT_SET_INTERVAL: u32 = 4;
const NFT_SET_MAP: u32 = 8;
const NFT_SET_CONCAT: u32 = 0x80;
const NFTA_LIST_ELEM: u16 = 1;

/// Elements of one message: an attribute has at most 64 kB.
const ELEMENTS: usize = 512;

/// A step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Makes a table, unless it is there.
    AddTable(Table),
    /// Removes a table and all that is in it. It must be there.
    RemoveTable(Table),
    /// Makes a chain, unless it is there.
    AddChain {
        /// Where.
        table: Table,
        /// Its name.
        name: String,
        /// Which packets come to it by themselves.
        hook: Option<(Hook, i32)>,
    },
    /// Makes a set or map. Constant ones need their elements in the same transaction, and before their rules.
    AddSet(Table, Set),
    /// Adds elements to a set; it may have them.
    AddElements(Table, &'static str, Vec<Element>),
    /// Takes elements out of a set, which must have them.
    RemoveElements(Table, &'static str, Vec<Element>),
    /// Adds a rule at the end of a chain.
    AddRule {
        /// Where.
        table: Table,
        /// Where in it.
        chain: String,
        /// What it does.
        rule: Vec<Expression>,
    },
}

/// Where packets come to a chain of filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// On their way to this machine.
    Input,
    /// On their way from this machine.
    Output,
}

/// What the elements of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// The type of an ICMPv6 message.
    Icmpv6Type,
    /// The number of an interface.
    InterfaceIndex,
    /// An IPv6 address and the number of an interface.
    Ipv6AndIndex,
    /// An IPv6 address and the name of an interface.
    Ipv6AndName,
    /// An IPv4 address and a port.
    Ipv4AndPort,
    /// An IPv6 address and a port.
    Ipv6AndPort,
    /// A firewall mark.
    Mark,
}

impl KeyType {
    /// The number by which `nft` knows it, six bits for each part.
    fn number(self) -> u32 {
        const NAME: u32 = 41;
        const PORT: u32 = 13;
        match self {
            KeyType::Ipv4 => 7,
            KeyType::Ipv6 => 8,
            KeyType::InterfaceIndex => 20,
            KeyType::Icmpv6Type => 29,
            KeyType::Mark => 19,
            KeyType::Ipv6AndIndex => KeyType::Ipv6.number() << 6 | KeyType::InterfaceIndex.number(),
            KeyType::Ipv6AndName => KeyType::Ipv6.number() << 6 | NAME,
            KeyType::Ipv4AndPort => KeyType::Ipv4.number() << 6 | PORT,
            KeyType::Ipv6AndPort => KeyType::Ipv6.number() << 6 | PORT,
        }
    }

    /// Octets of an element. Each part fills up four.
    fn len(self) -> usize {
        match self {
            KeyType::Ipv4 | KeyType::InterfaceIndex | KeyType::Mark => 4,
            KeyType::Ipv6 => 16,
            KeyType::Icmpv6Type => 1,
            KeyType::Ipv4AndPort => 8,
            KeyType::Ipv6AndIndex | KeyType::Ipv6AndPort => 20,
            KeyType::Ipv6AndName => 16 + IFNAME_LEN,
        }
    }

    /// Octets of each of its parts, without what fills them up.
    fn parts(self) -> Vec<u32> {
        let all = u32::try_from(self.len()).expect("keys are short");
        match self {
            KeyType::Ipv4AndPort => vec![4, 2],
            KeyType::Ipv6AndPort => vec![16, 2],
            KeyType::Ipv6AndIndex | KeyType::Ipv6AndName => vec![16, all - 16],
            _ => vec![all],
        }
    }

    fn is_big_endian(self) -> bool {
        matches!(self, KeyType::Ipv4 | KeyType::Ipv6)
    }
}

/// A set, or a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// Its number in the transaction.
    pub id: u32,
    /// What its elements are.
    pub key: KeyType,
    /// What they stand for in a map.
    pub value: Option<KeyType>,
    /// Whether it stays as it is.
    pub is_constant: bool,
    /// Whether elements are ranges: each part of the key has an end of its own.
    pub is_ranged: bool,
    /// Whether each element counts.
    pub counts: bool,
}

impl Set {
    /// A set of single elements, which may change.
    pub fn of(name: &'static str, key: KeyType) -> Self {
        let (value, is_constant, is_ranged, counts) = (None, false, false, false);
        Self { name, id: 0, key, value, is_constant, is_ranged, counts }
    }
}

/// An element of a set or a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// What it is; in a set of ranges, where it begins.
    pub key: Vec<u8>,
    /// Where it ends in a set of ranges, that included.
    pub end: Option<Vec<u8>>,
    /// What it stands for in a map.
    pub value: Option<Vec<u8>>,
}

/// Appends the transaction to `out`, its messages numbered from `first` on. Returns the number of the last.
pub(super) fn encode(changes: &[Change], first: u32, out: &mut Vec<u8>) -> u32 {
    let mut messages = Vec::new();
    for change in changes {
        change.messages(&mut messages);
    }
    let mut sequence = first;
    let bound = |kind, sequence| Message {
        kind,
        flags: 0,
        header: [0, 0, 0, NFNL_SUBSYS_NFTABLES],
        attributes: AttributeWriter::default(),
        sequence,
    };
    bound(NFNL_MSG_BATCH_BEGIN, sequence).encode(out);
    let last = messages.len();
    for (place, mut message) in (1..).zip(messages) {
        sequence = sequence.wrapping_add(1);
        message.sequence = sequence;
        if place == last {
            message.flags |= NLM_F_ACK;
        }
        message.encode(out);
    }
    sequence = sequence.wrapping_add(1);
    bound(NFNL_MSG_BATCH_END, sequence).encode(out);
    sequence
}

struct Message {
    kind: u16,
    flags: u16,
    /// Family, version and resource.
    header: [u8; 4],
    attributes: AttributeWriter,
    sequence: u32,
}

impl Message {
    fn new(kind: u8, flags: u16, family: Family, attributes: AttributeWriter) -> Self {
        Self {
            kind: u16::from_be_bytes([NFNL_SUBSYS_NFTABLES, kind]),
            flags,
            header: [family.number(), 0, 0, 0],
            attributes,
            sequence: 0,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let attributes = self.attributes.octets();
        let length = HEADER_LEN + self.header.len() + attributes.len();
        out.extend(u32::try_from(length).expect("a message is short").to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend((self.flags | NLM_F_REQUEST).to_ne_bytes());
        out.extend(self.sequence.to_ne_bytes());
        out.extend([0; 4]);
        out.extend(self.header);
        out.extend(attributes);
    }
}

impl Change {
    fn messages(&self, out: &mut Vec<Message>) {
        let mut attributes = AttributeWriter::default();
        let (kind, flags, table) = match self {
            Change::AddTable(table) => {
                attributes.put_text(1, &table.name);
                (NFT_MSG_NEWTABLE, NLM_F_CREATE, table)
            }
            Change::RemoveTable(table) => {
                attributes.put_text(1, &table.name);
                (NFT_MSG_DELTABLE, 0, table)
            }
            Change::AddChain { table, name, hook } => {
                attributes.put_text(1, &table.name);
                attributes.put_text(3, name);
                if let Some((hook, priority)) = hook {
                    attributes.nest(4 | NESTED, |out| {
                        out.put_be32(1, hook.number());
                        out.put(2, &priority.to_be_bytes());
                    });
                    attributes.put_text(7, "filter");
                }
                (NFT_MSG_NEWCHAIN, NLM_F_CREATE, table)
            }
            Change::AddSet(table, set) => {
                attributes.put_text(1, &table.name);
                set.encode(&mut attributes);
                (NFT_MSG_NEWSET, NLM_F_CREATE, table)
            }
            Change::AddElements(table, set, elements) => {
                let lists = elements.chunks(ELEMENTS).map(|chunk| list(table, set, chunk));
                let kind = NFT_MSG_NEWSETELEM;
                out.extend(lists.map(|list| Message::new(kind, NLM_F_CREATE, table.family, list)));
                return;
            }
            Change::RemoveElements(table, set, elements) => {
                let lists = elements.chunks(ELEMENTS).map(|chunk| list(table, set, chunk));
                out.extend(
                    lists.map(|list| Message::new(NFT_MSG_DELSETELEM, 0, table.family, list)),
                );
                return;
            }
            Change::AddRule { table, chain, rule } => {
                attributes.put_text(1, &table.name);
                attributes.put_text(2, chain);
                attributes.nest(4 | NESTED, |out| {
                    rule.iter().for_each(|expression| expression.encode(out));
                });
                (NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table)
            }
        };
        out.push(Message::new(kind, flags, table.family, attributes));
    }
}

impl Hook {
    fn number(self) -> u32 {
        match self {
            Hook::Input => 1,
            Hook::Output => 3,
        }
    }
}

impl Set {
    fn encode(&self, out: &mut AttributeWriter) {
        let flag = |wanted: bool, flag| if wanted { flag } else { 0 };
        let flags = flag(self.is_constant, NFT_SET_CONSTANT)
            | flag(self.value.is_some(), NFT_SET_MAP)
            | flag(self.is_ranged, NFT_SET_INTERVAL | NFT_SET_CONCAT);
        let len = |key: KeyType| u32::try_from(key.len()).expect("keys are short");
        out.put_text(2, self.name);
        out.put_be32(3, flags);
        out.put_be32(4, self.key.number());
        out.put_be32(5, len(self.key));
        if let Some(value) = self.value {
            out.put_be32(6, value.number());
            out.put_be32(7, len(value));
        }
        if self.is_ranged {
            out.nest(9 | NESTED, |out| {
                out.nest(2 | NESTED, |out| {
                    for part in self.key.parts() {
                        out.nest(NFTA_LIST_ELEM | NESTED, |out| out.put_be32(1, part));
                    }
                });
            });
        }
        out.put_be32(10, self.id);
        // Without it `nft` shows numbers the wrong way round.
        out.put(13, &byte_orders(self));
        if self.counts {
            out.nest(17 | NESTED, |out| Expression::Counter.encode_bare(out));
        }
    }
}

/// In which order the octets of keys and values are, as `nft` notes it.
fn byte_orders(set: &Set) -> Vec<u8> {
    const KEY: u8 = 0;
    const VALUE: u8 = 1;
    const HOST: u32 = 1;
    const BIG: u32 = 2;
    let mut notes = Vec::new();
    let mut note = |kind, order: u32| {
        notes.extend([kind, 4]);
        notes.extend(order.to_ne_bytes());
    };
    note(KEY, if set.key.is_big_endian() { BIG } else { HOST });
    if set.value.is_some() {
        note(VALUE, HOST);
    }
    notes
}

fn list(table: &Table, set: &str, elements: &[Element]) -> AttributeWriter {
    let mut out = AttributeWriter::default();
    out.put_text(1, &table.name);
    out.put_text(2, set);
    out.nest(3 | NESTED, |out| {
        for element in elements {
            out.nest(NFTA_LIST_ELEM | NESTED, |out| {
                put_value(1, &element.key, out);
                if let Some(value) = &element.value {
                    put_value(2, value, out);
                }
                if let Some(end) = &element.end {
                    put_value(10, end, out);
                }
            });
        }
    });
    out
}
