use super::*;
use crate::limits::MAX_LINE;

struct Expansion {
    text: String,
    lines: Vec<String>,
    messages: Vec<String>,
}

fn expand(definitions: &mut Definitions, line: &str) -> Expansion {
    let mut text = Text::alone(line);
    let mut diagnostics = Diagnostics::default();
    let surroundings = Surroundings { directory: Path::new("/"), config_id: "main" };
    let mut budget = Budget::default();
    let expanded = definitions
        .expand(&mut text, MAX_LINE, surroundings, &mut budget, &mut diagnostics)
        .unwrap();
    Expansion {
        text: text.as_str().to_owned(),
        lines: expanded.lines.iter().flat_map(|lines| lines[1..].to_vec()).collect(),
        messages: diagnostics.items().iter().map(|item| item.message.clone()).collect(),
    }
}

fn text(definitions: &mut Definitions, line: &str) -> String {
    expand(definitions, line).text
}

#[test]
fn names_are_those_of_c() {
    assert_eq!(split_definition("$A=x y"), Some(("A", 3)));
    assert_eq!(split_definition("$_a1=  x"), Some(("_a1", 7)));
    assert_eq!(split_definition("$A="), Some(("A", 3)));
    for text in ["$A =1", "$1X=1", "$x-y=1", "$=1", "A=1", "${A}=1", "$\u{e9}=1", "$"] {
        assert_eq!(split_definition(text), None, "{text}");
    }
}

#[test]
fn references_are_replaced_where_they_end() {
    let mut definitions = Definitions::default();
    definitions.define("A", "1");
    definitions.define("AB", "2");
    for (line, expected) in [
        ("x $A y", "x 1 y"),
        ("$A", "1"),
        ("($A,$AB)", "(1,2)"),
        (r#"$A.x "$A" $A/x"#, r#"$A.x "$A" $A/x"#),
        ("$A$A", "$A1"),
        ("$A$AB", "$A2"),
        (r#"${A}${AB}x'${A}'"${A}""#, r#"12x'1'"1""#),
        (r"\$A", r"\1"),
        ("${A x} ${A } ${ A} ${B} $B $", "${A x} ${A } ${ A} ${B} $B $"),
        ("${A", "${A"),
    ] {
        assert_eq!(text(&mut definitions, line), expected, "{line}");
    }
}

#[test]
fn values_are_expanded_when_used() {
    let mut definitions = Definitions::default();
    definitions.define("A", "<${B}>");
    assert_eq!(text(&mut definitions, "$A"), "<${B}>");
    definitions.define("B", "b");
    assert_eq!(text(&mut definitions, "$A $A"), "<b> <b>");
}

#[test]
fn a_cycle_is_an_error_and_ends() {
    let mut definitions = Definitions::default();
    definitions.define("A", "$A");
    definitions.define("B", "x${C}");
    definitions.define("C", "y${B}");
    let found = expand(&mut definitions, "k $A");
    assert_eq!(found.text, "k $A");
    assert_eq!(found.messages, ["Definition A refers to itself"]);
    assert_eq!(expand(&mut definitions, "${B}").messages, ["Definition B refers to itself"]);
}

#[test]
fn growth_ends_at_the_longest_line() {
    let mut definitions = Definitions::default();
    definitions.define("A0", &"x".repeat(100));
    for level in 0..20 {
        let value = format!("${{A{level}}}${{A{level}}}");
        definitions.define(&format!("A{}", level + 1), &value);
    }
    let found = expand(&mut definitions, "${A20}");
    assert!(found.messages[0].ends_with("would exceed maximum line length"));
    assert!(found.text.len() <= MAX_LINE);
}

#[test]
fn vanishing_growth_ends_too() {
    let mut definitions = Definitions::default();
    definitions.define("A0", "");
    for level in 0..40 {
        let value = format!("${{A{level}}}${{A{level}}}");
        definitions.define(&format!("A{}", level + 1), &value);
    }
    assert_eq!(expand(&mut definitions, "${A40}").messages.len(), 1);
}

#[test]
fn several_lines_follow_only_a_last_reference() {
    let mut definitions = Definitions::default();
    definitions.define_lines("M", vec!["one".into(), "two".into(), "three".into()]);
    let found = expand(&mut definitions, "pre ${M}");
    assert_eq!(found.text, "pre one");
    assert_eq!(found.lines, ["two", "three"]);
    assert_eq!(text(&mut definitions, "${M} post"), "${M} post");
}

#[test]
fn predefined_ones() {
    let mut definitions = Definitions::default();
    let drawn: u64 = text(&mut definitions, "${_RANDOM}").parse().unwrap();
    assert!(drawn <= 32_767);
    for (line, expected) in [
        ("${_INSTANCE} ${_HASH}${_BANG}", "main #!"),
        ("${_PWD}", "/"),
        ("${_RANDOM 7 7}", "7"),
        ("${_ENV NO_SUCH_VARIABLE_HERE}", ""),
        ("${_INSTANCE x}", "${_INSTANCE x}"),
    ] {
        assert_eq!(text(&mut definitions, line), expected);
    }
    assert_eq!(
        text(&mut definitions, "${_ENV CARGO_PKG_NAME}"),
        std::env::var("CARGO_PKG_NAME").unwrap()
    );
    definitions.define("_HASH", "mine");
    assert_eq!(text(&mut definitions, "${_HASH}"), "mine");
}

#[test]
fn wrong_parameters_are_errors() {
    for (line, expected) in [
        ("${_RANDOM x}", "Definition _RANDOM requires numeric parameters only."),
        (
            "${_RANDOM 1 2 3}",
            "Definition _RANDOM requires between 0 and 2 parameters, 3 specified.",
        ),
        ("${_ENV}", "Definition _ENV requires between 1 and 1 parameters, 0 specified."),
        ("$_ENV", "Definition _ENV requires between 1 and 1 parameters, 0 specified."),
    ] {
        let found = expand(&mut Definitions::default(), line);
        assert_eq!((found.text.as_str(), found.messages), (line, vec![expected.to_owned()]));
    }
    let found = expand(&mut Definitions::default(), "${_RANDOM 9 5}");
    assert_eq!(found.text, "9");
    assert_eq!(found.messages, ["${_RANDOM}: min 9 exceeds max 5, using 9"]);
}

#[test]
fn random_numbers_repeat_from_a_seed() {
    let draw = |seed| {
        let mut definitions = Definitions::default();
        definitions.seed(seed);
        text(&mut definitions, "${_RANDOM}")
    };
    assert_eq!(draw(5), draw(5));
}
