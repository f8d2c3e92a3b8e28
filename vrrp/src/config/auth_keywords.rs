//! `authentication` and `auth_hmac` blocks of an instance.

use std::fs::OpenOptions;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use conf_parser::{
    Args, Class, Diagnostics, Limits, Statement, Table, Value, Word, keyword, parse_uint,
};

use super::auth::{Hmac, HmacKey, HmacMode};
use super::instance_draft::InstanceDraft;
use crate::auth::ah;

/// How long a key of the keyed trailer is, in octets.
const KEY_LENGTHS: RangeInclusive<usize> = 32..=64;
/// The longest file that can hold a key: a prefix, hexadecimal digits, and line ends.
const LONGEST_KEY_FILE: usize = 139;

/// What the blocks say.
#[derive(Clone, Debug, Default)]
pub(super) struct AuthDraft {
    pub(super) kind: Option<Kind>,
    pub(super) password: ah::Key,
    pub(super) hmac: Option<HmacDraft>,
}

/// The authentication of version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A password in clear.
    Pass,
    /// IPSEC-AH.
    Ah,
}

/// What an `auth_hmac` block says.
#[derive(Clone, Debug, Default)]
pub(super) struct HmacDraft {
    pub(super) keys: Vec<HmacKey>,
    pub(super) active: u8,
    pub(super) mode: HmacMode,
    pub(super) monotonic: bool,
    pub(super) window: Option<u32>,
}

/// The keywords of an `authentication` block.
pub(super) static AUTHENTICATION: Table<InstanceDraft> = Table(&[
    keyword("auth_type", Args::Word("AH|PASS"), "kind of authentication", auth_type),
    keyword("auth_pass", Args::Word("STRING"), "password, 8 characters", auth_pass),
]);

const KEY_ID: Args = Args::Uint { unit: "ID", min: 1, max: 255, strict: true };

/// The keywords of an `auth_hmac` block.
pub(super) static AUTH_HMAC: Table<InstanceDraft> = Table(&[
    keyword("key", Args::Words("ID:1..255 [hex:|file:]VALUE"), "a key and its number", key),
    keyword(
        "active_key",
        KEY_ID,
        "the key to send with",
        |draft: &mut InstanceDraft, value, _, _| {
            draft.auth.hmac.get_or_insert_default().active = value.u8();
        },
    )
    .invalid_for(|draft, text| {
        format!("({}) auth_hmac active_key '{text}' must be between 1 and 255", draft.name())
    }),
    keyword(
        "anti_replay",
        Args::Word("time|monotonic"),
        "how old adverts are recognised",
        anti_replay,
    ),
    keyword(
        "time_window",
        Args::Uint { unit: "SECS", min: 1, max: 300, strict: true },
        "how far clocks may differ",
        |draft: &mut InstanceDraft, value, _, _| {
            draft.auth.hmac.get_or_insert_default().window = Some(value.u32());
        },
    )
    .invalid_for(|draft, text| {
        format!(
            "({}) auth_hmac time_window '{text}' must be between 1 and 300 seconds",
            draft.name()
        )
    }),
    keyword("mode", Args::Word("enforce|permissive|receive-only"), "what is asked for", mode),
]);

fn auth_type(
    draft: &mut InstanceDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    draft.auth.kind = Some(match value.word() {
        "AH" => Kind::Ah,
        "PASS" => Kind::Pass,
        other => {
            let text = format!("({}) unknown authentication type '{other}'", draft.name());
            diagnostics.report(Class::GeneralError, statement.place(), text);
            return;
        }
    });
}

fn auth_pass(
    draft: &mut InstanceDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let given = value.word().as_bytes();
    let mut key = ah::Key::default();
    if given.len() > key.len() {
        let text = format!("Truncating auth_pass to {} characters", key.len());
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    for (octet, &given) in key.iter_mut().zip(given) {
        *octet = given;
    }
    draft.auth.password = key;
}

fn anti_replay(
    draft: &mut InstanceDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let monotonic = match value.word() {
        "time" => false,
        "monotonic" => true,
        other => {
            let text = format!(
                "({}) auth_hmac anti_replay '{other}' must be time or monotonic",
                draft.name()
            );
            diagnostics.report(Class::GeneralError, statement.place(), text);
            return;
        }
    };
    draft.auth.hmac.get_or_insert_default().monotonic = monotonic;
}

fn mode(
    draft: &mut InstanceDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let mode = match value.word() {
        "enforce" => HmacMode::Enforce,
        "permissive" => HmacMode::Permissive,
        "receive-only" => HmacMode::ReceiveOnly,
        other => {
            let text = format!(
                "({}) auth_hmac mode '{other}' must be enforce, permissive or receive-only",
                draft.name()
            );
            diagnostics.report(Class::GeneralError, statement.place(), text);
            return;
        }
    };
    draft.auth.hmac.get_or_insert_default().mode = mode;
}

fn key(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = draft.name().to_owned();
    let (Some(id), Some(value)) = (statement.arg(0), statement.arg(1)) else {
        let text = format!("({name}) auth_hmac key needs an id and a value");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    };
    let limits = Limits { min: 1, max: 255, strict: true };
    let number = parse_uint(id, limits, diagnostics).and_then(|id| u8::try_from(id).ok());
    let Some(number) = number else {
        let text = format!("({name}) auth_hmac key id '{}' must be between 1 and 255", id.text);
        diagnostics.report(Class::GeneralError, id.place, text);
        return;
    };
    let secret = match value.text.strip_prefix("file:") {
        Some(path) => read_key_file(&name, path, value, diagnostics),
        None => decode(value.text),
    };
    let keys = &mut draft.auth.hmac.get_or_insert_default().keys;
    let text = match secret {
        Some(secret) if KEY_LENGTHS.contains(&secret.len()) => {
            if keys.iter().all(|known| known.id != number) {
                keys.push(HmacKey { id: number, secret });
                return;
            }
            format!("({name}) duplicate auth_hmac key id {number}")
        }
        secret => format!(
            "({name}) auth_hmac key {number} length {} not in range [{}, {}]",
            secret.map_or(0, |secret| secret.len()),
            KEY_LENGTHS.start(),
            KEY_LENGTHS.end()
        ),
    };
    diagnostics.report(Class::GeneralError, value.place, text);
}

/// The key in a file, which holds what could stand in the configuration. It should be nobody else's to read.
fn read_key_file(
    instance: &str,
    path: &str,
    word: Word<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<u8>> {
    let mut report = |class, what| {
        let text = format!("({instance}) auth_hmac key file '{path}' {what}");
        diagnostics.report(class, word.place, text);
    };
    // A FIFO must not keep the parser waiting.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path);
    let mut content = Vec::new();
    let read = opened.and_then(|file| {
        let metadata = file.metadata()?;
        if metadata.mode() & 0o077 != 0 {
            report(Class::Security, "is readable by group or others");
        }
        let limit = u64::try_from(LONGEST_KEY_FILE + 1).unwrap_or(u64::MAX);
        file.take(limit).read_to_end(&mut content)
    });
    if read.is_err() {
        report(Class::GeneralError, "cannot be opened");
        return None;
    }
    if content.len() > LONGEST_KEY_FILE {
        report(Class::GeneralError, "is too large");
        return None;
    }
    while content.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        content.pop();
    }
    match std::str::from_utf8(&content) {
        Ok(text) => decode(text),
        Err(_) => Some(content),
    }
}

/// A key as text, or as hexadecimal digits after `hex:`.
fn decode(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("hex:") else {
        return Some(text.as_bytes().to_vec());
    };
    let mut octets = Vec::new();
    // A single digit before a blank is an octet.
    for group in digits.split([' ', '\t']).filter(|group| !group.is_empty()) {
        for pair in group.as_bytes().chunks(2) {
            let nibble = |&digit: &u8| char::from(digit).to_digit(16);
            let value =
                pair.iter().try_fold(0, |value, digit| Some(value << 4 | nibble(digit)?))?;
            octets.push(u8::try_from(value).ok()?);
        }
    }
    (!octets.is_empty()).then_some(octets)
}

impl HmacDraft {
    /// The settings with `window` where the block gives none, if the key to send with is there.
    pub(super) fn finish(self, window: u32) -> Option<Hmac> {
        use crate::auth::trailer::AntiReplay;
        self.keys.iter().any(|key| key.id == self.active).then_some(())?;
        let anti_replay = if self.monotonic {
            AntiReplay::Monotonic
        } else {
            AntiReplay::Time { window: self.window.unwrap_or(window) }
        };
        Some(Hmac { keys: self.keys, active: self.active, mode: self.mode, anti_replay })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_text_or_hexadecimal() {
        assert_eq!(decode("secret"), Some(b"secret".to_vec()));
        assert_eq!(decode("hex:00fF"), Some(vec![0, 255]));
        assert_eq!(decode("hex:1 02 3"), Some(vec![1, 2, 3]));
        for bad in ["hex:", "hex:0g", "hex:é"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
