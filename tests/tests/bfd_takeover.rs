//! The extension `bfd_takeover`: a backup that learns by BFD that its master is gone does not wait for adverts.

mod better_than_the_original {
    use std::time::{Duration, SystemTime};

    use lab::{Binary, Daemon, Lan, Mark, PATIENCE};
    use nix::sys::signal::Signal;

    fn session(name: &str, own: u8, other: u8) -> String {
        format!(
            "bfd_instance {name} {{
    neighbor_ip 10.9.0.{other}
    source_ip 10.9.0.{own}
    min_rx 50
    min_tx 50
    multiplier 6
}}\n"
        )
    }

    fn instance(priority: u8, takeover: &str) -> String {
        router("web", 51, priority, "1", takeover)
    }

    /// A virtual router with an address whose last byte is 49 more than its number.
    fn router(name: &str, vrid: u8, priority: u8, interval: &str, takeover: &str) -> String {
        format!(
            "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    version 3
    priority {priority}
    advert_int {interval}
{takeover}
    virtual_ipaddress {{
        10.9.0.{}/24
    }}
}}\n",
            vrid + 49
        )
    }

    fn start(lan: &Lan, node: usize, config: &str) -> Daemon {
        Daemon::start(&Binary::under_test(), lan.nodes()[node].namespace(), config)
    }

    /// Waits until the session `name` is up, and would fall as soon as it is to.
    #[track_caller]
    fn await_session(daemon: &Daemon, name: &str) {
        daemon.await_log(Mark::default(), &format!("({name}) Entering Up state"));
        daemon.await_log(Mark::default(), "Detection time is 300000 us");
    }

    fn await_master(lan: &Lan, node: usize) {
        let address = ["10.9.0.100".parse().expect("it is one")];
        assert!(lan.nodes()[node].addresses().wait(&address, true, PATIENCE), "node {}", node + 1);
    }

    /// When the address was last added at `node`.
    fn added(lan: &Lan, node: usize) -> SystemTime {
        let address: std::net::IpAddr = "10.9.0.100".parse().expect("it is one");
        let events = lan.nodes()[node].addresses().events().all();
        let added = events.iter().rev().find(|event| event.address == address && event.present);
        added.expect("it was added").at
    }

    #[test]
    fn the_only_backup_takes_over_at_once() {
        let mut took: Vec<Duration> = (0..3).map(|_| takeover()).collect();
        println!("address on the backup after {took:?}");
        took.sort_unstable();
        assert!(took[1] < Duration::from_millis(650), "{took:?}");
    }

    /// How long after the death of its master a backup has the address.
    fn takeover() -> Duration {
        let lan = Lan::new(2);
        let mut master = start(&lan, 0, &(session("backup", 1, 2) + &instance(150, "")));
        await_master(&lan, 0);
        let takeover = "    bfd_takeover master only_backup";
        let backup = start(&lan, 1, &(session("master", 2, 1) + &instance(100, takeover)));
        await_session(&backup, "master");
        backup.await_log(Mark::default(), "(web) master set to 10.9.0.1");
        let mark = backup.log().mark();
        let killed = SystemTime::now();
        master.kill();
        backup.await_log(mark, "(web) 10.9.0.1 is silent for BFD");
        await_master(&lan, 1);
        added(&lan, 1).duration_since(killed).unwrap_or_default()
    }

    #[test]
    fn of_two_backups_the_better_one_takes_over_after_its_skew_time() {
        let lan = Lan::new(3);
        let mut master = start(
            &lan,
            0,
            &(session("second", 1, 2) + &session("third", 1, 3) + &instance(250, "")),
        );
        await_master(&lan, 0);
        let backups = [(1, 2, 200), (2, 3, 50)].map(|(node, own, priority)| {
            let config = session("master", own, 1) + &instance(priority, "    bfd_takeover master");
            let daemon = start(&lan, node, &config);
            await_session(&daemon, "master");
            daemon.await_log(Mark::default(), "(web) master set to 10.9.0.1");
            daemon
        });
        let marks = backups.each_ref().map(|daemon| daemon.log().mark());
        let killed = SystemTime::now();
        master.kill();
        let line = backups[0].await_log(marks[0], "(web) Entering MASTER STATE");
        backups[1].await_log(marks[1], "(web) master changed from 10.9.0.1 to 10.9.0.2");
        let took = line.at.duration_since(killed).unwrap_or_default();
        // 300 ms to notice, and 56/256 of a second to leave the way to better ones.
        assert!(took < Duration::from_millis(850), "{took:?}");
        assert!(took > Duration::from_millis(368), "{took:?}");
        let log = backups[1].log().since(marks[1]);
        assert!(log.iter().all(|line| !line.text.contains("Entering MASTER")));
    }

    #[test]
    fn whoever_still_speaks_is_still_master() {
        let lan = Lan::new(2);
        let master = start(&lan, 0, &(session("backup", 1, 2) + &instance(150, "")));
        await_master(&lan, 0);
        let backup =
            start(&lan, 1, &(session("master", 2, 1) + &instance(100, "    bfd_takeover master")));
        await_session(&backup, "master");
        backup.await_log(Mark::default(), "(web) master set to 10.9.0.1");
        // The session is taken down in an orderly way: the master has nothing but VRRP from now on.
        let mark = backup.log().mark();
        master.reload(&instance(150, ""));
        backup.await_log(mark, "(master) Entering Down state");
        let frames = lan.capture().frames();
        let since = frames.mark();
        let mut count = 0;
        frames.wait(since, PATIENCE, |captured| {
            count += usize::from(captured.frame.advert().is_some());
            (count == 2).then_some(())
        });
        let log = backup.log().since(mark);
        assert!(log.iter().all(|line| !line.text.contains("MASTER")), "{}", backup.log_text());
    }

    /// Both instances of a node, of which only the first has a hint.
    fn with_and_without(own: u8, other: u8, priority: u8, takeover: &str) -> String {
        session("other", own, other)
            + &router("hinted", 51, priority, "0.2", takeover)
            + &router("plain", 52, priority, "0.2", "")
    }

    fn entering(name: &str, state: &str) -> String {
        format!("({name}) Entering {state} STATE")
    }

    fn never(daemon: &Daemon, mark: Mark, text: &str) {
        let log = daemon.log().since(mark);
        assert!(log.iter().all(|line| !line.text.contains(text)), "{}", daemon.log_text());
    }

    /// A master and its backup, which has the hint that there is no other.
    fn master_and_backup(lan: &Lan) -> [Daemon; 2] {
        let master = start(lan, 0, &with_and_without(1, 2, 150, ""));
        await_master(lan, 0);
        let takeover = "    bfd_takeover other only_backup";
        let backup = start(lan, 1, &with_and_without(2, 1, 100, takeover));
        for name in ["hinted", "plain"] {
            backup.await_log(Mark::default(), &format!("({name}) master set to 10.9.0.1"));
        }
        await_session(&backup, "other");
        [master, backup]
    }

    #[test]
    fn a_cut_ends_as_without_the_hint() {
        let lan = Lan::new(2);
        let [master, backup] = master_and_backup(&lan);
        let marks = [master.log().mark(), backup.log().mark()];
        lan.cut(1);
        // Each side takes the other for dead, with the hint only sooner.
        for name in ["hinted", "plain"] {
            backup.await_log(marks[1], &entering(name, "MASTER"));
        }
        let mended = backup.log().mark();
        lan.mend(1);
        for name in ["hinted", "plain"] {
            backup.await_log(mended, &entering(name, "BACKUP"));
        }
        backup.await_log(mended, "(other) Entering Up state");
        never(&master, marks[0], "STATE");
        never(&backup, mended, "Entering MASTER");
        let addresses = ["10.9.0.100", "10.9.0.101"].map(|text| text.parse().expect("it is one"));
        assert!(lan.nodes()[1].addresses().wait(&addresses, false, PATIENCE));
        assert_eq!(lan.nodes()[0].holds(&addresses), addresses);
    }

    #[test]
    fn a_fall_that_is_our_own_fault_makes_no_master() {
        let lan = Lan::new(2);
        let [master, backup] = master_and_backup(&lan);
        let begun = master.log().mark();
        // Our own link.
        let mark = backup.log().mark();
        lan.nodes()[1].link_down();
        for name in ["hinted", "plain"] {
            backup.await_log(mark, &entering(name, "FAULT"));
        }
        backup.await_log(mark, "(other) Entering Down state");
        lan.nodes()[1].link_up();
        for name in ["hinted", "plain"] {
            backup.await_log(mark, &entering(name, "BACKUP"));
        }
        backup.await_log(mark, "(other) Entering Up state");
        never(&backup, mark, "Entering MASTER");
        // We were not run: by the time that we hear of the silence it is over.
        let vrrp = backup.vrrp().expect("it runs");
        let mark = backup.log().mark();
        vrrp.signal(Signal::SIGSTOP);
        lan.cut(1);
        backup.await_log(mark, "(other) Entering Down state");
        lan.mend(1);
        backup.await_log(mark, "(other) Entering Up state");
        adverts(&lan, 2);
        vrrp.signal(Signal::SIGCONT);
        backup.await_log(mark, "Received BFD event: instance other is in state Down");
        backup.await_log(mark, "Received BFD event: instance other is in state Up");
        adverts(&lan, 4);
        never(&backup, mark, "is silent for BFD");
        never(&master, begun, "BACKUP STATE");
    }

    /// Lets time pass until there are so many adverts more, five in a second.
    fn adverts(lan: &Lan, wanted: usize) {
        let frames = lan.capture().frames();
        let mut count = 0;
        frames.wait(frames.mark(), PATIENCE, |captured| {
            count += usize::from(captured.frame.advert().is_some_and(|advert| advert.vrid == 52));
            (count == wanted).then_some(())
        });
    }

    #[test]
    fn of_two_that_both_believe_to_be_the_only_backup_one_stays_master() {
        let lan = Lan::new(3);
        let watched = session("second", 1, 2) + &session("third", 1, 3);
        let mut master = start(&lan, 0, &(watched + &router("web", 51, 150, "0.2", "")));
        await_master(&lan, 0);
        let takeover = "    bfd_takeover master only_backup";
        let backups = [(1, 2, 120), (2, 3, 100)].map(|(node, own, priority)| {
            let config = session("master", own, 1) + &router("web", 51, priority, "0.2", takeover);
            let daemon = start(&lan, node, &config);
            await_session(&daemon, "master");
            daemon.await_log(Mark::default(), "(web) master set to 10.9.0.1");
            daemon
        });
        let marks = backups.each_ref().map(|daemon| daemon.log().mark());
        master.kill();
        backups[0].await_log(marks[0], &entering("web", "MASTER"));
        // It may have heard of the other one only as a master itself.
        let yields =
            ["changed from 10.9.0.1 to 10.9.0.2", "received advert from 10.9.0.2 with higher"];
        let heard = backups[1].log().wait(marks[1], PATIENCE, |line| {
            yields.iter().any(|what| line.text.contains(what)).then_some(())
        });
        assert!(heard.is_some(), "{}", backups[1].log_text());
        let address = ["10.9.0.100".parse().expect("it is one")];
        assert!(lan.nodes()[2].addresses().wait(&address, false, PATIENCE));
        await_master(&lan, 1);
        never(&backups[0], marks[0], &entering("web", "BACKUP"));
        // From here on it is an election as any other.
        let settled = backups[1].log().mark();
        let frames = lan.capture().frames();
        let mut count = 0;
        frames.wait(frames.mark(), PATIENCE, |captured| {
            count += usize::from(lan.sender(captured) == Some(1));
            (count == 5).then_some(())
        });
        never(&backups[1], settled, "Entering MASTER");
    }

    #[test]
    fn a_session_that_there_is_not_is_complained_of() {
        let lan = Lan::new(1);
        let daemon = start(&lan, 0, &instance(100, "    bfd_takeover nobody"));
        daemon.await_log(Mark::default(), "(web) bfd_takeover nobody not found, ignoring...");
        daemon.await_log(Mark::default(), "(web) Entering MASTER STATE");
    }
}
