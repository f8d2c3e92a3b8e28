//! The chains, sets and rules of a table, by the names and in the order that the original gives them.

use runtime::netlink::nftables::{
    Change, Element, Expression, Family, Hook, KeyType, Meta, Payload, Register, Set, Table,
    Verdict, interface_name, layer4_is,
};

use super::{Elements, Settings, Shape};

pub(super) const VIPS: &str = "vips";
pub(super) const VIPS_BY_INDEX: &str = "vips_link_local";
pub(super) const VIPS_BY_NAME: &str = "vips_link_local_name";
pub(super) const VMAC_MAP: &str = "vmac_map";
pub(super) const VMAC_SET: &str = "vmac_set";
pub(super) const PARENT_LINK_LOCAL: &str = "parent_link_local";
const NEIGHBOUR_DISCOVERY: &str = "neighbor-discovery";
const MLD_REPORT: &str = "mld-report";

const IN: &str = "in";
const OUT: &str = "out";
const IN_LINK_LOCAL: &str = "in_link_local";
const OUT_LINK_LOCAL: &str = "out_link_local";

const IPPROTO_IGMP: u8 = 2;
const IPPROTO_ICMPV6: u8 = 58;
// Types of ICMPv6 messages (RFC 2710, RFC 3810, RFC 4861).
const MLD_LISTENER_REPORT: u8 = 131;
const ROUTER_SOLICIT: u8 = 133;
const NEIGHBOUR_SOLICIT: u8 = 135;
const NEIGHBOUR_ADVERT: u8 = 136;
const MLD2_LISTENER_REPORT: u8 = 143;

const V4_PROTOCOL: Payload = Payload::Network { offset: 9, len: 1 };
const V4_SOURCE: Payload = Payload::Network { offset: 12, len: 4 };
const V4_DESTINATION: Payload = Payload::Network { offset: 16, len: 4 };
const V6_SOURCE: Payload = Payload::Network { offset: 8, len: 16 };
const V6_DESTINATION: Payload = Payload::Network { offset: 24, len: 16 };
const ICMPV6_TYPE: Payload = Payload::Transport { offset: 0, len: 1 };

/// What is in a table of this shape.
pub(super) fn rules(
    table: &Table,
    settings: &Settings,
    shape: Shape,
    elements: &Elements,
) -> Vec<Change> {
    let mut contents = Contents { table, settings, elements, sets: 0, changes: Vec::new() };
    match table.family {
        Family::Ip => contents.v4(shape),
        Family::Ip6 => contents.v6(shape),
    }
    contents.changes
}

struct Contents<'a> {
    table: &'a Table,
    settings: &'a Settings,
    elements: &'a Elements,
    sets: u32,
    changes: Vec<Change>,
}

impl Contents<'_> {
    fn v4(&mut self, shape: Shape) {
        if shape.vmacs {
            self.map(VMAC_MAP, KeyType::InterfaceIndex);
        }
        if shape.addresses {
            self.set(VIPS, KeyType::Ipv4);
        }
        self.chain(OUT, Some(Hook::Output));
        if shape.addresses {
            self.chain(IN, Some(Hook::Input));
        }
        if shape.vmacs {
            let protocol = [
                Expression::Payload(V4_PROTOCOL, Register::First),
                Expression::Equal(Register::First, vec![IPPROTO_IGMP]),
            ];
            self.duplicate(&protocol, V4_DESTINATION);
        }
        if shape.addresses {
            self.rule(OUT, address_in(V4_SOURCE, VIPS), Verdict::Drop);
            self.rule(IN, address_in(V4_DESTINATION, VIPS), Verdict::Drop);
        }
    }

    fn v6(&mut self, shape: Shape) {
        let by_index = self.settings.ifindex;
        let key = if by_index { KeyType::Ipv6AndIndex } else { KeyType::Ipv6AndName };
        self.set(PARENT_LINK_LOCAL, key);
        if shape.vmacs {
            self.map(VMAC_MAP, KeyType::InterfaceIndex);
            self.set(VMAC_SET, KeyType::InterfaceIndex);
            self.types(MLD_REPORT, &[MLD_LISTENER_REPORT, MLD2_LISTENER_REPORT]);
        }
        if shape.addresses {
            self.set(VIPS, KeyType::Ipv6);
            self.types(NEIGHBOUR_DISCOVERY, &[NEIGHBOUR_SOLICIT, NEIGHBOUR_ADVERT]);
        }
        if shape.links_by_index {
            self.set(VIPS_BY_INDEX, KeyType::Ipv6AndIndex);
        }
        if shape.links_by_name {
            self.set(VIPS_BY_NAME, KeyType::Ipv6AndName);
        }
        self.chain(OUT, Some(Hook::Output));
        if shape.addresses {
            self.chain(IN, Some(Hook::Input));
            self.chain(IN_LINK_LOCAL, None);
            self.chain(OUT_LINK_LOCAL, None);
        }
        let meta = if by_index { Meta::OutputIndex } else { Meta::OutputName };
        let shared = address_and(V6_SOURCE, meta, PARENT_LINK_LOCAL);
        let advert = [&type_is(NEIGHBOUR_ADVERT)[..], &leaves_macvlan(), &shared].concat();
        self.rule(OUT, advert, Verdict::Drop);
        if shape.vmacs {
            self.v6_vmacs();
        }
        if shape.addresses {
            self.v6_addresses();
        }
        if shape.links_by_index {
            self.links(VIPS_BY_INDEX, Meta::InputIndex, Meta::OutputIndex);
        }
        if shape.links_by_name {
            self.links(VIPS_BY_NAME, Meta::InputName, Meta::OutputName);
        }
    }

    fn v6_vmacs(&mut self) {
        self.duplicate(&type_in(MLD_REPORT), V6_DESTINATION);
        let by_vmac = [
            Expression::Meta(Meta::OutputIndex, Register::First),
            Expression::In(Register::First, VMAC_SET.to_owned()),
        ];
        let solicit = [&type_is(ROUTER_SOLICIT)[..], &leaves_macvlan(), &by_vmac].concat();
        self.rule(OUT, solicit, Verdict::Drop);
    }

    fn v6_addresses(&mut self) {
        let ends = [(OUT, V6_SOURCE, OUT_LINK_LOCAL), (IN, V6_DESTINATION, IN_LINK_LOCAL)];
        for (chain, end, link_local) in ends {
            self.rule(chain, type_in(NEIGHBOUR_DISCOVERY), Verdict::Accept);
            self.rule(chain, is_link_local(end), Verdict::Goto(link_local.to_owned()));
            self.rule(chain, address_in(end, VIPS), Verdict::Drop);
        }
    }

    fn links(&mut self, set: &str, input: Meta, output: Meta) {
        self.rule(IN_LINK_LOCAL, address_and(V6_DESTINATION, input, set), Verdict::Drop);
        self.rule(OUT_LINK_LOCAL, address_and(V6_SOURCE, output, set), Verdict::Drop);
    }

    /// What matches and leaves by a VMAC leaves by the interface below instead.
    fn duplicate(&mut self, matches: &[Expression], destination: Payload) {
        let copy = [
            Expression::Payload(destination, Register::First),
            Expression::Meta(Meta::OutputIndex, Register::Second),
            Expression::MappedBy(Register::Second, VMAC_MAP.to_owned()),
            Expression::Duplicate,
        ];
        self.rule(OUT, [matches, &leaves_macvlan(), &copy].concat(), Verdict::Drop);
    }

    fn chain(&mut self, name: &str, hook: Option<Hook>) {
        let hook = hook.map(|hook| (hook, self.settings.priority));
        let (table, name) = (self.table.clone(), name.to_owned());
        self.changes.push(Change::AddChain { table, name, hook });
    }

    fn rule(&mut self, chain: &str, mut rule: Vec<Expression>, verdict: Verdict) {
        if self.settings.counters {
            rule.push(Expression::Counter);
        }
        rule.push(Expression::Verdict(verdict));
        let (table, chain) = (self.table.clone(), chain.to_owned());
        self.changes.push(Change::AddRule { table, chain, rule });
    }

    fn set(&mut self, name: &'static str, key: KeyType) {
        let elements = self.elements.get(name).into_iter().flatten().cloned().collect();
        self.add(Set::of(name, key), elements);
    }

    fn map(&mut self, name: &'static str, key: KeyType) {
        let elements = self.elements.get(name).into_iter().flatten().cloned().collect();
        self.add(Set { value: Some(KeyType::InterfaceIndex), ..Set::of(name, key) }, elements);
    }

    /// A set of types of ICMPv6 messages.
    fn types(&mut self, name: &'static str, types: &[u8]) {
        let elements =
            types.iter().map(|&kind| Element { key: vec![kind], end: None, value: None });
        let set = Set { is_constant: true, ..Set::of(name, KeyType::Icmpv6Type) };
        self.add(set, elements.collect());
    }

    fn add(&mut self, set: Set, elements: Vec<Element>) {
        self.sets += 1;
        let name = set.name;
        self.changes.push(Change::AddSet(self.table.clone(), Set { id: self.sets, ..set }));
        if !elements.is_empty() {
            self.changes.push(Change::AddElements(self.table.clone(), name, elements));
        }
    }
}

fn address_in(end: Payload, set: &str) -> Vec<Expression> {
    vec![Expression::Payload(end, Register::First), Expression::In(Register::First, set.to_owned())]
}

fn address_and(end: Payload, interface: Meta, set: &str) -> Vec<Expression> {
    vec![
        Expression::Payload(end, Register::First),
        Expression::Meta(interface, Register::Second),
        Expression::In(Register::First, set.to_owned()),
    ]
}

/// fe80::/10 (RFC 4291 §2.5.6)
fn is_link_local(end: Payload) -> Vec<Expression> {
    let with_beginning = |beginning: [u8; 2]| {
        let mut octets = beginning.to_vec();
        octets.resize(16, 0);
        octets
    };
    vec![
        Expression::Payload(end, Register::First),
        Expression::Mask(Register::First, with_beginning([0xff, 0xc0])),
        Expression::Equal(Register::First, with_beginning([0xfe, 0x80])),
    ]
}

fn type_in(set: &str) -> Vec<Expression> {
    let [protocol, is_icmpv6] = layer4_is(IPPROTO_ICMPV6);
    vec![
        protocol,
        is_icmpv6,
        Expression::Payload(ICMPV6_TYPE, Register::First),
        Expression::In(Register::First, set.to_owned()),
    ]
}

fn type_is(kind: u8) -> Vec<Expression> {
    let [protocol, is_icmpv6] = layer4_is(IPPROTO_ICMPV6);
    vec![
        protocol,
        is_icmpv6,
        Expression::Payload(ICMPV6_TYPE, Register::First),
        Expression::Equal(Register::First, vec![kind]),
    ]
}

fn leaves_macvlan() -> [Expression; 2] {
    [
        Expression::Meta(Meta::OutputKind, Register::Second),
        Expression::Equal(Register::Second, interface_name("macvlan").into()),
    ]
}
