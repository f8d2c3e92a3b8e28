//! Interfaces on a machine in a few lines, whose kernel does what it is asked.

use conf_parser::{Diagnostics, Options, parse_text};
use nix::errno::Errno;
use runtime::global::Global;
use runtime::machine::{Hardware, Ipvlan, LinkFlags, Machine};

use super::link::PRIVATE;
use super::*;
use crate::config::{self, Config, ROOT};

/// A machine, and what was asked of it.
struct Kernel {
    machine: Machine,
    interfaces: Interfaces,
    next: u32,
    asked: Vec<String>,
    groups_cannot_go: bool,
}

impl Kernel {
    /// With `eth0` (1) and `eth1` (2).
    fn new() -> Self {
        let machine = Machine::with_interfaces(&["eth0", "eth1"]);
        let interfaces = Interfaces::new(&machine, HashSet::new());
        Self { machine, interfaces, next: 10, asked: Vec::new(), groups_cannot_go: false }
    }

    fn look(&mut self) {
        self.interfaces.resync(&self.machine, &mut Vec::new());
    }

    /// Brings `links` to rest. Returns what was asked.
    fn tend(&mut self, links: &mut OwnLinks) -> Vec<String> {
        links.retry();
        for round in 0.. {
            assert!(round < 8, "no end: {:?}", self.asked);
            let steps = links.plan(&self.interfaces);
            if steps.is_empty() {
                break;
            }
            let outcomes = steps.iter().map(|step| self.execute(step.request())).collect();
            links.done(steps, outcomes);
            self.look();
        }
        std::mem::take(&mut self.asked)
    }

    fn execute(&mut self, request: &Request) -> Result<(), NetlinkError> {
        self.asked.push(request.to_string());
        let refused = |errno| {
            Err(NetlinkError::Refused { attempted: request.to_string(), errno, text: None })
        };
        match request {
            Request::CreateLink(new) => {
                if self.machine.by_name(&new.name).is_some() {
                    return refused(Errno::EEXIST);
                }
                let index = IfIndex(self.next);
                self.next += 1;
                let mut link = Link::ethernet(index, &new.name);
                link.kind = new.kind.name().to_owned();
                link.parent = Some(new.parent);
                link.group = new.group;
                link.flags = link.flags.without(LinkFlags::UP);
                match new.kind {
                    LinkKind::PrivateMacvlan { mac } => {
                        link.mac = mac.to_vec();
                        link.macvlan_mode = Some(PRIVATE);
                    }
                    LinkKind::Ipvlan { flags } => link.ipvlan = Some(Ipvlan { mode: 0, flags }),
                }
                self.machine.links.push(link);
            }
            Request::RemoveLink(index) => self.remove(*index),
            Request::RemoveLinkGroup(group) => {
                if self.groups_cannot_go {
                    return refused(Errno::EOPNOTSUPP);
                }
                self.machine.links.retain(|link| link.group != *group);
            }
            Request::ChangeLink(index, change) => {
                let link = self.machine.links.iter_mut().find(|link| link.index == *index);
                let Some(link) = link else { return refused(Errno::ENODEV) };
                match change {
                    LinkChange::Up => link.flags = link.flags.with(LinkFlags::UP),
                    LinkChange::PrivateMacvlan { mac } => link.mac = mac.to_vec(),
                    LinkChange::Group(group) => link.group = *group,
                    LinkChange::Vrf(vrf) => link.master = *vrf,
                    LinkChange::NoGeneratedAddress => {}
                }
            }
            Request::AddAddress(address) => self.machine.addresses.push(address.clone()),
            other => panic!("{other}"),
        }
        Ok(())
    }

    fn remove(&mut self, index: IfIndex) {
        let gone = |link: &Link| link.index == index || link.parent == Some(index);
        self.machine.links.retain(|link| !gone(link));
        self.look();
    }

    fn index(&self, name: &str) -> Option<IfIndex> {
        self.machine.by_name(name).map(|link| link.index)
    }

    fn names(&self) -> Vec<&str> {
        self.machine.links.iter().map(|link| link.name.as_str()).skip(2).collect()
    }
}

fn configuration(text: &str, machine: &Machine) -> Config {
    let mut diagnostics = Diagnostics::default();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    config::load(&statements, &Global::default(), machine, &[], &mut diagnostics)
}

/// What instances with these lines want, each with its interface and its first address.
fn wanted_by(instances: &[(&str, &str, &str)], machine: &Machine) -> Vec<Wanted> {
    let text: String = (1..)
        .zip(instances)
        .map(|(number, (interface, lines, address))| {
            format!(
                "vrrp_instance i{number} {{\n interface {interface}\n virtual_router_id 51\n {lines}\n \
                 virtual_ipaddress {{\n {address}\n }}\n}}\n"
            )
        })
        .collect();
    wanted(&configuration(&text, machine), &Global::default().vrrp)
}

fn one(lines: &str, machine: &Machine) -> Vec<Wanted> {
    wanted_by(&[("eth0", lines, "10.9.0.100/24")], machine)
}

#[test]
fn a_vmac_is_made_set_up_and_removed() {
    let mut kernel = Kernel::new();
    kernel.machine.links[0].group = 4;
    kernel.look();
    let mut links = OwnLinks::default();
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    let asked = kernel.tend(&mut links);
    assert_eq!(
        asked,
        [
            "create macvlan vrrp.51 on interface 1",
            "keep the kernel from addressing interface 10",
            "set up interface 10",
        ]
    );
    let link = kernel.machine.by_name("vrrp.51").unwrap();
    assert_eq!((link.group, &link.mac[..]), (4, &[0, 0, 0x5e, 0, 1, 51][..]));
    let settings = links.settings(&kernel.interfaces);
    let on = |index, knob| settings.get(&Setting::Interface(IfIndex(index), knob)).copied();
    let own = [Knob::ArpIgnore, Knob::AcceptLocal, Knob::RpFilter, Knob::PromoteSecondaries];
    assert_eq!(own.map(|knob| on(10, knob)), [Some(1), Some(1), Some(0), Some(1)]);
    assert_eq!([Knob::DisableIpv6, Knob::ArpFilter].map(|knob| on(10, knob)), [Some(1), None]);
    assert_eq!([Knob::ArpIgnore, Knob::ArpFilter].map(|knob| on(1, knob)), [Some(1), Some(1)]);
    assert_eq!(settings.len(), 7);
    assert_eq!(kernel.tend(&mut links), [""; 0]);

    links.want(Vec::new(), &kernel.interfaces);
    assert_eq!(kernel.tend(&mut links), ["remove interface 10"]);
    assert!(links.is_empty());
    assert!(links.settings(&kernel.interfaces).is_empty());
}

#[test]
fn both_families_have_one_and_ipv6_sends_from_the_address_below() {
    let mut kernel = Kernel::new();
    let instances = [("eth0", "use_vmac", "10.9.0.100/24"), ("eth0", "use_vmac", "fe80::100/64")];
    let mut links = OwnLinks::default();
    links.want(wanted_by(&instances, &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["vrrp.51", "vrrp6.51"]);
    let key = Key::Vmac { parent: "eth0".to_owned(), mac: [0, 0, 0x5e, 0, 2, 51] };
    let sends_from = |links: &OwnLinks, kernel: &Kernel| {
        links.link_local(&key, &kernel.interfaces).unwrap().to_string()
    };
    assert_eq!(sends_from(&links, &kernel), "fe80::ff:fe00:1");
    let [own] = &links.addresses(&kernel.interfaces)[..] else { panic!() };
    assert_eq!((own.interface, own.preferred, own.prefix_len), (IfIndex(11), Some(0), 64));
    let better = Address::plain(IfIndex(1), "fe80::77".parse().unwrap(), 64);
    kernel.machine.addresses.push(better);
    kernel.look();
    assert_eq!(sends_from(&links, &kernel), "fe80::77");
    let settings = links.settings(&kernel.interfaces);
    let of_ipv6 =
        settings.keys().filter(|setting| matches!(setting, Setting::Interface(IfIndex(11), _)));
    assert_eq!(of_ipv6.count(), 2);
}

#[test]
fn they_are_made_and_removed_in_the_order_of_the_configuration() {
    let mut kernel = Kernel::new();
    let mut links = OwnLinks::default();
    let eth1 = ("eth1", "use_vmac name first", "10.10.0.100/24");
    let eth0 = ("eth0", "use_vmac name second", "10.9.0.100/24");
    links.want(wanted_by(&[eth1, eth0], &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["first", "second"]);
    links.want(Vec::new(), &kernel.interfaces);
    kernel.groups_cannot_go = true;
    let asked = kernel.tend(&mut links);
    let removals: Vec<&String> =
        asked.iter().filter(|text| text.starts_with("remove interface ")).collect();
    assert_eq!(removals, ["remove interface 10", "remove interface 11"]);
}

#[test]
fn the_name_of_one_that_goes_is_free() {
    let mut kernel = Kernel::new();
    let mut links = OwnLinks::default();
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    let other = [("eth0", "use_vmac", "fe80::100/64")];
    links.want(wanted_by(&other, &kernel.machine), &kernel.interfaces);
    let asked = kernel.tend(&mut links);
    let first = ["remove interface 10", "create macvlan vrrp.51 on interface 1"];
    assert_eq!(asked[..2], first);
    assert_eq!(kernel.names(), ["vrrp.51"]);
}

#[test]
fn what_a_killed_process_left_behind_is_taken_over() {
    let mut kernel = Kernel::new();
    let mut before = OwnLinks::default();
    before.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut before);
    let mut links = OwnLinks::default();
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    assert_eq!(
        kernel.tend(&mut links),
        ["keep the kernel from addressing interface 10", "set up interface 10"]
    );
    assert_eq!(kernel.names(), ["vrrp.51"]);
    // The configured name gives way, as with the original.
    let mut links = OwnLinks::default();
    links.want(one("use_vmac other", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["vrrp.51"]);
    // A reload does not touch it, unless it wants another name again.
    links.want(one("use_vmac other", &kernel.machine), &kernel.interfaces);
    assert_eq!(kernel.tend(&mut links), [""; 0]);
    links.want(one("use_vmac third", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["third"]);
}

#[test]
fn what_a_killed_process_left_behind_and_nobody_wants_goes() {
    let mut kernel = Kernel::new();
    let mut before = OwnLinks::default();
    let both = [("eth0", "use_vmac", "10.9.0.100/24"), ("eth1", "use_vmac", "10.9.0.101/24")];
    before.want(wanted_by(&both, &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut before);
    let left: Vec<(IfIndex, String)> =
        before.made().map(|(index, name)| (index, name.to_owned())).collect();
    assert_eq!(kernel.names(), ["vrrp.51", "vrrp1.51"]);
    let kept = kernel.index("vrrp1.51");
    // Somebody else has taken the name of one of them meanwhile.
    let stranger = left.iter().map(|(_, name)| (IfIndex(1), name.clone()));
    let mut links = OwnLinks::inherited(stranger.chain(left.clone()).collect());
    links.want(wanted_by(&both[1..], &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["vrrp1.51"]);
    assert_eq!(kernel.index("vrrp1.51"), kept);
    // A name is free again at once.
    let mut links = OwnLinks::inherited(left);
    let another = [("eth0", "use_vmac vrrp1.51", "10.9.0.100/24")];
    links.want(wanted_by(&another, &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["vrrp1.51"]);
    assert_ne!(kernel.index("vrrp1.51"), kept);
}

#[test]
fn a_namesake_is_updated_replaced_or_left_alone() {
    let named = |kernel: &Kernel| one("use_vmac name own", &kernel.machine);
    let namesake = |parent: u32, kind: &str| {
        let mut kernel = Kernel::new();
        let mut link = Link::ethernet(IfIndex(5), "own");
        link.kind = kind.to_owned();
        link.parent = Some(IfIndex(parent));
        link.macvlan_mode = Some(PRIVATE);
        kernel.machine.links.push(link);
        kernel.look();
        let mut links = OwnLinks::default();
        links.want(named(&Kernel::new()), &kernel.interfaces);
        let asked = kernel.tend(&mut links);
        (asked, links.index(&named(&kernel).remove(0).key))
    };
    let (asked, index) = namesake(1, "macvlan");
    assert_eq!(
        (asked[0].as_str(), index),
        ("set the hardware address of interface 5", Some(IfIndex(5)))
    );
    let (asked, index) = namesake(2, "macvlan");
    assert_eq!(asked[..2], ["remove interface 5", "create macvlan own on interface 1"]);
    assert_eq!(index, Some(IfIndex(10)));
    let (asked, index) = namesake(1, "dummy");
    assert_eq!((asked, index), (vec!["create macvlan own on interface 1".to_owned()], None));
}

#[test]
fn what_somebody_else_deleted_or_renamed_is_made_again() {
    let mut kernel = Kernel::new();
    let mut links = OwnLinks::default();
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    kernel.remove(IfIndex(10));
    kernel.tend(&mut links);
    assert_eq!(kernel.index("vrrp.51"), Some(IfIndex(11)));
    kernel.machine.links.last_mut().unwrap().name = "mine".to_owned();
    kernel.look();
    kernel.tend(&mut links);
    assert_eq!((kernel.names(), kernel.index("vrrp.51")), (vec!["vrrp.51"], Some(IfIndex(12))));
}

#[test]
fn it_waits_for_the_interface_below() {
    let mut kernel = Kernel::new();
    let mut links = OwnLinks::default();
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    kernel.remove(IfIndex(1));
    assert_eq!(kernel.tend(&mut links), [""; 0]);
    let key = Key::Vmac { parent: "eth0".to_owned(), mac: [0, 0, 0x5e, 0, 1, 51] };
    assert_eq!((links.index(&key), links.name_of(&key)), (None, Some("vrrp.51")));
    let mut tunnel = Link::ethernet(IfIndex(20), "eth0");
    tunnel.hardware = Hardware(776);
    kernel.machine.links.insert(0, tunnel);
    kernel.look();
    assert_eq!(kernel.tend(&mut links), [""; 0]);
    kernel.remove(IfIndex(20));
    kernel.machine.links.insert(0, Link::ethernet(IfIndex(21), "eth0"));
    kernel.look();
    kernel.tend(&mut links);
    assert_eq!(kernel.machine.by_name("vrrp.51").unwrap().parent, Some(IfIndex(21)));
}

#[test]
fn a_reload_touches_nothing_that_stays() {
    let mut kernel = Kernel::new();
    let mut links = OwnLinks::default();
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    assert_eq!(kernel.tend(&mut links), [""; 0]);
    let both = [("eth0", "use_vmac", "10.9.0.100/24"), ("eth1", "use_vmac", "10.10.0.100/24")];
    links.want(wanted_by(&both, &kernel.machine), &kernel.interfaces);
    let asked = kernel.tend(&mut links);
    assert_eq!(asked[0], "create macvlan vrrp1.51 on interface 2");
    links.want(one("use_vmac name new", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["new"]);
}

#[test]
fn a_vmac_follows_the_interface_below_into_a_vrf_and_out_again() {
    let mut kernel = Kernel::new();
    let mut red = Link::ethernet(IfIndex(3), "red");
    red.kind = "vrf".to_owned();
    kernel.machine.links.push(red);
    kernel.look();
    let mut links = OwnLinks::default();
    links.want(one("use_vmac", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut links);
    for vrf in [Some(IfIndex(3)), None] {
        kernel.machine.links[0].master = vrf;
        kernel.look();
        assert_eq!(kernel.tend(&mut links), ["set the VRF of interface 10"]);
        assert_eq!(kernel.machine.by_name("vrrp.51").unwrap().master, vrf);
    }
}

#[test]
fn listeners_hear_of_the_interface_below_where_it_is_asked_for() {
    let mut kernel = Kernel::new();
    let mut links = OwnLinks::default();
    links.want(one("use_vmac netlink_notify_msg", &kernel.machine), &kernel.interfaces);
    assert_eq!(kernel.tend(&mut links).last().unwrap(), "set the group of interface 1");
    links.want(Vec::new(), &kernel.interfaces);
    assert_eq!(kernel.tend(&mut links), ["remove interface 10", "set the group of interface 1"]);
}

#[test]
fn a_name_goes_to_the_one_that_it_is_given_to() {
    let mut kernel = Kernel::new();
    let mut links = OwnLinks::default();
    let before = wanted_by(&[("eth1", "use_vmac own", "10.0.0.1")], &kernel.machine);
    links.want(before, &kernel.interfaces);
    kernel.tend(&mut links);
    assert_eq!(kernel.names(), ["own"]);
    // The address has one where that was, and would keep its name.
    let instance = ("eth0", "use_vmac own\n use_vmac_addr", "10.0.0.1 dev eth1");
    let after = wanted_by(&[instance], &kernel.machine);
    links.want(after, &kernel.interfaces);
    kernel.tend(&mut links);
    let parent = |name| kernel.machine.by_name(name).and_then(|link| link.parent);
    assert_eq!(parent("own"), kernel.index("eth0"));
    assert_eq!(parent("vrrp.51"), kernel.index("eth1"));
}

#[test]
fn addresses_elsewhere_have_vmacs_of_their_own() {
    let mut kernel = Kernel::new();
    let addresses = "10.9.0.100/24\n 10.10.0.100/24 dev eth1\n 10.10.0.101/24 dev eth1";
    let wanted = wanted_by(&[("eth0", "use_vmac_addr", addresses)], &kernel.machine);
    let mut links = OwnLinks::default();
    links.want(wanted, &kernel.interfaces);
    kernel.tend(&mut links);
    let link = kernel.machine.by_name("vrrp.51").unwrap();
    assert_eq!((kernel.names(), link.parent), (vec!["vrrp.51"], Some(IfIndex(2))));
}

#[test]
fn an_ipvlan_is_made_with_its_flags_and_address() {
    let mut kernel = Kernel::new();
    let lines = "use_ipvlan 10.9.0.7/24 private";
    let mut links = OwnLinks::default();
    links.want(one(lines, &kernel.machine), &kernel.interfaces);
    let asked = kernel.tend(&mut links);
    assert_eq!(
        asked,
        [
            "create ipvlan vrrp.51 on interface 1",
            "set up interface 10",
            "add address 10.9.0.7/24 to interface 10",
        ]
    );
    let link = kernel.machine.by_name("vrrp.51").unwrap();
    assert_eq!(link.ipvlan, Some(Ipvlan { mode: 0, flags: 1 }));
    // Its address tells it from others.
    let mut after = OwnLinks::default();
    after.want(one(lines, &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut after);
    assert_eq!(kernel.names(), ["vrrp.51"]);
    let mut other = OwnLinks::default();
    other.want(one("use_ipvlan 10.9.0.8/24 private", &kernel.machine), &kernel.interfaces);
    kernel.tend(&mut other);
    assert_eq!(kernel.names(), ["vrrp.51", "vrrp1.51"]);
}

#[test]
fn many_go_together_or_else_one_by_one() {
    for groups_cannot_go in [false, true] {
        let mut kernel = Kernel::new();
        kernel.groups_cannot_go = groups_cannot_go;
        let instances = [
            ("eth0", "use_vmac", "10.9.0.100/24"),
            ("eth0", "use_vmac", "fe80::100/64"),
            ("eth1", "use_vmac", "10.10.0.100/24"),
        ];
        let mut links = OwnLinks::default();
        links.want(wanted_by(&instances, &kernel.machine), &kernel.interfaces);
        kernel.tend(&mut links);
        links.want(Vec::new(), &kernel.interfaces);
        let asked = kernel.tend(&mut links);
        assert_eq!(asked.iter().filter(|text| text.starts_with("remove interfaces")).count(), 1);
        let alone = asked.iter().filter(|text| text.starts_with("remove interface 1"));
        assert_eq!(alone.count(), if groups_cannot_go { 3 } else { 0 });
        assert_eq!(kernel.names(), [""; 0]);
        assert!(kernel.index("eth0").is_some() && links.is_empty());
    }
}
