//! What makes an instance faulty, and how it recovers.

use super::*;

#[test]
fn a_fault_resigns_at_once_and_recovery_waits() {
    let mut bench = Bench::master(settings(100));
    bench.take(Event::Fault(down()));
    assert_eq!(
        bench.wanted(),
        [
            Action::ForgetRefusals,
            entering(State::Master, State::Fault, Cause::Fault(down())),
            Action::Advertise(Priority::STOP),
            Action::Resign,
            RELEASE,
            Action::Notify(State::Fault),
        ]
    );
    assert_eq!(bench.router.deadline(), None);
    bench.take(Event::Cleared(down()));
    assert_eq!(
        bench.wanted(),
        [
            entering(State::Fault, State::Backup, Cause::Recovered),
            Action::Notify(State::Backup),
            Action::AnnounceSource,
        ]
    );
    assert_eq!(bench.left(), DOWN);
}

#[test]
fn each_fault_counts_for_itself() {
    let other = Fault::InterfaceDown("eth1".into());
    let mut bench = Bench::backup(settings(100));
    bench.take(Event::Fault(down())).take(Event::Fault(other.clone())).take(Event::Fault(down()));
    bench.take(Event::Cleared(other));
    assert_eq!(bench.router.state(), State::Fault);
    bench.take(Event::Cleared(down()));
    assert_eq!(bench.router.state(), State::Backup);
}

#[test]
fn an_owner_comes_back_from_a_fault_through_backup() {
    let mut bench = Bench::master(settings(255));
    bench.take(Event::Fault(down())).take(Event::Cleared(down()));
    assert_eq!(bench.router.state(), State::Backup);
    assert_eq!(bench.left(), Duration::from_micros(3_003_906));
}

#[test]
fn waiting_for_a_script_is_silent_and_an_owner_then_starts_as_usual() {
    let pending = Fault::Pending("check".into());
    let mut bench = Bench::new(settings(255));
    bench.take(Event::Fault(pending.clone())).take(Event::Start);
    assert_eq!(bench.wanted(), [Action::Release { forced: true }]);
    assert_eq!(bench.router.state(), State::Fault);
    bench.take(Event::Cleared(pending)).expire();
    assert_eq!(bench.router.state(), State::Master);
}

#[test]
fn a_fault_at_start_is_told() {
    let mut bench = Bench::new(settings(100));
    bench.take(Event::Fault(down())).take(Event::Start);
    assert_eq!(
        bench.wanted(),
        [
            Action::Release { forced: true },
            entering(State::Init, State::Fault, Cause::Start),
            Action::Notify(State::Fault),
        ]
    );
}

#[test]
fn a_fault_that_is_gone_before_the_start_is_forgotten() {
    let mut bench = Bench::new(settings(100));
    bench.take(Event::Fault(down())).take(Event::Cleared(down())).take(Event::Start);
    assert_eq!((bench.router.state(), bench.router.wants()), (State::Backup, State::Backup));
}

#[test]
fn a_lost_address_makes_a_quick_return() {
    let mut bench = Bench::master(settings(100));
    bench.take(Event::ObjectLost);
    assert_eq!(
        bench.wanted(),
        [
            Action::ForgetRefusals,
            entering(State::Master, State::Backup, Cause::ObjectLost),
            Action::Resign,
            RELEASE,
            Action::Notify(State::Backup),
        ]
    );
    assert_eq!(bench.left(), Duration::from_micros(609_375));
}
