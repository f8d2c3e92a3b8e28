use super::*;

/// Reads all of `text` within `budget`: how many logical lines there were, and the last message.
fn read(text: &str, mut budget: Budget) -> (usize, String) {
    let options = Options { config_id: "main".into(), ..Options::default() };
    let mut diagnostics = Diagnostics::default();
    let mut sources = Sources::new(Default::default());
    sources.open_text("test.conf", text.as_bytes(), &mut budget, &mut diagnostics);
    let mut lines = Expander::new(&options, sources, budget);
    let mut count = 0;
    while lines.next(&mut diagnostics).is_some() {
        count += 1;
    }
    assert_eq!(lines.budget.is_spent(), diagnostics.is_incomplete());
    (count, diagnostics.items().last().map(|item| item.message.clone()).unwrap_or_default())
}

#[test]
fn lines_that_come_to_nothing_count() {
    for text in [
        "~SEQ(A,1,9223372036854775807) @other x\n",
        "~SEQ(A,1,1000000000) $B=${A}\n",
        "~SEQ(A,1,100000) ~SEQ(B,1,100000) ~SEQ(C,1,100000)\n",
        "~SEQ(A,1,1000000000)\n",
    ] {
        let (count, message) = read(text, Budget::small());
        assert_eq!((count, &*message), (0, "configuration expands to more than 1000000 lines"));
    }
}

#[test]
fn braces_of_one_line_count_each() {
    let (count, _) = read(&"{".repeat(1000), Budget::small());
    assert_eq!(count, Budget::SMALL);
}

#[test]
fn repeated_text_counts() {
    let text = format!("~SEQ(A,1,1000000) @other {}\n", "x".repeat(900));
    assert_eq!(read(&text, Budget::small()).1, "configuration is longer than 32 MiB");
}

#[test]
fn definitions_that_vanish_count() {
    let mut text = String::from("$A0=\n");
    for level in 0..8 {
        text += &format!("$A{}=${{A{level}}}${{A{level}}}\n", level + 1);
    }
    text += "${A8}\n";
    let message = format!("more than {} definitions are expanded", crate::MAX_REPLACEMENTS);
    assert_eq!(read(&text, Budget::small()).1, message);
}

#[test]
fn lines_that_make_themselves_again_are_noticed() {
    for text in [
        "$S=~SEQ(A,1,2) $S\n$S\nlast\n",
        "$S=~SEQ(A,1,1) $S\n$S\nlast\n",
        "$M= \\\n a \\\n $M\n\n$M\nlast\n",
        "$L=~LST(A,x,y) ${L}\n${L}\nlast\n",
    ] {
        let (_, message) = read(text, Budget::default());
        assert_eq!(message, "sequences and definitions are nested more than 64 deep", "{text}");
    }
    let (_, message) = read("$C=@main $C\n$C\n", Budget::default());
    assert_eq!(message, "'@main $C' expands without end");
}
