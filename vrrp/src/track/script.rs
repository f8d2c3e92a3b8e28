//! The verdict of a tracked script: so many successes make it good, so many failures make it bad.

/// How a run of the script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this exit status; 0 is success.
    Exited(u8),
    /// By this signal.
    Signalled(i32),
    /// By us, since it took too long.
    TimedOut,
}

/// What is known of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No run has ended yet.
    Unknown,
    /// Good.
    Good,
    /// Bad.
    Bad,
}

/// The score of a script: it is good from `rise` on, and the score never exceeds `rise + fall - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Score {
    rise: u32,
    fall: u32,
    value: u32,
    verdict: Verdict,
    last_status: u8,
}

impl Score {
    /// A script that never ran. The first run decides at once, whatever `rise` and `fall` say, unless it counts as failed
    /// until it has proved itself (`init_fail`).
    pub(crate) fn new(rise: u32, fall: u32, init_fail: bool) -> Self {
        let (rise, fall) = (rise.max(1), fall.max(1));
        let verdict = if init_fail { Verdict::Bad } else { Verdict::Unknown };
        let value = if init_fail { 0 } else { rise - 1 };
        Self { rise, fall, value, verdict, last_status: 0 }
    }

    /// A script that goes on after a reload, under other limits perhaps.
    pub(crate) fn carried_over(self, rise: u32, fall: u32) -> Self {
        let (rise, fall) = (rise.max(1), fall.max(1));
        let value = match self.verdict {
            Verdict::Good => rise.saturating_add(fall) - 1,
            Verdict::Bad => 0,
            Verdict::Unknown => rise - 1,
        };
        Self { rise, fall, value, ..self }
    }

    /// What is known.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// How good it is, from 0 to `rise + fall - 1`.
    pub(crate) fn value(&self) -> u32 {
        self.value
    }

    /// Counts a run. The new verdict if it changed.
    pub(crate) fn count(&mut self, outcome: Outcome) -> Option<Verdict> {
        let before = self.verdict;
        if outcome == Outcome::Exited(0) {
            self.succeed();
        } else {
            self.fail();
        }
        (self.verdict != before).then_some(self.verdict)
    }

    /// Whether the exit status differs from that of the run before, which is worth a line in the log.
    pub(crate) fn status_changed(&mut self, outcome: Outcome) -> Option<u8> {
        let Outcome::Exited(status) = outcome else { return None };
        (std::mem::replace(&mut self.last_status, status) != status).then_some(status)
    }

    fn succeed(&mut self) {
        if self.value < self.rise - 1 {
            self.value += 1;
        } else {
            self.value = self.rise.saturating_add(self.fall) - 1;
            self.verdict = Verdict::Good;
        }
    }

    fn fail(&mut self) {
        if self.value > self.rise {
            self.value -= 1;
        } else {
            self.value = 0;
            self.verdict = Verdict::Bad;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Outcome = Outcome::Exited(0);
    const FAILED: Outcome = Outcome::Exited(1);

    #[test]
    fn the_first_run_decides_whatever_rise_and_fall_say() {
        assert_eq!(Score::new(3, 3, false).count(OK), Some(Verdict::Good));
        assert_eq!(Score::new(3, 3, false).count(FAILED), Some(Verdict::Bad));
    }

    #[test]
    fn later_it_takes_as_many_as_rise_and_fall_say() {
        let mut score = Score::new(3, 2, false);
        score.count(OK);
        assert_eq!([score.count(FAILED), score.count(FAILED)], [None, Some(Verdict::Bad)]);
        assert_eq!(
            [score.count(OK), score.count(OK), score.count(OK)],
            [None, None, Some(Verdict::Good)]
        );
    }

    #[test]
    fn one_success_between_failures_forgives_all() {
        let mut score = Score::new(1, 3, false);
        score.count(OK);
        for _ in 0..5 {
            assert_eq!([score.count(FAILED), score.count(FAILED), score.count(OK)], [None; 3]);
        }
    }

    #[test]
    fn init_fail_starts_as_bad_and_has_to_rise() {
        let mut score = Score::new(2, 1, true);
        assert_eq!(score.verdict(), Verdict::Bad);
        assert_eq!([score.count(OK), score.count(OK)], [None, Some(Verdict::Good)]);
    }

    #[test]
    fn a_reload_keeps_the_verdict_under_new_limits() {
        let mut score = Score::new(1, 1, false);
        score.count(OK);
        let mut score = score.carried_over(2, 3);
        assert_eq!(score.verdict(), Verdict::Good);
        assert_eq!([score.count(FAILED), score.count(FAILED)], [None, None]);
        assert_eq!(score.count(FAILED), Some(Verdict::Bad));
    }

    #[test]
    fn a_status_is_worth_a_line_when_it_changes() {
        let mut score = Score::new(1, 1, false);
        assert_eq!(score.status_changed(OK), None, "the first success is silent");
        assert_eq!(score.status_changed(Outcome::Exited(3)), Some(3));
        assert_eq!(score.status_changed(Outcome::Exited(3)), None);
        assert_eq!(score.status_changed(Outcome::TimedOut), None);
        assert_eq!(score.status_changed(OK), Some(0));
    }
}
