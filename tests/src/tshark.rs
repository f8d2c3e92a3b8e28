//! tshark as the judge of captured frames.

use crate::{Capture, Scratch, run};

/// What routers say. A node without a router answers adverts with ICMP errors, which quote them.
const FILTER: &str = "(vrrp || arp || icmpv6) && !icmp";

/// Lets tshark read what was captured. Returns how many VRRP frames it found, and its complaints: malformed frames and
/// wrong checksums of VRRP, IP and ICMPv6. `checksum` is `false` where tshark cannot know how the adverts' checksums
/// were made.
pub fn judge(capture: &Capture, checksum: bool) -> (usize, Vec<String>) {
    let scratch = Scratch::new();
    let path = scratch.path().join("capture.pcap");
    capture.write(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = path.to_str().expect("our paths are plain");
    let mut arguments = vec!["-n", "-r", file, "-o", "ip.check_checksum:TRUE", "-Y", FILTER];
    arguments.extend(["-T", "fields"]);
    let fields =
        ["vrrp.checksum.status", "ip.checksum.status", "icmpv6.checksum.status", "_ws.malformed"];
    for field in ["frame.number", "frame.protocols"].iter().chain(&fields) {
        arguments.extend(["-e", field]);
    }
    let listed = run("tshark", &arguments);
    let is_vrrp = |line: &&str| line.contains(":vrrp");
    let suspect = |line: &&str| {
        let columns: Vec<&str> = line.split('\t').skip(2).collect();
        let [vrrp, ip, icmpv6, malformed] = columns[..] else { return true };
        let wrong = |status: &str| !status.is_empty() && status != "1" && status != "Good";
        (checksum && (wrong(vrrp) || (is_vrrp(line) && vrrp.is_empty())))
            || wrong(ip)
            || wrong(icmpv6)
            || !malformed.is_empty()
    };
    let complaints = listed.lines().filter(suspect).map(str::to_owned).collect();
    (listed.lines().filter(is_vrrp).count(), complaints)
}

/// As [`judge`], of the packets of BFD sessions: how many there are, and what is malformed about them.
pub fn judge_sessions(capture: &Capture) -> (usize, Vec<String>) {
    let scratch = Scratch::new();
    let path = scratch.path().join("capture.pcap");
    capture.write(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = path.to_str().expect("our paths are plain");
    // Port 3785 has no dissector of its own: an echo packet means something to its sender only.
    let filter = "(bfd || bfd_echo) && !icmp && !icmpv6";
    let mut arguments = vec!["-n", "-r", file, "-Y", filter, "-T", "fields"];
    let fields = ["frame.number", "frame.protocols", "_ws.malformed", "_ws.expert.message"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    let listed = run("tshark", &arguments);
    // A port that a session was given by chance may be one that traceroute uses as well.
    let harmless = |column: &str| column.is_empty() || column.starts_with("Possible traceroute");
    let suspect = |line: &&str| !line.split('\t').skip(2).all(harmless);
    (listed.lines().count(), listed.lines().filter(suspect).map(str::to_owned).collect())
}
