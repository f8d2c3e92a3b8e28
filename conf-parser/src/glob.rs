//! Patterns for include files, as `glob` of the GNU C library has them: `*`, `?`, `[…]` and `{…,…}`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The files that match a pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Their names in the form of the pattern, sorted for each alternative of its braces.
    pub(crate) names: Vec<OsString>,
    /// Whether a file or directory is missing that is named without wildcards.
    pub(crate) missing: bool,
    /// Whether a directory was searched.
    pub(crate) searched: bool,
    /// How many names were looked at.
    seen: usize,
}

/// The most alternatives that the braces of a pattern may stand for.
const MAX_ALTERNATIVES: usize = 4096;

/// The most names that are looked at for a pattern.
const MAX_NAMES: usize = 200_000;

/// The braces of a pattern stand for too many alternatives, or it makes too many names be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Whether a pattern has braces.
pub(crate) fn has_brace(pattern: &str) -> bool {
    find_outside_escapes(pattern.as_bytes(), b"{").is_some()
}

/// Finds what matches `pattern`; names that are not absolute are looked up in `base`.
pub(crate) fn glob(base: &Path, pattern: &str) -> Result<Found, TooMany> {
    let mut alternatives = Vec::new();
    expand_braces(pattern.as_bytes(), &mut alternatives)?;
    let mut found = Found::default();
    for alternative in alternatives {
        let (root, rest) = match alternative.iter().position(|&byte| byte != b'/') {
            Some(0) | None => (Vec::new(), alternative.as_slice()),
            Some(slashes) => (b"/".to_vec(), alternative.get(slashes..).unwrap_or_default()),
        };
        let first = found.names.len();
        search(base, root, rest, &mut found)?;
        if let Some(names) = found.names.get_mut(first..) {
            names.sort();
        }
    }
    Ok(found)
}

/// Appends the names below `directory`, which ends with a slash or is empty, that match the components in `pattern`.
fn search(
    base: &Path,
    directory: Vec<u8>,
    pattern: &[u8],
    found: &mut Found,
) -> Result<(), TooMany> {
    let end = pattern.iter().position(|&byte| byte == b'/').unwrap_or(pattern.len());
    let (component, rest) = pattern.split_at(end);
    let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
    let below = rest.get(slashes..).unwrap_or_default();
    let is_last = slashes == 0;
    for name in names(base, &directory, component, found)? {
        let mut path = [directory.as_slice(), &name].concat();
        let full = base.join(OsStr::from_bytes(&path));
        let is_directory = full.is_dir();
        if is_last || below.is_empty() {
            match fs::symlink_metadata(&full) {
                Err(_) => found.missing = true,
                Ok(_) if !is_last && !is_directory => found.missing = true,
                Ok(_) => {
                    if is_directory {
                        path.push(b'/');
                    }
                    found.names.push(OsString::from_vec(path));
                }
            }
        } else if is_directory {
            path.push(b'/');
            search(base, path, below, found)?;
        } else if !has_wildcard(component) {
            found.missing = true;
        }
    }
    Ok(())
}

/// The names in `directory` that match one component; the component itself, looked up or not, where it has no wildcard.
fn names(
    base: &Path,
    directory: &[u8],
    component: &[u8],
    found: &mut Found,
) -> Result<Vec<Vec<u8>>, TooMany> {
    if !has_wildcard(component) {
        return Ok(vec![unescape(component)]);
    }
    found.searched = true;
    let path = if directory.is_empty() { b"." } else { directory };
    let Ok(entries) = fs::read_dir(base.join(OsStr::from_bytes(path))) else {
        found.missing = true;
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries.flatten() {
        found.seen += 1;
        if found.seen > MAX_NAMES {
            return Err(TooMany);
        }
        let name = entry.file_name().into_vec();
        let is_hidden = name.first() == Some(&b'.') && component.first() != Some(&b'.');
        if !is_hidden && matches(component, &name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn has_wildcard(component: &[u8]) -> bool {
    find_outside_escapes(component, b"*?[").is_some()
}

fn find_outside_escapes(pattern: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        if wanted.contains(byte) {
            return Some(at);
        }
        at += if *byte == b'\\' { 2 } else { 1 };
    }
    None
}

fn unescape(component: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(component.len());
    let mut bytes = component.iter();
    while let Some(&byte) = bytes.next() {
        let next = if byte == b'\\' { bytes.next().copied() } else { None };
        plain.push(next.unwrap_or(byte));
    }
    plain
}

/// Whether all of `name` matches `pattern`, which has no slashes. Takes time in proportion to both lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on when the last `*` must take one more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            pattern = rest;
            retry = Some((rest, name));
            continue;
        }
        let step = match (pattern, name) {
            ([], []) => return true,
            ([], _) | (_, []) => None,
            ([b'?', rest @ ..], [_, tail @ ..]) => Some((rest, tail)),
            ([b'[', set @ ..], [byte, tail @ ..]) => match match_set(set, *byte) {
                Some((true, rest)) => Some((rest, tail)),
                Some((false, _)) => None,
                None => (*byte == b'[').then_some((set, tail)),
            },
            ([b'\\', literal, rest @ ..], [byte, tail @ ..]) => {
                (literal == byte).then_some((rest, tail))
            }
            ([literal, rest @ ..], [byte, tail @ ..]) => (literal == byte).then_some((rest, tail)),
        };
        match (step, retry) {
            (Some(next), _) => (pattern, name) = next,
            (None, Some((after_star, [_, tail @ ..]))) => {
                retry = Some((after_star, tail));
                (pattern, name) = (after_star, tail);
            }
            (None, _) => return false,
        }
    }
}

/// Whether `byte` is in the set that starts behind a `[`, and what follows its `]`; `None` when it is not closed.
fn match_set(set: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    let mut first = true;
    loop {
        let (low, after) = match rest {
            [b']', after @ ..] if !first => return Some((found != negated, after)),
            [b'[', b':', after @ ..] => {
                let end = after.windows(2).position(|pair| pair == b":]")?;
                let (class, tail) = after.split_at(end);
                found |= in_class(class, byte);
                rest = tail.get(2..)?;
                first = false;
                continue;
            }
            [b'\\', literal, after @ ..] => (*literal, after),
            [literal, after @ ..] => (*literal, after),
            [] => return None,
        };
        first = false;
        let (high, after) = match after {
            [b'-', b'\\', high, after @ ..] => (*high, after),
            [b'-', high, after @ ..] if *high != b']' => (*high, after),
            after => (low, after),
        };
        found |= (low..=high).contains(&byte);
        rest = after;
    }
}

fn in_class(class: &[u8], byte: u8) -> bool {
    match class {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"lower" => byte.is_ascii_lowercase(),
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace(),
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Appends the patterns that the braces of `pattern` stand for, in order. `{}` and a brace that is not closed stand for
/// themselves.
fn expand_braces(pattern: &[u8], out: &mut Vec<Vec<u8>>) -> Result<(), TooMany> {
    let mut from = 0;
    while let Some(found) = pattern.get(from..).and_then(|rest| find_outside_escapes(rest, b"{")) {
        let open = from + found;
        let inside = pattern.get(open + 1..).unwrap_or_default();
        let Some((alternatives, length)) =
            split_alternatives(inside).filter(|(_, length)| *length > 0)
        else {
            from = open + 1;
            continue;
        };
        let before = pattern.get(..open).unwrap_or_default();
        let after = inside.get(length + 1..).unwrap_or_default();
        for alternative in alternatives {
            expand_braces(&[before, alternative, after].concat(), out)?;
        }
        return Ok(());
    }
    if out.len() >= MAX_ALTERNATIVES {
        return Err(TooMany);
    }
    out.push(pattern.to_owned());
    Ok(())
}

/// The alternatives up to the `}` that closes them, and where that stands.
fn split_alternatives(inside: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let mut alternatives = Vec::new();
    let (mut start, mut at, mut depth) = (0, 0, 0_usize);
    while let Some(byte) = inside.get(at) {
        match (byte, depth) {
            (b'\\', _) => at += 1,
            (b'{', _) => depth += 1,
            (b'}' | b',', 0) => {
                alternatives.push(inside.get(start..at)?);
                start = at + 1;
                if *byte == b'}' {
                    return Some((alternatives, at));
                }
            }
            (b'}', _) => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_match_as_in_c() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.config", false),
            ("a*b*c", "axxbyybzc", true),
            ("?", "x", true),
            ("?", "", false),
            ("[ab]x", "bx", true),
            ("[!ab]x", "bx", false),
            ("[a-c]", "b", true),
            ("[]a]", "]", true),
            ("[a", "[a", true),
            ("[[:digit:]x]", "7", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"[\]]", "]", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern = "*a".repeat(40);
        let name = "a".repeat(200) + "b";
        assert!(!matches(pattern.as_bytes(), name.as_bytes()));
    }

    fn braces(pattern: &str) -> Vec<String> {
        let mut out = Vec::new();
        expand_braces(pattern.as_bytes(), &mut out).unwrap();
        out.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn braces_nest() {
        assert_eq!(braces("a{b,{c,d}e,}f"), ["abf", "acef", "adef", "af"]);
        assert_eq!(braces("{a,b}{1,2}"), ["a1", "a2", "b1", "b2"]);
        assert_eq!(braces("{}x{a"), ["{}x{a"]);
        assert_eq!(braces(r"\{a,b}"), [r"\{a,b}"]);
        assert_eq!(braces("{one}"), ["one"]);
        let mut out = Vec::new();
        assert_eq!(expand_braces("{a,b}".repeat(100).as_bytes(), &mut out), Err(TooMany));
    }
}
