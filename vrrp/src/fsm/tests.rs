//! The election, case by case, then over all states and events, then over random histories.

mod everything;
mod faults;

use std::net::Ipv4Addr;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LOWER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const HIGHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
const DOWN: Duration = Duration::from_micros(3_609_375); // 3 s and 156/256 s
const DUE: Event = Event::Deadline { may_lead: true };

fn settings(priority: u8) -> Settings {
    Settings {
        version: Version::V2,
        interval: SECOND,
        down_timer_adverts: 3,
        priority: Priority(priority),
        preempt: Preempt::AtOnce,
        starts_as_master: priority == 255,
        lower_prio_no_advert: false,
        higher_prio_send_advert: false,
        timer_expired_backup: None,
    }
}

fn heard(priority: u8, source: IpAddr) -> Event {
    let order = if source == HIGHER { Ordering::Greater } else { Ordering::Less };
    Event::Advert(Heard { source, order, priority: Priority(priority), interval: SECOND })
}

fn down() -> Fault {
    Fault::InterfaceDown("eth0".into())
}

/// A router, its clock, and what it has wanted since the last look.
struct Bench {
    router: Router,
    now: Instant,
    out: Vec<Action>,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self { router: Router::new(settings), now: Instant::now(), out: vec![] }
    }

    fn backup(settings: Settings) -> Self {
        let mut bench = Self::new(settings);
        bench.take(Event::Start);
        bench.out.clear();
        bench
    }

    fn master(settings: Settings) -> Self {
        let mut bench = Self::backup(settings);
        bench.expire();
        bench.out.clear();
        bench
    }

    fn take(&mut self, event: Event) -> &mut Self {
        self.router.on_event(event, self.now, &mut self.out);
        self
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// Waits for the deadline and serves it.
    fn expire(&mut self) -> &mut Self {
        self.now = self.router.deadline().expect("a deadline");
        self.take(DUE)
    }

    fn left(&self) -> Duration {
        self.router.deadline().expect("a deadline") - self.now
    }

    /// What was wanted, without the notes.
    fn wanted(&mut self) -> Vec<Action> {
        let all = std::mem::take(&mut self.out);
        all.into_iter().filter(|action| !matches!(action, Action::Note(_))).collect()
    }

    fn notes(&self) -> Vec<Note> {
        let note = |action: &Action| match action {
            Action::Note(note) => Some(note.clone()),
            _ => None,
        };
        self.out.iter().filter_map(note).collect()
    }
}

fn entering(from: State, to: State, cause: Cause) -> Action {
    Action::Entering(Transition { from, to, cause })
}

const RELEASE: Action = Action::Release { forced: false };

#[test]
fn silence_makes_a_master() {
    let mut bench = Bench::new(settings(100));
    bench.take(Event::Start);
    let start = entering(State::Init, State::Backup, Cause::Start);
    assert_eq!(
        bench.wanted(),
        [Action::Release { forced: true }, start, Action::Notify(State::Backup)]
    );
    assert_eq!(bench.left(), DOWN);
    bench.expire();
    assert_eq!(
        bench.wanted(),
        [
            Action::ForgetRefusals,
            Action::Advertise(Priority(100)),
            entering(State::Backup, State::Master, Cause::Silence(DOWN)),
            Action::Acquire,
            Action::Notify(State::Master),
        ]
    );
    assert_eq!(bench.left(), SECOND);
    bench.expire();
    assert_eq!(bench.wanted(), [Action::Advertise(Priority(100))]);
}

#[test]
fn an_owner_becomes_master_at_once_and_was_never_a_backup() {
    let mut bench = Bench::new(settings(255));
    bench.take(Event::Start);
    assert_eq!((bench.wanted(), bench.left()), (vec![], Duration::from_micros(1)));
    bench.expire();
    assert_eq!(bench.wanted()[2], entering(State::Backup, State::Master, Cause::Owner));
}

#[test]
fn a_late_wake_up_does_not_shift_the_beat() {
    let mut bench = Bench::master(settings(100));
    bench.wait(Duration::from_millis(1_300)).take(DUE);
    assert_eq!(bench.left(), Duration::from_millis(700));
    bench.wait(Duration::from_secs(5)).take(DUE);
    assert_eq!(bench.left(), SECOND);
}

#[test]
fn who_stood_still_waits_for_the_first_word_of_its_master_once() {
    let late = Duration::from_millis(101);
    let patience = SECOND + DOWN - 3 * SECOND;
    let mut bench = Bench::backup(settings(100));
    bench.take(heard(200, HIGHER)).wait(DOWN + late);
    bench.out.clear();
    bench.take(DUE);
    assert_eq!(bench.notes(), [Note::StoodStill(late)]);
    assert_eq!((bench.wanted(), bench.left()), (vec![], patience));
    // It speaks: the next silence is one as any other.
    bench.wait(SECOND).take(heard(200, HIGHER));
    assert_eq!((bench.wanted(), bench.left()), (vec![], DOWN));
    bench.wait(DOWN + late).take(DUE);
    // It does not, and standing still again is no excuse.
    bench.wait(patience + late).take(DUE);
    let cause = Cause::Silence(DOWN + late + patience + late);
    assert_eq!(bench.wanted()[2], entering(State::Backup, State::Master, cause));
    // A little late is not late.
    let mut bench = Bench::backup(settings(100));
    bench.wait(DOWN + SECOND / 10).take(DUE);
    assert_eq!(bench.router.state(), State::Master);
}

#[test]
fn a_backup_obeys_its_equal_and_better() {
    for priority in [100, 200] {
        let mut bench = Bench::backup(settings(100));
        bench.wait(SECOND).take(heard(priority, LOWER));
        assert_eq!(bench.left(), DOWN);
        let master = (bench.router.master(), bench.router.master_priority());
        assert_eq!(master, (Some(LOWER), Some(Priority(priority))));
        assert_eq!(bench.notes(), [Note::MasterIs { before: None, now: LOWER }]);
        assert_eq!(bench.wanted(), [Action::ForgetRefusals]);
        bench.take(heard(priority, LOWER));
        assert_eq!(bench.out, []);
    }
}

#[test]
fn a_leaving_master_is_replaced_after_the_skew_time() {
    let mut bench = Bench::backup(settings(100));
    bench.take(heard(0, LOWER));
    assert_eq!(bench.left(), Duration::from_micros(609_375));
    bench.expire();
    assert_eq!(bench.wanted()[3], entering(State::Backup, State::Master, Cause::MasterLeft(LOWER)));
}

#[test]
fn a_lower_priority_master_is_preempted_by_the_running_timer() {
    let mut bench = Bench::backup(settings(100));
    bench.wait(SECOND).take(heard(50, LOWER));
    assert_eq!(bench.notes()[0], Note::LowerDiscarded(LOWER, Priority(50)));
    assert_eq!(bench.left(), DOWN - SECOND);
    let master = (bench.router.master(), bench.router.master_priority());
    assert_eq!(master, (Some(LOWER), None), "it is known, and not obeyed");
    bench.out.clear();
    bench.expire();
    let cause = Cause::Preemption(LOWER, Priority(50));
    assert_eq!(bench.wanted()[2], entering(State::Backup, State::Master, cause));
}

#[test]
fn nopreempt_obeys_anybody() {
    let mut bench = Bench::backup(Settings { preempt: Preempt::Never, ..settings(100) });
    bench.wait(SECOND).take(heard(50, LOWER));
    assert_eq!(bench.left(), DOWN);
}

#[test]
fn preempt_delay_counts_from_the_first_lower_advert() {
    let delay = Duration::from_secs(2);
    let mut bench = Bench::backup(Settings { preempt: Preempt::After(delay), ..settings(100) });
    bench.take(heard(50, LOWER));
    assert!(bench.notes().contains(&Note::PreemptDelayStarted(delay)));
    bench.wait(SECOND).take(heard(50, LOWER));
    assert_eq!(bench.left(), DOWN);
    bench.wait(SECOND).take(heard(50, LOWER));
    assert_eq!(bench.left(), DOWN - SECOND, "the delay is over, the timer runs on");
    bench.take(heard(150, HIGHER));
    assert!(bench.notes().contains(&Note::PreemptDelayStopped));
    bench.wait(SECOND).take(heard(50, LOWER));
    assert_eq!(bench.left(), DOWN, "it starts anew");
}

#[test]
fn a_master_yields_to_a_higher_priority_without_a_word() {
    let mut bench = Bench::master(settings(100));
    bench.take(heard(150, LOWER));
    let cause = Cause::Outranked(LOWER, Priority(150));
    assert_eq!(
        bench.wanted(),
        [
            Action::ForgetRefusals,
            entering(State::Master, State::Backup, cause),
            RELEASE,
            Action::Notify(State::Backup),
        ]
    );
    assert_eq!((bench.left(), bench.router.master()), (DOWN, Some(LOWER)));
}

#[test]
fn higher_prio_send_advert_speaks_before_it_yields() {
    let mut bench = Bench::master(Settings { higher_prio_send_advert: true, ..settings(100) });
    bench.take(heard(150, LOWER));
    assert_eq!(bench.out[0], Action::Advertise(Priority(100)));
    assert_eq!(bench.router.state(), State::Backup);
}

#[test]
fn the_higher_address_wins_among_equals() {
    let mut bench = Bench::master(settings(100));
    bench.take(heard(100, LOWER));
    assert_eq!(bench.router.state(), State::Master);
    bench.take(heard(100, HIGHER));
    assert!(bench.notes().contains(&Note::HigherAddressHeard(HIGHER, Priority(100))));
    assert_eq!(bench.router.state(), State::Backup);
}

#[test]
fn our_own_advert_changes_nothing() {
    let mut bench = Bench::master(settings(100));
    let advert =
        Heard { source: LOWER, order: Ordering::Equal, priority: Priority(100), interval: SECOND };
    bench.take(Event::Advert(advert));
    assert_eq!(bench.out, [Action::Note(Note::OwnAddressHeard)]);
}

#[test]
fn a_lower_priority_is_contradicted() {
    let mut bench = Bench::master(settings(100));
    bench.wait(SECOND / 2).take(heard(50, HIGHER));
    let ours = Priority(100);
    assert_eq!(
        bench.wanted(),
        [Action::Advertise(ours), Action::Reannounce, Action::LowerPriorityHeard]
    );
    assert_eq!(bench.left(), SECOND);
}

#[test]
fn lower_prio_no_advert_keeps_silent_and_keeps_its_timer() {
    let mut bench = Bench::master(Settings { lower_prio_no_advert: true, ..settings(100) });
    bench.wait(SECOND / 2).take(heard(50, HIGHER));
    assert_eq!(bench.wanted(), [Action::Reannounce, Action::LowerPriorityHeard]);
    assert_eq!(bench.left(), SECOND / 2);
}

#[test]
fn a_master_answers_a_leaving_router() {
    let mut bench = Bench::master(settings(100));
    bench.wait(SECOND / 2).take(heard(0, HIGHER));
    assert_eq!(bench.wanted(), [Action::Advertise(Priority(100))]);
    assert_eq!(bench.left(), SECOND);
}

#[test]
fn a_master_that_is_gone_is_replaced_after_the_skew_time_unless_it_still_speaks() {
    let gone = |only_backup| Event::MasterGone { source: LOWER, only_backup };
    let mut bench = Bench::backup(settings(100));
    bench.take(heard(150, LOWER));
    assert_eq!(bench.left(), DOWN);
    bench.take(Event::MasterGone { source: HIGHER, only_backup: true });
    assert_eq!(bench.left(), DOWN, "somebody else is gone");
    bench.take(gone(false));
    let skew = bench.left();
    assert!(skew < SECOND, "{skew:?}");
    bench.take(heard(150, LOWER));
    assert_eq!(bench.left(), DOWN, "it still speaks");
    bench.take(gone(true));
    assert_eq!(bench.left(), Duration::ZERO);
    bench.out.clear();
    bench.take(Event::Deadline { may_lead: true });
    let wanted = bench.wanted();
    assert!(wanted.contains(&entering(State::Backup, State::Master, Cause::MasterGone(LOWER))));
}

#[test]
fn a_flood_is_not_answered_by_another() {
    let mut bench = Bench::master(settings(100));
    for _ in 0..1000 {
        bench.take(heard(50, HIGHER));
    }
    let wanted = bench.wanted();
    let adverts = wanted.iter().filter(|action| matches!(action, Action::Advertise(_))).count();
    assert_eq!(adverts, 32);
    bench.wait(bench.left()).take(Event::Deadline { may_lead: true });
    assert_eq!(bench.wanted(), [Action::Advertise(Priority(100))], "its own beat goes on");
    bench.take(heard(50, HIGHER));
    assert!(bench.wanted().contains(&Action::Advertise(Priority(100))));
}

#[test]
fn a_killed_master_resumes_after_an_interval_and_a_quarter() {
    let mut bench = Bench::new(settings(100));
    bench.take(Event::Resume).take(Event::Start);
    assert_eq!((bench.notes(), bench.left()), (vec![Note::Resuming], SECOND * 5 / 4));
    assert_eq!(bench.wanted(), []);
    bench.expire();
    assert_eq!(bench.wanted()[2], entering(State::Backup, State::Master, Cause::Unclaimed));
}

#[test]
fn a_killed_master_that_was_replaced_starts_as_a_backup() {
    for priority in [50, 150] {
        let mut bench = Bench::new(settings(100));
        // An advert that was sent just before it listened is followed by one that may be a little late.
        bench.take(Event::Resume).take(Event::Start).wait(SECOND * 6 / 5);
        bench.take(heard(priority, HIGHER));
        assert_eq!(
            bench.wanted(),
            [
                Action::ForgetRefusals,
                Action::Release { forced: true },
                entering(State::Init, State::Backup, Cause::Start),
                Action::Notify(State::Backup),
            ]
        );
        assert_eq!(bench.left(), DOWN);
    }
}

#[test]
fn a_killed_master_that_cannot_go_on_lets_its_addresses_go() {
    let release = Action::Release { forced: true };
    let mut bench = Bench::new(settings(100));
    bench.take(Event::Resume).take(Event::Start).take(Event::Fault(down()));
    assert!(bench.wanted().contains(&release));
    let mut bench = Bench::new(settings(100));
    bench.take(Event::Resume).take(Event::Fault(down())).take(Event::Start);
    assert!(bench.wanted().contains(&release));
    let mut bench = Bench::new(settings(100));
    bench.take(Event::Resume).take(Event::Start).take(Event::Stop);
    assert_eq!(bench.wanted(), [release]);
}

#[test]
fn tracking_shifts_the_deadline_of_a_backup() {
    let mut bench = Bench::backup(settings(100));
    bench.wait(SECOND).take(Event::Weight(-60));
    assert_eq!(
        bench.out,
        [Action::Note(Note::PriorityChanged(Priority(100), Priority(40))), Action::PriorityChanged]
    );
    assert_eq!(bench.left(), DOWN - SECOND + Duration::from_micros(234_375)); // 60/256 s
    bench.take(Event::Weight(0));
    assert_eq!(bench.left(), DOWN - SECOND);
    bench.take(Event::Weight(-1000));
    assert_eq!(bench.router.effective_priority(), Priority(1));
    bench.take(Event::Weight(1000));
    assert_eq!(bench.router.effective_priority(), Priority(254));
}

#[test]
fn nothing_tracked_moves_an_owner() {
    let mut bench = Bench::backup(settings(255));
    bench.take(Event::Weight(-100));
    assert_eq!((bench.router.effective_priority(), bench.out.len()), (Priority::OWNER, 0));
}

#[test]
fn version_3_waits_by_the_interval_of_its_master() {
    let mut bench = Bench::backup(Settings { version: Version::V3, ..settings(100) });
    let quarter = Duration::from_millis(250);
    let advert =
        Heard { source: LOWER, order: Ordering::Less, priority: Priority(200), interval: quarter };
    bench.take(Event::Advert(advert));
    assert_eq!(bench.left(), Duration::from_micros(902_343));
    bench.out.clear();
    bench.expire();
    assert!(bench.notes().contains(&Note::IntervalOwn { before: quarter, now: SECOND }));
    assert_eq!((bench.left(), bench.router.master_interval()), (SECOND, SECOND));
    let zero = Heard { interval: Duration::ZERO, ..advert };
    bench.take(Event::Advert(zero));
    assert_eq!(bench.router.master_interval(), SECOND, "zero is no interval");
}

#[test]
fn a_held_member_keeps_waiting_and_says_what_it_wants() {
    let mut bench = Bench::backup(settings(100));
    bench.now = bench.router.deadline().unwrap();
    bench.take(Event::Deadline { may_lead: false });
    assert_eq!((bench.router.state(), bench.router.wants()), (State::Backup, State::Master));
    assert_eq!(bench.left(), DOWN);
    bench.take(heard(150, LOWER));
    assert_eq!(bench.router.wants(), State::Backup);
}

#[test]
fn a_group_takes_its_members_along() {
    let mut bench = Bench::backup(settings(100));
    bench.take(Event::FollowMaster);
    assert_eq!(bench.router.state(), State::Master);
    bench.out.clear();
    bench.take(Event::FollowBackup);
    assert_eq!(
        bench.wanted(),
        [
            Action::ForgetRefusals,
            entering(State::Master, State::Backup, Cause::Group),
            RELEASE,
            Action::Notify(State::Backup),
        ]
    );
    bench.take(Event::Fault(Fault::Group));
    assert_eq!(bench.wanted(), [Action::Notify(State::Fault)], "without a line in the log");
}

#[test]
fn a_master_pulled_into_fault_by_its_group_resigns_once() {
    let mut bench = Bench::master(settings(100));
    bench.take(Event::Fault(Fault::Group));
    let wanted = bench.wanted();
    assert!(wanted.contains(&Action::Advertise(Priority::STOP)));
    assert!(!wanted.contains(&Action::Resign));
}

#[test]
fn a_reload_keeps_a_master_and_has_it_speak_at_once() {
    let mut bench = Bench::master(settings(100));
    bench.wait(SECOND / 2).take(Event::Reconfigure(Box::new(settings(120))));
    assert_eq!((bench.out.len(), bench.left()), (0, Duration::ZERO));
    bench.take(DUE);
    assert_eq!(bench.wanted(), [Action::Advertise(Priority(120))]);
}

#[test]
fn a_reload_does_not_restart_a_backup() {
    let mut bench = Bench::backup(settings(100));
    bench.wait(SECOND).take(Event::Reconfigure(Box::new(settings(100))));
    assert_eq!(bench.left(), DOWN - SECOND);
    let slower = Settings { interval: SECOND * 2, ..settings(100) };
    bench.take(Event::Reconfigure(Box::new(slower)));
    assert_eq!(bench.left(), DOWN + SECOND * 2);
}

#[test]
fn a_start_up_delay_moves_everything_behind_its_end() {
    let mut bench = Bench::new(settings(255));
    let end = bench.now + SECOND * 5;
    bench.take(Event::Delay(end)).take(Event::Start);
    assert_eq!(bench.left(), SECOND * 5 + Duration::from_micros(1));
    bench.take(Event::FollowMaster);
    assert_eq!(bench.router.state(), State::Backup, "not even its group hurries it");
    bench.take(Event::Delay(end + SECOND));
    assert_eq!(bench.left(), SECOND * 6);
    bench.expire();
    assert_eq!(bench.router.state(), State::Master);
}

#[test]
fn stopping_hands_over() {
    let mut bench = Bench::master(settings(100));
    bench.take(Event::Stop);
    assert_eq!(bench.wanted(), [Action::Resign, RELEASE]);
    assert_eq!(bench.router.deadline(), None);
    let mut bench = Bench::backup(settings(100));
    bench.take(Event::Stop);
    assert_eq!(bench.out, []);
}

#[test]
fn sleeping_through_an_election_gives_up_where_configured() {
    let careful = Settings { timer_expired_backup: Some(Priority(254)), ..settings(100) };
    for wakes in [DUE, heard(50, LOWER)] {
        let mut bench = Bench::master(careful.clone());
        bench.wait(Duration::from_secs(3)).take(DUE);
        assert_eq!(bench.router.state(), State::Master);
        bench.out.clear();
        bench.wait(Duration::from_secs(4)).take(wakes);
        assert_eq!(bench.router.state(), State::Backup);
        let says_so = |action: &Action| matches!(action, Action::Advertise(_) | Action::Resign);
        assert!(!bench.wanted().iter().any(says_so));
    }
}

#[test]
fn of_two_owners_the_lower_address_gives_in() {
    let mut bench = Bench::master(settings(255));
    bench.take(heard(255, HIGHER));
    assert_eq!(bench.router.state(), State::Backup);
    assert_eq!(bench.notes()[0], Note::TwoOwners(HIGHER));
}

#[test]
fn an_owner_that_does_not_give_in_makes_the_other_step_down() {
    let mut bench = Bench::master(settings(255));
    bench.take(heard(255, LOWER));
    assert_eq!(bench.notes()[0], Note::TwoOwners(LOWER));
    bench.expire().expire(); // two adverts to convince it
    bench.out.clear();
    assert_eq!(bench.left(), SECOND);
    bench.wait(SECOND / 2).take(heard(255, LOWER));
    assert_eq!(bench.notes()[0], Note::OwnerPersists(LOWER));
    assert_eq!(bench.router.effective_priority(), Priority::CONTESTED_OWNER);
    assert_eq!(bench.router.state(), State::Backup, "254 has no chance against 255");
    bench.take(heard(255, LOWER));
    assert_eq!(bench.router.effective_priority(), Priority::CONTESTED_OWNER);
    bench.take(heard(100, LOWER));
    assert_eq!(bench.router.effective_priority(), Priority::OWNER);
}

#[test]
fn an_owner_that_gives_in_is_forgotten() {
    let mut bench = Bench::master(settings(255));
    bench.take(heard(255, LOWER)).expire().expire();
    bench.out.clear();
    bench.expire(); // the next advert, after 1 s
    assert_eq!(bench.left(), SECOND / 5, "the other one is watched for 1.2 s");
    bench.expire();
    assert_eq!(bench.notes(), [Note::OwnerGone]);
    assert_eq!(bench.router.state(), State::Master);
}

#[test]
fn two_faced_deadlines_do_not_send_twice() {
    let mut bench = Bench::master(settings(255));
    bench.take(heard(255, LOWER)).expire().expire().expire();
    bench.out.clear();
    bench.expire();
    assert_eq!(bench.wanted(), [], "only the watch has ended");
}
