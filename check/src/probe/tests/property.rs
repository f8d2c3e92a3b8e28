//! What comes in does not matter: each machine comes to a verdict, which does not depend on how it was cut.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::settings::{checker, config};
use crate::config::Config;
use crate::probe::failure::{HttpFailure, Verdict};
use crate::probe::{Failure, Job, Notice, Tools, replay};

/// Pieces that headers and answers are made of, and anything else.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"Content-Length: 12\r\n".to_vec()),
        Just(b"220 mx\r\n".to_vec()),
        Just(b"250-mx\r\n".to_vec()),
        Just(b"250 \n".to_vec()),
        Just(b"needle".to_vec()),
        Just(vec![b'n'; 3000]),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What a page must have: a digest that none has, or a text.
static EXPECTED: LazyLock<[Config; 2]> = LazyLock::new(|| {
    ["digest 00000000000000000000000000000000", "regex nee+dle"]
        .map(|line| config("", &format!("HTTP_GET {{\nurl {{\npath /\n{line}\n}}\n}}")))
});

fn judge(config: &Config, stream: &[u8], size: usize) -> (Verdict, Vec<Notice>) {
    let tools = Tools::new(config).unwrap();
    let Some((Job::Http { http, page, .. }, _)) = Job::of(checker(config), 0) else {
        panic!("it is a page")
    };
    replay::page(&tools, (http, page), stream, size)
}

proptest! {
    #[test]
    fn a_page_is_judged_by_what_it_is(stream in stream(), size in 1_usize..5000) {
        for expected in EXPECTED.iter() {
            let whole = judge(expected, &stream, usize::MAX);
            prop_assert_eq!(&judge(expected, &stream, size), &whole);
            let without_header = !stream.windows(4).any(|window| window == b"\r\n\r\n");
            let no_header = Err(Failure::Http(HttpFailure::NoHeader));
            prop_assert!(!without_header || whole.0 == no_header);
        }
    }

    #[test]
    fn a_mail_server_is_judged_by_what_it_says(stream in stream(), size in 1_usize..50) {
        let (whole, said) = replay::mail(&stream, usize::MAX);
        prop_assert!(said.len() <= b"HELO me\r\nQUIT\r\n".len());
        prop_assert_eq!(replay::mail(&stream, size), (whole, said));
    }
}
