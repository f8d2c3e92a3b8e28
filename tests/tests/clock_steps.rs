//! Steps of the wall clock, on the virtual machine: it has one of its own.

use std::net::IpAddr;

use lab::bfd::session;
use lab::{Binary, Control, Float, Lan, Mark, PATIENCE, Pair, on_machine, run};

/// A master or a backup that would act within a detection time if the session fell.
fn config(own: u8, priority: u8) -> String {
    let ends = [own, 3 - own].map(|last| IpAddr::from([10, 9, 0, last]));
    session("other", ends, "multiplier 5")
        + &format!(
            "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.2
    track_bfd {{
        other
    }}
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
        )
}

/// Waits for twice a detection time of packets from each side, and for more adverts than a backup may miss.
fn await_traffic(lan: &Lan, float: &Float, mark: Mark) {
    let (mut packets, mut adverts) = ([0; 2], [0; 2]);
    let all = lan.capture().frames().wait(mark, PATIENCE, |captured| {
        let from = lan.sender(captured)?;
        packets[from] += usize::from(Control::read(&captured.frame.bytes).is_some());
        adverts[from] += usize::from(float.advert(&captured.frame).is_some());
        (packets.iter().all(|&count| count >= 10) && adverts[0] >= 4).then_some(())
    });
    assert!(all.is_some(), "{packets:?} packets of BFD, {adverts:?} adverts");
    assert_eq!(adverts[1], 0, "the backup has sent adverts");
}

#[test]
fn sessions_and_masters_stay_when_the_clock_is_set() {
    on_machine("sessions_and_masters_stay_when_the_clock_is_set", || {
        let binaries = [Binary::under_test(), Binary::under_test()];
        let mut pair = Pair::new(binaries, [config(1, 150), config(2, 100)]);
        let float = Float::new(51, &["10.9.0.100"]);
        for node in [0, 1] {
            pair.start(node);
        }
        for node in [0, 1] {
            pair.daemon(node).await_log(Mark::default(), "(other) Entering Up state");
            pair.daemon(node).await_log(Mark::default(), "Detection time is 250000 us");
        }
        pair.await_master(&float, 0);
        let frames = pair.lan().capture().frames();
        await_traffic(pair.lan(), &float, frames.mark());
        let logs = [0, 1].map(|node| pair.daemon(node).log().mark());
        for step in ["+1 hour", "-2 hours", "+1 hour"] {
            let mark = frames.mark();
            run("date", &["--set", step]);
            await_traffic(pair.lan(), &float, mark);
        }
        for (node, mark) in logs.into_iter().enumerate() {
            let log = pair.daemon(node).log().since(mark);
            assert!(log.iter().all(|line| !line.text.contains("Entering")), "{}", pair.logs());
        }
    });
}
