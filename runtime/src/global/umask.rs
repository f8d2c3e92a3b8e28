//! The file creation mask: a number, or names of bits.

use conf_parser::{Class, Diagnostics, Statement, c_number, report_missing_parameter};

/// Reads the mask that follows the keyword; `None` where there is none that could be used, which has been reported then.
pub(super) fn umask(statement: &Statement, diagnostics: &mut Diagnostics) -> Option<u32> {
    let Some(word) = statement.arg(0) else {
        report_missing_parameter(statement, 0, diagnostics);
        return None;
    };
    let mask = if word.text.starts_with(|first: char| first.is_ascii_digit()) {
        match statement.arg(1) {
            Some(_) => Err("Extra parameter(s) to umask option".to_owned()),
            None => {
                mask_number(word.text).ok_or_else(|| format!("invalid umask value {}", word.text))
            }
        }
    } else {
        mask_bits(statement)
    };
    mask.map_err(|text| diagnostics.report(Class::GeneralError, word.place, text)).ok()
}

fn mask_number(text: &str) -> Option<u32> {
    let mask = c_number(text).and_then(|mask| u32::try_from(mask).ok())?;
    (mask <= 0o777).then_some(mask)
}

/// Names of bits with `|` between them, however they are spread over words.
fn mask_bits(statement: &Statement) -> Result<u32, String> {
    let mut mask = 0;
    let mut separated = true;
    for word in statement.args() {
        let mut rest = word.text;
        while !rest.is_empty() {
            if !separated {
                rest = rest
                    .strip_prefix('|')
                    .ok_or_else(|| format!("Invalid umask syntax {}", word.text))?;
                separated = true;
                continue;
            }
            let found = MASK_BITS
                .iter()
                .find_map(|&(name, bits)| rest.strip_prefix(name).map(|rest| (rest, bits)));
            let (tail, bits) = found.ok_or_else(|| format!("Unknown umask bit {rest}"))?;
            mask |= bits;
            rest = tail;
            separated = false;
        }
    }
    if separated { Err("umask missing bit value".to_owned()) } else { Ok(mask) }
}

const MASK_BITS: [(&str, u32); 12] = [
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRWXU", 0o700),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IRWXG", 0o070),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
    ("IRWXO", 0o007),
];
