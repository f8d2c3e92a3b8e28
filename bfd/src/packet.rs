//! The BFD control packet (RFC 5880 §4.1): a total, pure codec.

use std::fmt;
use std::num::NonZeroU32;

/// Length of a control packet without an authentication section.
pub const LENGTH: usize = 24;

/// Session state as the wire carries it (RFC 5880 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Taken down by the operator.
    AdminDown,
    /// No answer yet, or none any more.
    Down,
    /// The other side is heard, but does not hear us yet.
    Init,
    /// Both sides hear each other.
    Up,
}

/// Why a session last fell (RFC 5880 §4.1). Values that are not assigned are kept as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Diagnostic {
    /// Nothing to say.
    #[default]
    None,
    /// No packet within the detection time.
    DetectionTimeExpired,
    /// The echo function failed.
    EchoFailed,
    /// The other side said that the session is down.
    NeighborSignaledDown,
    /// The forwarding plane was reset.
    ForwardingPlaneReset,
    /// Another means found the path down.
    PathDown,
    /// A path beyond is down.
    ConcatenatedPathDown,
    /// Taken down by the operator.
    AdministrativelyDown,
    /// The reverse path beyond is down.
    ReverseConcatenatedPathDown,
    /// Reserved for the future.
    Unassigned(u8),
}

impl Diagnostic {
    fn from_wire(code: u8) -> Self {
        match code {
            0 => Self::None,
            1 => Self::DetectionTimeExpired,
            2 => Self::EchoFailed,
            3 => Self::NeighborSignaledDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            other => Self::Unassigned(other),
        }
    }

    fn to_wire(self) -> u8 {
        match self {
            Self::None => 0,
            Self::DetectionTimeExpired => 1,
            Self::EchoFailed => 2,
            Self::NeighborSignaledDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Unassigned(other) => other & 0x1f,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "No Diagnostic",
            Self::DetectionTimeExpired => "Control Detection Time Expired",
            Self::EchoFailed => "Echo Function Failed",
            Self::NeighborSignaledDown => "Neighbor Signaled Session Down",
            Self::ForwardingPlaneReset => "Forwarding Plane Reset",
            Self::PathDown => "Path Down",
            Self::ConcatenatedPathDown => "Concatenated Path Down",
            Self::AdministrativelyDown => "Administratively Down",
            Self::ReverseConcatenatedPathDown => "Reverse Concatenated Path Down",
            Self::Unassigned(code) => return write!(f, "Unknown ({code})"),
        })
    }
}

/// An interval as the wire carries it: microseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Micros(pub u32);

/// The header of a control packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPacket {
    /// Why the sender's session last fell.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// P: the sender asks for a packet with `final`.
    pub poll: bool,
    /// F: the answer to `poll`.
    pub final_: bool,
    /// C: the sender's BFD survives the loss of its control plane.
    pub control_plane_independent: bool,
    /// A: an authentication section follows.
    pub authenticated: bool,
    /// D: the sender wishes that we send nothing periodically.
    pub demand: bool,
    /// How many missed packets make a failure.
    pub detect_multiplier: u8,
    /// The sender's number for the session.
    pub my_discriminator: NonZeroU32,
    /// Our number for the session as the sender knows it; 0 when it does not.
    pub your_discriminator: u32,
    /// How often the sender wants to send.
    pub desired_min_tx: Micros,
    /// How often the sender can receive; 0: not at all.
    pub required_min_rx: Micros,
    /// How often the sender can reflect echo packets; 0: not at all.
    pub required_min_echo_rx: Micros,
}

/// Why a packet was refused (RFC 5880 §6.8.6). One variant, one counter, one log text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Less than a header.
    Short(usize),
    /// The length field is less than a header, or more than came.
    Length {
        /// What the field says.
        field: u8,
        /// How many bytes came.
        received: usize,
    },
    /// Not version 1.
    Version(u8),
    /// The detection multiplier is 0.
    NoMultiplier,
    /// The multipoint bit is set.
    Multipoint,
    /// The sender's discriminator is 0.
    NoDiscriminator,
    /// Our discriminator is 0 although the sender claims to hear us.
    NoYourDiscriminator,
    /// P and F are both set.
    PollAndFinal,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(received) => write!(f, "Packet is too small: {received} bytes"),
            Self::Length { field, received } => write!(
                f,
                "Packet size mismatch: length field: {field} bytes, buffer size: {received} bytes"
            ),
            Self::Version(version) => write!(f, "Packet is of unsupported version: {version}"),
            Self::NoMultiplier => f.write_str("Packet 'detection multiplier' field is zero"),
            Self::Multipoint => f.write_str("Packet has 'multipoint' flag"),
            Self::NoDiscriminator => f.write_str("Packet 'my discriminator' field is zero"),
            Self::NoYourDiscriminator => f.write_str(
                "Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown",
            ),
            Self::PollAndFinal => f.write_str("Packet has both poll and final  flags set"),
        }
    }
}

impl ControlPacket {
    /// Reads a control packet. Any `data` gives a value, never a panic.
    pub fn decode(data: &[u8]) -> Result<Self, Refused> {
        let Some((head, _)) = data.split_first_chunk::<LENGTH>() else {
            return Err(Refused::Short(data.len()));
        };
        let &[version_diag, state_flags, detect_multiplier, length, ref words @ ..] = head;
        let least = if state_flags & 0x04 == 0 { LENGTH } else { LENGTH + 2 };
        if usize::from(length) < least || usize::from(length) > data.len() {
            return Err(Refused::Length { field: length, received: data.len() });
        }
        if version_diag >> 5 != 1 {
            return Err(Refused::Version(version_diag >> 5));
        }
        if detect_multiplier == 0 {
            return Err(Refused::NoMultiplier);
        }
        let flag = |bit: u8| state_flags & bit != 0;
        if flag(0x01) {
            return Err(Refused::Multipoint);
        }
        let [mine, yours, tx, rx, echo] = split_words(words);
        let my_discriminator = NonZeroU32::new(mine).ok_or(Refused::NoDiscriminator)?;
        let state = match state_flags >> 6 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        };
        if yours == 0 && matches!(state, State::Init | State::Up) {
            return Err(Refused::NoYourDiscriminator);
        }
        if flag(0x20) && flag(0x10) {
            return Err(Refused::PollAndFinal);
        }
        Ok(Self {
            diagnostic: Diagnostic::from_wire(version_diag & 0x1f),
            state,
            poll: flag(0x20),
            final_: flag(0x10),
            control_plane_independent: flag(0x08),
            authenticated: flag(0x04),
            demand: flag(0x02),
            detect_multiplier,
            my_discriminator,
            your_discriminator: yours,
            desired_min_tx: Micros(tx),
            required_min_rx: Micros(rx),
            required_min_echo_rx: Micros(echo),
        })
    }

    /// The packet as bytes, without the authentication section.
    pub fn encode(&self) -> [u8; LENGTH] {
        let state = match self.state {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3,
        };
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(self.poll, 0x20)
            | flag(self.final_, 0x10)
            | flag(self.control_plane_independent, 0x08)
            | flag(self.authenticated, 0x04)
            | flag(self.demand, 0x02);
        let [m0, m1, m2, m3] = self.my_discriminator.get().to_be_bytes();
        let [y0, y1, y2, y3] = self.your_discriminator.to_be_bytes();
        let [t0, t1, t2, t3] = self.desired_min_tx.0.to_be_bytes();
        let [r0, r1, r2, r3] = self.required_min_rx.0.to_be_bytes();
        let [e0, e1, e2, e3] = self.required_min_echo_rx.0.to_be_bytes();
        [
            1 << 5 | self.diagnostic.to_wire(),
            state << 6 | flags,
            self.detect_multiplier,
            24,
            m0,
            m1,
            m2,
            m3,
            y0,
            y1,
            y2,
            y3,
            t0,
            t1,
            t2,
            t3,
            r0,
            r1,
            r2,
            r3,
            e0,
            e1,
            e2,
            e3,
        ]
    }
}

/// A packet ready to be sent, with its authentication section if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Datagram {
    /// The longest one, in octets: a header, and a section with a SHA1 digest (RFC 5880 §4.4).
    pub const LONGEST: usize = LENGTH + 28;

    /// What is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Appends to it; what does not fit is left out.
    pub(crate) fn extend(&mut self, more: &[u8]) {
        let room = self.bytes.iter_mut().skip(self.length);
        self.length += room.zip(more).map(|(to, from)| *to = *from).count();
    }

    /// Overwrites what is there from `at` on.
    pub(crate) fn replace(&mut self, at: usize, with: &[u8]) {
        let room = self.bytes[..self.length].iter_mut().skip(at);
        room.zip(with).for_each(|(to, from)| *to = *from);
    }

    /// The same, with its length in the header.
    pub(crate) fn finish(mut self) -> Self {
        self.bytes[3] = u8::try_from(self.length).unwrap_or(u8::MAX);
        self
    }
}

impl From<[u8; LENGTH]> for Datagram {
    fn from(header: [u8; LENGTH]) -> Self {
        let mut datagram = Self { bytes: [0; Self::LONGEST], length: 0 };
        datagram.extend(&header);
        datagram
    }
}

fn split_words(bytes: &[u8; 20]) -> [u32; 5] {
    let mut words = [0; 5];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = chunk.iter().fold(0, |value, &byte| value << 8 | u32::from(byte));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    /// Packets captured between two daemons of version 2.4.3, and one of FRR.
    const CAPTURED: [&str; 8] = [
        "204003184beb19c500000000000f42400000c35000000000",
        "20400518bac8fa9f00000000000f424000030d4000000000",
        "208003184beb19c5bac8fa9f000f42400000c35000000000",
        "20e00518bac8fa9f4beb19c5000249f000030d4000000000",
        "20d003184beb19c5bac8fa9f000186a00000c35000000000",
        "20c003184beb19c5bac8fa9f000186a00000c35000000000",
        "21400318ea067a7400000000000f42400001388000000000",
        "200003183469ca0cead6055d000186a0000186a00000c350",
    ];

    #[test]
    fn captured_packets_survive_the_round_trip() {
        for hex in CAPTURED {
            let packet = ControlPacket::decode(&bytes(hex)).unwrap();
            assert_eq!(packet.encode()[..], bytes(hex), "{hex}");
        }
        let poll = ControlPacket::decode(&bytes(CAPTURED[3])).unwrap();
        assert_eq!((poll.state, poll.poll, poll.final_), (State::Up, true, false));
        assert_eq!((poll.desired_min_tx, poll.required_min_rx), (Micros(150_000), Micros(200_000)));
        let down = ControlPacket::decode(&bytes(CAPTURED[6])).unwrap();
        assert_eq!((down.state, down.diagnostic), (State::Down, Diagnostic::DetectionTimeExpired));
    }

    #[test]
    fn each_diagnostic_has_its_number_and_its_name() {
        // RFC 5880 §4.1, in the words of the original.
        let names = [
            "No Diagnostic",
            "Control Detection Time Expired",
            "Echo Function Failed",
            "Neighbor Signaled Session Down",
            "Forwarding Plane Reset",
            "Path Down",
            "Concatenated Path Down",
            "Administratively Down",
            "Reverse Concatenated Path Down",
            "Unknown (9)",
        ];
        let mut data = bytes(CAPTURED[6]);
        for (code, name) in (0..).zip(names) {
            data[0] = 1 << 5 | code;
            let packet = ControlPacket::decode(&data).unwrap();
            assert_eq!(packet.diagnostic.to_string(), name);
            assert_eq!(packet.encode()[..], data);
        }
    }

    #[test]
    fn each_rule_of_reception_has_its_refusal() {
        let good = bytes(CAPTURED[5]);
        let with = |index: usize, value: u8| {
            let mut data = good.clone();
            data[index] = value;
            ControlPacket::decode(&data)
        };
        assert_eq!(ControlPacket::decode(&good[..23]), Err(Refused::Short(23)));
        assert_eq!(with(3, 23), Err(Refused::Length { field: 23, received: 24 }));
        assert_eq!(with(3, 25), Err(Refused::Length { field: 25, received: 24 }));
        assert_eq!(with(0, 0x00), Err(Refused::Version(0)));
        assert_eq!(with(2, 0), Err(Refused::NoMultiplier));
        assert_eq!(with(1, 0xc1), Err(Refused::Multipoint));
        assert_eq!(with(1, 0xf0), Err(Refused::PollAndFinal));
        assert_eq!(
            with(1, 0xc4),
            Err(Refused::Length { field: 24, received: 24 }),
            "A needs a section"
        );
        let mut data = good.clone();
        data[4..8].fill(0);
        assert_eq!(ControlPacket::decode(&data), Err(Refused::NoDiscriminator));
        let mut data = good.clone();
        data[8..12].fill(0);
        assert_eq!(ControlPacket::decode(&data), Err(Refused::NoYourDiscriminator));
    }

    #[test]
    fn bytes_behind_the_packet_do_no_harm() {
        let mut data = bytes(CAPTURED[5]);
        data.extend([0; 40]);
        assert!(
            ControlPacket::decode(&data).is_ok(),
            "RFC 5880 §6.8.6 only forbids a length beyond the datagram"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(packet) = ControlPacket::decode(&data) {
                let packet = ControlPacket { authenticated: false, ..packet };
                let again = packet.encode();
                prop_assert_eq!(ControlPacket::decode(&again), Ok(packet));
            }
        }
    }
}
