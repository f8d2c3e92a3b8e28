//! Commands in dumps.

use crate::global::Script;

/// The words of a command as a shell would take them: each in single quotes, but for a first one that is a redirection.
pub fn command(script: &Script) -> String {
    let mut text = String::new();
    for (place, word) in script.argv.iter().enumerate() {
        let word = word.to_string_lossy();
        if place > 0 {
            text.push(' ');
        }
        if place == 0 && word.starts_with(['<', '>']) {
            text.push_str(&word);
        } else {
            text.extend(["'", &word.replace('\'', r"'\''"), "'"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::global::Account;

    #[test]
    fn words_are_quoted_as_in_the_original() {
        let shown = |words: &[&str]| {
            let argv = words.iter().map(Into::into).collect();
            let account = Account { uid: 0, gid: 0, groups: vec![] };
            command(&Script::new(argv, account).unwrap())
        };
        assert_eq!(shown(&["/bin/a", "b c", "it's"]), r"'/bin/a' 'b c' 'it'\''s'");
        assert_eq!(shown(&["</run/flag"]), "</run/flag");
        assert_eq!(shown(&["/bin/a", "<b"]), "'/bin/a' '<b'");
    }
}
