//! The message itself (RFC 5322).

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Envelope;
use crate::sys::time::{LocalTime, local_time};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Headers and body, lines ending in CR LF.
pub(super) fn compose(envelope: &Envelope, subject: &str, body: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let date = local_time(seconds).map(|local| date(&local)).unwrap_or_default();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "Date: {date}\r\nFrom: {}\r\nSubject: {}\r\nX-Mailer: Keepalived\r\nTo: {}\r\n\r\n{}\r\n",
        one_line(&envelope.from),
        one_line(subject),
        envelope.to.iter().map(|to| one_line(to)).collect::<Vec<_>>().join(",\r\n "),
        body_lines(body),
    );
    text
}

/// Names come from the configuration, and must not begin a header of their own.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// RFC 5321 §4.5.2: a line that begins with a dot gets another one.
fn body_lines(body: &str) -> String {
    let stuffed =
        |line: &str| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() };
    body.lines().map(stuffed).collect::<Vec<_>>().join("\r\n")
}

/// What stands in angle brackets at the end, or all of it.
pub(super) fn bare_address(text: &str) -> &str {
    let inner = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    inner.map_or(text, |(_, address)| address)
}

fn date(local: &LocalTime) -> String {
    let LocalTime { year, day, hour, minute, second, offset, .. } = local;
    let weekday = WEEKDAYS.get(local.weekday).copied().unwrap_or_default();
    let month = MONTHS.get(local.month).copied().unwrap_or_default();
    let sign = if *offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    format!(
        "{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} {sign}{hours:02}{minutes:02}"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn envelope(from: &str, to: &[&str]) -> Envelope {
        Envelope {
            server: ([127, 0, 0, 1], 25).into(),
            helo: String::new(),
            router: String::new(),
            from: from.to_owned(),
            to: to.iter().map(|&to| to.to_owned()).collect(),
            patience: Duration::ZERO,
        }
    }

    #[test]
    fn headers_stand_as_the_original_writes_them() {
        let envelope = envelope("lb1@example.com", &["a@example.com", "b@example.com"]);
        let text = compose(&envelope, "[LB1] x", "=> body <=\n.dot");
        let (date, rest) = text.split_once("\r\n").unwrap();
        assert!(
            date.starts_with("Date: ")
                && date.len() == "Date: Tue, 24 Nov 2026 16:30:30 +0000".len(),
            "{date}"
        );
        assert_eq!(
            rest,
            "From: lb1@example.com\r\nSubject: [LB1] x\r\nX-Mailer: Keepalived\r\nTo: a@example.com,\r\n b@example.com\r\n\
             \r\n=> body <=\r\n..dot\r\n"
        );
    }

    #[test]
    fn nobody_smuggles_a_header_in() {
        assert!(!compose(&envelope("a@b\r\nBcc: c@d", &[]), "x", "y").contains("\r\nBcc"));
    }

    #[test]
    fn dates_carry_the_zone() {
        let local = LocalTime {
            year: 2026,
            month: 10,
            day: 4,
            weekday: 3,
            hour: 6,
            minute: 1,
            second: 5,
            offset: -12_600,
        };
        assert_eq!(date(&local), "Wed, 04 Nov 2026 06:01:05 -0330");
    }
}
