//! Reloads by chance, from the text of a configuration to what is in the kernel.

use std::collections::HashSet;

use conf_parser::{Class, Diagnostics, Options, parse_text};
use runtime::global::Global;

use super::objects::Kernel;
use super::*;
use crate::config::{Config, ROOT, load};
use crate::interfaces::Interfaces;
use crate::kernel::own_links::OwnLinks;
use crate::kernel::placement::{Owner, Placement};

const INSTANCES: usize = 4;

/// Where something is: nowhere, in the static configuration, or in an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Static,
    Instance(usize),
}

/// Addresses, routes and rules. No two configurations need to agree in where they are, and with which option.
const ADDRESSES: [(&str, &[&str]); 9] = [
    ("10.0.1.1/24", &["dev eth1", "dev eth2"]),
    ("10.0.1.2/24", &["dev eth1", "dev eth2", "dev eth1 preferred_lft 0"]),
    ("10.0.1.3/24", &["dev eth1", "dev eth1 brd 10.0.1.255"]),
    ("10.0.2.1/32", &["dev eth2", "dev eth2 scope link"]),
    ("10.0.2.2/25", &["dev eth2", "dev eth1"]),
    ("10.0.2.3/25", &["dev eth2", "dev eth2 no_track"]),
    ("fd00::1/64", &["dev eth1", "dev eth2", "dev eth1 preferred_lft 0"]),
    ("fd00::2/128", &["dev eth1", "dev eth1 noprefixroute"]),
    ("fe80::7/64", &["dev eth1", "dev eth2"]),
];
const ROUTES: [(&str, &[&str]); 5] = [
    ("10.20.0.0/16", &["dev eth1", "dev eth2", "dev eth1 mtu 1400", "dev eth1 metric 5"]),
    ("10.21.0.0/16", &["via 10.9.0.9 dev eth1", "via 10.9.0.8 dev eth1", "dev eth1 table 100"]),
    ("10.22.0.0/16", &["dev eth1 src 10.0.9.0", "dev eth2"]),
    ("blackhole 10.23.0.0/16", &["", "metric 5"]),
    ("fd20::/64", &["dev eth1", "via fd00::9 dev eth2"]),
];
const RULES: [(&str, &[&str]); 3] = [
    ("from 10.30.0.0/16", &["priority 1000 table 100", "priority 1000 table 101"]),
    ("to 10.31.0.0/16", &["priority 1001 table 100", "iif eth1 priority 1001 table 100"]),
    ("from fd30::/64", &["priority 1002 table 100", "priority 1003 table 100"]),
];

/// A configuration: what each thing is placed in and which option it has, and of the instances which are there, and
/// which are master.
#[derive(Clone, Debug)]
struct Scenario {
    things: Vec<(Place, usize)>,
    instances: Vec<(bool, bool)>,
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    let place = prop_oneof![
        1 => Just(Place::Nowhere),
        1 => Just(Place::Static),
        4 => (0..INSTANCES).prop_map(Place::Instance),
    ];
    let count = ADDRESSES.len() + ROUTES.len() + RULES.len();
    let things = proptest::collection::vec((place, 0..4usize), count);
    let present = (proptest::bool::weighted(0.8), proptest::bool::weighted(0.8));
    let instances = proptest::collection::vec(present, INSTANCES);
    (things, instances).prop_map(|(things, instances)| Scenario { things, instances })
}

impl Scenario {
    /// A block of what is in `place` of a kind of thing.
    fn block(&self, name: &str, kind: &[(&str, &[&str])], first: usize, place: Place) -> String {
        let placed = kind.iter().zip(&self.things[first..]).filter(|(_, thing)| thing.0 == place);
        let lines: String = placed
            .map(|((thing, options), (_, option))| {
                format!("{thing} {}\n", options[option % options.len()])
            })
            .collect();
        if lines.is_empty() { String::new() } else { format!("{name} {{\n{lines}}}\n") }
    }

    fn blocks(&self, names: [&str; 3], place: Place) -> String {
        let (routes, rules) = (ADDRESSES.len(), ADDRESSES.len() + ROUTES.len());
        self.block(names[0], &ADDRESSES, 0, place)
            + &self.block(names[1], &ROUTES, routes, place)
            + &self.block(names[2], &RULES, rules, place)
    }

    fn text(&self) -> String {
        let fixed = ["static_ipaddress", "static_routes", "static_rules"];
        let held = ["virtual_ipaddress_excluded", "virtual_routes", "virtual_rules"];
        let there = (0..INSTANCES).filter(|&n| self.instances[n].0);
        let instances = there.map(|n| {
            let blocks = self.blocks(held, Place::Instance(n));
            format!(
                "vrrp_instance i{n} {{\ninterface eth1\nvirtual_router_id {}\n\
                 virtual_ipaddress {{\n10.0.9.{n}/24\n}}\n{blocks}}}\n",
                51 + n
            )
        });
        self.blocks(fixed, Place::Static) + &instances.collect::<String>()
    }

    /// What is to be in the kernel.
    fn desired(&self) -> Desired {
        let text = self.text();
        let links = ["eth1", "eth2"].iter().zip(1..);
        let links = links.map(|(name, index)| Link::ethernet(IfIndex(index), name)).collect();
        let machine = Machine { links, addresses: vec![address("10.0.0.1/24%1")] };
        let config = loaded(&text, &machine);
        let interfaces = Interfaces::new(&machine, HashSet::new());
        let own_links = OwnLinks::default();
        let holders: Vec<Owner<'_>> = config
            .instances
            .iter()
            .zip(self.instances.iter().filter(|one| one.0))
            .filter(|(_, (_, holds))| *holds)
            .map(|(config, _)| Owner { config, base: Some(IfIndex(1)), own: None })
            .collect();
        Placement { interfaces: &interfaces, own_links: &own_links, protocol: PROTOCOL }
            .desired(&config, &holders)
    }
}

fn loaded(text: &str, machine: &Machine) -> Config {
    let mut global = Global::default();
    global.vrrp.iproute_etc_dir = "/nonexistent".to_owned();
    global.vrrp.iproute_usr_dir = "/nonexistent".to_owned();
    let mut diagnostics = Diagnostics::default();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    let config = load(&statements, &global, machine, &[], &mut diagnostics);
    let complaints: Vec<&str> = diagnostics
        .items()
        .iter()
        .filter(|item| item.class > Class::Harmless)
        .map(|item| item.message.as_str())
        .collect();
    assert_eq!(complaints, [""; 0], "{text}");
    config
}

/// What both want.
fn shared<T: PartialEq + Clone>(before: &[T], after: &[T]) -> Vec<T> {
    before.iter().filter(|one| after.contains(one)).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// A reload leads where a restart leads, and what is in both configurations is not touched.
    #[test]
    fn a_reload_leads_where_a_restart_leads(
        first in any_scenario(),
        second in any_scenario(),
        promotes: bool,
    ) {
        let (before, after) = (first.desired(), second.desired());
        let (mut ledger, mut kernel) = (Ledger::default(), Kernel::promoting(promotes));
        // Some routes may want a source address that is not there.
        ledger.reconcile(&before, |requests| kernel.execute(requests));
        kernel.tell(&mut ledger);
        let mut asked = Vec::new();
        ledger.reconcile(&after, |requests| {
            asked = requests.to_vec();
            kernel.execute(requests)
        });
        let addresses = shared(&before.addresses, &after.addresses);
        let routes = shared(&before.routes, &after.routes);
        let rules = shared(&before.rules, &after.rules);
        for request in &asked {
            let touches = match request {
                Request::RemoveAddress(address) => addresses.contains(address),
                Request::RemoveRoute(route) => routes.contains(route),
                Request::RemoveRule(rule) => rules.contains(rule),
                _ => false,
            };
            prop_assert!(!touches, "{request} in {asked:?}");
        }
        kernel.tell(&mut ledger);
        prop_assert_eq!(ledger.take_lost(), []);
        ledger.reconcile(&after, |requests| kernel.execute(requests));
        let mut fresh = Kernel::promoting(promotes);
        Ledger::default().reconcile(&after, |requests| fresh.execute(requests));
        prop_assert_eq!(kernel.content(), fresh.content());
    }
}
