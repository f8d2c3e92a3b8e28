//! A kernel in a few lines, with what hurts about the real one: it removes secondary addresses together with their
//! primary one, and tells what has happened only later.

mod objects;
mod reload;

use std::collections::{BTreeMap, BTreeSet};

use nix::errno::Errno;
use proptest::prelude::*;
use runtime::machine::{AddressFlags, IfIndex, Link, LinkFlags};

use super::*;
use crate::config;

/// Addresses in the order of their addition, and what is still to be told.
#[derive(Clone, Debug, Default)]
struct Kernel {
    addresses: Vec<Address>,
    untold: Vec<Event>,
    promotes: bool,
}

impl Kernel {
    fn execute(&mut self, requests: &[Request]) -> Vec<Result<(), NetlinkError>> {
        let outcomes = requests.iter().map(|request| {
            let outcome = match request {
                Request::AddAddress(address) => self.add(address),
                Request::RemoveAddress(address) => self.remove(address.key()),
                _ => Err(Errno::EOPNOTSUPP),
            };
            outcome.map_err(|errno| NetlinkError::Refused {
                attempted: request.to_string(),
                errno,
                text: None,
            })
        });
        outcomes.collect()
    }

    fn add(&mut self, address: &Address) -> Result<(), Errno> {
        if address.interface == IfIndex(99) {
            return Err(Errno::ENODEV);
        }
        let clashes = |known: &&Address| {
            known.interface == address.interface
                && known.local == address.local
                && (known.prefix_len == address.prefix_len || address.local.is_ipv6())
        };
        if self.addresses.iter().any(|known| clashes(&known)) {
            return Err(Errno::EEXIST);
        }
        self.addresses.push(address.clone());
        // IPv6 tells of a new address when it has looked for duplicates, which may be long after.
        if address.local.is_ipv4() {
            self.untold.push(Event::AddressAdded(address.clone()));
        }
        Ok(())
    }

    fn remove(&mut self, key: AddressKey) -> Result<(), Errno> {
        let place = self.addresses.iter().position(|known| known.key() == key);
        let place = place.ok_or(Errno::EADDRNOTAVAIL)?;
        let same_subnet = |known: &Address| {
            let network = |key: AddressKey| match key.local {
                std::net::IpAddr::V4(local) => Some(
                    u32::from(local)
                        & u32::MAX.checked_shl(32 - u32::from(key.prefix_len)).unwrap_or(0),
                ),
                std::net::IpAddr::V6(_) => None,
            };
            known.interface == key.interface
                && known.prefix_len == key.prefix_len
                && network(known.key()).is_some()
                && network(known.key()) == network(key)
        };
        let primary = !self.addresses[..place].iter().any(same_subnet);
        let gone = self.addresses.remove(place);
        self.untold.push(Event::AddressRemoved(gone));
        if primary && !self.promotes {
            let (swept, kept) = self.addresses.drain(..).partition(same_subnet);
            self.addresses = kept;
            self.untold.extend(swept.into_iter().map(Event::AddressRemoved));
        }
        Ok(())
    }

    fn tell(&mut self, ledger: &mut Ledger) {
        self.tell_some(usize::MAX, ledger);
    }

    /// Tells the first `count` of what is untold.
    fn tell_some(&mut self, count: usize, ledger: &mut Ledger) {
        for event in self.untold.drain(..count.min(self.untold.len())) {
            ledger.on_event(&event);
        }
    }

    fn keys(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("{address}%{}", address.interface)).collect()
    }

    fn machine(&self) -> Machine {
        let links = (1..4).map(|index| Link::ethernet(IfIndex(index), &format!("eth{index}")));
        Machine { links: links.collect(), addresses: self.addresses.clone() }
    }
}

fn address(text: &str) -> Address {
    let (rest, interface) = text.split_once('%').unwrap();
    let (local, prefix_len) = rest.split_once('/').unwrap();
    Address::plain(
        IfIndex(interface.parse().unwrap()),
        local.parse().unwrap(),
        prefix_len.parse().unwrap(),
    )
}

fn desire(texts: &[&str]) -> Desired {
    Desired { addresses: texts.iter().copied().map(address).collect(), ..Desired::default() }
}

/// The requests of one call, as text.
fn asked(ledger: &mut Ledger, kernel: &mut Kernel, desired: &Desired) -> Vec<String> {
    let mut asked = Vec::new();
    let failures = ledger.reconcile(desired, |requests| {
        asked = requests
            .iter()
            .map(|request| match request {
                Request::AddAddress(address) => format!("+{address}%{}", address.interface),
                Request::RemoveAddress(address) => format!("-{address}%{}", address.interface),
                other => other.to_string(),
            })
            .collect();
        kernel.execute(requests)
    });
    assert_eq!(failures, []);
    asked
}

#[test]
fn a_transition_asks_for_the_difference() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let one = desire(&["10.0.0.1/24%1", "10.0.0.2/24%1", "fd00::1/64%2"]);
    assert_eq!(
        asked(&mut ledger, &mut kernel, &one),
        ["+10.0.0.1/24%1", "+10.0.0.2/24%1", "+fd00::1/64%2"]
    );
    assert!(asked(&mut ledger, &mut kernel, &one).is_empty());
    kernel.tell(&mut ledger);
    assert!(asked(&mut ledger, &mut kernel, &one).is_empty());
    // The last comes first, so that the kernel does not take the others along.
    assert_eq!(
        asked(&mut ledger, &mut kernel, &Desired::default()),
        ["-fd00::1/64%2", "-10.0.0.2/24%1", "-10.0.0.1/24%1"]
    );
    kernel.tell(&mut ledger);
    assert_eq!(ledger.take_lost(), []);
    assert!(kernel.addresses.is_empty());
}

#[test]
fn what_moves_is_added_before_it_is_removed() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    asked(&mut ledger, &mut kernel, &desire(&["10.0.0.1/24%1", "fd00::1/64%1"]));
    assert_eq!(
        asked(
            &mut ledger,
            &mut kernel,
            &desire(&["10.0.0.1/24%2", "10.0.0.1/32%1", "fd00::1/64%2"])
        ),
        ["+10.0.0.1/24%2", "+10.0.0.1/32%1", "+fd00::1/64%2", "-fd00::1/64%1", "-10.0.0.1/24%1"]
    );
    // IPv6 cannot have an address twice on an interface.
    assert_eq!(
        asked(
            &mut ledger,
            &mut kernel,
            &desire(&["10.0.0.1/24%2", "10.0.0.1/32%1", "fd00::1/128%2"])
        ),
        ["-fd00::1/64%2", "+fd00::1/128%2"]
    );
    kernel.tell(&mut ledger);
    assert_eq!(ledger.take_lost(), []);
}

#[test]
fn other_options_replace_the_address() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let plain = address("10.0.0.1/24%1");
    asked(
        &mut ledger,
        &mut kernel,
        &Desired { addresses: vec![plain.clone()], ..Desired::default() },
    );
    for changed in [
        Address { label: Some("eth1:1".to_owned()), ..plain.clone() },
        Address { broadcast: Some([10, 0, 0, 255].into()), ..plain.clone() },
        Address { scope: 253, ..plain.clone() },
        Address { flags: AddressFlags::NO_PREFIX_ROUTE, ..plain },
    ] {
        let desired = Desired { addresses: vec![changed.clone()], ..Desired::default() };
        assert_eq!(asked(&mut ledger, &mut kernel, &desired), ["-10.0.0.1/24%1", "+10.0.0.1/24%1"]);
        assert_eq!(kernel.addresses, [changed]);
        kernel.tell(&mut ledger);
        assert_eq!(ledger.take_lost(), []);
        assert!(asked(&mut ledger, &mut kernel, &desired).is_empty());
    }
}

#[test]
fn what_leaves_with_a_primary_address_comes_back() {
    for promotes in [false, true] {
        let (mut ledger, mut kernel) =
            (Ledger::default(), Kernel { promotes, ..Kernel::default() });
        let all = ["10.0.0.1/24%1", "10.0.0.2/24%1", "10.0.0.3/24%2", "10.0.1.4/24%1"];
        asked(&mut ledger, &mut kernel, &desire(&all));
        assert_eq!(
            asked(&mut ledger, &mut kernel, &desire(&all[1..])),
            ["-10.0.0.1/24%1", "+10.0.0.2/24%1"]
        );
        kernel.tell(&mut ledger);
        assert_eq!(ledger.take_lost(), []);
        let mut there = kernel.keys();
        there.sort();
        assert_eq!(there, ["10.0.0.2/24%1", "10.0.0.3/24%2", "10.0.1.4/24%1"]);
    }
}

#[test]
fn what_others_remove_is_lost_once_and_can_be_put_back() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let all = desire(&["10.0.0.1/32%1", "10.0.0.2/32%1"]);
    asked(&mut ledger, &mut kernel, &all);
    kernel.tell(&mut ledger);
    kernel.remove(all.addresses[1].key()).unwrap();
    kernel.remove(address("10.0.0.9/32%1").key()).unwrap_err();
    kernel.tell(&mut ledger);
    assert!(!ledger.holds(all.addresses[1].key()));
    assert_eq!(ledger.take_lost(), [all.addresses[1].clone()]);
    assert_eq!(ledger.take_lost(), []);
    assert_eq!(asked(&mut ledger, &mut kernel, &all), ["+10.0.0.2/32%1"]);
    kernel.tell(&mut ledger);
    assert_eq!(ledger.take_lost(), []);
    assert!(ledger.holds(all.addresses[1].key()));
}

/// The kernel's word about our own removal comes when the address is there again.
#[test]
fn an_old_echo_is_no_loss() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let one = desire(&["fd00::1/64%1"]);
    asked(&mut ledger, &mut kernel, &one);
    asked(&mut ledger, &mut kernel, &Desired::default());
    asked(&mut ledger, &mut kernel, &one);
    kernel.tell(&mut ledger);
    assert_eq!(ledger.take_lost(), []);
    assert!(ledger.holds(one.addresses[0].key()));
    kernel.remove(one.addresses[0].key()).unwrap();
    kernel.tell(&mut ledger);
    assert_eq!(ledger.take_lost(), one.addresses);
}

#[test]
fn a_refusal_is_told_once_and_tried_again() {
    let mut ledger = Ledger::default();
    let mut kernel = Kernel::default();
    let desired = desire(&["10.0.0.1/32%99", "10.0.0.2/32%1"]);
    let failures = ledger.reconcile(&desired, |requests| kernel.execute(requests));
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].errno(), Some(Errno::ENODEV));
    let mut tries = 0;
    let failures = ledger.reconcile(&desired, |requests| {
        tries += requests.len();
        kernel.execute(requests)
    });
    assert_eq!((failures.len(), tries), (0, 1));
    assert_eq!(ledger.take_lost(), []);
    assert!(asked(&mut ledger, &mut kernel, &desire(&["10.0.0.2/32%1"])).is_empty());
}

#[test]
fn leftovers_of_a_killed_process_are_adopted() {
    let mut kernel = Kernel::default();
    let named = desire(&["10.0.0.100/24%1", "10.0.0.101/24%1", "10.0.0.102/24%1"]).addresses;
    let left = |text: &str, label: &str| Address {
        label: Some(label.to_owned()),
        flags: AddressFlags::PERMANENT,
        protocol: 18,
        ..address(text)
    };
    kernel.addresses = vec![
        address("10.0.0.1/24%1"),
        left("10.0.0.100/24%1", "eth1"),
        left("10.0.0.101/24%1", "eth1:old"),
        left("10.0.0.7/24%1", "eth1"),
    ];
    let mut ledger = Ledger::default();
    ledger.adopt(&kernel.machine(), &named);
    // As a master it keeps what is right, and as a backup it would have removed both.
    let mut backup = (ledger.clone(), kernel.clone());
    assert_eq!(
        asked(&mut ledger, &mut kernel, &Desired { addresses: named, ..Desired::default() }),
        ["-10.0.0.101/24%1", "+10.0.0.101/24%1", "+10.0.0.102/24%1", "+10.0.0.100/24%1"]
    );
    asked(&mut backup.0, &mut backup.1, &Desired::default());
    assert_eq!(backup.1.keys(), ["10.0.0.1/24%1", "10.0.0.7/24%1"]);
}

#[test]
fn nothing_is_lost_with_its_interface() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let all = desire(&["10.0.0.1/32%1", "10.0.0.2/32%2"]);
    asked(&mut ledger, &mut kernel, &all);
    kernel.tell(&mut ledger);
    kernel.addresses.remove(0);
    ledger.on_event(&Event::LinkGone { index: IfIndex(1), name: "eth1".to_owned() });
    assert_eq!(ledger.take_lost(), []);
    assert_eq!(asked(&mut ledger, &mut kernel, &all), ["+10.0.0.1/32%1"]);
}

#[test]
fn options_of_the_configuration() {
    let flags = AddressFlags(0x10 | 0x100 | 0x200 | 0x400);
    let configured = config::Address {
        address: "10.0.0.1".parse().unwrap(),
        prefix_len: 24,
        peer: None,
        broadcast: Some([10, 0, 0, 255].into()),
        interface: Some("eth1".to_owned()),
        scope: 253,
        label: Some("eth1:vip".to_owned()),
        flags,
        preferred_lifetime: Some(0),
        tracked: true,
        use_vmac: false,
        track_group: None,
    };
    let put = addresses::on_interface(&configured, IfIndex(4), PROTOCOL);
    assert_eq!((put.flags, put.preferred, put.protocol), (flags, None, 18));
    assert_eq!(
        (put.scope, put.label.as_deref(), put.interface),
        (253, Some("eth1:vip"), IfIndex(4))
    );
    let v6 = config::Address { address: "fd00::1".parse().unwrap(), ..configured };
    let put = addresses::on_interface(&v6, IfIndex(4), PROTOCOL);
    assert_eq!((put.flags, put.preferred), (flags, Some(0)));
}

#[derive(Clone, Debug)]
enum Step {
    Desire(Vec<usize>),
    Remove(usize),
    Tell(usize),
    Overrun,
}

const POOL: [&str; 9] = [
    "10.0.0.1/24%1",
    "10.0.0.2/24%1",
    "10.0.0.3/24%1",
    "10.0.0.2/24%2",
    "10.0.0.2/32%1",
    "10.1.0.1/16%1",
    "fd00::1/64%1",
    "fd00::1/128%1",
    "fe80::1/64%2",
];
const FOREIGN: &str = "10.0.0.250/24%3";

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::sample::subsequence((0..POOL.len()).collect::<Vec<_>>(), 0..POOL.len())
            .prop_shuffle()
            .prop_map(Step::Desire),
        2 => (0..POOL.len()).prop_map(Step::Remove),
        4 => prop_oneof![0..9usize, Just(usize::MAX)].prop_map(Step::Tell),
        1 => Just(Step::Overrun),
    ]
}

proptest! {
    /// Whatever is wanted one after the other, removed by others and told late or not at all: in the end there is what
    /// is wanted, and what was somebody else's. Nothing that was added stays behind.
    #[test]
    fn the_end_is_what_is_wanted(steps in proptest::collection::vec(any_step(), 1..25), promotes: bool) {
        let mut kernel = Kernel { promotes, ..Kernel::default() };
        let mut ledger = Ledger::default();
        let mut desired = Desired::default();
        kernel.add(&address(FOREIGN)).unwrap();
        let mut disturbed = false;
        for step in steps {
            match step {
                Step::Desire(chosen) => {
                    // Two prefix lengths of one IPv6 address cannot both be.
                    let both = chosen.contains(&6) && chosen.contains(&7);
                    let chosen = chosen.iter().filter(|&&n| !(both && n == 7));
                    desired.addresses = chosen.map(|&n| address(POOL[n])).collect();
                    ledger.reconcile(&desired, |requests| kernel.execute(requests));
                }
                Step::Remove(n) => disturbed |= kernel.remove(address(POOL[n]).key()).is_ok(),
                Step::Tell(count) => {
                    kernel.tell_some(count, &mut ledger);
                    let lost = ledger.take_lost();
                    prop_assert!(disturbed || lost.is_empty(), "{lost:?}");
                }
                Step::Overrun => {
                    kernel.untold.clear();
                    ledger.resync(&kernel.machine());
                    ledger.take_lost();
                }
            }
        }
        let keys = |addresses: &[Address]| -> BTreeMap<AddressKey, ()> {
            addresses.iter().map(|address| (address.key(), ())).collect()
        };
        kernel.tell(&mut ledger);
        let lost: Vec<AddressKey> = ledger.take_lost().iter().map(Address::key).collect();
        for address in &desired.addresses {
            let there = kernel.addresses.iter().any(|found| found.key() == address.key());
            prop_assert_eq!(ledger.holds(address.key()), there);
            prop_assert!(!there || !lost.contains(&address.key()));
        }
        ledger.reconcile(&desired, |requests| kernel.execute(requests));
        let mut wanted = desired.addresses.clone();
        if kernel.addresses.contains(&address(FOREIGN)) {
            wanted.push(address(FOREIGN));
        }
        prop_assert_eq!(keys(&kernel.addresses), keys(&wanted));
        ledger.reconcile(&Desired::default(), |requests| kernel.execute(requests));
        wanted.retain(|address| *address == self::address(FOREIGN));
        prop_assert_eq!(keys(&kernel.addresses), keys(&wanted));
    }
}
