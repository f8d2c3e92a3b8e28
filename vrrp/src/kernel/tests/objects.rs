//! Routes and rules in the ledger, on a kernel in a few lines: routes need their interface and their source address, and
//! go without a word when they lose one of them.

use runtime::machine::route::{AddMode, Hop, Metrics, Prefix};
use runtime::machine::rule::RuleAction;

use super::*;
use crate::kernel::objects::Object;

/// What there is, and what is still to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    inner: super::Kernel,
    routes: Vec<Route>,
    rules: Vec<Rule>,
    down: Vec<IfIndex>,
    untold: Vec<Event>,
}

impl Kernel {
    /// One that keeps secondary addresses whose primary one goes, or does not.
    pub(super) fn promoting(promotes: bool) -> Self {
        Self { inner: super::Kernel { promotes, ..Default::default() }, ..Self::default() }
    }

    pub(super) fn execute(&mut self, requests: &[Request]) -> Vec<Result<(), NetlinkError>> {
        let outcomes = requests.iter().map(|request| {
            let outcome = match request {
                Request::AddAddress(address) => self.add_address(address),
                Request::RemoveAddress(address) => self.remove_address(address.key()),
                Request::AddRoute(route) => self.add_route(route),
                Request::RemoveRoute(route) => self.remove_route(route).map(drop),
                Request::AddRule(rule) => self.add_rule(rule),
                Request::RemoveRule(rule) => self.remove_rule(rule).map(drop),
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

    fn add_address(&mut self, address: &Address) -> Result<(), Errno> {
        self.inner.add(address)?;
        self.untold.append(&mut self.inner.untold);
        Ok(())
    }

    fn remove_address(&mut self, key: AddressKey) -> Result<(), Errno> {
        self.inner.remove(key)?;
        for event in self.inner.untold.drain(..) {
            if let Event::AddressRemoved(gone) = &event {
                self.routes.retain(|route| route.source != Some(gone.local));
            }
            self.untold.push(event);
        }
        Ok(())
    }

    fn add_route(&mut self, route: &Route) -> Result<(), Errno> {
        let missing = |local| !self.inner.addresses.iter().any(|address| address.local == local);
        if route.source.is_some_and(missing) {
            return Err(Errno::EINVAL);
        }
        if route.hops.iter().any(|hop| self.down.iter().any(|down| hop.interface == Some(*down))) {
            return Err(Errno::ENETDOWN);
        }
        let bars = |known: &Route| known == route || route.is_barred_by(known);
        if self.routes.iter().any(bars) {
            return Err(Errno::EEXIST);
        }
        self.routes.push(route.clone());
        Ok(())
    }

    fn remove_route(&mut self, route: &Route) -> Result<Route, Errno> {
        let place = self.routes.iter().position(|known| known.key() == route.key());
        Ok(self.routes.remove(place.ok_or(Errno::ESRCH)?))
    }

    fn add_rule(&mut self, rule: &Rule) -> Result<(), Errno> {
        if self.rules.iter().any(|known| known.key() == rule.key()) {
            return Err(Errno::EEXIST);
        }
        self.rules.push(rule.clone());
        Ok(())
    }

    fn remove_rule(&mut self, rule: &Rule) -> Result<Rule, Errno> {
        let place = self.rules.iter().position(|known| known.key() == rule.key());
        Ok(self.rules.remove(place.ok_or(Errno::ENOENT)?))
    }

    /// An interface goes down and comes up again.
    fn flap(&mut self, index: IfIndex) {
        self.routes.retain(|route| route.hops.iter().all(|hop| hop.interface != Some(index)));
        let link = Link::ethernet(index, "eth");
        let down = Link { flags: link.flags.without(LinkFlags::UP), ..link.clone() };
        self.untold.extend([Event::LinkChanged(down), Event::LinkChanged(link)]);
    }

    pub(super) fn tell(&mut self, ledger: &mut Ledger) {
        for event in self.untold.drain(..) {
            ledger.on_event(&event);
        }
    }

    /// What there is, without its order.
    pub(super) fn content(&self) -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>) {
        let text = |text: &dyn std::fmt::Debug| format!("{text:?}");
        (
            self.inner.addresses.iter().map(|one| text(one)).collect(),
            self.routes.iter().map(|one| text(one)).collect(),
            self.rules.iter().map(|one| text(one)).collect(),
        )
    }
}

fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), len: len.parse().unwrap() }
}

fn over(index: u32) -> Hop {
    Hop { interface: Some(IfIndex(index)), ..Hop::default() }
}

fn through(gateway: &str) -> Hop {
    Hop { gateway: Some(gateway.parse().unwrap()), ..Hop::default() }
}

fn route(destination: &str, hop: Hop) -> Route {
    Route { protocol: PROTOCOL, ..Route::plain(prefix(destination), vec![hop]) }
}

fn rule(priority: u32, table: u32) -> Rule {
    let plain = Rule::plain(false, priority, RuleAction::Table(table));
    Rule { protocol: Some(PROTOCOL), ..plain }
}

/// The requests of one call, as text.
fn asked(ledger: &mut Ledger, kernel: &mut Kernel, desired: &Desired) -> Vec<String> {
    let mut asked = Vec::new();
    ledger.reconcile(desired, |requests| {
        asked = requests.iter().map(Request::to_string).collect();
        kernel.execute(requests)
    });
    asked
}

fn everything() -> Desired {
    Desired {
        addresses: vec![address("10.0.0.1/24%1")],
        routes: vec![
            Route {
                source: Some([10, 0, 0, 1].into()),
                ..route("10.8.0.0/16", through("10.0.0.9"))
            },
            route("10.9.0.0/16", over(1)),
        ],
        rules: vec![rule(100, 7), rule(101, 7)],
    }
}

#[test]
fn what_is_needed_comes_first_and_goes_last() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    assert_eq!(
        asked(&mut ledger, &mut kernel, &everything()),
        [
            "add address 10.0.0.1/24 to interface 1",
            "add route 10.8.0.0/16 via 10.0.0.9",
            "add route 10.9.0.0/16 over interface 1",
            "add rule 100 of IPv4 for table 7",
            "add rule 101 of IPv4 for table 7",
        ]
    );
    assert!(ledger.holds_route(&everything().routes[0]) && ledger.holds_rule(&rule(100, 7)));
    assert_eq!(asked(&mut ledger, &mut kernel, &everything()), [] as [&str; 0]);
    assert_eq!(
        asked(&mut ledger, &mut kernel, &Desired::default()),
        [
            "remove rule 101 of IPv4 for table 7",
            "remove rule 100 of IPv4 for table 7",
            "remove route 10.9.0.0/16 over interface 1",
            "remove route 10.8.0.0/16 via 10.0.0.9",
            "remove address 10.0.0.1/24 from interface 1",
        ]
    );
    assert!(!ledger.has_routes_or_rules());
}

#[test]
fn a_new_way_is_there_before_the_old_one_goes() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let by = |gateway| Desired {
        routes: vec![route("0.0.0.0/0", through(gateway))],
        ..Desired::default()
    };
    asked(&mut ledger, &mut kernel, &by("10.0.0.1"));
    assert_eq!(
        asked(&mut ledger, &mut kernel, &by("10.0.0.2")),
        ["add route default via 10.0.0.2", "remove route default via 10.0.0.1"]
    );
    // But for one that does not tolerate others.
    let mut lonely = by("10.0.0.3");
    lonely.routes[0].add = AddMode::Exclusive;
    assert_eq!(
        asked(&mut ledger, &mut kernel, &lonely),
        ["remove route default via 10.0.0.2", "add route default via 10.0.0.3"]
    );
}

#[test]
fn another_setting_replaces_the_route() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let with = |mtu| {
        let metrics = Metrics { numbers: vec![(2, mtu)], congestion: None };
        Desired {
            routes: vec![Route { metrics, ..route("10.8.0.0/16", over(1)) }],
            ..Desired::default()
        }
    };
    asked(&mut ledger, &mut kernel, &with(1400));
    let requests = asked(&mut ledger, &mut kernel, &with(1300));
    assert_eq!(
        requests,
        ["remove route 10.8.0.0/16 over interface 1", "add route 10.8.0.0/16 over interface 1"]
    );
    assert_eq!(kernel.routes, with(1300).routes);
}

#[test]
fn what_others_remove_is_put_back_or_left_to_them() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let all = everything();
    asked(&mut ledger, &mut kernel, &all);
    let (gone, rule) = (all.routes[1].clone(), all.rules[0].clone());
    for left_to_them in [false, true] {
        kernel.remove_route(&gone).unwrap();
        kernel.remove_rule(&rule).unwrap();
        ledger.on_event(&Event::RouteRemoved(Box::new(gone.clone())));
        ledger.on_event(&Event::RuleRemoved(Box::new(rule.clone())));
        assert_eq!(ledger.take_lost_routes(), std::slice::from_ref(&gone));
        assert_eq!(ledger.take_lost_rules(), std::slice::from_ref(&rule));
        assert_eq!((ledger.take_lost_routes(), ledger.take_lost_rules()), (vec![], vec![]));
        if left_to_them {
            ledger.give_up_route(&gone);
            ledger.give_up_rule(&rule);
            assert_eq!(asked(&mut ledger, &mut kernel, &all), [] as [&str; 0]);
        } else {
            assert_eq!(asked(&mut ledger, &mut kernel, &all).len(), 2);
        }
    }
    // Until it has not been wanted for once.
    asked(&mut ledger, &mut kernel, &Desired::default());
    asked(&mut ledger, &mut kernel, &all);
    assert_eq!((kernel.routes, kernel.rules), (all.routes, all.rules));
}

#[test]
fn what_goes_silently_comes_back_silently() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let all = everything();
    asked(&mut ledger, &mut kernel, &all);
    kernel.tell(&mut ledger);
    assert!(!ledger.is_unsettled());
    kernel.flap(IfIndex(1));
    kernel.remove_address(all.addresses[0].key()).unwrap();
    kernel.tell(&mut ledger);
    assert_eq!(ledger.take_lost_routes(), []);
    assert!(ledger.is_unsettled());
    asked(&mut ledger, &mut kernel, &all);
    assert_eq!(kernel.routes.len(), 2);
}

#[test]
fn a_refused_route_is_told_once_and_tried_again() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let desired = Desired { addresses: vec![], ..everything() };
    let failures = ledger.reconcile(&desired, |requests| kernel.execute(requests));
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].errno(), Some(Errno::EINVAL));
    assert_eq!((kernel.routes.len(), kernel.rules.len()), (1, 2));
    assert!(ledger.is_unsettled());
    assert_eq!(ledger.reconcile(&desired, |requests| kernel.execute(requests)), []);
    asked(&mut ledger, &mut kernel, &everything());
    assert_eq!(kernel.routes.len(), 2);
}

#[test]
fn leftovers_are_adopted_by_what_the_kernel_shows_of_them() {
    let all = everything();
    let mut kernel = Kernel::default();
    kernel.inner.addresses.clone_from(&all.addresses);
    // The kernel knows where the router is, and who is not named is somebody else's.
    let mut shown = all.routes.clone();
    shown[0].hops[0].interface = Some(IfIndex(1));
    let mut foreign = route("10.77.0.0/16", over(1));
    shown.push(foreign.clone());
    let rules = [all.rules.clone(), vec![Rule { protocol: Some(4), ..rule(5, 5) }]].concat();
    let mut ledger = Ledger::default();
    ledger.adopt_routes(&shown, &rules, &all);
    let mut backup = ledger.clone();
    asked(&mut ledger, &mut kernel, &all);
    assert_eq!((kernel.routes.len(), kernel.rules.len()), (0, 0));
    let removed = asked(&mut backup, &mut kernel, &Desired::default());
    assert_eq!(removed.len(), 4);
    // One that lost a setting meanwhile is made anew.
    foreign.scope = 253;
    let mut ledger = Ledger::default();
    let changed = Desired { routes: vec![foreign], ..Desired::default() };
    ledger.adopt_routes(&shown, &[], &changed);
    assert_eq!(asked(&mut ledger, &mut kernel, &changed).len(), 2);
}

fn several(gateways: &[&str]) -> Route {
    let hops = gateways.iter().map(|gateway| through(gateway));
    Route { protocol: PROTOCOL, ..Route::plain(prefix("fd08::/64"), hops.collect()) }
}

#[test]
fn part_of_a_route_is_lost_with_all_of_it() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let desired = Desired { routes: vec![several(&["fd00::1", "fd00::2"])], ..Desired::default() };
    asked(&mut ledger, &mut kernel, &desired);
    let shown = Route { metric: Some(1024), preference: Some(0), ..several(&["fd00::2"]) };
    ledger.on_event(&Event::RouteRemoved(Box::new(shown)));
    assert_eq!(ledger.take_lost_routes(), desired.routes);
    let requests = asked(&mut ledger, &mut kernel, &desired);
    assert_eq!(requests.len(), 2, "what is left of it is in the way: {requests:?}");
}

#[test]
fn lost_messages_are_made_up_for() {
    let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
    let all = everything();
    asked(&mut ledger, &mut kernel, &all);
    ledger.resync_routes(PROTOCOL, &all.routes[..1], &all.rules[1..]);
    assert_eq!(ledger.take_lost_routes(), all.routes[1..]);
    assert_eq!(ledger.take_lost_rules(), all.rules[..1]);
    // Routes of others are in no such list.
    let foreign = Desired {
        routes: vec![Route { protocol: 99, ..route("10.1.0.0/16", over(1)) }],
        ..Desired::default()
    };
    asked(&mut ledger, &mut kernel, &foreign);
    ledger.resync_routes(PROTOCOL, &[], &[]);
    assert_eq!(ledger.take_lost_routes(), []);
}

#[derive(Clone, Debug)]
enum Step {
    Desire(Vec<usize>),
    /// By somebody else.
    Remove(usize),
    Flap(u32),
    Tell,
    Overrun,
}

/// Addresses, routes and rules to choose from. Some need others, some differ in a setting only.
fn pool() -> Desired {
    let mtu = |mtu| Metrics { numbers: vec![(2, mtu)], congestion: None };
    let from = |source: [u8; 4], destination| Route {
        source: Some(source.into()),
        ..route(destination, over(1))
    };
    Desired {
        addresses: vec![address("10.0.0.1/24%1"), address("10.1.0.1/24%2")],
        routes: vec![
            route("10.8.0.0/16", over(1)),
            Route { metrics: mtu(1400), ..route("10.8.0.0/16", over(1)) },
            route("10.8.0.0/16", over(2)),
            from([10, 0, 0, 1], "10.9.0.0/16"),
            from([10, 1, 0, 1], "10.10.0.0/16"),
            Route { metric: Some(5), ..route("10.8.0.0/16", over(1)) },
            Route { protocol: 99, ..route("10.11.0.0/16", through("10.0.0.9")) },
        ],
        rules: vec![rule(1, 7), rule(1, 8), Rule { invert: true, ..rule(1, 7) }],
    }
}

fn choose(chosen: &[usize]) -> Desired {
    let pool = pool();
    let routes = pool.addresses.len();
    let rules = routes + pool.routes.len();
    let mut desired = Desired::default();
    for &n in chosen {
        if n < routes {
            desired.addresses.push(pool.addresses[n].clone());
        } else if n < rules {
            let route = &pool.routes[n - routes];
            // Of two that differ in a setting only, the first counts.
            if desired.routes.iter().all(|other| other.key() != route.key()) {
                desired.routes.push(route.clone());
            }
        } else {
            desired.rules.push(pool.rules[n - rules].clone());
        }
    }
    desired
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::sample::subsequence((0..12usize).collect::<Vec<_>>(), 0..12)
            .prop_shuffle()
            .prop_map(Step::Desire),
        3 => (0..12usize).prop_map(Step::Remove),
        1 => (1..3u32).prop_map(Step::Flap),
        3 => Just(Step::Tell),
        1 => Just(Step::Overrun),
    ]
}

proptest! {
    /// Whatever was wanted before and was removed by others or went by itself: in the end there is exactly what a fresh
    /// start with the last wishes would have made, and nothing when nothing is wanted.
    #[test]
    fn the_past_does_not_matter(steps in proptest::collection::vec(any_step(), 1..25)) {
        let (mut ledger, mut kernel) = (Ledger::default(), Kernel::default());
        let mut desired = Desired::default();
        for step in steps {
            match step {
                Step::Desire(chosen) => {
                    desired = choose(&chosen);
                    ledger.reconcile(&desired, |requests| kernel.execute(requests));
                }
                Step::Remove(n) => {
                    let gone = choose(&[n]);
                    for address in gone.addresses {
                        let _ = kernel.remove_address(address.key());
                    }
                    for route in gone.routes {
                        let gone = kernel.remove_route(&route).map(Box::new);
                        kernel.untold.extend(gone.map(Event::RouteRemoved));
                    }
                    for rule in gone.rules {
                        let gone = kernel.remove_rule(&rule).map(Box::new);
                        kernel.untold.extend(gone.map(Event::RuleRemoved));
                    }
                }
                Step::Flap(index) => kernel.flap(IfIndex(index)),
                Step::Tell => kernel.tell(&mut ledger),
                Step::Overrun => {
                    kernel.untold.clear();
                    let machine = Machine { links: vec![], addresses: kernel.inner.addresses.clone() };
                    ledger.resync(&machine);
                    ledger.resync_routes(PROTOCOL, &kernel.routes, &kernel.rules);
                    let others = kernel.routes.iter().filter(|route| route.protocol == 99);
                    prop_assume!(others.count() == desired.routes.iter().filter(|one| one.protocol == 99).count());
                }
            }
        }
        kernel.tell(&mut ledger);
        ledger.take_lost();
        ledger.take_lost_routes();
        ledger.take_lost_rules();
        ledger.reconcile(&desired, |requests| kernel.execute(requests));
        kernel.tell(&mut ledger);
        ledger.reconcile(&desired, |requests| kernel.execute(requests));
        let mut fresh = Kernel::default();
        Ledger::default().reconcile(&desired, |requests| fresh.execute(requests));
        prop_assert_eq!(kernel.content(), fresh.content());
        ledger.reconcile(&Desired::default(), |requests| kernel.execute(requests));
        prop_assert_eq!(kernel.content(), Kernel::default().content());
    }
}
