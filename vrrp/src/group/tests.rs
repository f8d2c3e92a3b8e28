//! Groups of routers, driven as the engine drives them.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::fsm::{Action, Heard, Preempt, Settings};
use crate::packet::{Priority, Version};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn settings(priority: u8) -> Settings {
    Settings {
        version: Version::V2,
        interval: Duration::from_secs(1),
        down_timer_adverts: 3,
        priority: Priority(priority),
        preempt: Preempt::AtOnce,
        starts_as_master: priority == 255,
        lower_prio_no_advert: false,
        higher_prio_send_advert: false,
        timer_expired_backup: None,
    }
}

fn down() -> Fault {
    Fault::InterfaceDown("eth0".into())
}

fn heard(priority: u8) -> Event {
    Event::Advert(Heard {
        source: PEER,
        order: Ordering::Less,
        priority: Priority(priority),
        interval: Duration::from_secs(1),
    })
}

/// A group with its members and what has been said of it, oldest first.
struct Bench {
    routers: Vec<Router>,
    group: Group,
    now: Instant,
    said: Vec<String>,
}

impl Bench {
    fn new(priorities: &[u8], faults: &[(usize, Fault)]) -> Self {
        let now = Instant::now();
        let mut routers: Vec<_> = priorities.iter().map(|&p| Router::new(settings(p))).collect();
        for (place, fault) in faults {
            routers[*place].on_event(Event::Fault(fault.clone()), now, &mut vec![]);
        }
        let members: Vec<_> = routers.iter().map(Member::of).collect();
        let group = Group::new(&members);
        let mut bench = Self { routers, group, now, said: vec![] };
        let mut steps = vec![];
        bench.group.begin(&members, &mut steps);
        bench.perform(steps);
        let is_faulty = |router: &Router| router.faults().iter().any(|fault| !fault.is_pending());
        let (faulty, well): (Vec<usize>, Vec<usize>) =
            (0..priorities.len()).partition(|&place| is_faulty(&bench.routers[place]));
        for place in faulty {
            bench.drive(place, Event::Start);
        }
        let mut steps = vec![];
        bench.group.announce(&mut steps);
        bench.perform(steps);
        for place in well {
            bench.take(place, Event::Start);
        }
        bench
    }

    fn members(&self) -> Vec<Member> {
        self.routers.iter().map(Member::of).collect()
    }

    fn drive(&mut self, place: usize, event: Event) {
        let mut out = vec![];
        self.routers[place].on_event(event, self.now, &mut out);
        for action in out {
            match action {
                Action::Entering(change) => self.said.push(format!("{place} {}", change.to.name())),
                Action::Resign => self.said.push(format!("{place} resigns")),
                _ => {}
            }
        }
    }

    fn perform(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Say(state) => self.said.push(format!("syncing to {}", state.name())),
                Step::Blame(place) => self.said.push(format!("{place} has a fault")),
                Step::Drive(place, event) => self.drive(place, event),
                Step::Settle(state) => {
                    self.group.settle(state);
                    self.said.push(format!("group {}", state.name()));
                }
                Step::SettleSilently(state) => self.group.settle(state),
            }
        }
    }

    fn take(&mut self, place: usize, event: Event) {
        let seen = Member::of(&self.routers[place]);
        let before = seen.state;
        let lost = event == Event::ObjectLost;
        let event = match event {
            Event::Deadline { .. } => {
                Event::Deadline { may_lead: self.group.may_lead(self.members().into_iter(), place) }
            }
            event => event,
        };
        self.drive(place, event);
        let mut steps = vec![];
        if lost && before == State::Master {
            self.group.after_loss(&self.members(), place, &mut steps);
        } else {
            self.group.after(&self.members(), place, before, &mut steps);
        }
        let changed = Member::of(&self.routers[place]) != seen;
        assert!(changed || steps.is_empty(), "{steps:?} out of nothing");
        self.perform(steps);
    }

    fn expire(&mut self, place: usize) {
        let deadline = self.routers[place].deadline().expect("a deadline");
        self.now = self.now.max(deadline);
        self.take(place, Event::Deadline { may_lead: false });
    }

    fn states(&self) -> Vec<State> {
        self.routers.iter().map(Router::state).collect()
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

#[test]
fn the_last_to_want_it_leads_the_others_to_master() {
    let mut bench = Bench::new(&[100, 100, 100], &[]);
    assert_eq!(bench.said(), ["group BACKUP", "0 BACKUP", "1 BACKUP", "2 BACKUP"]);
    bench.expire(0);
    bench.expire(2);
    assert_eq!(bench.said(), [""; 0]);
    bench.expire(1);
    assert_eq!(
        bench.said(),
        ["1 MASTER", "syncing to MASTER", "0 MASTER", "2 MASTER", "group MASTER"]
    );
    bench.take(0, heard(200));
    assert_eq!(
        bench.said(),
        ["0 BACKUP", "syncing to BACKUP", "1 BACKUP", "2 BACKUP", "group BACKUP"]
    );
}

#[test]
fn a_member_that_hears_a_master_holds_the_others_back() {
    let mut bench = Bench::new(&[100, 100], &[]);
    bench.expire(0);
    bench.take(0, heard(200));
    bench.expire(1);
    assert_eq!(bench.states(), [State::Backup, State::Backup]);
}

#[test]
fn a_fault_pulls_all_and_recovery_waits_for_the_last() {
    let mut bench = Bench::new(&[100, 100, 100], &[]);
    for place in 0..3 {
        bench.expire(place);
    }
    bench.said();
    bench.take(1, Event::Fault(down()));
    assert_eq!(
        bench.said(),
        ["1 FAULT", "1 resigns", "syncing to FAULT", "0 FAULT", "2 FAULT", "group FAULT"]
    );
    bench.take(0, Event::Fault(down()));
    bench.take(1, Event::Cleared(down()));
    assert_eq!((bench.said(), bench.states()), (vec![], vec![State::Fault; 3]));
    bench.take(0, Event::Cleared(down()));
    assert_eq!(
        bench.said(),
        ["0 BACKUP", "syncing to BACKUP", "1 BACKUP", "2 BACKUP", "group BACKUP"]
    );
}

#[test]
fn backups_are_pulled_into_fault_without_a_line() {
    let mut bench = Bench::new(&[100, 100], &[]);
    bench.said();
    bench.take(0, Event::Fault(down()));
    assert_eq!(bench.said(), ["0 FAULT", "syncing to FAULT", "group FAULT"]);
    assert_eq!(bench.states(), [State::Fault; 2]);
}

#[test]
fn a_lost_address_moves_all_without_a_word_about_the_group() {
    let mut bench = Bench::new(&[100, 100], &[]);
    bench.expire(0);
    bench.expire(1);
    bench.said();
    bench.take(0, Event::ObjectLost);
    assert_eq!(bench.said(), ["0 BACKUP", "0 resigns", "1 BACKUP", "1 resigns"]);
    bench.expire(0);
    bench.expire(1);
    assert_eq!(bench.states(), [State::Master; 2]);
}

#[test]
fn owners_start_together() {
    let mut bench = Bench::new(&[255, 255], &[]);
    bench.expire(0);
    assert_eq!(bench.said(), ["0 MASTER", "syncing to MASTER", "1 MASTER", "group MASTER"]);
}

#[test]
fn one_waiting_member_holds_all_silently() {
    let mut bench = Bench::new(&[100, 100], &[(0, pending())]);
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!((bench.states(), bench.group.state()), (vec![State::Fault; 2], State::Init));
    bench.take(0, Event::Cleared(pending()));
    assert_eq!(bench.said(), ["0 BACKUP", "syncing to BACKUP", "1 BACKUP", "group BACKUP"]);
    // The first result may be a bad one.
    let mut bench = Bench::new(&[100, 100], &[(0, pending())]);
    bench.take(0, Event::Fault(down()));
    bench.take(0, Event::Cleared(pending()));
    assert_eq!(bench.said(), ["syncing to FAULT", "group FAULT"]);
}

#[test]
fn a_fault_at_start_is_one_of_the_group() {
    let mut bench = Bench::new(&[100, 100], &[(1, down())]);
    assert_eq!(bench.said(), ["1 has a fault", "0 FAULT", "1 FAULT", "group FAULT"]);
    bench.take(1, Event::Cleared(down()));
    assert_eq!(bench.said(), ["1 BACKUP", "syncing to BACKUP", "0 BACKUP", "group BACKUP"]);
}

#[test]
fn a_reload_that_mixes_masters_and_backups_makes_all_backups() {
    let mut bench = Bench::new(&[100, 100], &[]);
    bench.drive(0, Event::FollowMaster);
    let group = Group::resume(&bench.members(), Some(State::Backup));
    let mut steps = vec![];
    group.begin(&bench.members(), &mut steps);
    assert_eq!(steps, [Step::Drive(0, Event::FollowBackup)]);
}

#[derive(Clone, Debug)]
enum Act {
    Expire(usize),
    Take(usize, Event),
}

/// What a member waits for at the start.
fn pending() -> Fault {
    Fault::Pending("check".into())
}

fn fault() -> impl Strategy<Value = Fault> + Clone {
    prop_oneof![Just(down()), Just(Fault::SourceNotConfigured)]
}

fn act() -> impl Strategy<Value = Act> {
    let event = prop_oneof![
        3 => any::<u8>().prop_map(heard),
        2 => fault().prop_map(Event::Fault),
        3 => prop_oneof![fault(), Just(pending())].prop_map(Event::Cleared),
        1 => Just(Event::ObjectLost),
    ];
    prop_oneof![
        3 => (0usize..3).prop_map(Act::Expire),
        2 => (0usize..3, event).prop_map(|(place, event)| Act::Take(place, event)),
    ]
}

proptest! {
    #[test]
    fn members_stay_together(
        faults in proptest::collection::vec((0usize..3, prop_oneof![fault(), Just(pending())]), 0..3),
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        let mut bench = Bench::new(&[100, 150, 100], &faults);
        for act in acts {
            match act {
                Act::Expire(place) => {
                    if bench.routers[place].deadline().is_some() {
                        bench.expire(place);
                    }
                }
                Act::Take(place, event) => bench.take(place, event),
            }
            let states = bench.states();
            prop_assert!(states.iter().all(|&state| state == states[0]), "{states:?}");
            let trouble = bench.members().iter().map(|member| member.trouble).max();
            prop_assert_eq!(trouble != Some(Trouble::None), states[0] == State::Fault);
            // While somebody waits, the group says nothing.
            if trouble != Some(Trouble::Waiting) {
                prop_assert_eq!(states[0], bench.group.state());
            }
        }
    }
}
