//! A growing list of what happened, which can be waited on.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A place on a timeline: what came before is left out of a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

/// What happened, in order. Clones share the list, so that one thread can write and others wait.
#[derive(Debug)]
pub struct Timeline<T> {
    shared: Arc<(Mutex<Vec<T>>, Condvar)>,
}

impl<T> Clone for Timeline<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self { shared: Arc::new((Mutex::new(Vec::new()), Condvar::new())) }
    }
}

impl<T: Clone> Timeline<T> {
    /// Notes that `item` happened, and wakes who waits for it.
    pub fn push(&self, item: T) {
        self.items().push(item);
        self.shared.1.notify_all();
    }

    /// Now: a search from here finds only what is still to come.
    pub fn mark(&self) -> Mark {
        Mark(self.items().len())
    }

    /// All that happened since `mark`.
    pub fn since(&self, mark: Mark) -> Vec<T> {
        self.items().get(mark.0..).unwrap_or_default().to_vec()
    }

    /// All that happened.
    pub fn all(&self) -> Vec<T> {
        self.since(Mark::default())
    }

    /// Waits until `find` finds something in what happened since `mark`. `None` if that takes longer than `within`.
    pub fn wait<R>(
        &self,
        mark: Mark,
        within: Duration,
        mut find: impl FnMut(&T) -> Option<R>,
    ) -> Option<R> {
        let deadline = Instant::now() + within;
        let mut next = mark.0;
        let mut items = self.items();
        loop {
            while let Some(item) = items.get(next) {
                next += 1;
                if let Some(found) = find(item) {
                    return Some(found);
                }
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.shared.1.wait_timeout(items, left);
            items = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until all that happened so far satisfies `holds`; `false` if that takes longer than `within`.
    pub fn wait_until(&self, within: Duration, mut holds: impl FnMut(&[T]) -> bool) -> bool {
        let deadline = Instant::now() + within;
        let mut items = self.items();
        loop {
            if holds(&items) {
                return true;
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            let waited = self.shared.1.wait_timeout(items, left);
            items = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn items(&self) -> MutexGuard<'_, Vec<T>> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_sees_what_comes_later_and_nothing_before_its_mark() {
        let timeline = Timeline::default();
        timeline.push(1);
        let mark = timeline.mark();
        let writer = timeline.clone();
        let thread = std::thread::spawn(move || (2..5).for_each(|item| writer.push(item)));
        let found =
            timeline.wait(mark, Duration::from_secs(5), |item| (item % 2 == 1).then_some(*item));
        assert_eq!(found, Some(3));
        thread.join().unwrap();
        assert_eq!(timeline.since(mark), [2, 3, 4]);
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let timeline = Timeline::<u8>::default();
        assert_eq!(timeline.wait(Mark::default(), Duration::ZERO, |item| Some(*item)), None);
        assert!(!timeline.wait_until(Duration::ZERO, |items| !items.is_empty()));
    }
}
