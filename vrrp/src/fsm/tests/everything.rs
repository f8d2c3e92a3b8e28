//! Every event in every state, and what holds whatever happens.

use proptest::prelude::*;

use super::*;

/// What each state makes of each event: the state that follows, and whether an advert is sent.
#[test]
fn all_states_and_events() {
    use State::{Backup, Fault as Faulty, Init, Master};
    let reload = || Event::Reconfigure(Box::new(settings(100)));
    let later = Instant::now() + Duration::from_secs(60);
    type Row = (Event, [(State, bool); 4]);
    #[rustfmt::skip]
    let table: Vec<Row> = vec![
        //                            Init             Backup           Master           Fault
        (Event::Start,              [(Backup, false), (Backup, false), (Master, false), (Faulty, false)]),
        (Event::Resume,             [(Init, false),   (Backup, false), (Master, false), (Faulty, false)]),
        (heard(0, LOWER),           [(Init, false),   (Backup, false), (Master, true),  (Faulty, false)]),
        (heard(50, LOWER),          [(Init, false),   (Backup, false), (Master, true),  (Faulty, false)]),
        (heard(100, LOWER),         [(Init, false),   (Backup, false), (Master, true),  (Faulty, false)]),
        (heard(100, HIGHER),        [(Init, false),   (Backup, false), (Backup, false), (Faulty, false)]),
        (heard(200, LOWER),         [(Init, false),   (Backup, false), (Backup, false), (Faulty, false)]),
        (DUE,                       [(Init, false),   (Master, true),  (Master, true),  (Faulty, false)]),
        (Event::Deadline { may_lead: false },
                                    [(Init, false),   (Backup, false), (Master, true),  (Faulty, false)]),
        (Event::Fault(down()),      [(Init, false),   (Faulty, false), (Faulty, true),  (Faulty, false)]),
        (Event::Fault(Fault::Group),[(Init, false),   (Faulty, false), (Faulty, true),  (Faulty, false)]),
        (Event::Cleared(down()),    [(Init, false),   (Backup, false), (Master, false), (Backup, false)]),
        (Event::Weight(-50),        [(Init, false),   (Backup, false), (Master, false), (Faulty, false)]),
        (Event::ObjectLost,         [(Init, false),   (Backup, false), (Backup, true),  (Faulty, false)]),
        (Event::FollowMaster,       [(Init, false),   (Master, true),  (Master, false), (Faulty, false)]),
        (Event::FollowBackup,       [(Init, false),   (Backup, false), (Backup, false), (Faulty, false)]),
        (Event::Delay(later),       [(Init, false),   (Backup, false), (Master, false), (Faulty, false)]),
        (reload(),                  [(Init, false),   (Backup, false), (Master, false), (Faulty, false)]),
        (Event::Stop,               [(Init, false),   (Init, false),   (Init, true),    (Init, false)]),
    ];
    for (event, row) in table {
        for (state, (next, sends)) in [Init, Backup, Master, Faulty].into_iter().zip(row) {
            let mut bench = match state {
                Init => Bench::new(settings(100)),
                Backup => Bench::backup(settings(100)),
                Master => Bench::master(settings(100)),
                Faulty => Bench::backup(settings(100)),
            };
            if state == Faulty {
                bench.take(Event::Fault(down()));
                bench.out.clear();
            }
            assert_eq!(bench.router.state(), state);
            if let Some(deadline) = bench.router.deadline() {
                bench.now = deadline;
            }
            bench.take(event.clone());
            let sent = bench.out.iter().any(|a| matches!(a, Action::Advertise(_) | Action::Resign));
            assert_eq!((bench.router.state(), sent), (next, sends), "{state:?} {event:?}");
            let timed = matches!(next, Backup | Master);
            assert_eq!(bench.router.deadline().is_some(), timed, "{state:?} {event:?}");
        }
    }
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Take(Event),
    Wait(u64),
    Expire(bool),
}

fn event() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        Just(down()),
        Just(Fault::Group),
        Just(Fault::Pending("check".into())),
        Just(Fault::InterfaceDown("eth1".into())),
    ];
    let advert = (any::<u8>(), any::<bool>(), 0u64..2000).prop_map(|(priority, higher, millis)| {
        let source = if higher { HIGHER } else { LOWER };
        let order = if higher { Ordering::Greater } else { Ordering::Less };
        let interval = Duration::from_millis(millis);
        Event::Advert(Heard { source, order, priority: Priority(priority), interval })
    });
    prop_oneof![
        4 => advert.prop_map(Step::Take),
        2 => fault.clone().prop_map(|fault| Step::Take(Event::Fault(fault))),
        3 => fault.prop_map(|fault| Step::Take(Event::Cleared(fault))),
        1 => (-300i32..300).prop_map(|weight| Step::Take(Event::Weight(weight))),
        1 => Just(Step::Take(Event::ObjectLost)),
        1 => Just(Step::Take(Event::FollowMaster)),
        1 => Just(Step::Take(Event::FollowBackup)),
        1 => (1u8..=255).prop_map(|p| Step::Take(Event::Reconfigure(Box::new(settings(p))))),
        3 => (0u64..3000).prop_map(Step::Wait),
        6 => any::<bool>().prop_map(Step::Expire),
    ]
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let preempt = prop_oneof![
        Just(Preempt::Never),
        Just(Preempt::AtOnce),
        (1u64..5000).prop_map(|millis| Preempt::After(Duration::from_millis(millis))),
    ];
    (1u8..=255, preempt, any::<[bool; 3]>(), 1u32..=5).prop_map(
        |(priority, preempt, [v3, a, b], adverts)| Settings {
            version: if v3 { Version::V3 } else { Version::V2 },
            preempt,
            lower_prio_no_advert: a,
            higher_prio_send_advert: b,
            down_timer_adverts: adverts,
            ..settings(priority)
        },
    )
}

proptest! {
    #[test]
    fn whatever_happens(settings in any_settings(), steps in proptest::collection::vec(event(), 1..80)) {
        let mut bench = Bench::new(settings);
        bench.take(Event::Start);
        let mut holds = false;
        for step in steps {
            match step {
                Step::Take(event) => { bench.take(event); }
                Step::Wait(millis) => { bench.wait(Duration::from_millis(millis)); }
                Step::Expire(may_lead) => {
                    if let Some(deadline) = bench.router.deadline() {
                        bench.now = bench.now.max(deadline);
                        bench.take(Event::Deadline { may_lead });
                    }
                }
            }
            let state = bench.router.state();
            for action in bench.out.drain(..) {
                match action {
                    Action::Acquire => { prop_assert!(!holds); holds = true; }
                    Action::Release { forced: false } => { prop_assert!(holds); holds = false; }
                    Action::Advertise(priority) => prop_assert!(priority == Priority::STOP || state != State::Fault),
                    _ => {}
                }
            }
            // Addresses are there exactly while it is master, and a fault exactly when it has a reason.
            prop_assert_eq!(holds, state == State::Master);
            prop_assert_eq!(!bench.router.faults().is_empty(), state == State::Fault);
            // Whoever takes part has a deadline, and never one that is out of reach.
            match bench.router.deadline() {
                None => prop_assert_eq!(state, State::Fault),
                Some(deadline) => {
                    prop_assert!(matches!(state, State::Backup | State::Master));
                    prop_assert!(deadline <= bench.now + Duration::from_secs(16));
                }
            }
        }
        bench.take(Event::Stop);
        holds &= !bench.out.contains(&RELEASE);
        prop_assert!(!holds, "what was put in place is taken away");
    }
}
