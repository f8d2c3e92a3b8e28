//! Names for interfaces that have none in the configuration.

use conf_parser::fitting;

use crate::packet::Family;

/// The longest name of an interface.
const LONGEST: usize = 15;

/// The first name made of `prefix` and `vrid` that is not taken: `vrrp.51`, for IPv6 then `vrrp6.51`, and then with the
/// numbers from 1 on. Long prefixes are cut.
pub(super) fn free(
    prefix: &str,
    vrid: u8,
    family: Family,
    is_taken: impl Fn(&str) -> bool,
) -> String {
    let plain = [String::new()].into_iter();
    let sixth = (family == Family::V6).then(|| "6".to_owned());
    let numbers = (1u32..).filter(|&n| family == Family::V4 || n != 6).map(|n| n.to_string());
    let mut names = plain.chain(sixth).chain(numbers).map(|number| {
        let end = format!("{number}.{vrid}");
        let prefix = fitting(prefix, LONGEST.saturating_sub(end.len()));
        format!("{prefix}{end}")
    });
    names.find(|name| !is_taken(name)).expect("numbers do not end before interfaces do")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tried_in_the_order_of_the_original() {
        let first = |family, taken: &[&str]| free("vrrp", 51, family, |name| taken.contains(&name));
        assert_eq!(first(Family::V4, &[]), "vrrp.51");
        assert_eq!(first(Family::V4, &["vrrp.51"]), "vrrp1.51");
        assert_eq!(first(Family::V6, &["vrrp.51"]), "vrrp6.51");
        assert_eq!(first(Family::V6, &["vrrp.51", "vrrp6.51"]), "vrrp1.51");
        let six = ["vrrp.51", "vrrp1.51", "vrrp2.51", "vrrp3.51", "vrrp4.51", "vrrp5.51"];
        assert_eq!(first(Family::V4, &six), "vrrp6.51");
        assert_eq!(first(Family::V6, &[&six[..], &["vrrp6.51"]].concat()), "vrrp7.51");
    }

    #[test]
    fn long_prefixes_are_cut() {
        let first = |taken| free("an_endless_prefix", 251, Family::V4, |name| name == taken);
        assert_eq!(first(""), "an_endless_.251");
        assert_eq!(first("an_endless_.251"), "an_endless1.251");
    }
}
