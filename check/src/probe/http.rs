//! HTTP_GET and SSL_GET: a page is served as it should be.

mod header;
mod matcher;
pub(crate) mod request;

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use md5::{Digest, Md5};

use super::Kept;
use super::failure::{Good, HttpFailure, LastTest, Notice};
use super::tools::Tools;
use crate::config::http::{Http, Url};
use header::{Head, Header, Search};
use matcher::Matcher;

/// Looking for a pattern may take so many times longer than reading.
const MATCHING_COST: usize = 16;

/// What has been said about a page, so that it is said once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// How much more the headers announced than came.
    missing: i128,
    /// The code of the last error of TLS.
    tls_error: u64,
}

/// One request and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    request: Vec<u8>,
    tls: Option<Tls>,
    expected: Expected,
    header: Header,
    head: Option<Head>,
    /// Whether anything has come.
    answered: bool,
    /// How much of a body has come.
    received: u64,
    digest: Option<Md5>,
    matcher: Option<Matcher>,
    page: usize,
    said: Said,
    record: Option<Record>,
}

/// What is seen of a page that is fetched to be looked at: any page that comes is good.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Whether all of it is wanted, and not its digest only.
    pub(crate) whole: bool,
    /// The headers.
    pub(crate) header: Vec<u8>,
    /// What has come of the body since this was emptied last.
    pub(crate) body: Vec<u8>,
    /// The digest of the whole body, at its end.
    pub(crate) digest: Option<[u8; 16]>,
}

/// What is special about pages over TLS.
#[derive(Debug)]
pub(super) struct Tls {
    /// The server's name for the handshake.
    pub(super) name: Option<String>,
    /// Whether the other side is told of the end.
    pub(super) compliant: bool,
}

/// What the page must be like.
#[derive(Debug)]
struct Expected {
    /// Virtual host and path, as messages name the page.
    url: String,
    status: Vec<RangeInclusive<u16>>,
    digest: Option<[u8; 16]>,
}

impl Exchange {
    /// That about the page `url` of a check.
    pub(super) fn new(http: &Http, url: &Url, server: SocketAddr, tools: &Tools) -> Self {
        let host = url.virtualhost.as_deref().or(http.virtualhost.as_deref());
        let mut request = Vec::with_capacity(128 + url.path.len());
        request::write(&url.path, http.version, host, server, &mut request);
        Self {
            request,
            tls: http.tls.then(|| Tls {
                name: http.sni_name.as_deref().or(host).filter(|_| http.sni).map(str::to_owned),
                compliant: http.tls_compliant || url.tls_compliant,
            }),
            expected: Expected::new(url),
            header: Header::default(),
            head: None,
            answered: false,
            received: 0,
            digest: url.digest.map(|_| Md5::new()),
            matcher: url
                .regex
                .as_ref()
                .and_then(|regex| tools.pattern(regex).map(|pattern| Matcher::new(regex, pattern))),
            page: 0,
            said: Said::default(),
            record: None,
        }
    }

    /// Says nothing again that was said before about this page, which is number `page` of its check.
    pub(super) fn recall(mut self, page: usize, kept: &Kept) -> Self {
        self.page = page;
        self.said = kept.pages.get(page).copied().unwrap_or_default();
        self
    }

    /// Has the page recorded instead of judged.
    pub(super) fn record(mut self, record: Record) -> Self {
        self.digest = Some(Md5::new());
        self.record = Some(record);
        self
    }

    pub(super) fn recorded(&mut self) -> Option<&mut Record> {
        self.record.as_mut()
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) fn request(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.request);
    }

    /// Whether the headers are complete.
    pub(super) fn has_header(&self) -> bool {
        self.head.is_some()
    }

    /// Whether nothing has come yet.
    pub(super) fn unanswered(&self) -> bool {
        !self.answered
    }

    /// How much dearer each byte is than one that is only counted.
    pub(super) fn cost(&self) -> usize {
        if self.matcher.is_some() { MATCHING_COST } else { 1 }
    }

    pub(super) fn received(
        &mut self,
        bytes: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<(), HttpFailure> {
        self.answered = true;
        if self.head.is_some() {
            self.body(bytes, notices);
            return Ok(());
        }
        let record = self.record.as_mut().filter(|record| record.whole);
        let seen = |header: &[u8]| {
            if let Some(record) = record {
                record.header.extend_from_slice(header);
            }
        };
        match self.header.push(bytes, seen) {
            Search::More => Ok(()),
            Search::TooLong => Err(HttpFailure::NoHeader),
            Search::End(head, end) => {
                self.head = Some(head);
                self.body(bytes.get(end..).unwrap_or_default(), notices);
                Ok(())
            }
        }
    }

    fn body(&mut self, bytes: &[u8], notices: &mut Vec<Notice>) {
        if let Some(digest) = &mut self.digest {
            // What is longer than announced is not part of the page.
            let announced = self.head.and_then(|head| head.length).unwrap_or(u64::MAX);
            let rest = announced.saturating_sub(self.received);
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            let page = bytes.get(..rest).unwrap_or(bytes);
            digest.update(page);
            if let Some(record) = self.record.as_mut().filter(|record| record.whole) {
                record.body.extend_from_slice(page);
            }
        }
        if let Some(matcher) = &mut self.matcher {
            matcher.push(bytes, notices);
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
    }

    /// The other side has closed. `clean` is that it has said so within TLS.
    pub(super) fn ended(
        &mut self,
        clean: bool,
        notices: &mut Vec<Notice>,
    ) -> Result<Good, HttpFailure> {
        let Some(head) = self.head else {
            let tls = self.tls.is_some() && clean;
            return Err(if tls { HttpFailure::Broken { tls } } else { HttpFailure::NoHeader });
        };
        if let Some(record) = &mut self.record {
            record.digest = self.digest.take().map(|digest| digest.finalize().into());
            return Ok(Good::Page(LastTest::Digest));
        }
        if !self.expected.status.iter().any(|range| range.contains(&head.status)) {
            return Err(HttpFailure::Status);
        }
        self.compare_length(head, notices);
        let mut last = LastTest::Status;
        if let (Some(expected), Some(digest)) = (self.expected.digest, self.digest.take()) {
            if expected != <[u8; 16]>::from(digest.finalize()) {
                return Err(HttpFailure::Digest);
            }
            last = LastTest::Digest;
        }
        if let Some(matcher) = &mut self.matcher {
            if !matcher.ended(notices) {
                return Err(HttpFailure::Regex);
            }
            last = LastTest::Regex;
        }
        Ok(Good::Page(last))
    }

    /// Says, once, that there is more or less of a body than announced.
    fn compare_length(&mut self, head: Head, notices: &mut Vec<Notice>) {
        let announced = head.length.unwrap_or(self.received);
        let missing = i128::from(announced) - i128::from(self.received);
        if missing != 0 && missing != self.said.missing {
            let url = self.expected.url.clone();
            notices.push(Notice::Length { url, announced, received: self.received });
        }
        self.said.missing = missing;
    }

    /// Says, once, what TLS complains about.
    pub(super) fn tls_error(&mut self, code: u64, line: impl FnOnce() -> String) -> Option<Notice> {
        let new = std::mem::replace(&mut self.said.tls_error, code) != code;
        new.then(|| Notice::info(line()))
    }

    /// The connection broke.
    pub(super) fn broken(&self) -> HttpFailure {
        HttpFailure::Broken { tls: self.tls.is_some() }
    }

    /// Nothing came in time.
    pub(super) fn silent(&self) -> HttpFailure {
        match self.answered {
            true => HttpFailure::Unfinished { tls: self.tls.is_some() },
            false => HttpFailure::NoAnswer,
        }
    }

    pub(super) fn finish(self, kept: &mut Kept) {
        if kept.pages.len() <= self.page {
            kept.pages.resize(self.page + 1, Said::default());
        }
        if let Some(said) = kept.pages.get_mut(self.page) {
            *said = self.said;
        }
    }
}

impl Expected {
    fn new(url: &Url) -> Self {
        Self {
            url: format!("{}{}", url.virtualhost.as_deref().unwrap_or_default(), url.path),
            status: url.status.clone(),
            digest: url.digest,
        }
    }
}
