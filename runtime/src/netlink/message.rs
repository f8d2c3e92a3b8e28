//! Netlink messages as they lie in a datagram.

use nix::errno::Errno;

use super::attribute::Attributes;

/// Length of the header of a message.
pub(super) const HEADER_LEN: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The dump is not consistent, as something changed while it was made.
const NLM_F_DUMP_INTR: u16 = 0x10;
/// Extended acknowledgement attributes follow.
const NLM_F_ACK_TLVS: u16 = 0x200;
/// The request is not repeated in the answer.
const NLM_F_CAPPED: u16 = 0x100;
/// Text of an extended acknowledgement.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// A message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// What it is (`RTM_*`, `NLMSG_*`).
    pub(super) kind: u16,
    /// Number of the request that it answers, or that caused it.
    pub(super) sequence: u32,
    /// The socket whose request it answers, or that caused it; 0 where nobody asked.
    pub(super) port: u32,
    flags: u16,
    /// What follows the header.
    pub(super) payload: &'a [u8],
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Why it was refused; `None` is success.
    pub(super) errno: Option<Errno>,
    /// What the kernel has to say about it.
    pub(super) text: Option<String>,
}

impl<'a> Message<'a> {
    /// The messages of a datagram, up to the first whose length lies.
    pub(super) fn all(mut datagram: &'a [u8]) -> impl Iterator<Item = Message<'a>> {
        std::iter::from_fn(move || {
            let (&[l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3], _) =
                datagram.split_first_chunk::<HEADER_LEN>()?;
            let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
            let payload = datagram.get(HEADER_LEN..length)?;
            datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some(Message {
                kind: u16::from_ne_bytes([k0, k1]),
                flags: u16::from_ne_bytes([f0, f1]),
                sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
                port: u32::from_ne_bytes([p0, p1, p2, p3]),
                payload,
            })
        })
    }

    /// Whether the dump that it belongs to must be made again.
    pub(super) fn is_interrupted(&self) -> bool {
        self.flags & NLM_F_DUMP_INTR != 0
    }

    /// The end of a request or of a dump; `None` for other messages.
    pub(super) fn answer(&self) -> Option<Answer> {
        let code = match self.kind {
            // Whoever cannot say what went wrong has not said that it went right.
            NLMSG_ERROR => self.code().unwrap_or(-(Errno::EPROTO as i32)),
            NLMSG_DONE => self.code().unwrap_or(0),
            _ => return None,
        };
        let errno = (code != 0).then(|| Errno::from_raw(code.saturating_neg()));
        Some(Answer { errno, text: self.text() })
    }

    fn code(&self) -> Option<i32> {
        self.payload.first_chunk().map(|code| i32::from_ne_bytes(*code))
    }

    /// The text of an extended acknowledgement. It stands behind the code and the request, of which only the header
    /// is repeated when the answer is capped.
    fn text(&self) -> Option<String> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let request = if self.kind == NLMSG_DONE {
            0
        } else if self.flags & NLM_F_CAPPED != 0 {
            HEADER_LEN
        } else {
            let length = self.payload.get(4..)?.first_chunk()?;
            usize::try_from(u32::from_ne_bytes(*length)).ok()?.checked_next_multiple_of(4)?
        };
        let attributes = self.payload.get(4..)?.get(request..)?;
        let mut attributes = Attributes(attributes);
        attributes.find(|attribute| attribute.kind == NLMSGERR_ATTR_MSG).map(|found| found.text())
    }
}
