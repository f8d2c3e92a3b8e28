//! The settings as the original showed them.

use conf_parser::{Diagnostics, Options, parse_text};

use super::super::{Account, ROOT, load};
use super::*;

/// The configuration behind `captured.data`.
const CONFIGURATION: &str = "global_defs {
router_id LB1
notification_email_from \"LVS alert <lvs@example.com>\"
notification_email {
ops@example.com
oncall@example.com
}
smtp_server 192.0.2.25 25
smtp_helo_name lb1.example.com
smtp_connect_timeout 10
smtp_alert false
enable_traps
enable_snmp_vrrp
enable_snmp_checker
enable_snmp_rfc
enable_dbus
script_user root
enable_script_security
vrrp_notify_fifo /run/keepalived/vrrp.fifo
lvs_notify_fifo /run/keepalived/lvs.fifo
vrrp_garp_master_refresh 60
vrrp_garp_interval 0.002
vrrp_gna_interval 0.003
lvs_timeouts tcp 800 tcpfin 100 udp 250
lvs_sync_daemon eth0 VI_1 id 10 maxlen 1400 port 8848 ttl 3 group 224.0.0.81
vrrp_notify_priority_changes true
json_version 2
nftables keepalived
iproute_usr_dir /etc/iproute2
}
";

fn loaded(text: &str) -> Global {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    load(&statements, &mut diagnostics)
}

fn shown(global: &Global, author: &Author) -> String {
    let mut out = Report::of_state();
    global.report(author, &mut out);
    out.into_text()
}

/// The lines of `text` that `other` lacks.
fn surplus<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    text.lines().filter(|line| !other.lines().any(|known| known == *line)).collect()
}

#[test]
fn the_parent_shows_what_the_original_showed() {
    let text = shown(&loaded(CONFIGURATION), &Author::new(Writer::Parent));
    pretty(&text, include_str!("captured.data"));
}

/// Compares line by line, so that a difference is found at once.
fn pretty(text: &str, expected: &str) {
    for (number, (line, wanted)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(line, wanted, "line {}", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count());
}

#[test]
fn each_process_sees_it_with_its_own_eyes() {
    let global = loaded(CONFIGURATION);
    let parent = shown(&global, &Author::new(Writer::Parent));
    let real_time = Some(RealTime { priority: 7, limit: Some(Duration::from_millis(10)) });
    let vrrp = shown(&global, &Author { real_time, ..Author::new(Writer::Vrrp) });
    assert_eq!(
        surplus(&vrrp, &parent),
        [
            " Default interface = eth0",
            " LVS syncd vrrp instance = VI_1",
            " Gratuitous ARP lower priority delay = 5",
            " Gratuitous ARP lower priority repeat = 5",
            " current realtime priority = 7",
            " current realtime time limit = 10000",
        ]
    );
}

/// The original says so only once an address without interface was read.
#[test]
fn the_default_interface_is_the_configured_one() {
    let global = loaded("global_defs {\n default_interface eth1\n}\n");
    let text = shown(&global, &Author::new(Writer::Vrrp));
    assert!(text.contains("\n Default interface = eth1\n"), "{text}");
}

#[test]
fn what_is_not_said_by_default_is_said_when_it_is_set() {
    let mut global = loaded(
        "net_namespace ns1
net_namespace_ipvs
instance inst
global_defs {
process_names
process_name main
reload_check_config /tmp/check
reload_time_file /etc/when
reload_repeat
reload_file /run/reloading
data_use_instance
dynamic_interfaces allow_if_changes
no_email_faults
max_auto_priority -1
vrrp_rt_priority 50
vrrp_cpu_affinity 1 0
vrrp_rx_bufs_policy MTU
vrrp_startup_delay 0.25
log_unknown_vrids
vrrp_owner_ignore_adverts
vmac_prefix v
vrrp_garp_extra_if all 30
nftables_counters
vrrp_iptables IN OUT
state_dump_file /run/state
umask 022
}
",
    );
    let account = Account { uid: 7, gid: 8, groups: vec![9] };
    let script = Script::new(vec!["/bin/s".into(), "a b".into()], account.clone());
    global.scripts.startup.clone_from(&script);
    let fifo = Fifo { path: "/run/f".to_owned(), owner: account.clone(), script };
    global.scripts.notify_fifo = Some(fifo);
    global.scripts.account = Some(account);
    let reload = Some(Reload { at: 0, dated: true });
    let text = shown(&global, &Author { reload, ..Author::new(Writer::Parent) });
    let mut plain = Global::default();
    plain.scripts.account = Some(Account { uid: 0, gid: 0, groups: vec![] });
    let expected = [
        " Network namespace = ns1",
        " Network namespace ipvs = (default)",
        " Instance name = inst",
        " Parent process name = main",
        " VRRP process name = keepalived_vrrp",
        " LVS process name = keepalived_lvs",
        " BFD process name = keepalived_bfd",
        " Test config before reload, log to /tmp/check",
        " Reload time file = /etc/when (repeat)",
        &format!(" Reload scheduled for {}", when(Reload { at: 0, dated: true })),
        " Reload_file = /run/reloading",
        " Use instance name in data dumps",
        " Startup script = '/bin/s' 'a b', uid:gid 7:8, timeout 10",
        " Dynamic interfaces = true",
        " Allow interface changes = true",
        " Send emails for fault transitions = off",
        " Global notify fifo = /run/f, uid:gid 7:8",
        " Global notify fifo script = '/bin/s' 'a b', uid:gid 7:8",
        "   Supplementary groups:",
        "     9",
        " Gratuitous ARP for each secondary i/f = 30s",
        " Iptables input chain = IN",
        " Iptables output chain = OUT",
        " Using ipsets = true",
        " nftables with counters",
        " Max auto priority = Disabled",
        " VRRP realtime priority = 50",
        " VRRP CPU Affinity = 0 1 ",
        " Default script uid:gid 7:8",
        "   Supplementary groups:",
        "     9",
        " rx_bufs_policy = MTU",
        " umask = 022",
        " vrrp_startup_delay = 0.25",
        " log_unknown_vrids",
        " vrrp_owner_ignore_adverts",
        " VMAC prefix = v",
        " state dump file /run/state",
    ];
    assert_eq!(surplus(&text, &shown(&plain, &Author::new(Writer::Parent))), expected);
}
