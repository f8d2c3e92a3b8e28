//! How packets reach a real server.

use conf_parser::{Args, Class, Diagnostics, Statement, parse_port, report_missing_parameter};
use serde::{Deserialize, Serialize};

/// The forwarding method of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forwarding {
    /// Addresses are translated.
    Nat,
    /// The frame goes to the server's link-layer address.
    Direct,
    /// The packet goes in another one.
    Tunnel(Tunnel),
}

impl Forwarding {
    /// Whether it is a tunnel. Only those cross address families.
    pub fn is_tunnel(self) -> bool {
        matches!(self, Self::Tunnel(_))
    }
}

/// What a tunnelled packet is wrapped in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The wrapper.
    pub kind: TunnelKind,
    /// Its checksum.
    pub checksum: Checksum,
}

/// The wrapper of a tunnelled packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TunnelKind {
    /// IP.
    #[default]
    Ipip,
    /// Generic UDP encapsulation, to this port.
    Gue(u16),
    /// Generic routing encapsulation.
    Gre,
}

/// The checksum of a wrapper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checksum {
    /// None.
    #[default]
    None,
    /// Over the wrapper.
    Full,
    /// Left to the receiver (remote checksum offload).
    Remote,
}

/// The arguments of the keywords that set a method.
pub(super) const METHOD: Args =
    Args::Words("NAT|DR|TUN [type ipip|gue port 1..65535|gre] [nocsum|csum|remcsum]");

/// Sets `method` from a statement. When the options of a tunnel are wrong, the method is taken without them. `server` is
/// what messages call the server.
pub(super) fn set_method(
    method: &mut Option<Forwarding>,
    server: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    let kept = match *method {
        Some(Forwarding::Tunnel(tunnel)) => tunnel,
        _ => Tunnel::default(),
    };
    let taken = match word.text {
        "NAT" => Forwarding::Nat,
        "DR" => Forwarding::Direct,
        "TUN" => Forwarding::Tunnel(kept),
        other => {
            let text = format!("PARSER : unknown [{other}] routing method for {server} server.");
            return diagnostics.report(Class::GeneralError, word.place, text);
        }
    };
    *method = Some(taken);
    match tunnel(statement, diagnostics) {
        Ok(tunnel) if taken.is_tunnel() => *method = Some(Forwarding::Tunnel(tunnel)),
        Ok(_) => {}
        Err(wrong) => {
            let text = match wrong {
                Wrong::AboutServer(text) => format!("{text} for {server} server."),
                Wrong::PortMissing => format!("Missing port for {server} server gue tunnel."),
                Wrong::Combination(text) => text.to_owned(),
            };
            diagnostics.report(Class::GeneralError, statement.place(), text);
        }
    }
}

enum Wrong {
    AboutServer(String),
    PortMissing,
    Combination(&'static str),
}

fn tunnel(statement: &Statement, diagnostics: &mut Diagnostics) -> Result<Tunnel, Wrong> {
    let mut kind = "ipip";
    let mut port = None;
    let mut checksum = Checksum::None;
    let mut words = statement.args().skip(1);
    while let Some(option) = words.next() {
        match option.text {
            "type" => {
                let word = words.next();
                let word = word.ok_or_else(|| Wrong::AboutServer("Missing tunnel type".into()))?;
                if !matches!(word.text, "ipip" | "gue" | "gre") {
                    let text = format!("Unknown tunnel type {}", word.text);
                    return Err(Wrong::AboutServer(text));
                }
                kind = word.text;
            }
            "port" => {
                let word = words.next().ok_or(Wrong::PortMissing)?;
                let Some(number) = parse_port(word, diagnostics) else {
                    let text = format!("Invalid gue tunnel port {}", word.text);
                    return Err(Wrong::AboutServer(text));
                };
                port = Some(number);
            }
            "nocsum" => checksum = Checksum::None,
            "csum" => checksum = Checksum::Full,
            "remcsum" => checksum = Checksum::Remote,
            other => return Err(Wrong::AboutServer(format!("Invalid tunnel option {other}"))),
        }
    }
    let kind = match (kind, port) {
        ("gue", Some(port)) => TunnelKind::Gue(port),
        ("gre", None) => TunnelKind::Gre,
        ("ipip", None) => TunnelKind::Ipip,
        _ => {
            let text = "gue tunnels require port, otherwise cannot have port.";
            return Err(Wrong::Combination(text));
        }
    };
    match (kind, checksum) {
        (TunnelKind::Ipip, Checksum::Full | Checksum::Remote) => {
            Err(Wrong::Combination("ipip tunnels do not support checksum option."))
        }
        (TunnelKind::Gre, Checksum::Remote) => {
            Err(Wrong::Combination("gre tunnels do not support remote checksum option."))
        }
        _ => Ok(Tunnel { kind, checksum }),
    }
}
