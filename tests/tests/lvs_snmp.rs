//! What managers see of virtual servers over SNMP, change in them and are told, on a virtual machine: as the original showed
//! it of the same configuration and traffic.
//!
//! `RECORD=1 KEEPALIVED=…` has the program write the expected text (`tests/snmp/checker.walk`) anew.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Backend, Binary, Daemon, Mark, MasterAgent, Namespace, Service, on_machine_for, run};

const BRANCH: &str = ".1.3.6.1.4.1.9586.100.5.3";

/// The virtual machine is slow.
const SLOW: Duration = Duration::from_secs(40);

/// What stands before the text that comes from the machine, and what ends it.
const WALK: &str = "@@ walk\n";
const END: &str = "@@ end";

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snmp/checker.walk")
}

/// A client, a director with two virtual servers of note, and a machine with the real servers.
struct Network {
    client: Namespace,
    director: Namespace,
    _servers: Namespace,
    echoes: Vec<Backend>,
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

impl Network {
    fn new() -> Self {
        let [client, director, servers] = [Namespace::new(), Namespace::new(), Namespace::new()];
        director.ip(&format!(
            "link add d0 type veth peer name c0 netns {}\nlink set d0 up\naddr add 10.9.0.1/24 dev d0\n\
             addr add 10.9.0.100/32 dev d0\n\
             link add d1 type veth peer name s0 netns {}\nlink set d1 up\naddr add 192.168.50.1/24 dev d1\n",
            client.name(),
            servers.name()
        ));
        client.ip("link set c0 up\naddr add 10.9.0.2/24 dev c0\n");
        servers.ip(
            "link set s0 up\naddr add 192.168.50.2/24 dev s0\naddr add 192.168.50.3/24 dev s0\n\
             route add default via 192.168.50.1\n",
        );
        director.sysctl("ipv4/ip_forward", "1");
        let echoes = ["192.168.50.2:5300", "192.168.50.3:5300"];
        let echoes =
            echoes.map(|echo| Backend::start(&servers, address(echo), Service::Udp(None))).into();
        Self { client, director, _servers: servers, echoes }
    }

    /// How many connections the kernel has counted there.
    fn counted(&self) -> u64 {
        let table = ["netns", "exec", self.director.name(), "ipvsadm", "-Ln", "--stats"];
        let table = run("ip", &table);
        let row = table.lines().find_map(|line| line.strip_prefix("UDP  10.9.0.100:5300"));
        row.and_then(|row| row.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// Has `count` datagrams answered by the virtual server, each on a connection of its own.
    fn ask(&self, count: usize) {
        self.client.enter(|| {
            for _ in 0..count {
                let socket = UdpSocket::bind("10.9.0.2:0").expect("it has the address");
                socket.set_read_timeout(Some(SLOW)).expect("a time");
                socket.send_to(b"0123456789", "10.9.0.100:5300").expect("there is a route");
                let mut buffer = [0; 16];
                assert_eq!(socket.recv(&mut buffer).expect("it is answered"), 10);
            }
        });
    }
}

fn config(agent: &MasterAgent<'_>, globals: &str) -> String {
    let socket = agent.socket();
    format!(
        "global_defs {{
    router_id LB1
    script_user root
    snmp_socket {socket}
    enable_snmp_checker
    enable_traps
    lvs_timeouts tcp 800 tcpfin 100 udp 250
    {globals}
}}
virtual_server_group many {{
    10.9.0.110 80
    10.9.1.1-20 8080
    fwmark 7
}}
virtual_server 10.9.0.100 5300 {{
    protocol UDP
    lvs_sched rr
    lvs_method NAT
    delay_loop 0.5
    delay_before_retry 0.5
    warmup 0
    quorum 3
    hysteresis 1
    quorum_up \"/usr/bin/true up\"
    quorum_down /usr/bin/true
    real_server 192.168.50.2 5300 {{
        weight 3
        uthreshold 2000
        lthreshold 1000
        notify_up /usr/bin/true
        notify_down \"/usr/bin/true down\"
        UDP_CHECK {{
            require_reply
        }}
    }}
    real_server 192.168.50.3 5300 {{
        inhibit_on_failure
        weight 1
    }}
}}
virtual_server group many {{
    protocol TCP
    lvs_sched wlc
    lvs_method TUN
    alpha
    omega
    ha_suspend
    persistence_timeout 77
    persistence_granularity 255.255.255.0
    virtualhost www.example.com
    connect_timeout 3
    retry 2
    delay_before_retry 4
    delay_loop 30
    sorry_server 192.168.50.99 8080
    sorry_server_lvs_method DR
    real_server 192.168.50.4 80 {{
        lvs_method TUN type gue port 6080 remcsum
        TCP_CHECK {{
            warmup 9
        }}
    }}
}}
virtual_server fd00:9::1 53 {{
    protocol UDP
    lvs_sched mh mh-port mh-fallback
    lvs_method DR
    ops
    real_server fd00:50::2 53 {{
    }}
}}
virtual_server fwmark 9 {{
    lvs_sched sh sh-port
    lvs_method NAT
    real_server 192.168.50.5 80 {{
    }}
}}
"
    )
}

/// What a walk shows, but for rates, which depend on when one looks, and what the original gets wrong: a mask for IPv4
/// where one for IPv6 would stand, and checks that have not run, over which it dies.
fn masked(walk: &str) -> String {
    let column = |line: &str| {
        let mut numbers = line.strip_prefix(BRANCH)?.split('.').skip(1);
        Some((numbers.next()?.parse().ok()?, numbers.nth(1)?.parse().ok()?))
    };
    let is_kept = |line: &&str| {
        !matches!(
            column(line),
            Some((3, 32..=36 | 41..=51 | 74..=78) | (4, 22..=26 | 30..=39 | 58..=63))
        )
    };
    walk.lines().filter(is_kept).map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The walk, of a program that must not be asked for everything.
fn careful_walk(agent: &MasterAgent<'_>) -> String {
    let before = agent.walk_until(BRANCH, &format!("{BRANCH}.4.1.63"));
    before + &agent.walk(&format!("{BRANCH}.6")) + &agent.walk(&format!("{BRANCH}.7"))
}

/// Asks until the answer is right.
#[track_caller]
fn await_answer(ask: impl Fn() -> String, is_right: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + SLOW;
    loop {
        let answer = ask();
        if is_right(&answer) {
            return;
        }
        assert!(Instant::now() < deadline, "{answer}");
        thread::sleep(Duration::from_millis(300));
    }
}

#[track_caller]
fn await_said(daemon: &Daemon, mark: Mark, text: &str) {
    let said = daemon.log().wait(mark, SLOW, |line| line.text.contains(text).then_some(()));
    assert!(said.is_some(), "{text}\n{}", daemon.log_text());
}

fn value(answer: &str) -> Option<u64> {
    answer.trim().rsplit(' ').next()?.parse().ok()
}

#[test]
fn managers_see_virtual_servers_and_what_the_kernel_counts() {
    let recording = std::env::var_os("RECORD").is_some();
    let output = on_machine_for(
        "managers_see_virtual_servers_and_what_the_kernel_counts",
        200,
        || {
            let mut network = Network::new();
            network.director.ip("link set lo up\n");
            let agent = MasterAgent::start(&network.director);
            let all = config(&agent, "");
            let mut daemon = Daemon::start(&Binary::under_test(), &network.director, &all);
            await_said(
                &daemon,
                Mark::default(),
                "UDP connection to [192.168.50.2]:udp:5300 success",
            );
            network.ask(4);
            if recording {
                thread::sleep(Duration::from_secs(8));
                println!("{WALK}{}{END}", masked(&careful_walk(&agent)));
                return;
            }
            let walk = || masked(&agent.walk_in_bulk(BRANCH));
            let expected = fs::read_to_string(recorded()).expect("it was recorded");
            let right = |found: &str| {
                let more: Vec<_> = found.lines().filter(|line| !expected.contains(line)).collect();
                let less: Vec<_> = expected.lines().filter(|line| !found.contains(line)).collect();
                (found == expected).then_some(()).ok_or(format!("more: {more:#?}\nless: {less:#?}"))
            };
            let deadline = Instant::now() + SLOW;
            while let Err(difference) = right(&walk()) {
                assert!(Instant::now() < deadline, "{difference}");
            }
            // What is counted is read once in a while, of virtual and of real servers.
            let counted = |row: &str| value(&agent.get(&[&format!("{BRANCH}.{row}")])).unwrap_or(0);
            let of_service = || counted("3.1.27.1");
            let of_servers = || counted("4.1.14.1.1") + counted("4.1.14.1.2");
            let ask = |count| {
                let before = network.counted();
                network.ask(count);
                // The kernel counts every other second.
                await_answer(
                    || network.counted().to_string(),
                    |now| now == (before + 2).to_string(),
                );
            };
            let reload = |globals: &str| {
                let mark = daemon.log().mark();
                daemon.reload(&config(&agent, globals));
                await_said(&daemon, mark, "Reload complete");
            };
            reload("snmp_vs_stats_update_interval 30\nsnmp_rs_stats_update_interval 30");
            let before = (of_service(), of_servers());
            ask(2);
            assert_eq!((of_service(), of_servers()), before, "they are not old enough");
            reload("snmp_vs_stats_update_interval 30\nsnmp_rs_stats_update_interval 0.001");
            let before = (of_service(), of_servers());
            ask(2);
            assert_eq!((of_service(), of_servers()), (before.0, before.1 + 2));
            reload("snmp_vs_stats_update_interval 0.001");
            let before = of_service();
            ask(2);
            assert_eq!(of_service(), before + 2);
            // What the original gets wrong, or dies of.
            let [mask, idle] = ["3.1.51.2", "4.1.63.2.1"].map(|row| format!("{BRANCH}.{row}"));
            assert!(agent.get(&[&mask]).contains("Gauge32: 4294967295"));
            assert!(agent.get(&[&idle]).contains("No Such"), "{}", agent.get(&[&idle]));
            let cell = |row: &str| format!("{BRANCH}.4.1.7.{row}");
            for (row, weight, reason) in [
                ("1.1", "70000", "wrongValue"),
                ("1.1", "-1", "wrongValue"),
                ("2.1", "5", "notWritable"),
                ("9.1", "5", "notWritable"),
            ] {
                let said = agent.set(&[&cell(row), "i", weight]);
                assert!(said.contains(reason), "{row} {weight}: {said}");
            }
            // A weight is changed until the next reload.
            let weight = cell("1.1");
            let mark = daemon.log().mark();
            assert_eq!(agent.set(&[&weight, "i", "5"]), format!("{weight} = INTEGER: 5\n"));
            await_said(
                &daemon,
                mark,
                "Changing weight from 3 to 5 for active service [192.168.50.2]:udp:5300 of VS [10.9.0.100]:udp:5300",
            );
            let table = || run("ip", &["netns", "exec", network.director.name(), "ipvsadm", "-Sn"]);
            await_answer(table, |table| {
                table.contains("-u 10.9.0.100:5300 -r 192.168.50.2:5300 -m -w 5")
            });
            let reloaded = daemon.log().mark();
            daemon.reload(&(config(&agent, "") + "# changed\n"));
            await_said(&daemon, reloaded, "Reload complete");
            await_answer(table, |table| {
                table.contains("-u 10.9.0.100:5300 -r 192.168.50.2:5300 -m -w 3")
            });
            // A server goes, and the quorum with it.
            let mark = agent.notifications().mark();
            network.echoes.remove(0);
            let told = |number: u8, objects: &[&str]| {
                let trap = format!("OID: {BRANCH}.5.0.{number}");
                let found = agent.notifications().wait(mark, SLOW, |line| {
                    (line.contains(&trap) && objects.iter().all(|object| line.contains(object)))
                        .then_some(())
                });
                let all = agent.notifications().since(mark).join("\n");
                assert!(
                    found.is_some(),
                    "no {trap} with {objects:?}:\n{all}\n{}",
                    daemon.log_text()
                );
            };
            let [service, server] = [".3.1.7 = Gauge32: 5300", ".4.1.6 = INTEGER: 2"]
                .map(|object| format!("{BRANCH}{object}"));
            told(1, &[&service, &server, "\"LB1\""]);
            let [status, quorum] = [".3.1.23 = INTEGER: 2", ".3.1.22 = Gauge32: 3"]
                .map(|object| format!("{BRANCH}{object}"));
            told(2, &[&service, &status, &quorum, "\"LB1\""]);
            assert!(daemon.stop().success());
        },
    );
    if let Some(output) = output.filter(|_| recording) {
        let (_, rest) = output.split_once(WALK).expect("it is printed");
        let walk = rest.split(END).next().expect("there is a beginning");
        fs::write(recorded(), walk).expect("the tree can be written to");
    }
}
