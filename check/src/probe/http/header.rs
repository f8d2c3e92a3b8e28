//! Finding the end of the headers of an answer, and what counts in them.

/// The headers with the empty line behind them are not longer.
const LIMIT: usize = 4095;
const END: &[u8] = b"\r\n\r\n";

/// Headers as they come in.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// What has come of them; empty as long as they may be read from where they arrive.
    kept: Vec<u8>,
}

/// What counts in complete headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The status, or 0 if there is none that can be read.
    pub(super) status: u16,
    /// How much of a body they announce.
    pub(super) length: Option<u64>,
}

/// How far the headers have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// They go on.
    More,
    /// They end before this place in what was given last.
    End(Head, usize),
    /// They do not end in time.
    TooLong,
}

impl Header {
    /// Takes what comes next. `seen` is given complete headers.
    pub(super) fn push(&mut self, bytes: &[u8], seen: impl FnOnce(&[u8])) -> Search {
        let before = self.kept.len();
        let bytes = bytes.get(..LIMIT - before).unwrap_or(bytes);
        if before == 0 {
            if let Some(end) = end(bytes, 0) {
                let header = bytes.get(..end).unwrap_or_default();
                seen(header);
                return Search::End(Head::read(header), end);
            }
        }
        self.kept.extend_from_slice(bytes);
        match end(&self.kept, before.saturating_sub(END.len() - 1)) {
            Some(end) => {
                let header = self.kept.get(..end).unwrap_or_default();
                seen(header);
                let head = Head::read(header);
                self.kept = Vec::new();
                Search::End(head, end - before)
            }
            None if self.kept.len() >= LIMIT => Search::TooLong,
            None => Search::More,
        }
    }
}

/// Where the headers end; they do not before `from`.
fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let found = find(bytes.get(from..)?, END)?;
    Some(from + found + END.len())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

impl Head {
    fn read(header: &[u8]) -> Self {
        Self { status: status(header).unwrap_or(0), length: length(header) }
    }
}

/// Three digits behind the first blank, and a blank behind them.
fn status(header: &[u8]) -> Option<u16> {
    let blank = header.iter().position(|&byte| byte == b' ' || byte == b'\r')?;
    let (&[b' ', a, b, c, b' '], _) = header.get(blank..)?.split_first_chunk()? else {
        return None;
    };
    let digits = [a, b, c];
    let number = |code, digit: &u8| code * 10 + u16::from(digit - b'0');
    digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, number))
}

fn length(header: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"Content-Length:";
    let value = header.get(find(header, NAME)? + NAME.len()..)?;
    let start = value.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    let value = value.get(start..)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = value.split_at_checked(digits)?;
    let length = digits.iter().try_fold(0_u64, |length, digit| {
        length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    matches!(rest.first(), Some(b'\r' | b'\n')).then_some(length)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Head {
        match Header::default().push(header.as_bytes(), |_| {}) {
            Search::End(head, _) => head,
            other => panic!("{other:?}"),
        }
    }

    // As the original was seen to read them.
    #[test]
    fn a_status_has_a_blank_on_each_side() {
        for (line, status) in [
            ("HTTP/1.1 200 OK", 200),
            ("HTTP/1.0 404 Not Found", 404),
            ("x 999 ", 999),
            ("HTTP/1.1 200", 0),
            ("HTTP/1.1  200 OK", 0),
            ("HTTP/1.1 20 OK", 0),
            ("HTTP/1.1 2000 OK", 0),
            ("HTTP/1.1 +20 OK", 0),
            ("200", 0),
            ("", 0),
        ] {
            assert_eq!(read(&format!("{line}\r\n\r\n")).status, status, "{line}");
        }
    }

    #[test]
    fn the_length_is_a_number_to_the_end_of_its_line() {
        for (line, length) in [
            ("Content-Length: 5", Some(5)),
            ("Content-Length:5", Some(5)),
            ("content-length: 5", None),
            ("Content-Length: 5 bytes", None),
            ("Content-Length: 99999999999999999999", None),
            ("Content-Length:", Some(0)),
        ] {
            assert_eq!(read(&format!("x 200 y\r\n{line}\r\n\r\n")).length, length, "{line}");
        }
    }

    #[test]
    fn the_end_is_found_wherever_it_is_cut() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for cut in 0..answer.len() - 5 {
            let (first, second) = answer.split_at(cut);
            let mut header = Header::default();
            let mut seen = vec![];
            assert_eq!(header.push(first, |_| {}), Search::More);
            let search = header.push(second, |header| seen.extend_from_slice(header));
            let head = Head { status: 200, length: Some(5) };
            assert_eq!(search, Search::End(head, answer.len() - 5 - cut), "{cut}");
            assert_eq!(seen, &answer[..answer.len() - 5]);
        }
    }

    #[test]
    fn headers_that_do_not_end_are_not_kept() {
        let long = |length: usize| [&b"x".repeat(length)[..], END].concat();
        let push = |bytes: &[u8]| Header::default().push(bytes, |_| {});
        assert!(matches!(push(&long(LIMIT - 4)), Search::End(..)));
        assert_eq!(push(&long(LIMIT - 3)), Search::TooLong);
        let mut header = Header::default();
        for _ in 0..LIMIT - 1 {
            assert_eq!(header.push(b"x", |_| {}), Search::More);
        }
        assert_eq!(header.push(b"x", |_| {}), Search::TooLong);
    }
}
