//! tshark as the judge of captured frames.

use crate::{Capture, Scratch, run};

/// Lets tshark read what was captured and returns its complaints: malformed frames and wrong checksums, of VRRP, IP,
/// ARP and ICMPv6. Also returns how many VRRP frames it found.
pub fn judge(capture: &Capture) -> (usize, Vec<String>) {
    let scratch = Scratch::new();
    let path = scratch.path().join("capture.pcap");
    capture.write(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = path.to_str().expect("our paths are plain");
    let bad = "_ws.malformed || vrrp.checksum.status == 0 || ip.checksum.status == 0 || icmpv6.checksum.status == 0";
    let arguments = ["-n", "-r", file, "-o", "ip.check_checksum:TRUE", "-Y"];
    let shown = [
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "frame.protocols",
        "-e",
        "vrrp.checksum.status",
    ];
    let filter = format!("vrrp || {bad}");
    let listed = run("tshark", &[&arguments[..], &[filter.as_str()], &shown[..]].concat());
    let count = listed.lines().filter(|line| line.contains("vrrp")).count();
    let suspect = |line: &&str| {
        let mut fields = line.split('\t').skip(1);
        let vrrp = fields.next().is_some_and(|protocols| protocols.contains("vrrp"));
        !vrrp || fields.next() != Some("1")
    };
    (count, listed.lines().filter(suspect).map(str::to_owned).collect())
}
