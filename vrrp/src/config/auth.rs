//! Authentication of adverts.

use serde::{Deserialize, Serialize};

use crate::auth::ah;
use crate::auth::trailer::AntiReplay;

/// How adverts prove whom they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// They do not.
    None,
    /// A password in clear, padded with zeros (version 2).
    Pass(ah::Key),
    /// IPSEC-AH with the password as key (version 2).
    Ah(ah::Key),
    /// A keyed trailer.
    Hmac(Box<Hmac>),
}

/// Settings of the keyed trailer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hmac {
    /// The keys; [`Self::active`] is one of them.
    pub keys: Vec<HmacKey>,
    /// The key that adverts are sent with.
    pub active: u8,
    /// What is asked of received adverts.
    pub mode: HmacMode,
    /// How old packets are told from new ones.
    pub anti_replay: AntiReplay,
}

/// A key of the keyed trailer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacKey {
    /// Its number, 1 to 255.
    pub id: u8,
    /// 32 to 64 octets.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for HmacKey {
    /// A secret does not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HmacKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What the keyed trailer is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HmacMode {
    /// Sent, and required.
    #[default]
    Enforce,
    /// Sent; adverts without it are accepted.
    Permissive,
    /// Not sent; adverts without it are accepted.
    ReceiveOnly,
}

impl Hmac {
    /// Whether adverts are sent with a trailer.
    pub fn signs(&self) -> bool {
        self.mode != HmacMode::ReceiveOnly
    }
}
