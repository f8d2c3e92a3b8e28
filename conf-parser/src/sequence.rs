//! `~SEQ` and `~LST`: lines that are repeated with varying definitions.

use std::ops::Range;

use crate::value::scan;

/// A repetition: each item gives values to names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// `~SEQ`.
    Numbers(Numbers),
    /// `~LST`.
    List(List),
}

/// The numbers of a `~SEQ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    name: String,
    hex: bool,
    next: i64,
    step: i64,
    /// How many there are, `next` included.
    left: u64,
}

/// The items of a `~LST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    names: Vec<String>,
    /// In reverse: the next one is the last.
    items: Vec<Vec<String>>,
}

impl Sequence {
    /// Moves on to the next item: its names and values. Nothing when none is left.
    pub(crate) fn advance(&mut self) -> Vec<(String, String)> {
        match self {
            Sequence::Numbers(numbers) => numbers.advance().into_iter().collect(),
            Sequence::List(list) => {
                let mut values = list.items.pop().unwrap_or_default().into_iter();
                list.names
                    .iter()
                    .map(|name| (name.clone(), values.next().unwrap_or_default()))
                    .collect()
            }
        }
    }

    /// Whether no item is left.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Sequence::Numbers(numbers) => numbers.left == 0,
            Sequence::List(list) => list.items.is_empty(),
        }
    }
}

impl Numbers {
    fn advance(&mut self) -> Option<(String, String)> {
        self.left = self.left.checked_sub(1)?;
        let value = self.next;
        self.next = self.next.saturating_add(self.step);
        let text = if self.hex { format!("{value:x}") } else { value.to_string() };
        Some((self.name.clone(), text))
    }
}

/// Why a `~SEQ` or `~LST` is refused, where there is more to say than that it is.
pub(crate) type Refusal = Option<String>;

/// The parts of a `~SEQ`: the numbers may still hold definitions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    name: Range<usize>,
    hex: bool,
    /// What stands between the name and the `)`.
    pub(crate) numbers: Range<usize>,
    /// Where the text starts that is repeated.
    pub(crate) body: usize,
}

/// The most characters that the numbers of a `~SEQ` may take.
pub(crate) const MAX_NUMBERS: usize = 62;

/// Finds the parts of `~SEQ(NAME, …)` or `~SEQx(NAME, …)`.
pub(crate) fn split_seq(text: &str) -> Result<Head, Refusal> {
    let mut cursor = Cursor { text, at: 4 };
    let hex = cursor.skip('x');
    cursor.blanks();
    if !cursor.skip('(') {
        return Err(None);
    }
    cursor.blanks();
    let name = cursor.until(&[' ', '\t', ',', ')']);
    cursor.blanks();
    if name.is_empty() || text[name.clone()].starts_with('{') || !cursor.skip(',') {
        return Err(Some(format!("Invalid ~SEQ definition '{text}'")));
    }
    cursor.blanks();
    let numbers = cursor.until(&[')']);
    if !cursor.skip(')') {
        return Err(Some(format!("~SEQ missing terminating ')' '{text}'")));
    }
    if numbers.len() > MAX_NUMBERS {
        return Err(Some(format!("~SEQ parameter strings too long '{text}'")));
    }
    cursor.blanks();
    Ok(Head { name, hex, numbers, body: cursor.at })
}

/// The sequence of `~SEQ` once its numbers are expanded: `END`, `START, END` or `START, STEP, END`.
pub(crate) fn number_seq(text: &str, head: &Head, numbers: &str) -> Result<Sequence, Refusal> {
    let invalid = || Some(format!("Invalid ~SEQ definition '{text}'"));
    let numbers: Option<Vec<i64>> = numbers.split(',').map(number).collect();
    let (start, step, end) = match *numbers.ok_or_else(invalid)? {
        [end] => (if end < 0 { -1 } else { 1 }, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if start <= end { 1 } else { -1 }, end),
        [start, step, end] => {
            let astray = (start < end && step < 0) || (start > end && step > 0);
            if step == 0 || astray {
                return Err(Some(format!("Invalid ~SEQ values '{text}'")));
            }
            (start, step, end)
        }
        _ => return Err(invalid()),
    };
    if head.hex && (start < 0 || end < 0) {
        return Err(Some(format!("~SEQx is only valid for positive numbers '{text}'")));
    }
    Ok(Sequence::Numbers(Numbers {
        name: text[head.name.clone()].to_owned(),
        hex: head.hex,
        next: start,
        step,
        left: (start.abs_diff(end) / step.unsigned_abs()).saturating_add(1),
    }))
}

/// A number as `strtol` of C has it, with its prefix; nothing is 0, and too much is the greatest.
fn number(text: &str) -> Option<i64> {
    let text = text.trim_matches([' ', '\t']);
    let scanned = scan(text, 0);
    let limit = if scanned.negative { i64::MIN } else { i64::MAX };
    (!scanned.junk).then(|| scanned.signed().unwrap_or(limit))
}

/// Reads `~LST(NAME, VALUE…)` or `~LST({NAME…}, {VALUE…}…)`: the list, and where the text starts that is repeated.
pub(crate) fn parse_lst(text: &str) -> Result<(Sequence, usize), Refusal> {
    let mut cursor = Cursor { text, at: 4 };
    cursor.blanks();
    if !cursor.skip('(') {
        return Err(None);
    }
    cursor.blanks();
    let names = cursor.names().ok_or(None)?;
    let mut items = Vec::new();
    while !cursor.skip(')') {
        if !cursor.skip(',') {
            return Err(None);
        }
        cursor.blanks();
        items.push(cursor.item(names.len())?);
    }
    if items.is_empty() {
        return Err(None);
    }
    cursor.blanks();
    items.reverse();
    Ok((Sequence::List(List { names, items }), cursor.at))
}

/// A position in a text. It only ever stops at ASCII characters or at the end.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn until(&mut self, ends: &[char]) -> Range<usize> {
        let start = self.at;
        self.at += self.rest().find(ends).unwrap_or(self.rest().len());
        start..self.at
    }

    fn word(&mut self, ends: &[char]) -> String {
        let word = self.until(ends);
        self.blanks();
        self.text.get(word).unwrap_or_default().to_owned()
    }

    /// The name, or the names in braces, of a list.
    fn names(&mut self) -> Option<Vec<String>> {
        let several = self.skip('{');
        self.blanks();
        let mut names = vec![self.word(&[' ', '\t', ',', '}'])];
        while several && self.skip(',') {
            self.blanks();
            names.push(self.word(&[' ', '\t', ',', '}']));
        }
        if several && !self.skip('}') {
            return None;
        }
        self.blanks();
        self.rest().starts_with(',').then_some(names)
    }

    /// A value, or the values in braces, of a list with `names` names.
    fn item(&mut self, names: usize) -> Result<Vec<String>, Refusal> {
        const ENDS: &[char] = &[' ', '\t', ',', '}', ')'];
        let several = self.skip('{');
        self.blanks();
        let mut values = vec![self.word(ENDS)];
        while several && self.skip(',') {
            if values.len() >= names {
                let text = self.text;
                return Err(Some(format!("~LST specification has too many values '{text}'")));
            }
            self.blanks();
            values.push(self.word(ENDS));
        }
        if several && !self.skip('}') {
            return Err(None);
        }
        self.blanks();
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut sequence: Sequence) -> Vec<String> {
        let mut items = Vec::new();
        while !sequence.is_over() {
            let values = sequence.advance().into_iter().map(|(name, value)| name + "=" + &value);
            items.push(values.collect::<Vec<_>>().join(" "));
        }
        items
    }

    fn seq(text: &str) -> Result<(Vec<String>, &str), Refusal> {
        let head = split_seq(text)?;
        let sequence = number_seq(text, &head, &text[head.numbers.clone()])?;
        Ok((all(sequence), &text[head.body..]))
    }

    fn seq_values(text: &str) -> String {
        let items = seq(text).unwrap().0;
        let values: Vec<_> = items.iter().map(|item| item.split_once('=').unwrap().1).collect();
        values.join(" ")
    }

    #[test]
    fn numbers_of_seq() {
        for (text, expected) in [
            ("~SEQ(A,3)", "1 2 3"),
            ("~SEQ(A,1)", "1"),
            ("~SEQ(A,0)", "1 0"),
            ("~SEQ(A,-3)", "-1 -2 -3"),
            ("~SEQ(A,)", "1 0"),
            ("~SEQ(A,2,4)", "2 3 4"),
            ("~SEQ(A,4,2)", "4 3 2"),
            ("~SEQ(A,,3)", "0 1 2 3"),
            ("~SEQ(A,1,3,8)", "1 4 7"),
            ("~SEQ(A,5,-2,0)", "5 3 1"),
            ("~SEQ(A,7,-9,7)", "7"),
            ("~SEQ ( A , 0x10 , +010 , 32 )", "16 24 32"),
            ("~SEQx(A,9,11)", "9 a b"),
        ] {
            assert_eq!(seq_values(text), expected, "{text}");
        }
    }

    #[test]
    fn the_body_follows_the_parenthesis() {
        let (items, body) = seq("~SEQ(N, 2)  state ${N}").unwrap();
        assert_eq!(items, ["N=1", "N=2"]);
        assert_eq!(body, "state ${N}");
    }

    #[test]
    fn wrong_sequences_say_why() {
        for (text, expected) in [
            ("~SEQ", None),
            ("~SEQ A", None),
            ("~SEQy(A,1)", None),
            ("~SEQ(A)", Some("Invalid ~SEQ definition '~SEQ(A)'")),
            ("~SEQ(,1)", Some("Invalid ~SEQ definition '~SEQ(,1)'")),
            ("~SEQ({A},1)", Some("Invalid ~SEQ definition '~SEQ({A},1)'")),
            ("~SEQ(A,1", Some("~SEQ missing terminating ')' '~SEQ(A,1'")),
            ("~SEQ(A,x)", Some("Invalid ~SEQ definition '~SEQ(A,x)'")),
            ("~SEQ(A,1,2,3,4)", Some("Invalid ~SEQ definition '~SEQ(A,1,2,3,4)'")),
            ("~SEQ(A,1,0,3)", Some("Invalid ~SEQ values '~SEQ(A,1,0,3)'")),
            ("~SEQ(A,1,-1,3)", Some("Invalid ~SEQ values '~SEQ(A,1,-1,3)'")),
            ("~SEQx(A,-1,3)", Some("~SEQx is only valid for positive numbers '~SEQx(A,-1,3)'")),
        ] {
            assert_eq!(seq(text), Err(expected.map(str::to_owned)), "{text}");
        }
        let long = format!("~SEQ(A,{})", "1".repeat(MAX_NUMBERS + 1));
        let Err(Some(message)) = seq(&long) else { panic!("too long, and accepted") };
        assert_eq!(message, format!("~SEQ parameter strings too long '{long}'"));
    }

    #[test]
    fn the_widest_range_does_not_overflow() {
        let head = split_seq("~SEQ(A,0)").unwrap();
        let widest = format!("{},1,{}", i64::MIN, i64::MAX);
        let mut sequence = number_seq("~SEQ(A,0)", &head, &widest).unwrap();
        assert_eq!(sequence.advance(), [("A".to_owned(), i64::MIN.to_string())]);
        assert!(!sequence.is_over());
    }

    fn lst(text: &str) -> Result<(Vec<String>, &str), Refusal> {
        let (sequence, body) = parse_lst(text)?;
        Ok((all(sequence), &text[body..]))
    }

    #[test]
    fn items_of_lst() {
        for (text, expected) in [
            ("~LST(A, x, y,z)", &["A=x", "A=y", "A=z"][..]),
            ("~LST ( A , x )", &["A=x"]),
            ("~LST(A,a,,c)", &["A=a", "A=", "A=c"]),
            ("~LST(A, )", &["A="]),
            ("~LST({A,B},{1,2},{3})", &["A=1 B=2", "A=3 B="]),
            ("~LST({ A , B } , { 1 , 2 } , 7)", &["A=1 B=2", "A=7 B="]),
            ("~LST(A,$X)", &["A=$X"]),
            ("~LST(A,\u{e9})", &["A=\u{e9}"]),
        ] {
            assert_eq!(lst(text), Ok((expected.iter().map(|s| (*s).to_owned()).collect(), "")));
        }
        assert_eq!(lst("~LST(A,x)  go ${A}").unwrap().1, "go ${A}");
    }

    #[test]
    fn wrong_lists_are_refused() {
        for text in [
            "~LST",
            "~LST(A)",
            "~LSTx(A,1)",
            "~LST(A,1",
            "~LST({A,1)",
            "~LST(A,\"a b\")",
            "~LST(A,${X})",
            "~LST({A,B},{1,2)",
        ] {
            assert_eq!(lst(text), Err(None), "{text}");
        }
        let text = "~LST(A,{1,2})";
        let message = format!("~LST specification has too many values '{text}'");
        assert_eq!(lst(text), Err(Some(message)));
    }
}
