//! Two sessions on a wire with virtual time, loss and pauses, held against RFC 5880 §6.8.

use proptest::prelude::*;

use super::*;

const FAST: Parameters = Parameters {
    min_tx: Micros(50_000),
    min_rx: Micros(50_000),
    idle_tx: Micros(1_000_000),
    multiplier: 3,
    passive: false,
    demand: None,
    echo_tx: None,
    echo_rx: Micros(0),
};

/// Two sessions, the packets under way between them, and what each was told to do.
struct Wire {
    now: Instant,
    ends: [Session; 2],
    flying: Vec<(Instant, usize, ControlPacket)>,
    delay: Duration,
    cut: [bool; 2],
    sent: [Vec<(Instant, ControlPacket)>; 2],
    entered: [Vec<(Instant, State, Diagnostic)>; 2],
    /// Echo packets on their way to the other end and back.
    echoes: Vec<(Instant, usize, u32)>,
    reflects: bool,
}

impl Wire {
    fn new(first: Parameters, second: Parameters) -> Self {
        let now = Instant::now();
        let number = |n| NonZeroU32::new(n).unwrap();
        let ends =
            [(first, number(11), 1), (second, number(22), 2)].map(|(parameters, number, seed)| {
                Session::new(parameters, number, Pulse::new(now, seed), now)
            });
        Self {
            now,
            ends,
            flying: vec![],
            delay: Duration::from_micros(200),
            cut: [false; 2],
            sent: Default::default(),
            entered: Default::default(),
            echoes: vec![],
            reflects: true,
        }
    }

    fn event(&mut self, end: usize, event: Event) {
        let mut out = vec![];
        self.ends[end].on_event(event, self.now, &mut out);
        for action in out {
            match action {
                Action::Send(packet) => {
                    self.sent[end].push((self.now, packet));
                    if !self.cut[end] {
                        self.flying.push((self.now + self.delay, 1 - end, packet));
                    }
                }
                Action::Enter { state, diagnostic, .. } => {
                    self.entered[end].push((self.now, state, diagnostic))
                }
                Action::Echo(number) => {
                    if self.reflects {
                        self.echoes.push((self.now + 2 * self.delay, end, number));
                    }
                }
                Action::Expired { .. }
                | Action::Poll
                | Action::Intervals
                | Action::DetectionTime { .. } => {}
            }
        }
    }

    /// Lets time pass in steps of what is due next.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let packet = self.flying.iter().map(|&(at, ..)| at).min();
            let echo = self.echoes.iter().map(|&(at, ..)| at).min();
            let deadlines = [self.ends[0].deadline(), self.ends[1].deadline()];
            let due = [packet, echo, deadlines[0], deadlines[1]];
            let Some(next) = due.into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if packet.is_some_and(|at| at <= self.now) {
                let index = self.flying.iter().position(|&(at, ..)| at <= self.now).unwrap();
                let (_, to, packet) = self.flying.remove(index);
                self.event(to, Event::Packet(packet));
            } else if echo.is_some_and(|at| at <= self.now) {
                let index = self.echoes.iter().position(|&(at, ..)| at <= self.now).unwrap();
                let (_, end, number) = self.echoes.remove(index);
                self.event(end, Event::Echo(number));
            } else {
                let due = (0..2).find(|&i| deadlines[i].is_some_and(|at| at <= self.now)).unwrap();
                self.event(due, Event::Deadline);
            }
        }
        self.now = end;
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }

    fn up(first: Parameters, second: Parameters) -> Self {
        let mut wire = Self::new(first, second);
        wire.run(Duration::from_secs(5));
        assert_eq!(wire.states(), [State::Up; 2]);
        wire
    }
}

#[test]
fn two_ends_come_up_and_settle_on_the_negotiated_interval() {
    let slow =
        Parameters { min_tx: Micros(100_000), min_rx: Micros(200_000), multiplier: 5, ..FAST };
    let mut wire = Wire::up(FAST, slow);
    assert_eq!(wire.ends[0].transmit_interval(), Duration::from_millis(200));
    assert_eq!(wire.ends[1].transmit_interval(), Duration::from_millis(100));
    assert_eq!(wire.ends[0].detection_time(), Duration::from_millis(500), "5 × max(50, 100)");
    assert_eq!(wire.ends[1].detection_time(), Duration::from_millis(600), "3 × max(200, 50)");
    wire.sent = Default::default();
    wire.run(Duration::from_secs(20));
    for end in 0..2 {
        let interval = wire.ends[end].transmit_interval();
        for pair in wire.sent[end].windows(2) {
            let gap = pair[1].0 - pair[0].0;
            assert!(gap >= interval * 3 / 4 && gap <= interval, "{gap:?} of {interval:?}");
            assert!(!pair[1].1.poll, "the poll sequence has ended");
        }
    }
}

#[test]
fn silence_is_detected_after_the_detection_time_and_not_before() {
    let mut wire = Wire::up(FAST, FAST);
    wire.cut = [true, false];
    wire.entered = Default::default();
    let last = wire.sent[0].last().unwrap().0 + wire.delay;
    wire.run(Duration::from_secs(1));
    let (at, state, diagnostic) = wire.entered[1][0];
    assert_eq!((state, diagnostic), (State::Down, Diagnostic::DetectionTimeExpired));
    assert_eq!(at - last, Duration::from_millis(150));
    let (_, state, diagnostic) = wire.entered[0][0];
    assert_eq!((state, diagnostic), (State::Down, Diagnostic::NeighborSignaledDown));
}

#[test]
fn two_that_stood_still_together_go_on() {
    let echoing = Parameters { echo_tx: Some(Micros(20_000)), echo_rx: Micros(20_000), ..FAST };
    for parameters in [FAST, echoing] {
        for pause in (101..400).step_by(7).chain([5_000]) {
            let mut wire = Wire::up(parameters, parameters);
            wire.entered = Default::default();
            wire.now += Duration::from_millis(pause);
            wire.run(Duration::from_secs(1));
            assert_eq!(wire.entered, [vec![], vec![]], "{pause} ms");
        }
    }
}

#[test]
fn however_often_we_stand_still_silence_ends_a_session() {
    let mut wire = Wire::up(FAST, FAST);
    wire.cut = [true, false];
    wire.entered = Default::default();
    let last = wire.sent[0].last().unwrap().0 + wire.delay;
    while wire.entered[1].is_empty() {
        wire.now += Duration::from_millis(7);
        wire.run(Duration::ZERO);
        assert!(
            wire.now - last <= Duration::from_millis(150 + 50 + 2 * 7),
            "{:?}",
            wire.now - last
        );
    }
    let (at, _, diagnostic) = wire.entered[1][0];
    assert_eq!(diagnostic, Diagnostic::DetectionTimeExpired);
    assert!(at - last >= Duration::from_millis(150), "{:?}", at - last);

    let echoing = Parameters { echo_tx: Some(Micros(20_000)), echo_rx: Micros(20_000), ..FAST };
    let mut wire = Wire::up(echoing, echoing);
    wire.reflects = false;
    wire.entered = Default::default();
    let began = wire.now;
    while wire.entered[0].is_empty() {
        wire.now += Duration::from_millis(7);
        wire.run(Duration::ZERO);
        let late = wire.now - began;
        assert!(late <= Duration::from_millis(20 + 60 + 20 + 2 * 7), "{late:?}");
    }
}

#[test]
fn of_one_that_is_silent_only_its_number_is_forgotten() {
    let mut wire = Wire::up(FAST, FAST);
    wire.cut = [true, true];
    wire.run(Duration::from_secs(2));
    assert_eq!(wire.states(), [State::Down; 2]);
    let (_, packet) = wire.sent[0].last().unwrap();
    assert_eq!((packet.state, packet.your_discriminator), (State::Down, 0));
    assert_eq!(wire.ends[0].detection_time(), Duration::from_millis(150), "for those who look");
    // Nor what it could receive, but that it could receive nothing.
    let mut wire = Wire::up(FAST, Parameters { min_rx: Micros(2_000_000), ..FAST });
    wire.cut = [true, true];
    wire.run(Duration::from_secs(10));
    assert_eq!(wire.ends[0].transmit_interval(), Duration::from_secs(2));
    let mut wire = Wire::up(FAST, FAST);
    wire.event(1, Event::Reconfigure(Parameters { min_rx: Micros(0), ..FAST }));
    wire.run(Duration::from_millis(500));
    wire.cut = [true, true];
    wire.run(Duration::from_secs(10));
    assert_eq!(wire.ends[0].transmit_interval(), Duration::from_secs(1));
    assert!(wire.sent[0].last().unwrap().0 + Duration::from_secs(1) >= wire.now);
}

#[test]
fn an_operator_is_believed_at_once() {
    let mut wire = Wire::up(FAST, FAST);
    wire.entered = Default::default();
    let start = wire.now;
    wire.event(0, Event::Disable);
    wire.run(Duration::from_secs(3));
    assert_eq!(
        wire.entered[1][0],
        (start + wire.delay, State::Down, Diagnostic::NeighborSignaledDown)
    );
    assert_eq!(wire.states(), [State::AdminDown, State::Down]);
    wire.event(0, Event::Enable);
    wire.run(Duration::from_secs(5));
    assert_eq!(wire.states(), [State::Up; 2]);
}

#[test]
fn slower_intervals_wait_for_the_poll_and_nothing_flaps() {
    let mut wire = Wire::up(FAST, FAST);
    wire.entered = Default::default();
    wire.cut = [false, true];
    let slow = Parameters { min_tx: Micros(400_000), min_rx: Micros(300_000), ..FAST };
    wire.event(0, Event::Reconfigure(slow));
    wire.run(Duration::from_millis(60));
    assert_eq!(
        wire.ends[0].transmit_interval(),
        Duration::from_millis(50),
        "no answer yet: the old interval"
    );
    assert!(wire.sent[0].last().unwrap().1.poll);
    wire.cut = [false, false];
    wire.run(Duration::from_secs(5));
    assert_eq!(wire.ends[0].transmit_interval(), Duration::from_millis(400));
    assert_eq!(wire.ends[1].detection_time(), Duration::from_millis(1200));
    assert_eq!(wire.entered, [vec![], vec![]]);
}

#[test]
fn who_sends_less_often_when_up_than_before_waits_for_the_answer_too() {
    let slow = Parameters { min_tx: Micros(3_000_000), multiplier: 5, ..FAST };
    let mut wire = Wire::new(slow, FAST);
    wire.run(Duration::from_millis(1500));
    while wire.ends[0].state() != State::Up {
        wire.run(Duration::from_millis(10));
    }
    // Nobody hears of the longer interval: the other side goes on to expect a packet a second.
    wire.cut = [true, false];
    let began = wire.now;
    wire.sent = Default::default();
    wire.run(Duration::from_millis(2500));
    assert_eq!(wire.ends[0].transmit_interval(), Duration::from_secs(1));
    assert!(wire.sent[0].len() >= 2 && wire.sent[0].iter().all(|(_, packet)| packet.poll));
    wire.cut = [false; 2];
    wire.run(Duration::from_secs(5));
    assert_eq!(wire.ends[0].transmit_interval(), Duration::from_secs(3));
    assert!(wire.entered.iter().flatten().all(|&(at, ..)| at <= began), "{:?}", wire.entered);
}

#[test]
fn who_is_told_to_send_less_often_is_waited_for_longer_at_once() {
    let mut wire = Wire::up(FAST, FAST);
    wire.cut = [false, true];
    wire.entered = Default::default();
    let last = wire.sent[1].last().unwrap().0 + wire.delay;
    wire.event(0, Event::Reconfigure(Parameters { min_rx: Micros(200_000), ..FAST }));
    wire.run(Duration::from_secs(1));
    let (at, state, _) = wire.entered[0][0];
    assert_eq!((state, at - last), (State::Down, Duration::from_millis(600)));
}

#[test]
fn a_poll_of_the_other_side_is_no_answer_to_ours() {
    let mut wire = Wire::up(FAST, FAST);
    wire.cut = [true, false];
    wire.event(0, Event::Reconfigure(Parameters { min_tx: Micros(400_000), ..FAST }));
    wire.event(1, Event::Reconfigure(Parameters { min_tx: Micros(60_000), ..FAST }));
    wire.run(Duration::from_millis(70));
    assert!(wire.sent[0].iter().any(|(_, packet)| packet.final_), "it was asked");
    assert_eq!(wire.ends[0].transmit_interval(), Duration::from_millis(50), "nobody has answered");
}

#[test]
fn new_intervals_are_not_polled_for_while_down() {
    let mut wire = Wire::new(FAST, FAST);
    wire.cut = [true, true];
    wire.event(0, Event::Reconfigure(Parameters { min_tx: Micros(70_000), ..FAST }));
    wire.run(Duration::from_secs(5));
    assert!(wire.sent[0].iter().all(|(_, packet)| !packet.poll && packet.state == State::Down));
}

#[test]
fn in_init_every_packet_prolongs_the_wait() {
    let mut wire = Wire::new(FAST, FAST);
    // The second end hears the first one, but not the other way round.
    wire.cut = [false, true];
    wire.run(Duration::from_secs(5));
    assert_eq!(wire.states(), [State::Down, State::Init]);
    let last = wire.sent[0].last().unwrap().0 + wire.delay;
    wire.cut = [true, true];
    wire.entered = Default::default();
    wire.run(Duration::from_secs(5));
    let (at, state, diagnostic) = wire.entered[1][0];
    assert_eq!((state, diagnostic), (State::Down, Diagnostic::DetectionTimeExpired));
    assert_eq!(at - last, Duration::from_secs(3), "3 × the idle interval");
}

#[test]
fn in_demand_mode_the_other_end_is_silent_but_for_answers_and_its_death_is_noticed() {
    let demanding = Parameters { demand: Some(Micros(1_000_000)), ..FAST };
    for other in [FAST, demanding] {
        let mut wire = Wire::up(demanding, other);
        wire.sent = Default::default();
        wire.entered = Default::default();
        wire.run(Duration::from_secs(20));
        assert_eq!(wire.entered, [vec![], vec![]]);
        let polls = wire.sent[0].iter().filter(|(_, packet)| packet.poll).count();
        assert!((15..=21).contains(&polls), "{polls} in 20 s");
        if other.demand.is_none() {
            assert!(
                wire.sent[1].iter().all(|(_, packet)| packet.final_),
                "it was asked for silence"
            );
            assert!(wire.sent[0].iter().all(|(_, packet)| packet.demand));
        }
        // One second until the next poll, and a detection time from there.
        let began = wire.now;
        wire.cut = [false, true];
        wire.run(Duration::from_secs(3));
        let (at, state, diagnostic) = wire.entered[0][0];
        assert_eq!((state, diagnostic), (State::Down, Diagnostic::DetectionTimeExpired));
        assert!(
            at - began <= Duration::from_millis(1150) && at - began >= Duration::from_millis(100)
        );
        wire.cut = [false, false];
        wire.run(Duration::from_secs(10));
        assert_eq!(wire.states(), [State::Up; 2]);
    }
}

#[test]
fn demand_mode_comes_and_goes_without_a_fall() {
    let mut wire = Wire::up(FAST, FAST);
    wire.entered = Default::default();
    let demanding = Parameters { demand: Some(Micros(2_000_000)), ..FAST };
    for parameters in [demanding, FAST, demanding, FAST] {
        wire.event(0, Event::Reconfigure(parameters));
        wire.run(Duration::from_millis(2500));
        wire.sent = Default::default();
        wire.run(Duration::from_secs(1));
        let heard = wire.sent[1].iter().filter(|(_, packet)| !packet.final_).count();
        assert_eq!(heard > 0, parameters.demand.is_none());
    }
    assert_eq!(wire.entered, [vec![], vec![]]);
}

#[test]
fn a_session_falls_when_its_echoes_stay_away() {
    let echoing = Parameters { echo_tx: Some(Micros(20_000)), ..FAST };
    // Nothing is sent to one that does not reflect.
    let mut wire = Wire::up(echoing, FAST);
    wire.reflects = false;
    wire.entered = Default::default();
    wire.run(Duration::from_secs(5));
    assert_eq!(wire.entered, [vec![], vec![]]);

    let reflecting = Parameters { echo_rx: Micros(30_000), ..FAST };
    let mut wire = Wire::up(echoing, reflecting);
    wire.run(Duration::from_secs(20));
    assert_eq!(wire.states(), [State::Up; 2]);
    wire.entered = Default::default();
    // Who stands still sends none, and misses none.
    wire.now += Duration::from_millis(95);
    wire.run(Duration::from_secs(1));
    assert_eq!(wire.entered, [vec![], vec![]]);
    wire.reflects = false;
    let began = wire.now;
    wire.run(Duration::from_secs(1));
    let (at, state, diagnostic) = wire.entered[0][0];
    assert_eq!((state, diagnostic), (State::Down, Diagnostic::EchoFailed));
    assert!(at - began <= Duration::from_millis(121), "1 + 3 × max(20, 30): {:?}", at - began);
    let (_, _, diagnostic) = wire.entered[1][0];
    assert_eq!(diagnostic, Diagnostic::NeighborSignaledDown);
}

#[test]
fn nothing_is_said_of_a_session_that_has_had_no_time_to_come_up() {
    let mut wire = Wire::new(FAST, FAST);
    wire.cut = [true, true];
    let told: Vec<Option<bool>> = (0..4)
        .map(|_| {
            wire.run(Duration::from_millis(990));
            wire.ends[0].verdict()
        })
        .collect();
    assert_eq!(told, [None, None, None, Some(false)], "3 × the idle interval");
    // Once it was up, a fall is one.
    let mut wire = Wire::new(FAST, FAST);
    wire.run(Duration::from_millis(2500));
    assert_eq!(wire.ends[0].verdict(), Some(true));
    wire.cut = [true, true];
    wire.run(Duration::from_millis(200));
    assert_eq!(wire.ends[0].verdict(), Some(false));
}

#[test]
fn what_both_sides_have_agreed_on_is_a_table_as_in_the_original() {
    let slow =
        Parameters { min_tx: Micros(300_000), min_rx: Micros(300_000), multiplier: 5, ..FAST };
    let mut wire = Wire::new(slow, slow);
    wire.event(1, Event::Deadline);
    wire.cut = [true, true];
    wire.run(Duration::from_millis(1));
    assert_eq!(
        wire.ends[0].interval_table("BFD1"),
        [
            "(BFD1) ---------------< Session parameters >--------------",
            "                min_tx  min_rx  tx_intv  mult  detect_time",
            "       local   1000000  300000  1000000     5      5000000",
            "       remote  1000000  300000  1000000     5      5000000",
        ]
    );
}

#[test]
fn a_passive_end_speaks_only_when_spoken_to() {
    let passive = Parameters { passive: true, ..FAST };
    let mut wire = Wire::new(passive, passive);
    wire.run(Duration::from_secs(10));
    assert_eq!(wire.sent, [vec![], vec![]]);
    Wire::up(passive, FAST);
}

#[test]
fn no_receive_interval_means_no_packets() {
    let mut wire = Wire::up(FAST, FAST);
    wire.event(1, Event::Reconfigure(Parameters { min_rx: Micros(0), ..FAST }));
    wire.run(Duration::from_secs(1));
    wire.sent = Default::default();
    wire.run(Duration::from_secs(1));
    assert_eq!(wire.sent[0], vec![]);
}

proptest! {
    /// Whatever is lost and delayed: when the wire is whole again the session comes up, and it never falls by
    /// expiry while packets arrive within the detection time.
    #[test]
    fn sessions_heal(cuts in proptest::collection::vec((0_u64..3000, any::<bool>(), any::<bool>()), 0..12)) {
        let mut wire = Wire::new(FAST, Parameters { multiplier: 1, ..FAST });
        for (time, first, second) in cuts {
            wire.cut = [first, second];
            wire.run(Duration::from_millis(time));
        }
        wire.cut = [false, false];
        wire.run(Duration::from_secs(10));
        prop_assert_eq!(wire.states(), [State::Up; 2]);
        wire.entered = Default::default();
        wire.run(Duration::from_secs(60));
        prop_assert_eq!(&wire.entered, &[vec![], vec![]]);
    }
}
