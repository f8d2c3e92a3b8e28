//! "Did you mean …?" for unknown keywords and names.

use crate::Schema;
use crate::keyword::Shape;

/// A way out for a keyword that `block` does not have: a similar one of that block, or the blocks that have it.
pub(crate) fn suggest(unknown: &str, block: &dyn Schema, root: &dyn Schema) -> Option<String> {
    let mut owners = Vec::new();
    if root.find(unknown).is_some() {
        return Some(format!("'{unknown}' belongs at the top level"));
    }
    find_owners(unknown, "", root, &mut owners);
    if !owners.is_empty() {
        owners.truncate(3);
        return Some(format!("'{unknown}' belongs in {}", owners.join(" or ")));
    }
    did_you_mean(unknown, block.entries().iter().map(|entry| entry.name))
}

/// A way out for a name that is not known: the one of `known` that is most like it, if one is like enough to be a slip.
pub fn did_you_mean<'n>(unknown: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let allowed = (unknown.chars().count() / 3).clamp(1, 3);
    let near = known.into_iter().map(|name| (distance(unknown, name), name));
    let (_, name) = near.filter(|(distance, _)| *distance <= allowed).min()?;
    Some(format!("did you mean '{name}'?"))
}

fn find_owners(keyword: &str, path: &str, schema: &dyn Schema, owners: &mut Vec<String>) {
    for entry in schema.entries() {
        let Shape::Block(inner) = entry.args.shape() else { continue };
        let path =
            if path.is_empty() { entry.name.to_owned() } else { format!("{path}/{}", entry.name) };
        if inner.find(keyword).is_some() {
            owners.push(format!("'{path}'"));
        }
        find_owners(keyword, &path, inner, owners);
    }
}

/// How many insertions, deletions, replacements and swaps of neighbours make one word the other.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left.len().abs_diff(right.len()) > 3 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in right.iter().enumerate() {
            let mut best = (current[column] + 1).min(above[column + 1] + 1);
            best = best.min(above[column] + usize::from(a != b));
            let swapped = row > 0 && column > 0 && a == right[column - 1] && b == left[row - 1];
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Args, Table, keyword};

    static INNER: Table<()> = Table(&[
        keyword("nopreempt", Args::Flag, "", |(), _, _, _| {}),
        keyword("priority", Args::Word("N"), "", |(), _, _, _| {}),
    ]);
    static ROOT: Table<()> = Table(&[
        keyword("vrrp_instance", Args::Block("NAME", &INNER), "", |(), _, _, _| {}),
        keyword("global_defs", Args::Flag, "", |(), _, _, _| {}),
    ]);

    #[test]
    fn similar_keywords_are_suggested() {
        for (unknown, expected) in [
            ("nopremept", Some("did you mean 'nopreempt'?")),
            ("pirority", Some("did you mean 'priority'?")),
            ("x", None),
            ("completely", None),
            ("global_defs", Some("'global_defs' belongs at the top level")),
        ] {
            assert_eq!(suggest(unknown, &INNER, &ROOT).as_deref(), expected, "{unknown}");
        }
        let owner = "'priority' belongs in 'vrrp_instance'";
        assert_eq!(suggest("priority", &ROOT, &ROOT).as_deref(), Some(owner));
    }

    #[test]
    fn distances() {
        for (left, right, expected) in
            [("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xbcd", 2)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
