//! BFD beyond the original: authentication, demand mode, the echo function and profiles.

mod better_than_the_original {
    use std::net::IpAddr;
    use std::time::{Duration, Instant, SystemTime};

    use lab::bfd::{idle_instance, session};
    use lab::{Binary, Bird, Control, Daemon, Frr, Lan, Mark, Namespace, PATIENCE, judge_sessions};

    const UP: &str = "(other) Entering Up state";
    const DOWN: &str = "(other) Entering Down state";
    /// What a session that is not to fall has in its block: it is no matter how soon it would.
    const PATIENT: &str = "multiplier 10\n";
    const FINAL: u8 = 0x10;
    const DEMAND: u8 = 0x02;

    fn ends(is_v6: bool) -> [IpAddr; 2] {
        let ends = if is_v6 { ["fd00:9::1", "fd00:9::2"] } else { ["10.9.0.1", "10.9.0.2"] };
        ends.map(|text| text.parse().expect("it is an address"))
    }

    fn start(lan: &Lan, node: usize, ends: [IpAddr; 2], more: &str) -> Daemon {
        let config = session("other", ends, more) + &idle_instance(51);
        Daemon::start(&Binary::under_test(), lan.nodes()[node].namespace(), &config)
    }

    fn say(daemon: &Daemon, mark: Mark, text: &str) -> bool {
        daemon.log().since(mark).iter().any(|line| line.text.contains(text))
    }

    /// Lets a second pass on the wire: until a packet of the first node leaves a second after the first one.
    fn one_second(lan: &Lan, mark: Mark) {
        let mut first = None;
        let passed = lan.capture().frames().wait(mark, PATIENCE, |captured| {
            if lan.sender(captured) != Some(0) {
                return None;
            }
            let since = captured.at.duration_since(*first.get_or_insert(captured.at)).ok()?;
            (since > Duration::from_secs(1)).then_some(())
        });
        assert!(passed.is_some(), "the first node is silent");
    }

    /// With BIRD, over IPv4: `name` there and `kind` here.
    fn authenticate(name: &str, kind: &str) {
        let lan = Lan::new(2);
        let [own, other] = ends(false);
        let second = lan.nodes()[1].namespace();
        let more = format!(
            "multiplier 10;\nauthentication {name};\npassword \"old secret\" {{ id 1; }};\npassword \"secret\" {{ id 2; }};"
        );
        let bird = Bird::start(second, [other, own], 50, &more);
        // One that does not know the secret is not heard, and hears nobody.
        let wrong = format!("{PATIENT}    auth_type {kind}\n    auth_key 2 wrong");
        let daemon = start(&lan, 0, [own, other], &wrong);
        let auth_failed = " (authentication ";
        daemon.await_log(Mark::default(), auth_failed);
        assert!(!say(&daemon, Mark::default(), "Entering Up"));
        let mark = daemon.log().mark();
        // BIRD signs with the first of its keys, and so do we, with another one.
        let right = format!(
            "{PATIENT}    auth_type {kind}\n    auth_key 2 secret\n    auth_key 1 \"old secret\""
        );
        drop(daemon);
        let daemon = start(&lan, 0, [own, other], &right);
        daemon.await_log(Mark::default(), UP);
        bird.await_up(true);
        let frames = lan.capture().frames().mark();
        one_second(&lan, frames);
        assert!(!say(&daemon, mark, DOWN), "{}", daemon.log_text());
        assert!(!say(&daemon, mark, "Discarding"), "{}", daemon.log_text());
        let (count, complaints) = judge_sessions(lan.capture());
        assert!(count > 20, "{count} packets");
        assert_eq!(complaints, [""; 0]);
        // Without authentication nobody gets in.
        let mark = daemon.log().mark();
        bird.ask(&["disable", "bfd1"]);
        daemon.await_log(mark, DOWN);
        let _open = Bird::start(second, [other, own], 50, "");
        daemon.await_log(mark, "(auth bit is clear, but authentication is in use)");
    }

    #[test]
    fn bird_is_believed_by_its_password() {
        authenticate("simple", "simple");
    }

    #[test]
    fn bird_is_believed_by_its_keyed_md5() {
        authenticate("keyed md5", "keyed_md5");
    }

    #[test]
    fn bird_is_believed_by_its_meticulous_keyed_md5() {
        authenticate("meticulous keyed md5", "meticulous_keyed_md5");
    }

    #[test]
    fn bird_is_believed_by_its_keyed_sha1() {
        authenticate("keyed sha1", "keyed_sha1");
    }

    #[test]
    fn bird_is_believed_by_its_meticulous_keyed_sha1() {
        authenticate("meticulous keyed sha1", "meticulous_keyed_sha1");
    }

    #[test]
    fn keys_change_without_a_fall() {
        let lan = Lan::new(2);
        let [own, other] = ends(true);
        let keys = |keys: &[&str]| {
            let lines: String = keys.iter().map(|key| format!("    auth_key {key}\n")).collect();
            format!("{PATIENT}    auth_type meticulous_keyed_sha1\n{lines}")
        };
        let first = start(&lan, 0, [own, other], &keys(&["1 old"]));
        let second = start(&lan, 1, [other, own], &keys(&["1 old"]));
        for daemon in [&first, &second] {
            daemon.await_log(Mark::default(), UP);
        }
        let text = std::fs::read_to_string(first.config()).expect("it is there");
        let other_text = std::fs::read_to_string(second.config()).expect("it is there");
        let old = keys(&["1 old"]);
        for (daemon, text, with) in [
            (&first, &text, ["1 old", "2 hex:6e6577"].as_slice()),
            (&second, &other_text, &["2 new", "1 old"]),
            (&first, &text, &["2 new"]),
            (&second, &other_text, &["2 new"]),
        ] {
            let mark = daemon.log().mark();
            daemon.reload(&text.replace(&old, &keys(with)));
            daemon.await_log(mark, "Reload complete");
            one_second(&lan, lan.capture().frames().mark());
        }
        for daemon in [&first, &second] {
            assert!(!say(daemon, Mark::default(), DOWN), "{}", daemon.log_text());
        }
    }

    #[test]
    fn one_that_is_asked_to_be_silent_is_polled() {
        let lan = Lan::new(2);
        let [own, other] = ends(false);
        let bird = Bird::start(lan.nodes()[1].namespace(), [other, own], 50, "multiplier 10;");
        let daemon = start(&lan, 0, [own, other], "demand 400");
        daemon.await_log(Mark::default(), UP);
        bird.await_up(true);
        let frames = lan.capture().frames();
        // Whatever was on its way has arrived by then.
        one_second(&lan, frames.mark());
        let mark = frames.mark();
        one_second(&lan, mark);
        let mut answers = 0;
        for captured in frames.since(mark) {
            let Some(said) = Control::read(&captured.frame.bytes) else { continue };
            if lan.sender(&captured) == Some(1) {
                assert_eq!(said.flags & FINAL, FINAL, "it was to be silent");
                answers += 1;
            } else {
                assert_eq!(said.flags & DEMAND, DEMAND);
            }
        }
        assert!((1..=4).contains(&answers), "{answers} polls in a second");
        let mark = daemon.log().mark();
        let died = SystemTime::now();
        drop(bird);
        let noticed = daemon.await_log(mark, DOWN);
        let noticed = noticed.at.duration_since(died).unwrap_or_default();
        // Until the next poll, and a detection time.
        assert!(noticed < Duration::from_millis(400 + 150 + 400), "{noticed:?}");
    }

    /// Makes a node send back what is for others.
    fn reflect(node: &Namespace) {
        for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            node.sysctl(setting, "1");
        }
        for interface in ["all", "eth0"] {
            node.sysctl(&format!("ipv4/conf/{interface}/rp_filter"), "0");
        }
    }

    /// Drops echo packets on the way through a node.
    fn swallow_echoes(node: &Namespace) {
        let rules = "table inet swallow {
    chain forward {
        type filter hook forward priority 0
        udp dport 3785 drop
    }
}";
        lab::run("ip", &["netns", "exec", node.name(), "nft", rules]);
    }

    /// The session stays up while echoes come back, and falls when only they stay away.
    fn echoes_are_missed(lan: &Lan, daemon: &Daemon) {
        daemon.await_log(Mark::default(), UP);
        let mark = lan.capture().frames().mark();
        let mut seen = [0; 2];
        let came_back = lan.capture().frames().wait(mark, PATIENCE, |captured| {
            let bytes = &captured.frame.bytes;
            let port_at = if bytes.get(12) == Some(&0x86) { 56 } else { 36 };
            if bytes.get(port_at..port_at + 2) == Some(&3785_u16.to_be_bytes()) {
                seen[lan.sender(captured)?] += 1;
            }
            (seen[0] > 20 && seen[1] > 20).then_some(())
        });
        assert!(came_back.is_some(), "{seen:?} echo packets\n{}", daemon.log_text());
        let (_, complaints) = judge_sessions(lan.capture());
        assert_eq!(complaints, [""; 0]);
        assert!(!say(daemon, Mark::default(), DOWN), "{}", daemon.log_text());
        let mark = daemon.log().mark();
        swallow_echoes(lan.nodes()[1].namespace());
        let line = daemon.await_log(mark, DOWN);
        assert!(line.text.contains("Echo Function Failed"), "{}", line.text);
    }

    #[test]
    fn frr_reflects_echoes() {
        let lan = Lan::new(2);
        let [own, other] = ends(false);
        let second = lan.nodes()[1].namespace();
        reflect(second);
        let _frr = Frr::start(
            second,
            [other, own],
            300,
            "  echo receive-interval 20\n  detect-multiplier 10",
        );
        let daemon = start(&lan, 0, [own, other], "echo_tx 20\n    multiplier 25");
        echoes_are_missed(&lan, &daemon);
    }

    #[test]
    fn echoes_of_frr_are_reflected() {
        let lan = Lan::new(2);
        let [own, other] = ends(false);
        let [first, second] = [0, 1].map(|node: usize| lan.nodes()[node].namespace());
        reflect(first);
        let more = "  echo-mode\n  echo transmit-interval 20\n  detect-multiplier 10";
        let frr = Frr::start(second, [other, own], 300, more);
        // Echoes are missed by FRR when as many stay away as our multiplier says, not its own.
        let daemon = start(&lan, 0, [own, other], "echo_rx 20\n    multiplier 50");
        daemon.await_log(Mark::default(), UP);
        // Those that are on their way are not counted yet.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counted = frr.counters();
            let count = |way: &str| counted[format!("echo-packet-{way}put")].as_u64().unwrap_or(0);
            if count("in") > 20 && count("out").saturating_sub(count("in")) < 5 {
                break;
            }
            assert!(Instant::now() < deadline, "{counted}");
            one_second(&lan, lan.capture().frames().mark());
        }
        assert!(!say(&daemon, Mark::default(), DOWN), "{}", daemon.log_text());
        // When only they stay away, it says so.
        let mark = daemon.log().mark();
        swallow_echoes(first);
        let line = daemon.await_log(mark, DOWN);
        assert!(line.text.contains("Remote diagnostic - Echo Function Failed"), "{}", line.text);
    }

    #[test]
    fn this_machine_reflects_echoes() {
        let lan = Lan::new(2);
        let [own, other] = ends(true);
        let second = lan.nodes()[1].namespace();
        reflect(second);
        let _second = start(&lan, 1, [other, own], "echo_rx 20\n    multiplier 40");
        let daemon = start(&lan, 0, [own, other], "echo_tx 10\n    multiplier 50");
        echoes_are_missed(&lan, &daemon);
    }

    #[test]
    fn sessions_share_the_values_of_a_profile() {
        let lan = Lan::new(1);
        let namespace = lan.nodes()[0].namespace();
        for last in [101, 102] {
            let neighbour = format!("10.9.0.{last} lladdr 02:00:00:00:00:ff dev eth0");
            namespace.ip(&format!("neigh add {neighbour} nud permanent\n"));
        }
        let config = format!(
            "bfd_profile fast {{
    min_rx 30
    multiplier 9
    ttl 250
}}
bfd_instance first {{
    neighbor_ip 10.9.0.101
    profile fast
}}
bfd_instance second {{
    multiplier 4
    profile fast
    neighbor_ip 10.9.0.102
}}\n{}",
            idle_instance(51)
        );
        let _daemon = Daemon::start(&Binary::under_test(), namespace, &config);
        for (to, multiplier) in [(101, 9), (102, 4)] {
            let said = lan.capture().frames().wait(Mark::default(), PATIENCE, |captured| {
                let said = Control::read(&captured.frame.bytes)?;
                (said.destination == IpAddr::from([10, 9, 0, to])).then_some(said)
            });
            let said = said.expect("it is sent");
            assert_eq!((said.multiplier, said.min_rx, said.ttl), (multiplier, 30_000, 250));
        }
    }
}
