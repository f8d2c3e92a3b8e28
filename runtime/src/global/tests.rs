//! What the keywords make of the text, against 2.4.3.

use std::net::Ipv4Addr;
use std::time::Duration;

use conf_parser::{Class, Diagnostics, Options, parse_text};

use super::*;

/// Loads `text`; the diagnostics are those of a test of the configuration.
fn loaded(text: &str) -> (Global, Diagnostics) {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    let global = load(&statements, &mut diagnostics);
    (global, diagnostics)
}

/// Loads the settings of a `global_defs` block.
fn defs(settings: &str) -> (Global, Diagnostics) {
    loaded(&format!("global_defs {{\n{settings}\n}}\n"))
}

/// The settings, of which nothing is to be said.
fn good(settings: &str) -> Global {
    let (global, diagnostics) = defs(settings);
    assert_eq!(messages(&diagnostics), [""; 0], "{settings}");
    global
}

fn messages(diagnostics: &Diagnostics) -> Vec<&str> {
    diagnostics.items().iter().map(|item| item.message.as_str()).collect()
}

/// What is said of one setting.
fn said(setting: &str) -> Vec<(Class, String)> {
    let (_, diagnostics) = defs(setting);
    diagnostics.items().iter().map(|item| (item.class, item.message.clone())).collect()
}

#[test]
fn nothing_said_is_all_defaults() {
    let (mut global, diagnostics) = loaded("");
    assert_eq!(messages(&diagnostics), [""; 0]);
    // The account depends on the machine.
    global.scripts.account = None;
    assert_eq!(global, Global::default());
    assert_eq!(global.vrrp.multicast4, Ipv4Addr::new(224, 0, 0, 18));
    assert_eq!(global.vrrp.garp.master_delay, Duration::from_secs(5));
    assert_eq!(global.processes.vrrp.realtime_limit, Some(Duration::from_millis(10)));
}

#[test]
fn blocks_add_up() {
    let (global, _) = loaded("global_defs {\nrouter_id a\n}\nglobal_defs {\nvrrp_strict\n}\n");
    assert_eq!(global.mail.router_id.as_deref(), Some("a"));
    assert!(global.vrrp.strict);
}

#[test]
fn a_namespace_or_an_instance_has_a_pid_directory() {
    assert!(loaded("net_namespace blue").0.processes.use_pid_dir);
    assert!(loaded("instance one").0.processes.use_pid_dir);
    assert!(!loaded("net_namespace_ipvs blue").0.processes.use_pid_dir);
    let (global, diagnostics) = loaded("instance one\ninstance two");
    assert_eq!(global.processes.instance.as_deref(), Some("one"));
    assert_eq!(messages(&diagnostics), ["Duplicate instance definition two - ignoring"]);
    let (global, _) = loaded("net_namespace_ipvs");
    assert_eq!(global.processes.ipvs_namespace, Some(IpvsNamespace::Default));
}

#[test]
fn real_time_priorities_are_clamped() {
    let (global, diagnostics) =
        defs("vrrp_rt_priority 0\nbfd_rt_priority 100\nchecker_rt_priority 7");
    let Processes { vrrp, checker, bfd, .. } = global.processes;
    assert_eq!([vrrp.realtime, checker.realtime, bfd.realtime], [Some(1), Some(7), Some(99)]);
    assert_eq!(
        messages(&diagnostics),
        [
            "vrrp process real-time priority 0 less than minimum 1 - setting to minimum",
            "bfd process real-time priority 100 greater than maximum 99 - setting to maximum",
        ]
    );
}

#[test]
fn a_limit_of_one_microsecond_becomes_two() {
    let limit = good("vrrp_rlimit_rttime 1").processes.vrrp.realtime_limit;
    assert_eq!(limit, Some(Duration::from_micros(2)));
}

#[test]
fn a_refused_limit_leaves_the_one_before() {
    let (global, diagnostics) = defs("bfd_rlimit_rttime 0");
    assert_eq!(global.processes.bfd.realtime_limit, Some(Duration::from_millis(10)));
    assert_eq!(messages(&diagnostics).last(), Some(&"Invalid bfd real-time limit - 0"));
}

#[test]
fn a_bad_word_stands_in_its_own_place() {
    let text = "Invalid value '2' for global vrrp_owner_ignore_adverts specified".to_owned();
    assert_eq!(said("vrrp_owner_ignore_adverts 2"), [(Class::GeneralError, text)]);
}

#[test]
fn a_bad_cpu_empties_the_set() {
    assert_eq!(good("vrrp_cpu_affinity 0 0").processes.vrrp.cpus, [0]);
    let (global, _) = defs("vrrp_cpu_affinity 0\nvrrp_cpu_affinity 0 999999");
    assert_eq!(global.processes.vrrp.cpus, [0_u16; 0]);
}

#[test]
fn a_mask_is_a_number_in_c_notation_or_names_of_bits() {
    let mask = |given: &str| defs(&format!("umask {given}")).0.processes.umask;
    assert_eq!(mask("0177"), Some(0o177));
    assert_eq!(mask("0x3f"), Some(0x3f));
    assert_eq!(mask("63"), Some(63));
    assert_eq!(mask("IXUSR|IRWXG|IRWXO"), Some(0o177));
    assert_eq!(mask("IXUSR | IRWXG|IRWXO"), Some(0o177));
    for bad in
        ["01000", "08", "0x", "", "IXUSR|", "|IXUSR IXUSR", "IXUSR IXGRP", "IXUSR|FOO", "0 1"]
    {
        assert_eq!(mask(bad), None, "{bad}");
    }
    assert_eq!(said("umask")[0].0, Class::MissingParameter);
}

#[test]
fn long_process_names_are_cut_between_characters() {
    let (global, _) = defs("process_name abcdefghijklmnop");
    assert_eq!(global.processes.name.as_deref(), Some("abcdefghijklmno"));
    let (global, _) = defs("process_name abcdefghijklmnö");
    assert_eq!(global.processes.name.as_deref(), Some("abcdefghijklmn"));
}

#[test]
fn mailboxes_are_quoted_where_a_header_needs_it() {
    let to = good("notification_email {\na@b \"J. Doe <a@b>\"\n\"Jane <j@b>\"\n}").mail.to;
    assert_eq!(to, ["a@b", "\"J. Doe\" <a@b>", "Jane <j@b>"]);
}

#[test]
fn a_mail_server_has_port_25() {
    let server = good("smtp_server 192.0.2.1").mail.server.expect("an address was given");
    assert_eq!(server.to_string(), "192.0.2.1:25");
    let server = good("smtp_server 2001:db8::1 2525").mail.server.expect("an address was given");
    assert_eq!(server.to_string(), "[2001:db8::1]:2525");
    let (global, diagnostics) = defs("smtp_server 192.0.2.1 0");
    assert_eq!(global.mail.server, None);
    assert_eq!(
        diagnostics.items().last().map(|item| item.message.as_str()),
        Some("Invalid smtp server 192.0.2.1 0")
    );
}

#[test]
fn few_announcements_leave_what_was_asked_for() {
    let garp = good("vrrp_garp_master_repeat 3\nvrrp_min_garp").vrrp.garp;
    assert_eq!((garp.master_repeat, garp.master_refresh_repeat), (3, 0));
    assert_eq!(garp.master_delay, Duration::ZERO);
    let garp = good("vrrp_min_garp\nvrrp_garp_master_delay 5").vrrp.garp;
    assert_eq!((garp.master_repeat, garp.master_delay), (1, Duration::from_secs(5)));
    assert_eq!(good("vrrp_min_garp off").vrrp.garp, GarpDefaults::default());
}

#[test]
fn extra_announcements_need_a_time() {
    let garp = good("vrrp_garp_extra_if all 10").vrrp.garp;
    assert_eq!(garp.extra_if, Some(ExtraGarp { all: true, interval: Duration::from_secs(10) }));
    assert_eq!(
        said("vrrp_garp_extra_if all"),
        [(Class::GeneralError, "vrrp_garp_extra_if specified without time - ignoring".to_owned())]
    );
    assert_eq!(said("vrrp_vmac_garp_intvl 10")[0].0, Class::Deprecated);
}

#[test]
fn the_longer_start_delay_wins() {
    let vrrp = good("vrrp_startup_delay 5\nvrrp_delay_after_boot 30").vrrp;
    assert_eq!(vrrp.delay(Duration::from_secs(10)), Duration::from_secs(20));
    assert_eq!(vrrp.delay(Duration::from_secs(28)), Duration::from_secs(5));
    assert_eq!(vrrp.delay(Duration::from_secs(900)), Duration::from_secs(5));
}

#[test]
fn a_receive_buffer_has_a_size_or_a_policy() {
    let policy = |given: &str| defs(&format!("vrrp_rx_bufs_policy {given}")).0.vrrp.receive_buffer;
    assert_eq!(policy("mtu"), ReceiveBuffer::Mtu);
    assert_eq!(policy("ADVERT"), ReceiveBuffer::Advert);
    assert_eq!(policy("MTU ADVERT"), ReceiveBuffer::Mtu);
    assert_eq!(policy("65536 MTU"), ReceiveBuffer::Bytes(65536));
    assert_eq!(policy("some"), ReceiveBuffer::System);
}

#[test]
fn multicast_groups_are_of_their_family() {
    let (global, diagnostics) = defs("vrrp_mcast_group6 ff05::12\nvrrp_mcast_group4 10.0.0.1");
    assert_eq!(global.vrrp.multicast6.to_string(), "ff05::12");
    assert_eq!(global.vrrp.multicast4, Ipv4Addr::new(224, 0, 0, 18));
    assert_eq!(
        messages(&diagnostics),
        [
            "vrrp_mcast_group6 [ff05::12] should be link-local multicast.",
            "vrrp_mcast_group4 [10.0.0.1] is not multicast. Skipping",
        ]
    );
}

#[test]
fn a_firewall_priority_may_stand_before_its_table() {
    let firewall = good("nftables_priority 5\nnftables vrrp\nnftables_ifindex").firewall;
    let nftables = Nftables { table: "vrrp".to_owned(), priority: 5, ifindex: true };
    assert_eq!(firewall.nftables, Some(nftables));
    let firewall = good("nftables_ipvs").firewall;
    let ipvs =
        IpvsNftables { table: "keepalived_ipvs".to_owned(), priority: -1, start_fwmark: 1000 };
    assert_eq!(firewall.ipvs_nftables, Some(ipvs));
    let firewall = good("nftables_priority 5").firewall;
    assert_eq!(firewall.nftables, None);
    assert_eq!((firewall.fallback.table.as_str(), firewall.fallback.priority), ("keepalived", 5));
}

#[test]
fn names_of_sets_follow_from_the_first() {
    let ipsets = good("vrrp_ipsets vips").firewall.ipsets;
    let expected = Ipsets::Named {
        address: "vips".to_owned(),
        address6: "vips6".to_owned(),
        address_interface6: "vips_if6".to_owned(),
        igmp: "vips_igmp".to_owned(),
        mld: "vips_mld".to_owned(),
        vmac_nd: "vips_nd".to_owned(),
    };
    assert_eq!(ipsets, expected);
    assert_eq!(good("vrrp_ipsets").firewall.ipsets, Ipsets::Off);
    let twice = said("vrrp_ipsets a a");
    assert_eq!(twice[0].1, "vrrp_ipsets: set name a used more than once");
    let long = "x".repeat(31);
    assert_eq!(
        said(&format!("vrrp_ipsets {long}"))[0].1,
        "VRRP Error : ipset address name too long - ignored"
    );
}

#[test]
fn names_of_chains_and_tables_have_a_length() {
    let fits = "x".repeat(27);
    let iptables = good(&format!("vrrp_iptables {fits}")).firewall.iptables;
    assert_eq!(iptables, Some(Iptables { input: fits.clone(), output: None }));
    assert_eq!(
        said(&format!("vrrp_iptables {fits}x"))[0].1,
        "VRRP Error : iptables in chain name too long - ignored"
    );
    assert!(said(&format!("nftables {}", "x".repeat(254))).is_empty());
    assert_eq!(
        said(&format!("nftables {}", "x".repeat(255)))[0].1,
        "VRRP Error : nftables chain name too long - ignored"
    );
}

#[test]
fn the_sync_daemon_knows_an_old_form() {
    let old = defs("lvs_sync_daemon eth0 VI 5").0.lvs.sync_daemon.expect("it is well formed");
    assert_eq!((old.instance.as_deref(), old.id), (Some("VI"), Some(5)));
    let daemon =
        good("lvs_sync_daemon eth0 inst VI id 5 maxlen 65507 port 1 ttl 255 group ff02::1");
    let expected = SyncDaemon {
        max_length: Some(65507),
        port: Some(1),
        ttl: Some(255),
        group: "ff02::1".parse().ok(),
        ..old
    };
    assert_eq!(daemon.lvs.sync_daemon, Some(expected));
    assert_eq!(said("lvs_sync_daemon eth0 inst")[0].0, Class::MissingParameter);
}

#[test]
fn zero_leaves_an_ipvs_timeout() {
    let timeouts = good("lvs_timeouts tcp 7200 udp 0").lvs.timeouts;
    assert_eq!(timeouts.tcp, Some(Duration::from_secs(7200)));
    assert_eq!((timeouts.tcp_fin, timeouts.udp), (None, None));
}

#[test]
fn scripts_without_a_user_run_as_the_default_one() {
    let global = good("startup_script \"/bin/echo a 'b c'\"\nscript_user root");
    let startup = global.scripts.startup.expect("it is well formed");
    assert_eq!(startup.argv, ["/bin/echo", "a", "b c"]);
    assert_eq!(startup.account, Account { uid: 0, gid: 0, groups: Vec::new() });
}

#[test]
fn an_unknown_user_runs_nothing() {
    let (global, diagnostics) = defs("script_user no-such-user\nstartup_script /bin/true");
    assert_eq!(global.scripts.startup, None);
    let said = messages(&diagnostics);
    assert!(said.contains(&"Script user 'no-such-user' does not exist"), "{said:?}");
    assert!(said.contains(&"Error setting global script uid/gid"), "{said:?}");
    assert!(said.contains(&"Invalid startup script"), "{said:?}");
    // One that is replaced by another is a mistake as well.
    let (global, diagnostics) = defs("script_user no-such-user\nscript_user root");
    assert_eq!(global.scripts.account.map(|account| account.uid), Some(0));
    assert!(messages(&diagnostics).contains(&"Error setting global script uid/gid"));
}

#[test]
fn what_goes_to_all_does_not_go_twice() {
    let (global, diagnostics) = defs(
        "script_user root\nnotify_fifo /run/all\nvrrp_notify_fifo /run/all\nlvs_notify_fifo /run/lvs",
    );
    assert_eq!(global.scripts.vrrp_notify_fifo, None);
    assert_eq!(global.scripts.lvs_notify_fifo.map(|fifo| fifo.path).as_deref(), Some("/run/lvs"));
    assert_eq!(
        messages(&diagnostics),
        ["notify FIFO /run/all has been specified for global and vrrp FIFO - ignoring vrrp FIFO"]
    );
    assert_eq!(diagnostics.worst(), None);
}

#[test]
fn a_fifo_for_two_has_one_script() {
    let (global, _) = defs(
        "script_user root\nvrrp_notify_fifo /run/f\nlvs_notify_fifo /run/f\n\
         vrrp_notify_fifo_script /bin/true\nlvs_notify_fifo_script /bin/false",
    );
    let has_script = |fifo: Option<Fifo>| fifo.map(|fifo| fifo.script.is_some());
    assert_eq!(has_script(global.scripts.vrrp_notify_fifo), Some(true));
    assert_eq!(has_script(global.scripts.lvs_notify_fifo), Some(false));
}

#[test]
fn a_switch_that_2_4_3_ignores_is_obeyed() {
    assert!(good("v3_checksum_as_v2").vrrp.v3_checksum_as_v2);
    assert!(!good("v3_checksum_as_v2 off").vrrp.v3_checksum_as_v2);
}

#[test]
fn tracked_files_have_a_file() {
    let (global, diagnostics) = loaded(
        "track_file a {\nfile /tmp/a\nweight -10 reverse\ninit_file 5 overwrite\n}\ntrack_file b {\nweight 1\n}",
    );
    let expected = TrackFile {
        name: "a".to_owned(),
        path: "/tmp/a".to_owned(),
        weight: -10,
        reverse: true,
        initial: Some(InitialValue { value: 5, overwrite: true }),
    };
    assert_eq!(global.track_files, [expected]);
    assert_eq!(messages(&diagnostics), ["No file set for track_file b - ignoring"]);
    let place = diagnostics.items()[0].place.expect("it has a place");
    assert_eq!(place.line, 8);
}

#[test]
fn files_that_tell_nobody_of_changes_are_not_tracked() {
    let (global, diagnostics) = loaded("track_file a {\nfile /proc/loadavg\n}");
    assert_eq!(global.track_files, []);
    assert_eq!(
        messages(&diagnostics),
        ["The filesystem of /proc/loadavg is read only or cannot be monitored - ignoring"]
    );
}

/// The messages of absent arguments. Where there is none the configuration cannot be used.
const ABSENT: &[(&str, Option<&str>)] = &[
    ("process_name", None),
    ("vrrp_process_name", None),
    ("min_auto_priority_delay", Some("min_auto_priority_delay requires delay time")),
    ("vrrp_priority", Some("No vrrp process priority specified")),
    ("checker_rt_priority", Some("No checker process real-time priority specified")),
    ("bfd_rlimit_rttime", None),
    ("bfd_cpu_affinity", Some("No bfd cpu_id set specified")),
    ("umask", None),
    ("script_user", Some("No script username specified")),
    ("startup_script", Some("startup script missing")),
    ("startup_script_timeout", Some("startup_script_timeout requires value")),
    ("shutdown_script", Some("shutdown script missing")),
    ("shutdown_script_timeout", Some("shutdown_script_timeout requires value")),
    ("notify_fifo", Some("No notify_fifo name specified")),
    ("vrrp_notify_fifo", Some("No vrrp_notify_fifo name specified")),
    ("lvs_notify_fifo_script", Some("No lvs_notify_fifo_script specified")),
    ("notification_email_from", Some("emailfrom missing - ignoring")),
    ("smtp_server", None),
    ("smtp_connect_timeout", None),
    ("router_id", Some("routerid name missing - ignoring")),
    ("default_interface", Some("default_interface requires interface name")),
    ("vrrp_mcast_group4", None),
    ("vrrp_mcast_group6", None),
    ("vrrp_garp_master_delay", None),
    ("vrrp_garp_master_repeat", None),
    ("vrrp_garp_master_refresh", None),
    ("vrrp_garp_master_refresh_repeat", None),
    ("vrrp_garp_lower_prio_delay", None),
    ("vrrp_garp_lower_prio_repeat", None),
    ("vrrp_garp_interval", None),
    ("vrrp_gna_interval", None),
    ("vrrp_down_timer_adverts", None),
    ("vrrp_version", None),
    ("vrrp_startup_delay", None),
    ("vrrp_delay_after_boot", None),
    ("vmac_prefix", None),
    ("vmac_addr_prefix", None),
    ("vrrp_rx_bufs_policy", Some("vrrp_rx_bufs_policy missing")),
    ("vrrp_rx_bufs_multiplier", Some("Invalid vrrp_rx_bufs_multiplier")),
    ("vrrp_netlink_cmd_rcv_bufs", Some("vrrp_netlink_cmd_rcv_bufs size missing")),
    ("lvs_netlink_monitor_rcv_bufs", Some("lvs_netlink_monitor_rcv_bufs size missing")),
    ("process_monitor_rcv_bufs", Some("process_monitor_rcv_bufs size missing")),
    ("iproute_usr_dir", Some("iproute_usr_dir requires path")),
    ("json_version", Some("json_version requires version")),
    ("nftables_priority", None),
    ("nftables_ipvs_priority", None),
    ("nftables_ipvs_start_fwmark", None),
    ("lvs_timeouts", Some("lvs_timeouts requires at least one option")),
    ("lvs_sync_daemon", Some("lvs_sync_daemon requires interface")),
    ("snmp_socket", Some("SNMP error : snmp socket name missing")),
    ("snmp_vs_stats_update_interval", None),
    ("snmp_rs_stats_update_interval", None),
    ("dbus_service_name", Some("dbus_service_name missing - ignoring")),
    ("dbus_no_interface_name", Some("dbus_no_interface_name missing - ignoring")),
    ("random_seed", None),
    ("reload_time_file", Some("reload_time_file invalid")),
    ("config_save_dir", None),
    ("tmp_config_directory", Some("tmp_config_directory missing directory name")),
    ("state_dump_file", Some("state_dump_file requires a non-empty path")),
    ("stats_dump_file", Some("stats_dump_file requires a non-empty path")),
    ("json_dump_file", Some("json_dump_file requires a non-empty path")),
];

#[test]
fn absent_arguments_are_reported() {
    for &(keyword, message) in ABSENT {
        let fatal = format!(
            "*** Configuration line starting `{keyword}` is missing a parameter after keyword `{keyword}` at word position 2"
        );
        let expected = match message {
            Some(message) => (Class::GeneralError, message.to_owned()),
            None => (Class::MissingParameter, fatal),
        };
        assert_eq!(said(keyword), [expected]);
    }
}

#[test]
fn absent_arguments_of_switches_mean_on() {
    for keyword in
        ["vrrp_strict", "smtp_alert", "rs_init_notifies", "enable_dbus", "smtp_helo_name"]
    {
        assert_eq!(said(keyword), []);
    }
}
