//! Physical lines, places, and what a terminal shows of them.

use crate::tables::parse_bytes;
use conf_parser::Place;

fn messages(text: &[u8]) -> Vec<String> {
    parse_bytes(text).1.render_log().collect()
}

#[test]
fn the_longest_line_has_1022_bytes() {
    let line = |length| format!("{}\nafter\n", "x".repeat(length));
    assert!(messages(line(1022).as_bytes())[0].starts_with("(Line 1) Unknown keyword 'xxx"));
    assert_eq!(
        messages(line(1023).as_bytes()),
        ["(Line 1) line too long - ignoring", "(Line 2) Unknown keyword 'after'"]
    );
    let huge = line(1 << 20);
    assert_eq!(messages(huge.as_bytes())[1], "(Line 2) Unknown keyword 'after'");
}

#[test]
fn a_line_with_a_nul_is_left_out() {
    let expected = [
        "(Line 1) configuration appears to have embedded NULs - ignoring line",
        "(Line 2) Unknown keyword 'b'",
    ];
    assert_eq!(messages(b"a\0a\nb\n"), expected);
    assert_eq!(messages(b"\0").len(), 1);
}

#[test]
fn line_ends_of_other_systems_and_a_byte_order_mark() {
    assert_eq!(messages(b"a x\r\nb\r\r\n"), messages(b"a x\nb\n"));
    assert_eq!(messages(b"a\rb\n"), ["(Line 1) Unknown keyword 'a'"]);
    assert_eq!(messages(b"\xef\xbb\xbfx\n"), ["(Line 1) Unknown keyword '\u{feff}x'"]);
    assert_eq!(messages(b"last"), ["(Line 1) Unknown keyword 'last'"]);
    assert_eq!(messages(b""), [""; 0]);
}

#[test]
fn other_encodings_are_mended_and_mentioned() {
    assert_eq!(
        messages(b"k\xe9 # \xe9\nx # \xe9\n"),
        [
            "(Line 1) line is not valid UTF-8: the wrong bytes are replaced",
            "(Line 1) Unknown keyword 'k\u{fffd}'",
            "(Line 2) Unknown keyword 'x'",
        ]
    );
}

#[test]
fn words_know_their_place_whatever_was_expanded() {
    let text = b"$N=7\nglobal_defs { router_id  a${N}b \"q r\" $N }\n";
    let (statements, _) = parse_bytes(text);
    let router_id = &statements[0].statements()[0];
    let found: Vec<_> = router_id
        .line
        .words()
        .map(|word| (word.text.to_owned(), word.place.line, word.place.column, word.place.length))
        .collect();
    assert_eq!(
        found,
        [
            ("router_id".to_owned(), 2, 15, 9),
            ("a7b".to_owned(), 2, 26, 6),
            ("q r".to_owned(), 2, 34, 3),
            ("7".to_owned(), 2, 39, 2),
        ]
    );
    assert_eq!(statements[0].place(), Place { column: 1, length: 11, ..router_id.place() });
}

#[test]
fn lines_of_a_definition_stand_where_it_is_used() {
    let text = b"$M= \\\n global_defs { \\\n router_id x \\\n }\n\n  $M\n";
    let (statements, _) = parse_bytes(text);
    let place = statements[0].statements()[0].place();
    assert_eq!((place.line, place.column, place.length), (6, 3, 2));
}

#[test]
fn the_terminal_shows_what_to_do() {
    let text = b"global_defs {\n    ruoter_id x\n    group\nvrrp_script a {\n}\n";
    let (_, diagnostics) = parse_bytes(text);
    let shown = diagnostics.render_terminal(false);
    let expected = "\
error: Unknown keyword 'ruoter_id'
 --> test.conf:2:5
  |
2 |     ruoter_id x
  |     ^^^^^^^^^
help: did you mean 'router_id'?

error: Unknown keyword 'group'
 --> test.conf:3:5
  |
3 |     group
  |     ^^^^^
help: 'group' belongs in 'vrrp_sync_group'

error: Unknown keyword 'vrrp_script'
 --> test.conf:4:1
  |
4 | vrrp_script a {
  | ^^^^^^^^^^^
help: 'vrrp_script' belongs at the top level
note: it is read as part of this global_defs block: is its '}' missing?
 --> test.conf:1:1
  |
1 | global_defs {
  | ^^^^^^^^^^^

error: Unexpected '{' - ignoring
 --> test.conf:4:15
  |
4 | vrrp_script a {
  |               ^

error: There are 1 missing '}'s or extra '{'s
note: the block that is opened here is not closed
 --> test.conf:1:13
  |
1 | global_defs {
  |             ^

";
    assert_eq!(shown, expected);
}

#[test]
fn a_named_value_block_has_one_argument() {
    let (statements, diagnostics) =
        parse_bytes(b"virtual_server_group G {\n10.0.0.1 80\n}\nvirtual_server_group H x {\n}\n");
    assert_eq!(statements[0].arg(0).unwrap().text, "G");
    assert_eq!(statements[0].lines()[0].raw(), "10.0.0.1 80");
    let found: Vec<_> = diagnostics.render_log().collect();
    assert_eq!(found, ["(Line 4) Block virtual_server_group has extra parameters x ..."]);
}

#[test]
fn a_seed_makes_random_numbers_repeat() {
    let drawn = || messages(b"global_defs {\nrandom_seed 7\n}\nx${_RANDOM}${_RANDOM}\n");
    assert_eq!(drawn(), drawn());
}
