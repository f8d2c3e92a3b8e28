//! Two sessions whose packets are lost, doubled, delayed and overtaken, on machines that stop and go on: what RFC 5880
//! §6.8 says holds at every step, and when the noise ends the session comes up and stays up.
//!
//! A step of the wall clock is no event here: nothing in a session reads it.

use proptest::prelude::*;

use super::*;

/// What happens to packets, in percent of them, and how late they come.
#[derive(Clone, Copy, Debug)]
struct Noise {
    lost: u32,
    doubled: u32,
    latest: Duration,
}

const QUIET: Noise = Noise { lost: 0, doubled: 0, latest: Duration::from_micros(20) };

/// One end, and what is held against it.
struct End {
    session: Session,
    /// What has arrived while the machine stood still waits here.
    inbox: Vec<ControlPacket>,
    still_until: Instant,
    heard: Option<Instant>,
    /// The last periodic packet: when, and the shortest time until the next one by all intervals since.
    sent: Option<(Instant, Duration)>,
}

struct World {
    now: Instant,
    ends: [End; 2],
    flying: Vec<(Instant, usize, ControlPacket)>,
    noise: Noise,
    dice: u64,
    falls: usize,
}

impl World {
    fn new(parameters: [Parameters; 2], dice: u64) -> Self {
        let now = Instant::now();
        let mut number = NonZeroU32::MIN;
        let ends = parameters.map(|parameters| {
            number = number.saturating_add(1);
            End {
                session: Session::new(parameters, number, Pulse::new(now, number.get()), now),
                inbox: vec![],
                still_until: now,
                heard: None,
                sent: None,
            }
        });
        Self { now, ends, flying: vec![], noise: QUIET, dice, falls: 0 }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's MMIX generator.
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % sides.max(1)
    }

    fn send(&mut self, from: usize, packet: ControlPacket) {
        let copies = 1 + u32::from(self.roll(100) < u64::from(self.noise.doubled));
        for _ in 0..copies {
            if self.roll(100) < u64::from(self.noise.lost) {
                continue;
            }
            let latest = u64::try_from(self.noise.latest.as_micros()).unwrap();
            let late = Duration::from_micros(self.roll(latest));
            self.flying.push((self.now + late, 1 - from, packet));
        }
    }

    fn event(&mut self, index: usize, event: Event) {
        let now = self.now;
        let answers = matches!(event, Event::Packet(ControlPacket { poll: true, .. }));
        let end = &mut self.ends[index];
        let before = end.session.clone();
        match event {
            Event::Packet(_) => end.heard = Some(now),
            // It begins anew, with a packet at once.
            Event::Disable => end.sent = None,
            _ => {}
        }
        let mut actions = vec![];
        end.session.on_event(event, now, &mut actions);
        let mut state = before.state();
        for action in actions {
            match action {
                Action::Send(packet) => {
                    Self::judge_packet(&mut self.ends[index], &packet, answers, now);
                    self.send(index, packet);
                }
                Action::Enter { state: entered, from, diagnostic } => {
                    assert_eq!(from, state);
                    state = entered;
                    self.falls += usize::from(from == State::Up);
                    self.judge_entry(index, &before, event, entered, from, diagnostic);
                }
                Action::Echo(_) => panic!("nobody asked for echoes"),
                Action::Expired { .. }
                | Action::Poll
                | Action::Intervals
                | Action::DetectionTime { .. } => {}
            }
        }
        let end = &mut self.ends[index];
        assert_eq!(end.session.state(), state);
        // A packet that was planned while up leaves when it was planned, though the session may have fallen.
        if let Some((_, shortest)) = &mut end.sent {
            *shortest = end.session.transmit_interval().mul_f32(0.74).min(*shortest);
        }
        let served = event != Event::Deadline || end.session.deadline().is_none_or(|at| at > now);
        assert!(served, "it would spin");
    }

    /// §6.8.3, §6.8.7 and §4.1.
    fn judge_packet(end: &mut End, packet: &ControlPacket, answers: bool, now: Instant) {
        assert!(!(packet.poll && packet.final_));
        assert_eq!(packet.final_, packet.final_ && answers, "F only answers P");
        if packet.state != State::Up {
            assert!(packet.desired_min_tx >= Micros(1_000_000));
        }
        if packet.your_discriminator == 0 {
            assert!(matches!(packet.state, State::Down | State::AdminDown));
        }
        if packet.final_ || packet.state == State::AdminDown {
            return;
        }
        let interval = end.session.transmit_interval();
        if let Some((at, shortest)) = end.sent {
            let gap = now - at;
            assert!(gap >= shortest.min(interval.mul_f32(0.74)), "{gap:?} of {interval:?}");
        }
        end.sent = Some((now, interval));
    }

    /// §6.2 and §6.8.4.
    fn judge_entry(
        &self,
        index: usize,
        before: &Session,
        event: Event,
        entered: State,
        from: State,
        diagnostic: Diagnostic,
    ) {
        let end = &self.ends[index];
        match (from, entered) {
            (State::Down, State::Init) => {
                assert!(matches!(event, Event::Packet(p) if p.state == State::Down));
            }
            (State::Down | State::Init, State::Up) => {
                assert!(
                    matches!(event, Event::Packet(p) if matches!(p.state, State::Init | State::Up))
                );
            }
            (State::Init | State::Up, State::Down) => match diagnostic {
                Diagnostic::DetectionTimeExpired => {
                    let silence = self.now - end.heard.unwrap();
                    let demand = before.demands();
                    let awaited = if demand {
                        before.demand.as_ref().and_then(|d| d.poll_began).map(|at| self.now - at)
                    } else {
                        Some(silence)
                    };
                    let patience = if demand {
                        before.transmit_interval() * u32::from(before.parameters.multiplier)
                    } else {
                        before.detection_time()
                    };
                    assert!(awaited.unwrap() >= patience, "{awaited:?} of {patience:?}");
                }
                Diagnostic::NeighborSignaledDown => {
                    assert!(
                        matches!(event, Event::Packet(p) if matches!(p.state, State::Down | State::AdminDown))
                    );
                }
                other => panic!("{other}"),
            },
            (_, State::AdminDown) => assert_eq!(event, Event::Disable),
            (State::AdminDown, State::Down) => assert_eq!(event, Event::Enable),
            other => panic!("{other:?}"),
        }
    }

    /// When an end has something to do, and what: read first, then serve what is overdue.
    fn due(&self, index: usize) -> Option<Instant> {
        let end = &self.ends[index];
        let arrived = (!end.inbox.is_empty()).then_some(self.now);
        let due = [arrived, end.session.deadline()].into_iter().flatten().min()?;
        Some(due.max(end.still_until))
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.flying.iter().enumerate().min_by_key(|(_, (at, ..))| *at);
            let arrival = arrival.map(|(index, (at, ..))| (*at, index));
            let due = [0, 1].map(|index| self.due(index).map(|at| (at, index)));
            let next_due = due.into_iter().flatten().min();
            let arrives = match (arrival, next_due) {
                (None, None) => break,
                (Some(arrival), Some(due)) => arrival.0 <= due.0,
                (arrival, _) => arrival.is_some(),
            };
            let Some(at) = (if arrives { arrival } else { next_due }).map(|(at, _)| at) else {
                break;
            };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            if let (true, Some((_, index))) = (arrives, arrival) {
                let (_, to, packet) = self.flying.swap_remove(index);
                self.ends[to].inbox.push(packet);
                continue;
            }
            let Some((_, index)) = next_due else { break };
            let inbox = std::mem::take(&mut self.ends[index].inbox);
            let read = !inbox.is_empty();
            for packet in inbox {
                self.event(index, Event::Packet(packet));
            }
            if !read {
                self.event(index, Event::Deadline);
            }
        }
        self.now = end;
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].session.state(), self.ends[1].session.state()]
    }
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Noise(Noise),
    Pause(usize, Duration),
    Reload(usize, Parameters),
    /// Taken down and up again by the operator.
    Bounce(usize),
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let interval = || (1_000_u32..300_000).prop_map(Micros);
    let demand =
        prop_oneof![3 => Just(None), 1 => (200_000_u32..2_000_000).prop_map(|t| Some(Micros(t)))];
    (interval(), interval(), 1_000_000_u32..1_500_000, 1..6_u8, any::<bool>(), demand).prop_map(
        |(min_tx, min_rx, idle_tx, multiplier, passive, demand)| Parameters {
            min_tx,
            min_rx,
            idle_tx: Micros(idle_tx),
            multiplier,
            passive,
            demand,
            echo_tx: None,
            echo_rx: Micros(0),
        },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    let noise = (0..70_u32, 0..30_u32, 1..200_u64).prop_map(|(lost, doubled, latest)| {
        Happening::Noise(Noise { lost, doubled, latest: Duration::from_millis(latest) })
    });
    prop_oneof![
        4 => noise,
        2 => (0..2_usize, 1..5_000_u64).prop_map(|(end, ms)| Happening::Pause(end, Duration::from_millis(ms))),
        2 => (0..2_usize, parameters()).prop_map(|(end, parameters)| Happening::Reload(end, parameters)),
        1 => (0..2_usize).prop_map(Happening::Bounce),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_happens_the_rules_hold_and_the_session_heals(
        first in parameters(),
        second in parameters(),
        dice in any::<u64>(),
        story in proptest::collection::vec((happening(), 0..4_000_u64), 1..12),
    ) {
        // Two passive ends never meet.
        let first = Parameters { passive: false, ..first };
        let mut world = World::new([first, second], dice);
        for (happening, time) in story {
            match happening {
                Happening::Noise(noise) => world.noise = noise,
                Happening::Pause(end, time) => world.ends[end].still_until = world.now + time,
                Happening::Reload(end, parameters) => {
                    let passive = end == 1 && parameters.passive;
                    world.event(end, Event::Reconfigure(Parameters { passive, ..parameters }));
                }
                Happening::Bounce(end) => {
                    world.event(end, Event::Disable);
                    world.event(end, Event::Enable);
                }
            }
            world.run(Duration::from_millis(time));
        }
        world.noise = QUIET;
        world.run(Duration::from_secs(20));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        world.falls = 0;
        world.run(Duration::from_secs(60));
        prop_assert_eq!(world.falls, 0);
    }

    /// Both ends stand still, as two machines on one host do, and do not go on at quite the same moment. Each misses
    /// something that it had to do, else it could not know.
    #[test]
    fn who_stood_still_along_with_the_other_end_does_not_blame_it(
        first in parameters(),
        second in parameters(),
        dice in any::<u64>(),
        pauses in proptest::collection::vec((1..2_000_u64, 0..2_usize, 0..100_u32, 1..3_000_u64), 1..8),
    ) {
        let ends = [first, second].map(|end| Parameters {
            passive: false,
            min_tx: Micros(end.min_tx.0.max(20_000)),
            multiplier: end.multiplier.max(3),
            demand: None,
            ..end
        });
        let mut world = World::new(ends, dice);
        world.run(Duration::from_secs(10));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        let shortest = world.ends.iter().map(|end| end.session.transmit_interval()).min().unwrap();
        for (pause, earlier, percent, run) in pauses {
            let missed = world.ends.iter().filter_map(|end| end.session.deadline()).max();
            let noticed = missed.unwrap_or(world.now) + PUNCTUAL * 2;
            let until = noticed.max(world.now + Duration::from_millis(pause));
            let late = shortest * percent / 200;
            world.ends[earlier].still_until = until;
            world.ends[1 - earlier].still_until = until + late;
            world.run(until + late + Duration::from_millis(run) - world.now);
        }
        prop_assert_eq!(world.falls, 0);
    }

    /// As long as less than a detection time of packets is lost in a row, nothing falls: delays below a quarter of the
    /// interval, doubles and overtaking do no harm.
    #[test]
    fn a_little_noise_makes_nothing_fall(
        first in parameters(),
        second in parameters(),
        dice in any::<u64>(),
        doubled in 0..100_u32,
    ) {
        let ends = [first, second].map(|end| Parameters {
            passive: false,
            min_tx: Micros(end.min_tx.0.max(20_000)),
            min_rx: Micros(end.min_rx.0.max(20_000)),
            multiplier: end.multiplier.max(2),
            ..end
        });
        let mut world = World::new(ends, dice);
        world.run(Duration::from_secs(10));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        world.noise = Noise { lost: 0, doubled, latest: Duration::from_millis(4) };
        world.run(Duration::from_secs(30));
        prop_assert_eq!(world.falls, 0);
    }
}
