//! Looking for a pattern in a body as it streams in.
//!
//! The body is looked at in blocks of one size, however it arrives, so that the verdict depends on nothing but the body.

use std::cell::RefCell;
use std::rc::Rc;

use runtime::sys::pcre2::{Found, Pattern};

use crate::config::http::Regex;
use crate::probe::failure::Notice;

/// So much is gathered before it is looked at.
const BLOCK: usize = 4096;
/// A match is not longer than this, unless it fits into the last block.
const LONGEST: usize = 32 << 10;
/// Bytes of a character in UTF-8.
const CHARACTER: usize = 4;

/// A search for one pattern in one body.
#[derive(Debug)]
pub(super) struct Matcher {
    pattern: Rc<RefCell<Pattern>>,
    negated: bool,
    min: u64,
    max: Option<u64>,
    /// Bytes before a place that may decide whether the pattern matches there, and one more: it is not the beginning.
    look_behind: usize,
    /// What of the body may still count.
    buffer: Vec<u8>,
    /// Where in the body the buffer begins.
    base: u64,
    /// Where in the buffer a match may begin.
    start: usize,
    /// How much of the buffer has been looked at, or need not be.
    seen: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Searching,
    Decided { found: bool },
    GaveUp,
}

impl Matcher {
    pub(super) fn new(regex: &Regex, pattern: Rc<RefCell<Pattern>>) -> Self {
        let characters = pattern.borrow().look_behind().saturating_add(1);
        let width = if pattern.borrow().is_utf() { CHARACTER } else { 1 };
        let look_behind = characters.saturating_mul(width).min(LONGEST);
        Self {
            pattern,
            negated: regex.negated,
            min: regex.min_offset,
            max: regex.max_offset,
            look_behind,
            buffer: Vec::new(),
            base: 0,
            start: 0,
            seen: 0,
            state: State::Searching,
        }
    }

    /// Takes the next part of the body.
    pub(super) fn push(&mut self, mut bytes: &[u8], notices: &mut Vec<Notice>) {
        bytes = self.skip(bytes);
        while self.state == State::Searching && !bytes.is_empty() {
            let room = (self.seen + BLOCK).saturating_sub(self.buffer.len()).max(1);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= self.seen + BLOCK {
                self.look(true, notices);
            }
        }
    }

    /// Passes over what lies before the first place where a match may begin, and is not looked back at from there.
    fn skip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.buffer.is_empty() {
            return bytes;
        }
        let first = self.min.saturating_sub(self.look_behind as u64);
        let ahead = usize::try_from(first.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let passed = ahead.min(bytes.len());
        self.base += passed as u64;
        let start = usize::try_from(self.min.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.start = self.start.max(start.min(self.look_behind));
        self.seen = self.start;
        bytes.get(passed..).unwrap_or_default()
    }

    /// The body is complete. Whether it is as it should be.
    pub(super) fn ended(&mut self, notices: &mut Vec<Notice>) -> bool {
        if self.state == State::Searching {
            self.look(false, notices);
        }
        match self.state {
            State::Decided { found } => found != self.negated,
            State::Searching => self.negated,
            // Nobody knows, and an unknown server is not a good one.
            State::GaveUp => false,
        }
    }

    /// Looks at what there is. With `partial` more may follow.
    fn look(&mut self, partial: bool, notices: &mut Vec<Notice>) {
        let pattern = Rc::clone(&self.pattern);
        let mut pattern = pattern.borrow_mut();
        let cut = if partial && pattern.is_utf() { incomplete(&self.buffer) } else { 0 };
        let end = self.buffer.len() - cut;
        if pattern.is_utf() {
            let continues = |byte: &&u8| **byte & 0xc0 == 0x80;
            let rest = self.buffer.get(self.start..end).unwrap_or_default();
            self.start += rest.iter().take(CHARACTER - 1).take_while(continues).count();
        }
        if self.start > end {
            return;
        }
        let subject = self.buffer.get(..end).unwrap_or_default();
        let next = match pattern.find(subject, self.start, partial) {
            Ok(Found::At(at)) => {
                let place = self.base + at as u64;
                let found = self.max.is_none_or(|max| place <= max);
                self.state = State::Decided { found };
                return self.buffer = Vec::new();
            }
            Ok(Found::No) => end,
            Ok(Found::Partly(at)) if end - at >= LONGEST => {
                let text = "Regex partial match preserve too large - discarding";
                notices.push(Notice::info(text));
                end
            }
            Ok(Found::Partly(at)) => at,
            Err(reason) => {
                notices.push(Notice::info(reason.to_string()));
                self.state = State::GaveUp;
                return self.buffer = Vec::new();
            }
        };
        if self.max.is_some_and(|max| self.base + next as u64 > max) {
            self.state = State::Decided { found: false };
            return self.buffer = Vec::new();
        }
        self.forget(next);
    }

    /// A match begins at `next` or later: drops what lies too far before.
    fn forget(&mut self, next: usize) {
        let dropped = next.saturating_sub(self.look_behind);
        self.buffer.drain(..dropped);
        self.base += dropped as u64;
        self.start = next - dropped;
        self.seen = self.buffer.len();
    }
}

/// Bytes at the end that may be the beginning of a character in UTF-8.
fn incomplete(bytes: &[u8]) -> usize {
    let tail = bytes.iter().rev().take(CHARACTER - 1);
    let found = tail.zip(1..).find_map(|(&byte, length)| match byte {
        0xc0..=0xdf => Some((2, length)),
        0xe0..=0xef => Some((3, length)),
        0xf0..=0xff => Some((4, length)),
        0x80..=0xbf => None,
        0x00..=0x7f => Some((1, length)),
    });
    found.map_or(0, |(whole, length)| if length < whole { length } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> Regex {
        Regex {
            pattern: pattern.into(),
            negated: false,
            options: 0,
            min_offset: 0,
            max_offset: None,
            stack: None,
        }
    }

    /// The verdict, which must be the same for parts of any of some sizes.
    fn matches(regex: &Regex, body: &[u8]) -> bool {
        let pattern = Rc::new(RefCell::new(Pattern::compile(&regex.pattern, 0).unwrap()));
        let verdicts = [1, 2, 7, 4095, 4096, 4097, usize::MAX].map(|size| {
            let mut matcher = Matcher::new(regex, Rc::clone(&pattern));
            let mut notices = vec![];
            for part in body.chunks(size) {
                matcher.push(part, &mut notices);
                assert!(matcher.buffer.capacity() < 4 * LONGEST);
            }
            matcher.ended(&mut notices)
        });
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{regex:?} {verdicts:?}");
        verdicts[0]
    }

    /// Text around what is looked for, so that it lies across the border of two blocks.
    fn amid(text: &str, before: usize) -> Vec<u8> {
        [&b".".repeat(before)[..], text.as_bytes(), &b".".repeat(9000)].concat()
    }

    #[test]
    fn a_match_may_lie_anywhere() {
        for before in [0, 1, 4090, 4093, 4095, 4096, 8190, 20000] {
            let body = amid("needle", before);
            assert!(matches(&regex("needle"), &body), "{before}");
            assert!(matches(&regex(r"(?<=\.)needle(?=\.)"), &body) == (before > 0), "{before}");
            assert!(matches(&regex("^needle"), &body) == (before == 0), "{before}");
            assert!(matches(&regex(r"\Aneedle"), &body) == (before == 0), "{before}");
            assert!(!matches(&regex("noodle"), &body));
        }
    }

    // The original looks at the end of the body no more, so that nothing that could go on ever matches there.
    #[test]
    fn the_end_of_the_body_is_the_end() {
        for before in [0, 5, 4090, 4096, 9000] {
            let body = [&b".".repeat(before)[..], b"all is well"].concat();
            assert!(matches(&regex("wel*$"), &body));
            assert!(matches(&regex(r"is .*\z"), &body));
            assert!(!matches(&regex("is$"), &body));
        }
        assert!(matches(&regex("^$"), b""));
    }

    #[test]
    fn offsets_are_those_of_the_body() {
        let body = amid("needle", 5000);
        let within = |min, max| Regex { min_offset: min, max_offset: max, ..regex("needle") };
        assert!(matches(&within(5000, None), &body));
        assert!(!matches(&within(5001, None), &body));
        assert!(matches(&within(0, Some(5000)), &body));
        assert!(!matches(&within(0, Some(4999)), &body));
        assert!(!matches(&within(100_000, None), &body));
        let anchored = Regex { min_offset: 5000, ..regex("^needle") };
        assert!(!matches(&anchored, &body), "it does not begin there");
    }

    #[test]
    fn a_negated_pattern_must_not_match() {
        let negated = Regex { negated: true, ..regex("needle") };
        assert!(!matches(&negated, &amid("needle", 5000)));
        assert!(matches(&negated, &amid("noodle", 5000)));
        assert!(matches(&negated, b""));
    }

    #[test]
    fn characters_are_not_cut() {
        let body = [&b".".repeat(4095)[..], "\u{20ac}!".as_bytes()].concat();
        assert!(matches(&regex(r"(*UTF)\x{20ac}!"), &body));
        assert!(matches(&regex(r"(*UTF)\.\x{20ac}"), &body));
        assert_eq!(incomplete(b"a\xe2\x82"), 2);
        assert_eq!(incomplete(b"a\xe2\x82\xac"), 0);
    }

    #[test]
    fn what_explodes_or_does_not_end_is_bad() {
        let body = [&b"a".repeat(200_000)[..], b"b"].concat();
        assert!(!matches(&regex("^(a+)+$"), &body));
        let negated = Regex { negated: true, ..regex("(a|aa)+$") };
        assert!(!matches(&negated, &body), "nobody knows");
        assert!(!matches(&regex("(?s)a.*c"), &body), "only so much is kept");
    }
}
