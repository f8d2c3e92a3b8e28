//! Commands of script keywords, which are split by rules of their own.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::words::is_space;
use crate::{Class, Diagnostics, Line};

/// What a script keyword says: a program with its arguments, and whom it runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; there is at least the program.
    pub argv: Vec<OsString>,
    /// The words behind the command: a user, and perhaps a group.
    pub account: Vec<String>,
}

/// Splits the line of a script keyword. `None` when there is no command in it, or when its quotes or backslashes are
/// wrong, which has been reported then.
///
/// It goes in two passes. The first finds the words of the line, where `"…"` and `'…'` quote, pieces join, and a
/// backslash keeps what follows it from ending a quote. The second splits the first argument into program and
/// arguments by the same rules, and resolves backslashes.
pub fn split_command(line: &Line, diagnostics: &mut Diagnostics) -> Option<Command> {
    let mut fail = |problem: Problem, text: &[u8]| {
        problem.report(text, line, diagnostics);
        diagnostics.report(Class::Notice, line.place(), "Unable to parse notify script");
    };
    let words = match split(line.raw().as_bytes(), false) {
        Ok(words) => words,
        Err(problem) => {
            fail(problem, line.raw().as_bytes());
            return None;
        }
    };
    let (command, account) = words.get(1..)?.split_first()?;
    let argv = match split(command, true) {
        Ok(argv) => argv,
        Err(problem) => {
            fail(problem, command);
            return None;
        }
    };
    if argv.is_empty() {
        let text =
            format!("Unable to parse script '{}' - ignoring", String::from_utf8_lossy(command));
        diagnostics.report(Class::Notice, line.place(), text);
        return None;
    }
    Some(Command {
        argv: argv.into_iter().map(OsString::from_vec).collect(),
        account: account.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
    })
}

/// The words of a line in which quotes join and backslashes are resolved, keyword included; for keywords whose argument
/// is no command. `None` when quotes or backslashes are wrong, which has been reported then.
pub fn split_escaped(line: &Line, diagnostics: &mut Diagnostics) -> Option<Vec<Vec<u8>>> {
    match split(line.raw().as_bytes(), true) {
        Ok(words) => Some(words),
        Err(problem) => {
            problem.report(line.raw().as_bytes(), line, diagnostics);
            None
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    /// The line ends within this kind of quotes.
    Unterminated(u8),
    /// The line ends with a backslash.
    LoneBackslash,
}

impl Problem {
    fn report(&self, text: &[u8], line: &Line, diagnostics: &mut Diagnostics) {
        let text = String::from_utf8_lossy(text);
        let (class, message) = match *self {
            Problem::Unterminated(quote) => (
                Class::UnmatchedQuote,
                format!("String '{text}': missing terminating {}", char::from(quote)),
            ),
            Problem::LoneBackslash => {
                (Class::Notice, format!("Missing escape char at end: '{text}'"))
            }
        };
        diagnostics.report(class, line.place(), message);
    }
}

/// The words of `text`. `resolve` turns backslash sequences into what they stand for; otherwise they stay as they are.
fn split(text: &[u8], resolve: bool) -> Result<Vec<Vec<u8>>, Problem> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    // A quote that has not been closed matters only once something stands in it: 2.4.3 passes over one at the end of a line.
    let mut is_open = false;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        is_open = false;
        match byte {
            b'\\' => {
                let word = word.get_or_insert_default();
                rest = if resolve {
                    let (byte, tail) = escape(rest).ok_or(Problem::LoneBackslash)?;
                    word.push(byte);
                    tail
                } else {
                    let (&protected, tail) = rest.split_first().ok_or(Problem::LoneBackslash)?;
                    word.extend([b'\\', protected]);
                    tail
                };
            }
            _ if quote == Some(byte) => quote = None,
            b'"' | b'\'' if quote.is_none() => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            _ if is_space(byte) && quote.is_none() => {
                words.extend(word.take());
            }
            _ => {
                word.get_or_insert_default().push(byte);
                is_open = quote.is_some();
            }
        }
    }
    if let Some(quote) = quote.filter(|_| is_open) {
        return Err(Problem::Unterminated(quote));
    }
    words.extend(word);
    Ok(words.into_iter().map(until_nul).collect())
}

/// A program cannot be given a NUL: the word ends there.
fn until_nul(mut word: Vec<u8>) -> Vec<u8> {
    if let Some(end) = word.iter().position(|&byte| byte == 0) {
        word.truncate(end);
    }
    word
}

/// What the sequence behind a backslash stands for, and what follows it; `None` where nothing is behind the backslash.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&kind, rest) = text.split_first()?;
    let byte = match kind {
        b'a' => 7,
        b'b' => 8,
        b'E' => 27,
        b'f' => 12,
        b'n' => 10,
        b'r' => 13,
        b't' => 9,
        b'v' => 11,
        b'0'..=b'7' => return Some(number(text, 8, 3)),
        b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            return Some(number(rest, 16, 2));
        }
        b'c' => match rest.split_first() {
            Some((&control, rest)) => return Some((control & 0x1f, rest)),
            None => b'c',
        },
        other => other,
    };
    Some((byte, rest))
}

/// The value, modulo 256, of up to `digits` digits in `base`, and what follows them.
fn number(text: &[u8], base: u8, digits: usize) -> (u8, &[u8]) {
    let mut value = 0u8;
    let mut rest = text;
    for _ in 0..digits {
        let Some((&first, tail)) = rest.split_first() else { break };
        let digit = char::from(first).to_digit(u32::from(base));
        let Some(digit) = digit.and_then(|digit| u8::try_from(digit).ok()) else { break };
        value = value.wrapping_mul(base).wrapping_add(digit);
        rest = tail;
    }
    (value, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn command(raw: &str) -> (Option<Command>, Diagnostics) {
        let mut diagnostics = Diagnostics::default();
        let command = split_command(&Line::from_raw(raw), &mut diagnostics);
        (command, diagnostics)
    }

    fn argv(raw: &str) -> Vec<String> {
        let command = command(raw).0.expect("the command is well formed");
        command.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    // What the program was seen to be given by 2.4.3.
    #[test]
    fn quotes_and_escapes_make_arguments() {
        assert_eq!(
            argv(r#"script "/bin/x a 'b c' \"d e\" f\x41g""#),
            ["/bin/x", "a", "b c", "\"d", "e\"", "fAg"]
        );
        assert_eq!(argv(r#"script '/bin/x "x y" z'"#), ["/bin/x", "x y", "z"]);
        assert_eq!(argv(r#"script /bin/"a b"c"#), ["/bin/a", "bc"]);
    }

    #[test]
    fn words_behind_the_command_name_the_account() {
        let (command, _) = command("notify /bin/x nobody :staff");
        let command = command.expect("the command is well formed");
        assert_eq!(command.argv, ["/bin/x"]);
        assert_eq!(command.account, ["nobody", ":staff"]);
    }

    #[test]
    fn sequences_stand_for_bytes() {
        let resolved = |text: &str| split(text.as_bytes(), true).expect("well formed").concat();
        assert_eq!(resolved(r"\a\b\E\f\n\r\t\v"), [7, 8, 27, 12, 10, 13, 9, 11]);
        assert_eq!(resolved(r"\101\1018\777"), [0o101, 0o101, b'8', 0xff]);
        assert_eq!(resolved(r"\x4\x41g\xg"), [4, 0x41, b'g', b'x', b'g']);
        assert_eq!(resolved(r"\cA\c"), [1, b'c']);
        assert_eq!(resolved(r"\\\'\ x"), *b"\\' x");
    }

    #[test]
    fn open_quotes_are_reported() {
        let (command, diagnostics) = command("notify \"/bin/x");
        assert_eq!(command, None);
        assert_eq!(diagnostics.worst(), Some(Class::UnmatchedQuote));
        assert_eq!(
            diagnostics.items()[0].message,
            "String 'notify \"/bin/x': missing terminating \""
        );
    }

    #[test]
    fn a_quote_at_the_end_quotes_nothing() {
        for text in ["notify /bin/x'", "notify /bin/x\"", "notify \"/bin/x'\""] {
            let (command, diagnostics) = command(text);
            assert_eq!(command.expect("it is well formed").argv, ["/bin/x"], "{text}");
            assert!(diagnostics.items().is_empty(), "{text}");
        }
        // What a backslash keeps from ending the quote is not looked behind, either.
        assert_eq!(split(br#""a\""#, true), Ok(vec![b"a\"".to_vec()]));
    }

    #[test]
    fn a_lone_backslash_is_no_command() {
        let (command, diagnostics) = command(r"notify /bin/x\");
        assert_eq!(command, None);
        assert_eq!(diagnostics.items()[0].message, r"Missing escape char at end: 'notify /bin/x\'");
        assert_eq!(split(br"a\", true), Err(Problem::LoneBackslash));
    }

    #[test]
    fn a_keyword_alone_has_no_command() {
        assert_eq!(command("notify").0, None);
        assert_eq!(command("notify \"\"").0, None);
    }
}
