//! No bytes whatever make the parser panic, and what it keeps is bounded.

use crate::tables::parse_bytes;
use conf_parser::{Body, Statement, split_command};
use proptest::prelude::*;

/// Pieces that the language cares about, so that random text reaches its corners.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        prop::sample::select(vec![
            "{", "}", "\"", "'", "#", "!", "\\", "$", "@", "~", "(", ")", ",", "=", "\t", "\r",
            "\0", "${", "\\\n", "\\#",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "global_defs",
            "router_id",
            "notification_email",
            "vrrp_script",
            "script",
            "static_ipaddress",
            "include",
            "includem",
            "@main ",
            "@^main ",
            "$A=",
            "$A",
            "${A}",
            "$B=",
            "${B}",
            "~SEQ(A,3)",
            "~SEQ(A,1,2)",
            "~LST(A,x,y)",
            "~LST({A,B},{1,2})",
            "${_RANDOM}",
            "${_ENV A}",
            "${_PWD}",
            "include_check",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9]{1,4}",
        "\\PC{1,3}",
    ]
}

fn walk(statements: &[Statement], check: &mut impl FnMut(&Statement)) {
    for statement in statements {
        check(statement);
        if let Body::Block(inner) = &statement.body {
            walk(inner, check);
        }
    }
}

fn survives(text: &[u8]) {
    let (statements, mut diagnostics) = parse_bytes(text);
    let _ = diagnostics.render_terminal(true);
    let _ = diagnostics.render_log().count();
    let lines = text.split(|&byte| byte == b'\n').count();
    walk(&statements, &mut |statement| {
        assert!(!statement.line.is_empty());
        assert!(statement.line.raw().len() <= 1023);
        for word in statement.line.words() {
            assert!(usize::try_from(word.place.line).is_ok_and(|line| (1..=lines).contains(&line)));
            assert!(word.place.column >= 1);
        }
        let _ = split_command(&statement.line, &mut diagnostics);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(text in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&text);
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(piece(), 0..80)) {
        survives(pieces.concat().as_bytes());
    }

    /// Where words are made of letters and are not expanded, their places lead back to them.
    #[test]
    fn places_lead_back_to_the_text(
        lines in prop::collection::vec("[ \t]{0,3}[a-z]{1,5}( {1,2}[a-z]{1,5}){0,3}[ ]?(#.{0,5})?", 1..20)
    ) {
        let text = format!("static_ipaddress {{\n{}\n}}\n", lines.join("\n"));
        let (statements, _) = parse_bytes(text.as_bytes());
        let source: Vec<_> = text.split('\n').collect();
        for line in statements[0].lines() {
            for word in line.words() {
                let at = |number: u32| usize::try_from(number).unwrap_or_default();
                let start = at(word.place.column) - 1;
                let end = start + at(word.place.length);
                prop_assert_eq!(&source[at(word.place.line) - 1][start..end], word.text);
            }
        }
    }
}
