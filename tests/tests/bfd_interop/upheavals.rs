//! What befalls processes and configurations on either side of a session between two keepalived: the BFD process alone is
//! killed or stands still, intervals get shorter, and the session is taken out of the configuration and put back.

use lab::Process;
use nix::sys::signal::Signal;

use super::*;

const OWN_UP: &str = "(other) Entering Up state";
const OWN_DOWN: &str = "(other) Entering Down state";

fn bfd(daemon: &Daemon) -> Process {
    daemon.bfd().expect("it has written its pid file")
}

/// Whether those who track the session were told of a fall since `mark`.
fn is_told_of_a_fall(daemon: &Daemon, mark: Mark) -> bool {
    daemon.log().since(mark).iter().any(|line| line.text == DOWN)
}

fn survive<const OURS: bool>(is_v6: bool) {
    let lan = Lan::new(2);
    let [ours, theirs] = sides(is_v6);
    let mut other = Keepalived::<OURS>::new(lan.nodes()[1].namespace(), theirs);
    let daemon =
        Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), &config(ours, 50));
    daemon.await_log(Mark::default(), UP);
    other.await_up(true);

    // Intervals get longer and shorter again on the other side.
    let mark = daemon.log().mark();
    for interval in [150, 50] {
        let mark = daemon.log().mark();
        other.set_interval(interval);
        daemon.await_log(mark, &detection(interval));
    }
    other.await_up(true);
    assert!(!is_told_of_a_fall(&daemon, mark), "{}", daemon.log_text());

    // Its process is killed, and another one takes over: under another number, from another port.
    let mark = daemon.log().mark();
    bfd(other.daemon()).signal(Signal::SIGKILL);
    daemon.await_log(mark, OWN_DOWN);
    daemon.await_log(mark, UP);
    other.await_up(true);

    // It stands still for longer than the detection time.
    let mark = daemon.log().mark();
    let process = bfd(other.daemon());
    process.signal(Signal::SIGSTOP);
    daemon.await_log(mark, DOWN);
    process.signal(Signal::SIGCONT);
    daemon.await_log(mark, UP);
    other.await_up(true);

    // The session is taken out of its configuration: it says so, or is missed.
    let mark = daemon.log().mark();
    other.forget();
    let fall = daemon.await_log(mark, OWN_DOWN).text;
    assert_eq!(fall.contains("Neighbor Signaled Session Down"), OURS, "{fall}");
    daemon.await_log(mark, DOWN);
    let mark = daemon.log().mark();
    other.set_interval(50);
    daemon.await_log(mark, UP);
    other.await_up(true);

    // Our own process is killed. The next one brings the session up before it says anything of it.
    let (mark, theirs) = (daemon.log().mark(), other.daemon().log().mark());
    bfd(&daemon).signal(Signal::SIGKILL);
    daemon.await_log(mark, OWN_UP);
    other.daemon().await_log(theirs, OWN_DOWN);
    other.daemon().await_log(theirs, OWN_UP);
    assert!(!is_told_of_a_fall(&daemon, mark), "{}", daemon.log_text());
    let (count, complaints) = judge_sessions(lan.capture());
    assert!(count > 20, "{count} packets");
    assert_eq!(complaints, [""; 0]);
}

#[test]
fn the_original_and_we_survive_each_other() {
    survive::<false>(false);
}

#[test]
fn the_original_and_we_survive_each_other_over_ipv6() {
    survive::<false>(true);
}

#[test]
fn two_of_ours_survive_each_other() {
    survive::<true>(false);
}
