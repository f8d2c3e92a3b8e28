//! JSON as the original writes it: one line, members in the order in which they are given, `/` escaped.

use std::fmt::{Display, Write};

/// A JSON text that grows from its beginning to its end.
#[derive(Debug, Default)]
pub struct Json {
    text: String,
    /// Whether the value that comes next needs a comma before it.
    follows: bool,
}

impl Json {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole text with a newline at its end.
    pub fn into_text(mut self) -> String {
        self.text.push('\n');
        self.text
    }

    /// An object; `members` adds what is in it.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.enclosed('{', '}', members);
    }

    /// An array; `elements` adds what is in it.
    pub fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.enclosed('[', ']', elements);
    }

    /// The name of the member whose value comes next.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.quote(name);
        self.text.push(':');
        self.follows = false;
        self
    }

    /// A string.
    pub fn string(&mut self, value: &str) {
        self.separate();
        self.quote(value);
    }

    /// A number or boolean, whose text is the same in JSON.
    pub fn plain(&mut self, value: impl Display) {
        self.separate();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{value}");
    }

    /// A number with six significant digits, as C's `%g` prints it.
    pub fn number(&mut self, value: f64) {
        self.plain(significant(value));
    }

    fn enclosed(&mut self, open: char, close: char, content: impl FnOnce(&mut Self)) {
        self.separate();
        self.text.push(open);
        self.follows = false;
        content(self);
        self.text.push(close);
        self.follows = true;
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.follows, true) {
            self.text.push(',');
        }
    }

    fn quote(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\u{c}' => self.text.push_str("\\f"),
                '\u{8}' => self.text.push_str("\\b"),
                '\\' | '"' | '/' => self.text.extend(['\\', c]),
                c if u32::from(c) < 0x20 => {
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, "\\u{:04x}", u32::from(c));
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

/// `value` with six significant digits and no zeros at the end, as C's `%g` prints it.
pub fn significant(value: f64) -> String {
    const DIGITS: i32 = 6;
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_in_one_line_in_its_order() {
        let mut json = Json::new();
        json.object(|json| {
            json.name("vrrp").array(|json| {
                json.object(|json| {
                    json.name("iname").string("a/\"b\"\u{1}ü");
                    json.name("vrid").plain(51);
                    json.name("vipset").plain(true);
                });
                json.object(|_| {});
            });
            json.name("empty").array(|_| {});
            json.name("adver_int").number(0.5);
        });
        let expected = r#"{"vrrp":[{"iname":"a\/\"b\"\u0001ü","vrid":51,"vipset":true},{}],"empty":[],"adver_int":0.5}"#;
        assert_eq!(json.into_text(), format!("{expected}\n"));
    }

    #[test]
    fn numbers_are_printed_as_by_percent_g() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.5, "0.5"),
            (40.95, "40.95"),
            (0.01, "0.01"),
            (123_456.7, "123457"),
            (999_999.9, "1e+06"),
            (1_234_567.0, "1.23457e+06"),
            (0.000_012_5, "1.25e-05"),
            (-2.5, "-2.5"),
            (3_600.000_001, "3600"),
        ] {
            assert_eq!(significant(value), text, "{value:?}");
        }
    }
}
