//! Keywords that the original does not have: authentication, demand mode, the echo function, profiles.

use conf_parser::{
    Args, Diagnostics, Keyword, Limits, Statement, Value, keyword, parse_uint,
    report_missing_parameter,
};

use super::InstanceDraft;
use super::keywords::{FASTEST, INTERVAL, interval};
use crate::auth::{Authentication, Key, Kind};

/// The keyword by which a session takes the values of a profile.
pub(super) const PROFILE: &str = "profile";

pub(super) const PROFILED: &[Keyword<InstanceDraft>] = &[keyword(
    PROFILE,
    Args::Word("NAME"),
    "take the values of this bfd_profile where the block gives none",
    // Looked up before all others, since what stands in the block counts more, wherever it stands.
    |_, _, _, _| {},
)];

pub(super) const KEYWORDS: &[Keyword<InstanceDraft>] = &[
    keyword(
        "auth_type",
        Args::Word("simple|keyed_md5|meticulous_keyed_md5|keyed_sha1|meticulous_keyed_sha1"),
        "how packets are authenticated",
        |draft, value, statement, diagnostics| {
            let known = Kind::NAMES.into_iter().find(|(name, _)| *name == value.word());
            match known {
                Some((_, kind)) => draft.auth.kind = Some(kind),
                None => {
                    draft.auth.malformed = true;
                    let problem = format!("unknown authentication type {}", value.word());
                    draft.report(statement.place(), problem, diagnostics);
                }
            }
        },
    ),
    keyword(
        "auth_key",
        Args::Words("ID:0..255 [hex:]SECRET"),
        "a key and its number; the first one signs, the others are accepted as well",
        auth_key,
    ),
    keyword(
        "demand",
        INTERVAL,
        "have the other side be silent while up, and poll it so often",
        |draft, _, statement, diagnostics| {
            draft.parameters.demand = interval(draft, FASTEST, statement, diagnostics);
        },
    ),
    keyword(
        "echo_tx",
        INTERVAL,
        "how often to send echo packets to one that reflects them",
        |draft, _, statement, diagnostics| {
            draft.parameters.echo_tx = interval(draft, FASTEST, statement, diagnostics);
        },
    ),
    keyword(
        "echo_rx",
        INTERVAL,
        "how often this machine reflects echo packets",
        |draft, _, statement, diagnostics| {
            if let Some(interval) = interval(draft, FASTEST, statement, diagnostics) {
                draft.parameters.echo_rx = interval;
            }
        },
    ),
];

/// Authentication as far as it has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct AuthDraft {
    kind: Option<Kind>,
    keys: Vec<Key>,
    /// Something was said that cannot be used. Rather no session than an open one.
    malformed: bool,
}

fn auth_key(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let (Some(id), Some(secret)) = (statement.arg(0), statement.arg(1)) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    let limits = Limits { min: 0, max: 255, strict: true };
    let number = parse_uint(id, limits, diagnostics).and_then(|id| u8::try_from(id).ok());
    let (Some(id), Some(octets)) = (number, decode(secret.text)) else {
        draft.auth.malformed = true;
        return draft.report(id.place, "auth_key is not valid", diagnostics);
    };
    draft.auth.keys.retain(|key| key.id != id);
    draft.auth.keys.push(Key { id, secret: octets });
}

/// A key as text, or as hexadecimal digits after `hex:`; not empty.
fn decode(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("hex:") else {
        return (!text.is_empty()).then(|| text.as_bytes().to_vec());
    };
    let nibble = |&digit: &u8| char::from(digit).to_digit(16);
    let octets = digits.as_bytes().chunks(2).map(|pair| {
        let value = pair.iter().try_fold(0, |value, digit| Some(value << 4 | nibble(digit)?))?;
        u8::try_from(value).ok()
    });
    octets.collect::<Option<Vec<u8>>>().filter(|octets| !octets.is_empty())
}

impl AuthDraft {
    /// What was agreed upon, if anything; or why it cannot be used.
    pub(super) fn finish(&self) -> Result<Option<Authentication>, String> {
        if self.malformed {
            return Err("authentication cannot be used, disabling instance".to_owned());
        }
        match (self.kind, self.keys.split_first()) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err("has auth_key without auth_type, disabling instance".to_owned()),
            (Some(_), None) => Err("has auth_type without auth_key, disabling instance".to_owned()),
            (Some(kind), Some((key, accepted))) => {
                let longest = kind.longest_secret();
                if self.keys.iter().any(|key| key.secret.len() > longest) {
                    return Err(format!(
                        "auth_key is longer than {longest} octets, disabling instance"
                    ));
                }
                Ok(Some(Authentication { kind, key: key.clone(), accepted: accepted.to_vec() }))
            }
        }
    }
}
