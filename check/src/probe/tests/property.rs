//! What comes in does not matter: each machine comes to a verdict, which does not depend on how it was cut.

use proptest::prelude::*;

use super::http;
use crate::config::http::{Http, Regex, Url};
use crate::probe::failure::{HttpFailure, Verdict};
use crate::probe::{Failure, Notice, Tools, replay};

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

fn page(pattern: &Option<Regex>) -> Http {
    let mut http = http();
    http.urls = vec![Url { digest: Some([0; 16]), regex: pattern.clone(), ..http.urls.remove(0) }];
    http
}

fn judge(http: &Http, stream: &[u8], size: usize) -> (Verdict, Vec<Notice>) {
    replay::page(&Tools::for_pages(false).unwrap(), http, stream, size)
}

proptest! {
    #[test]
    fn a_page_is_judged_by_what_it_is(stream in stream(), size in 1_usize..5000) {
        let http = page(&None);
        let whole = judge(&http, &stream, usize::MAX);
        prop_assert_eq!(&judge(&http, &stream, size), &whole);
        let without_header = !stream.windows(4).any(|window| window == b"\r\n\r\n");
        let no_header = Err(Failure::Http(HttpFailure::NoHeader));
        prop_assert!(!without_header || whole.0 == no_header);
    }

    #[test]
    fn a_mail_server_is_judged_by_what_it_says(stream in stream(), size in 1_usize..50) {
        let (whole, said) = replay::mail(&stream, usize::MAX);
        prop_assert!(said.len() <= b"HELO me\r\nQUIT\r\n".len());
        prop_assert_eq!(replay::mail(&stream, size), (whole, said));
    }
}
