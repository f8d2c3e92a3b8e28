//! Keyword tables as text: one line per block path and keyword.

use std::fmt::{self, Write};

use crate::{Args, Schema};

/// All keywords below `root`, one line each: block path, keyword and arguments, with tabs between them. The path of the
/// top level is `/`; below it the names of the blocks are joined by slashes.
pub fn list_keywords(root: &dyn Schema) -> String {
    let mut out = String::new();
    list_block("", root, &mut out);
    out
}

fn list_block(path: &str, schema: &dyn Schema, out: &mut String) {
    let shown = if path.is_empty() { "/" } else { path };
    let entries = schema.entries();
    for entry in &entries {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{shown}\t{}\t{}", entry.name, entry.args);
    }
    for entry in &entries {
        if let Args::Block(_, inner) = entry.args {
            let slash = if path.is_empty() { "" } else { "/" };
            list_block(&format!("{path}{slash}{}", entry.name), inner, out);
        }
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Args::Flag => f.write_str("-"),
            Args::Bool => f.write_str("[BOOL]"),
            Args::Int { min, max, .. }
                if min == i64::from(i32::MIN) && max == i64::from(i32::MAX) =>
            {
                f.write_str("INT32")
            }
            Args::Int { min, max, .. } => write!(f, "INT:{min}..{max}"),
            Args::Uint { unit, min, max, .. } => write!(f, "{unit}:{min}..{max}"),
            Args::Timer { min, max } if max >= u64::MAX - 1 => {
                write!(f, "TIMER:{}..", Seconds(min))
            }
            Args::Timer { min, max } => write!(f, "TIMER:{}..{}", Seconds(min), Seconds(max)),
            Args::Word(text) | Args::Words(text) | Args::Script(text) => f.write_str(text),
            Args::Block("", _) => f.write_str("{ block }"),
            Args::Block(head, _) => write!(f, "{head} {{ block }}"),
            Args::Lines("") => f.write_str("{ value lines }"),
            Args::Lines(entry) => write!(f, "{{ value lines: {entry} }}"),
            Args::NamedLines(name, entry) => write!(f, "{name} {{ value lines: {entry} }}"),
            Args::WordList(word) => write!(f, "{{ value words: {word} }}"),
        }
    }
}

/// Microseconds, shown as seconds without needless zeros.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:06}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Table, keyword};

    static INNER: Table<()> = Table(&[keyword("path", Args::Word("PATH"), "", |(), _, _, _| {})]);
    static ROOT: Table<()> = Table(&[
        keyword("url", Args::Block("", &INNER), "", |(), _, _, _| {}),
        keyword("wait", Args::Timer { min: 1, max: 4_294_967_295 }, "", |(), _, _, _| {}),
    ]);
    static TOP: Table<()> =
        Table(&[keyword("HTTP_GET", Args::Block("", &ROOT), "", |(), _, _, _| {})]);

    #[test]
    fn paths_join_the_names_of_the_blocks() {
        assert_eq!(
            list_keywords(&TOP),
            "/\tHTTP_GET\t{ block }\n\
             HTTP_GET\turl\t{ block }\n\
             HTTP_GET\twait\tTIMER:0.000001..4294.967295\n\
             HTTP_GET/url\tpath\tPATH\n"
        );
    }

    #[test]
    fn arguments_show_their_limits() {
        let timer = |min, max| Args::Timer { min, max }.to_string();
        assert_eq!(timer(0, u64::MAX), "TIMER:0..");
        assert_eq!(timer(10_000, 255_000_000), "TIMER:0.01..255");
        let int = |min, max| Args::Int { min, max, strict: true }.to_string();
        assert_eq!(int(-20, 19), "INT:-20..19");
        assert_eq!(int(i64::from(i32::MIN), i64::from(i32::MAX)), "INT32");
        assert_eq!(
            Args::Uint { unit: "SECS", min: 1, max: 1000, strict: false }.to_string(),
            "SECS:1..1000"
        );
        assert_eq!(Args::NamedLines("NAME", "IP").to_string(), "NAME { value lines: IP }");
    }
}
