//! Pages that are fetched: HTTP_GET and SSL_GET.

use std::ops::RangeInclusive;

use conf_parser::{
    Args, Class, Diagnostics, Joined, Keyword, Statement, Value, Word, keyword, split_escaped,
};
use runtime::sys::pcre2::{self, NoPattern, Pattern};
use serde::{Deserialize, Serialize};

use super::checker::Draft;
use super::set_string;

/// What is fetched, and what must come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// Whether it goes over TLS (`SSL_GET`).
    pub tls: bool,
    /// The host that is asked for where a page names none; inherited.
    pub virtualhost: Option<String>,
    /// The version of the protocol.
    pub version: HttpVersion,
    /// Whether the server's name is sent in the TLS handshake.
    pub sni: bool,
    /// That name, where it is not the host.
    pub sni_name: Option<String>,
    /// Whether a failed check comes back with the first page that is good.
    pub fast_recovery: bool,
    /// Whether TLS is ended as the standard asks.
    pub tls_compliant: bool,
    /// The pages; not empty.
    pub urls: Vec<Url>,
}

/// The version of HTTP in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/1.0.
    #[default]
    Http10,
    /// HTTP/1.0, and the connection stays open.
    Http10Connection,
    /// HTTP/1.1.
    Http11,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url {
    /// The target of the request.
    pub path: String,
    /// MD5 of the body.
    pub digest: Option<[u8; 16]>,
    /// The statuses that are good; not empty.
    pub status: Vec<RangeInclusive<u16>>,
    /// The host that is asked for.
    pub virtualhost: Option<String>,
    /// What the body must match, or must not.
    pub regex: Option<Regex>,
    /// Whether TLS is ended as the standard asks.
    pub tls_compliant: bool,
}

/// A pattern for the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regex {
    /// The pattern, in the language of PCRE2.
    pub pattern: Vec<u8>,
    /// Whether a match is bad.
    pub negated: bool,
    /// Bit n is option n of [`REGEX_OPTIONS`].
    pub options: u32,
    /// Where in the body matching starts.
    pub min_offset: u64,
    /// The last offset at which a match may start.
    pub max_offset: Option<u64>,
    /// First and greatest size of the matcher's stack, in bytes.
    pub stack: Option<(u64, u64)>,
}

impl Regex {
    /// The options as PCRE2 has them.
    pub(crate) fn flags(&self) -> u32 {
        let given = |at: &usize| self.options.checked_shr(u32::try_from(*at).unwrap_or(u32::MAX));
        let names = REGEX_OPTIONS.iter().enumerate();
        names
            .filter(|(at, _)| given(at).is_some_and(|bits| bits & 1 != 0))
            .filter_map(|(_, name)| pcre2::flag(name))
            .fold(0, |flags, flag| flags | flag)
    }
}

/// The names of the options of patterns, which are those of PCRE2.
pub const REGEX_OPTIONS: [&str; 24] = [
    "allow_empty_class",
    "alt_bsux",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "utf",
    "never_backslash_c",
    "alt_circumflex",
    "alt_verbnames",
    "use_offset_limit",
];

/// What the keywords fill.
#[derive(Debug, Default)]
pub(super) struct HttpDraft {
    virtualhost: Option<String>,
    version: HttpVersion,
    sni: bool,
    sni_name: Option<String>,
    fast_recovery: bool,
    tls_compliant: bool,
    urls: Vec<Url>,
}

pub(super) static HTTP_GET: Joined<Draft<HttpDraft>> =
    Joined(&[Draft::<HttpDraft>::CONNECTION, Draft::<HttpDraft>::TIMING, CHECK, HTTP_URL]);

pub(super) static SSL_GET: Joined<Draft<HttpDraft>> =
    Joined(&[Draft::<HttpDraft>::CONNECTION, Draft::<HttpDraft>::TIMING, CHECK, SSL_URL]);

const CHECK: &[Keyword<Draft<HttpDraft>>] = &[
    keyword(
        "nb_get_retry",
        Args::Uint { unit: "UINT", min: 0, max: 4_294_967_295, strict: false },
        "old name of retry",
        |draft: &mut Draft<HttpDraft>, value, statement, diagnostics| {
            let text = "nb_get_retry is deprecated - please use 'retry'";
            diagnostics.report(Class::GeneralError, statement.place(), text);
            draft.common.retry = Some(value.u32());
        },
    )
    .invalid("Invalid nb_get_retry value '{}'"),
    keyword(
        "virtualhost",
        Args::Word("STRING"),
        "host that is asked for",
        |draft: &mut Draft<HttpDraft>, value, statement, diagnostics| {
            let host = &mut draft.special.virtualhost;
            set_string(host, "virtualhost", value.word(), statement, diagnostics);
        },
    )
    .missing("HTTP_GET virtualhost name missing"),
    keyword(
        "http_protocol",
        Args::Word("1.0|1.0c|1.0C|1.1"),
        "version of the protocol",
        |draft: &mut Draft<HttpDraft>, value, statement, diagnostics| {
            draft.special.version = match value.word() {
                "1.0" => HttpVersion::Http10,
                "1.0C" | "1.0c" => HttpVersion::Http10Connection,
                "1.1" => HttpVersion::Http11,
                other => {
                    let text = format!("Invalid http_protocol version {other}");
                    return diagnostics.report(Class::GeneralError, statement.place(), text);
                }
            };
        },
    )
    .missing("Missing http_protocol version"),
    keyword(
        "enable_sni",
        Args::Bool,
        "send the server's name in the TLS handshake",
        |draft: &mut Draft<HttpDraft>, value, _, _| draft.special.sni = value.bool(),
    )
    .invalid("Invalid enable_sni parameter {}"),
    keyword(
        "sni_name",
        Args::Words("STRING"),
        "name to send in the TLS handshake",
        |draft, _, statement, diagnostics| {
            draft.special.sni = true;
            if let Some(word) = statement.arg(0) {
                let name = &mut draft.special.sni_name;
                set_string(name, "sni_name", word.text, statement, diagnostics);
            }
        },
    ),
    keyword(
        "fast_recovery",
        Args::Bool,
        "come back with the first good page",
        |draft: &mut Draft<HttpDraft>, value, _, _| draft.special.fast_recovery = value.bool(),
    )
    .invalid("Invalid fast_recovery parameter {}"),
];

const HTTP_URL: &[Keyword<Draft<HttpDraft>>] =
    &[keyword("url", Args::Block("", &URL), "a page", |draft, _, statement, diagnostics| {
        draft.special.url(&URL, statement, diagnostics);
    })];

const SSL_URL: &[Keyword<Draft<HttpDraft>>] = &[
    keyword(
        "tls_compliant",
        Args::Bool,
        "end TLS as the standard asks",
        |draft: &mut Draft<HttpDraft>, value, _, _| draft.special.tls_compliant = value.bool(),
    )
    .invalid("Invalid tls_compliant option {}"),
    keyword("url", Args::Block("", &TLS_URL), "a page", |draft, _, statement, diagnostics| {
        draft.special.url(&TLS_URL, statement, diagnostics);
    }),
];

impl HttpDraft {
    fn url(
        &mut self,
        table: &Joined<UrlDraft>,
        statement: &Statement,
        diagnostics: &mut Diagnostics,
    ) {
        let mut url = UrlDraft::default();
        table.fill(&mut url, statement, diagnostics);
        self.urls.extend(url.finish(statement, diagnostics));
    }

    /// The check, unless it has no page.
    pub(super) fn finish(
        self,
        tls: bool,
        statement: &Statement,
        diagnostics: &mut Diagnostics,
    ) -> Option<Http> {
        if self.urls.is_empty() {
            let text = "HTTP/SSL_GET checker has no urls specified - ignoring";
            diagnostics.report_block(Class::GeneralError, statement.extent(), text);
            return None;
        }
        Some(Http {
            tls,
            virtualhost: self.virtualhost,
            version: self.version,
            sni: self.sni,
            sni_name: self.sni_name,
            fast_recovery: self.fast_recovery,
            tls_compliant: self.tls_compliant,
            urls: self.urls,
        })
    }
}

#[derive(Debug, Default)]
struct UrlDraft {
    path: Option<String>,
    digest: Option<[u8; 16]>,
    status: Vec<RangeInclusive<u16>>,
    virtualhost: Option<String>,
    regex: Option<Vec<u8>>,
    negated: bool,
    options: u32,
    min_offset: u64,
    max_offset: Option<u64>,
    stack: Option<(u64, u64)>,
    tls_compliant: bool,
}

static URL: Joined<UrlDraft> = Joined(&[URL_KEYWORDS]);
static TLS_URL: Joined<UrlDraft> = Joined(&[
    URL_KEYWORDS,
    &[keyword(
        "tls_compliant",
        Args::Bool,
        "end TLS as the standard asks",
        |url: &mut UrlDraft, value, _, _| url.tls_compliant = value.bool(),
    )
    .invalid("Invalid tls_compliant option {}")],
]);

const URL_KEYWORDS: &[Keyword<UrlDraft>] = &[
    keyword(
        "path",
        Args::Word("PATH"),
        "target of the request",
        |url, value, statement, diagnostics| {
            set_string(&mut url.path, "path", value.word(), statement, diagnostics);
        },
    ),
    keyword("digest", Args::Word("HEX32"), "MD5 of the body", digest),
    keyword(
        "status_code",
        Args::Words("CODE[-CODE]...:100..599"),
        "statuses that are good",
        |url, _, statement, diagnostics| {
            for word in statement.args() {
                url.status.extend(status(word, diagnostics));
            }
        },
    ),
    keyword(
        "virtualhost",
        Args::Word("STRING"),
        "host that is asked for",
        |url: &mut UrlDraft, value, statement, diagnostics| {
            let host = &mut url.virtualhost;
            set_string(host, "url virtualhost", value.word(), statement, diagnostics);
        },
    )
    .missing("Missing HTTP_GET virtualhost name"),
    keyword("regex", Args::Words("PATTERN"), "pattern that the body must match", regex),
    keyword("regex_no_match", Args::Flag, "a match is bad", |url, _, _, _| url.negated = true),
    keyword(
        "regex_options",
        Args::Words("OPTION..."),
        "options of the pattern",
        |url, _, statement, _| {
            for word in statement.args() {
                // 2.4.3 passes over words that it does not know.
                let known = REGEX_OPTIONS.iter().position(|&name| name == word.text);
                let bit = known.and_then(|at| u32::try_from(at).ok());
                url.options |= bit.and_then(|at| 1_u32.checked_shl(at)).unwrap_or(0);
            }
        },
    ),
    keyword(
        "regex_min_offset",
        Args::Words("OFFSET"),
        "where in the body matching starts",
        |url, _, statement, diagnostics| {
            url.min_offset = offset("min", statement, diagnostics).unwrap_or(0);
        },
    ),
    keyword(
        "regex_max_offset",
        Args::Words("OFFSET"),
        "last offset at which a match may start",
        |url, _, statement, diagnostics| {
            url.max_offset = offset("max", statement, diagnostics);
        },
    ),
    keyword("regex_stack", Args::Words("START MAX"), "bytes of the matcher's stack", stack),
];

fn digest(
    url: &mut UrlDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let text = value.word();
    let mut refuse = |text| diagnostics.report(Class::GeneralError, statement.place(), text);
    if url.digest.is_some() {
        return refuse(format!("Digest '{text}' is a duplicate"));
    }
    if text.len() != 32 {
        let length = text.len();
        return refuse(format!(
            "digest '{text}' character length should be 32 rather than {length}"
        ));
    }
    let mut digest = [0; 16];
    // 2.4.3 looks from the end.
    for (at, byte) in digest.iter_mut().enumerate().rev() {
        let pair = text.get(2 * at..2 * at + 2);
        let pair = pair.filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) => *byte = value,
            None => {
                return refuse(format!(
                    "Unable to interpret hex digit in '{text}' at offset {}/{}",
                    2 * at,
                    2 * at + 1
                ));
            }
        }
    }
    url.digest = Some(digest);
}

fn status(word: Word<'_>, diagnostics: &mut Diagnostics) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.text.split_once('-').unwrap_or((word.text, word.text));
    let code = |text: &str| text.parse().ok().filter(|code| (100..=599).contains(code));
    let range = code(first).zip(code(last)).filter(|(first, last)| first <= last);
    if range.is_none() {
        let text = format!("Invalid HTTP_GET status code '{}'", word.text);
        diagnostics.report(Class::GeneralError, word.place, text);
    }
    range.map(|(first, last)| first..=last)
}

fn regex(url: &mut UrlDraft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let words = split_escaped(&statement.line, diagnostics);
    let Some([_, pattern]) = words.as_deref() else {
        let text = "regex missing or too many fields";
        return diagnostics.report(Class::GeneralError, statement.place(), text);
    };
    if let Some(before) = &url.regex {
        let text = format!(
            "Duplicate regex specified - replacing {} with {}",
            String::from_utf8_lossy(before),
            String::from_utf8_lossy(pattern)
        );
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    url.regex = Some(pattern.clone());
}

fn offset(kind: &str, statement: &Statement, diagnostics: &mut Diagnostics) -> Option<u64> {
    let text = match (statement.arg(0), statement.arg(1)) {
        (Some(word), None) => match word.text.parse() {
            Ok(offset) => return Some(offset),
            Err(_) => format!("Invalid regex_{kind}_offset {} specified", word.text),
        },
        _ => format!("Missing or too may options for regex_{kind}_offset"),
    };
    diagnostics.report(Class::Notice, statement.place(), text);
    None
}

fn stack(url: &mut UrlDraft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let mut report = |text: &str| diagnostics.report(Class::Notice, statement.place(), text);
    let (Some(start), Some(max), None) = (statement.arg(0), statement.arg(1), statement.arg(2))
    else {
        return report("regex_stack requires start and max values");
    };
    match (start.text.parse::<u64>(), max.text.parse::<u64>()) {
        (Err(_), _) => report("regex_stack invalid start value"),
        (_, Err(_)) => report("regex_stack invalid max value"),
        (Ok(start), Ok(max)) if start > max => report("regex stack start cannot exceed max value"),
        (Ok(start), Ok(max)) => url.stack = Some((start, max)),
    }
}

impl UrlDraft {
    /// The page, unless it has no path.
    fn finish(self, statement: &Statement, diagnostics: &mut Diagnostics) -> Option<Url> {
        let Some(path) = self.path.clone() else {
            let text = "HTTP/SSL_GET checker url has no path - ignoring";
            diagnostics.report_block(Class::GeneralError, statement.extent(), text);
            return None;
        };
        let status = match self.status.is_empty() {
            true => vec![200..=299],
            false => self.status.clone(),
        };
        Some(Url {
            path,
            digest: self.digest,
            status,
            virtualhost: self.virtualhost.clone(),
            tls_compliant: self.tls_compliant,
            regex: self.pattern(statement, diagnostics),
        })
    }

    fn pattern(self, statement: &Statement, diagnostics: &mut Diagnostics) -> Option<Regex> {
        let mut report = |text| diagnostics.report_block(Class::Notice, statement.extent(), text);
        let says_more = self.options != 0
            || self.negated
            || self.min_offset != 0
            || self.max_offset.is_some()
            || self.stack.is_some();
        if self.regex.is_none() && says_more {
            report("regex parameters specified without regex".to_owned());
        }
        let pattern = self.regex?;
        let (mut min_offset, mut max_offset) = (self.min_offset, self.max_offset);
        if let Some(max) = max_offset.filter(|&max| min_offset > max) {
            report(format!("regex min offset {min_offset} > regex_max_offset {max} - ignoring"));
            (min_offset, max_offset) = (0, None);
        }
        let regex = Regex {
            pattern,
            negated: self.negated,
            options: self.options,
            min_offset,
            max_offset,
            stack: self.stack,
        };
        let text = match Pattern::compile(&regex.pattern, regex.flags()) {
            Ok(_) => return Some(regex),
            Err(NoPattern::Invalid { offset, text }) => {
                let pattern = String::from_utf8_lossy(&regex.pattern);
                format!("Invalid regex: '{pattern}' at offset {offset}: {text}")
            }
            Err(NoPattern::Unavailable) => {
                "regex - this program was built without regular expressions".to_owned()
            }
        };
        diagnostics.report_block(Class::GeneralError, statement.extent(), text);
        None
    }
}
