//! What the attempts of one configuration share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslMode};
use runtime::sys;
use runtime::sys::pcre2::{Pattern, Stack};

use super::http::Tls;
use crate::config::checker::Kind;
use crate::config::http::Regex;
use crate::config::{self, Config};

/// So much is read at once; as much as a record of TLS holds, four times.
const BUFFER: usize = 64 << 10;
/// So many random numbers are fetched from the kernel at once.
const POOL: usize = 64;

/// The buffer, the context of TLS and the patterns of all attempts.
pub struct Tools {
    buffer: Box<[u8]>,
    random: Vec<u16>,
    tls: Option<SslContext>,
    patterns: Patterns,
}

/// Each pattern once, by its text, and then its options.
type Patterns = HashMap<Vec<u8>, Vec<(u32, Rc<RefCell<Pattern>>)>>;

/// Why the checker process cannot work with its configuration.
#[derive(Debug)]
pub struct ToolsError {
    cause: TlsError,
    /// Files and password as they are logged.
    settings: config::Ssl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TlsError {
    Context,
    Certificate,
    Key,
    Authorities,
}

impl Default for Tools {
    /// Without TLS and patterns.
    fn default() -> Self {
        Self {
            buffer: vec![0; BUFFER].into_boxed_slice(),
            random: Vec::new(),
            tls: None,
            patterns: Patterns::default(),
        }
    }
}

impl Tools {
    /// Reads keys and certificates, if there is an SSL_GET.
    pub fn new(config: &Config) -> Result<Self, ToolsError> {
        let pages = || {
            let servers = config.virtual_servers.iter().flat_map(|service| &service.real_servers);
            servers.flat_map(|server| &server.checkers).filter_map(|check| match &check.kind {
                Kind::Http(_, _, http) => Some(http),
                _ => None,
            })
        };
        let wants_tls = pages().any(|http| http.tls);
        let settings = config.ssl.clone().unwrap_or_default();
        let tls = match wants_tls.then(|| context(&settings)).transpose() {
            Ok(tls) => tls,
            Err(cause) => return Err(ToolsError { cause, settings }),
        };
        let urls = pages().flat_map(|http| &http.urls);
        let patterns = patterns(urls.filter_map(|url| url.regex.as_ref()));
        Ok(Self { tls, patterns, ..Self::default() })
    }

    /// For pages that are fetched without a configuration.
    pub(crate) fn for_pages(tls: bool) -> Result<Self, ToolsError> {
        let settings = config::Ssl::default();
        let tls = tls.then(|| context(&settings)).transpose();
        let tls = tls.map_err(|cause| ToolsError { cause, settings })?;
        Ok(Self { tls, ..Self::new(&Config::default())? })
    }

    pub(super) fn buffer(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// A number that nobody can foresee, while the kernel has any.
    pub(super) fn random(&mut self) -> u16 {
        if self.random.is_empty() {
            let fill = |_| u16::try_from(sys::random::random().ok()? >> 16).ok();
            self.random.extend((0..POOL).map_while(fill));
        }
        self.random.pop().unwrap_or_default()
    }

    /// A pattern of the configuration, compiled.
    pub(super) fn pattern(&self, regex: &Regex) -> Option<Rc<RefCell<Pattern>>> {
        let mut known = self.patterns.get(&regex.pattern)?.iter();
        known.find(|(options, _)| *options == regex.options).map(|(_, pattern)| Rc::clone(pattern))
    }

    /// Our end of a connection over TLS. `None` if the library refuses.
    pub(super) fn tls(&self, tls: &Tls) -> Option<Ssl> {
        let mut ssl = Ssl::new(self.tls.as_ref()?).ok()?;
        if let Some(name) = &tls.name {
            ssl.set_hostname(name).ok()?;
        }
        Some(ssl)
    }
}

/// Compiles each pattern once. They share one stack, as large as the largest that is asked for.
fn patterns<'a>(all: impl Iterator<Item = &'a Regex> + Clone) -> Patterns {
    let sizes = all.clone().filter_map(|regex| regex.stack);
    let largest = sizes.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
    let stack = largest.and_then(|(first, most)| {
        let bytes = |size| usize::try_from(size).unwrap_or(usize::MAX);
        Stack::new(bytes(first), bytes(most)).map(Rc::new)
    });
    let mut patterns = Patterns::new();
    for regex in all {
        let known = patterns.entry(regex.pattern.clone()).or_default();
        if known.iter().any(|(options, _)| *options == regex.options) {
            continue;
        }
        // The loader has compiled it before, and dropped what cannot be.
        let Ok(mut pattern) = Pattern::compile(&regex.pattern, regex.flags()) else { continue };
        if let Some(stack) = &stack {
            pattern.use_stack(stack);
        }
        known.push((regex.options, Rc::new(RefCell::new(pattern))));
    }
    patterns
}

/// The peer is not verified: as ever, a server is good that speaks TLS at all.
fn context(settings: &config::Ssl) -> Result<SslContext, TlsError> {
    sys::openssl::ignore_configuration();
    let fails = |error: TlsError| move |_: ErrorStack| error;
    let mut builder =
        SslContext::builder(SslMethod::tls_client()).map_err(fails(TlsError::Context))?;
    // Idle connections hold no buffers.
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    builder.set_verify_depth(1);
    if let Some(file) = &settings.certificate {
        builder.set_certificate_chain_file(file).map_err(fails(TlsError::Certificate))?;
    }
    if let Some(file) = &settings.key {
        let pem = std::fs::read(file).map_err(|_| TlsError::Key)?;
        let password = settings.password.as_deref().unwrap_or_default().as_bytes();
        // Without this the library would ask at the terminal.
        let key = PKey::private_key_from_pem_callback(&pem, |buffer| {
            let place = buffer.get_mut(..password.len());
            Ok(place.map_or(0, |place| {
                place.copy_from_slice(password);
                password.len()
            }))
        });
        let key = key.map_err(fails(TlsError::Key))?;
        builder.set_private_key(&key).map_err(fails(TlsError::Key))?;
    }
    if let Some(file) = &settings.ca {
        builder.set_ca_file(file).map_err(fails(TlsError::Authorities))?;
    }
    Ok(builder.build())
}

impl ToolsError {
    /// What is logged about it.
    pub fn lines(&self) -> Vec<String> {
        let or_null = |text: &Option<String>| text.clone().unwrap_or_else(|| "(null)".to_owned());
        let settings = &self.settings;
        vec![
            self.to_string(),
            "Error Initialize SSL, ctx Instance".to_owned(),
            format!("  SSL  keyfile:{}", or_null(&settings.key)),
            format!("  SSL password:{}", or_null(&settings.password)),
            format!("  SSL   cafile:{}", or_null(&settings.ca)),
            "Terminate...".to_owned(),
        ]
    }
}

impl fmt::Display for ToolsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.cause {
            TlsError::Context => "SSL error: cannot create new SSL context",
            TlsError::Certificate => "SSL error : Cant load certificate file...",
            TlsError::Key => "SSL error : Cant load key file...",
            TlsError::Authorities => "SSL error : Cant load CA file...",
        })
    }
}

impl std::error::Error for ToolsError {}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}
