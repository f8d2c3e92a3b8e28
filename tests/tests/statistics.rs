//! Counters of instances, compared with those that the original wrote after the same events.
//!
//! `RECORD=1 KEEPALIVED=…` makes the program write the expected texts (`tests/dumps`) anew.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use lab::{
    Advert, Binary, Captured, Daemon, Dump, Lan, Mark, PATIENCE, await_file, repair, retell,
    send_once,
};
use vrrp::auth::trailer::{self, Binding, Stamp};

/// Who seems to send what we do.
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 77);
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dumps").join(name)
}

/// A dump without the number of adverts that were sent, which grows all the time where any are.
fn masked(text: &str) -> String {
    let mut adverts = false;
    let mut line = |line: &str| {
        adverts = line == "  Advertisements:" || adverts && line.starts_with("    ");
        match line.strip_prefix("    Sent: ") {
            Some(number) if adverts && number != "0" => "    Sent: some\n".to_owned(),
            _ => format!("{line}\n"),
        }
    };
    text.lines().map(&mut line).collect()
}

/// The first advert of a virtual router: the frame, and what it says.
#[track_caller]
fn advert_of(lan: &Lan, daemon: &Daemon, vrid: u8) -> (Vec<u8>, Advert) {
    let own = |captured: &Captured| {
        let advert = captured.frame.advert().filter(|advert| advert.vrid == vrid)?;
        Some((captured.frame.bytes.clone(), advert.clone()))
    };
    let found = lan.capture().frames().wait(Mark::default(), PATIENCE, own);
    found.unwrap_or_else(|| panic!("{vrid} is silent:\n{}", daemon.log_text()))
}

/// Waits until the dump is as recorded.
#[track_caller]
fn compare(name: &str, mut dump: impl FnMut() -> String) {
    let path = recorded(name);
    if std::env::var_os("RECORD").is_some() {
        return fs::write(path, masked(&dump())).expect("the tree can be written to");
    }
    let expected = fs::read_to_string(path).expect("it was recorded");
    let deadline = SystemTime::now() + PATIENCE;
    loop {
        let text = masked(&dump());
        if text == expected {
            return;
        }
        let mut lines = text.lines().zip(expected.lines()).enumerate();
        let differs = lines.find(|(_, (line, wanted))| line != wanted);
        assert!(SystemTime::now() < deadline, "{name}: {differs:?}\n{text}\nis not\n{expected}");
    }
}

/// What is done to the octets of an advert.
type Change = fn(&mut Vec<u8>);

/// An advert of lower priority that is right in all but what `change` does, and has the checksum of what comes of it.
fn told(advert: &Advert, change: Change) -> Vec<u8> {
    retell(advert, STRANGER, |payload| {
        payload[2] = 50;
        change(payload);
        repair(payload, STRANGER);
    })
}

/// Adverts of version 3, with which something is wrong each time but the third.
fn plain(advert: &Advert) -> Vec<Vec<u8>> {
    let changes: [Change; 9] = [
        |payload| payload[0] = 0x21,
        |payload| payload[0] = 0x32,
        |_| {},
        |payload| payload[2] = 0,
        // Other addresses, and fewer.
        |payload| payload[11] = 99,
        |payload| {
            payload.truncate(12);
            payload[3] = 1;
        },
        // Other lengths, which are no matter of padding.
        |payload| payload[3] = 1,
        |payload| payload.extend([7; 40]),
        // Another interval.
        |payload| payload[5] = 20,
    ];
    let mut packets: Vec<Vec<u8>> = changes.iter().map(|change| told(advert, *change)).collect();
    let mut far = told(advert, |_| {});
    far[8] = 254;
    let mut broken = told(advert, |_| {});
    broken[26] ^= 1;
    packets.extend([far, broken]);
    packets
}

/// Adverts of version 2 with a password, with which something is wrong each time but the third.
fn password(advert: &Advert) -> Vec<Vec<u8>> {
    let changes: [Change; 4] =
        [|payload| payload[4] = 0, |payload| payload[4] = 7, |_| {}, |payload| payload[12] = b'x'];
    changes.iter().map(|change| told(advert, *change)).collect()
}

/// Adverts of version 2 without authentication header, and with one that proves nothing.
fn header(frame: &[u8], advert: &Advert) -> Vec<Vec<u8>> {
    let mut forged = frame[14..].to_vec();
    forged[12..16].copy_from_slice(&STRANGER.octets());
    forged[46] = 50;
    vec![told(advert, |_| {}), forged]
}

/// Adverts with a keyed trailer: without it, with each of its fields wrong, and twice the same right one.
fn keyed(advert: &Advert) -> Vec<Vec<u8>> {
    let changes: [Change; 5] = [
        |payload| payload.truncate(12),
        |payload| payload[14] = 1,
        |payload| payload[13] = 9,
        |payload| payload[16] ^= 1,
        |_| {},
    ];
    let mut packets: Vec<Vec<u8>> = changes.iter().map(|change| told(advert, *change)).collect();
    let right = retell(advert, STRANGER, |payload| {
        payload.truncate(12);
        payload[2] = 50;
        repair(payload, STRANGER);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let binding = Binding { version: 3, vrid: advert.vrid, source: IpAddr::from(STRANGER) };
        let trailer = trailer::trailer(1, KEY, binding, Stamp::from_unix(now), payload);
        payload.extend(trailer);
    });
    packets.extend([right.clone(), right]);
    packets
}

#[test]
fn counters_are_those_of_the_original() {
    let lan = Lan::new(2);
    let [node, other] = [0, 1].map(|index| lan.nodes()[index].namespace());
    let config = fs::read_to_string(recorded("statistics.conf")).expect("it is in the tree");
    let mut daemon = Daemon::start_with(&Binary::under_test(), node, &config, &["-P"]);
    for name in ["plain", "password", "header", "keyed", "beaten", "faulty"] {
        daemon.await_log(Mark::default(), &format!("({name}) Entering MASTER STATE"));
    }
    let (frame, advert) = advert_of(&lan, &daemon, 53);
    let mut packets = header(&frame, &advert);
    packets.extend(plain(&advert_of(&lan, &daemon, 51).1));
    packets.extend(password(&advert_of(&lan, &daemon, 52).1));
    packets.extend(keyed(&advert_of(&lan, &daemon, 54).1));
    for packet in packets {
        send_once(other, &packet);
    }
    let mark = daemon.log().mark();
    node.ip("link set inner0 down\n");
    daemon.await_log(mark, "(faulty) Entering FAULT STATE");
    let beaten = advert_of(&lan, &daemon, 55).1;
    for (priority, text) in
        [(200, "(beaten) Entering BACKUP STATE"), (0, "(beaten) Entering MASTER STATE")]
    {
        let mark = daemon.log().mark();
        let packet = retell(&beaten, STRANGER, |payload| {
            payload[2] = priority;
            repair(payload, STRANGER);
        });
        send_once(other, &packet);
        daemon.await_log(mark, text);
    }
    compare("statistics.stats", || daemon.dump(Dump::Statistics));

    // They are shown once more before they begin anew.
    let path = daemon.dump_path(Dump::Statistics);
    let _ = fs::remove_file(&path);
    let mark = daemon.log().mark();
    lab::run("kill", &["-63", &daemon.process().pid().to_string()]);
    daemon.await_log(mark, "Printing and clearing VRRP stats for process(");
    let cleared = await_file(&path, |text| text.ends_with('\n').then(|| text.to_owned()));
    assert_eq!(
        masked(&cleared),
        fs::read_to_string(recorded("statistics.stats")).expect("it is there")
    );
    let frames = lan.capture().frames();
    let mark = frames.mark();
    for vrid in [51, 52, 53, 54, 55] {
        let sent = frames.wait(mark, PATIENCE, |captured| {
            captured.frame.advert().filter(|advert| advert.vrid == vrid).map(drop)
        });
        assert!(sent.is_some(), "{vrid} is silent:\n{}", daemon.log_text());
    }
    compare("statistics-cleared.stats", || daemon.dump(Dump::Statistics));
    assert!(daemon.stop().success());
}
