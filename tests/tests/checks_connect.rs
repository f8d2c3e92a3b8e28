//! Where checks of every kind connect, and from where, as the firewall sees it; and how long they wait.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use lab::{Backend, Binary, Daemon, Mark, Namespace, Service, on_machine, run};

/// The virtual machine is slow.
const SLOW: Duration = Duration::from_secs(60);

/// Nobody answers there.
const SILENT_PORT: u16 = 7999;

/// A kind of check, its protocol, and its block, where `@` stands for lines that every kind takes.
struct Kind {
    name: &'static str,
    protocol: &'static str,
    block: &'static str,
}

impl Kind {
    const fn new(name: &'static str, protocol: &'static str, block: &'static str) -> Self {
        Self { name, protocol, block }
    }
}

const KINDS: [Kind; 8] = [
    Kind::new("TCP_CHECK", "tcp", "TCP_CHECK {\n@}\n"),
    Kind::new("HTTP_GET", "tcp", "HTTP_GET {\n@url {\npath /\n}\n}\n"),
    Kind::new("SSL_GET", "tcp", "SSL_GET {\n@url {\npath /\n}\n}\n"),
    Kind::new("SMTP_CHECK", "tcp", "SMTP_CHECK {\n@}\n"),
    Kind::new("SMTP_CHECK/host", "tcp", "SMTP_CHECK {\nhost {\n@}\n}\n"),
    Kind::new("DNS_CHECK", "udp", "DNS_CHECK {\n@}\n"),
    Kind::new("UDP_CHECK", "udp", "UDP_CHECK {\n@require_reply\n}\n"),
    Kind::new("PING_CHECK", "icmp", "PING_CHECK {\n@}\n"),
];

/// The director has two ways to the servers, and would take the first.
fn namespaces() -> [Namespace; 2] {
    let [director, servers] = [Namespace::new(), Namespace::new()];
    let far = servers.name();
    director.ip(&format!(
        "link set lo up\n\
         link add near0 type veth peer name far0 netns {far}\nlink set near0 up\naddr add 10.9.0.1/24 dev near0\n\
         link add near1 type veth peer name far1 netns {far}\nlink set near1 up\n\
         addr add 10.9.0.9/24 dev near1 noprefixroute\nroute add 10.9.0.0/24 dev near1 metric 500\n"
    ));
    servers.ip(
        "link add both type bridge\nlink set both up\n\
         link set far0 master both up\nlink set far1 master both up\naddr add 10.9.0.2/24 dev both\n",
    );
    for interface in ["all", "near0", "near1"] {
        director.sysctl(&format!("ipv4/conf/{interface}/rp_filter"), "0");
    }
    [director, servers]
}

fn nft(namespace: &Namespace, arguments: &[&str]) -> String {
    let all = [&["netns", "exec", namespace.name(), "nft"], arguments].concat();
    run("ip", &all)
}

/// The number of a kind, which its ports and its mark have too.
fn numbered() -> impl Iterator<Item = (u16, &'static Kind)> {
    (1..).zip(&KINDS)
}

fn service(number: u8, servers: &[String]) -> String {
    format!(
        "virtual_server 10.9.9.{number} 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\ndelay_loop 0.5\nwarmup 0\ndelay_before_retry 0.5\n{}}}\n",
        servers.concat()
    )
}

fn real_server(number: u16, check: &str) -> String {
    format!("real_server 10.9.1.{number} 80 {{\n{check}}}\n")
}

#[test]
fn checks_connect_as_they_are_told() {
    on_machine("checks_connect_as_they_are_told", || {
        let [director, servers] = namespaces();
        let address = |port| SocketAddr::new(IpAddr::from([10, 9, 0, 2]), port);
        let _backends: Vec<Backend> = numbered()
            .filter(|(_, kind)| kind.protocol != "icmp")
            .map(|(number, kind)| {
                let service = match kind.name {
                    "DNS_CHECK" => Service::Dns(0),
                    "UDP_CHECK" => Service::Udp(None),
                    "HTTP_GET" => Service::page("200 OK", "fine"),
                    "SMTP_CHECK" | "SMTP_CHECK/host" => Service::Smtp(true),
                    _ => Service::Accept,
                };
                Backend::start(&servers, address(7000 + number), service)
            })
            .collect();
        nft(&director, &["add table inet seen"]);
        nft(&director, &["add chain inet seen out { type filter hook output priority 0 ; }"]);
        nft(&servers, &["add table inet silent"]);
        nft(&servers, &["add chain inet silent in { type filter hook input priority 0 ; }"]);
        for protocol in ["tcp", "udp"] {
            let rule = format!("add rule inet silent in {protocol} dport {SILENT_PORT} drop");
            nft(&servers, &[&rule]);
        }
        for (number, kind) in numbered() {
            let ports = match kind.protocol {
                "icmp" => "icmp type echo-request".to_owned(),
                protocol => {
                    format!("{protocol} sport {} {protocol} dport {}", 6000 + number, 7000 + number)
                }
            };
            nft(
                &director,
                &[&format!(
                    "add rule inet seen out oifname near1 ip saddr 10.9.0.9 ip daddr 10.9.0.2 {ports} meta mark {} counter comment \"{}\"",
                    100 + number,
                    kind.name
                )],
            );
        }
        let told = numbered().map(|(number, kind)| {
            let lines = format!(
                "connect_ip 10.9.0.2\nconnect_port {}\nbindto 10.9.0.9\nbind_port {}\nbind_if near1\nfwmark {}\n",
                7000 + number,
                6000 + number,
                100 + number
            );
            real_server(number, &kind.block.replace('@', &lines))
        });
        let silent = numbered().filter(|(_, kind)| kind.name != "SMTP_CHECK/host");
        let silent = silent.map(|(number, kind)| {
            // Nobody has the other address, which takes the kernel seconds to find out.
            let address = if kind.protocol == "icmp" { "10.9.0.77" } else { "10.9.0.2" };
            let lines = format!(
                "connect_ip {address}\nconnect_port {SILENT_PORT}\nconnect_timeout 0.3\nretry 50\nlog_all_failures\n"
            );
            real_server(100 + number, &kind.block.replace('@', &lines))
        });
        let config = format!(
            "global_defs {{\nscript_user root\n}}\n{}{}",
            service(1, &told.collect::<Vec<_>>()),
            service(2, &silent.collect::<Vec<_>>())
        );
        let daemon = Daemon::start_with(&Binary::under_test(), &director, &config, &["-C"]);
        let deadline = Instant::now() + SLOW;
        loop {
            let seen = nft(&director, &["list", "table", "inet", "seen"]);
            let missing: Vec<&str> = seen
                .lines()
                .filter(|line| line.contains("comment") && line.contains("packets 0 "))
                .collect();
            if missing.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{}\n{}", missing.join("\n"), daemon.log_text());
            // The firewall tells nobody what it counts.
            std::thread::sleep(Duration::from_millis(300));
        }
        for line in [
            "TCP connection to [10.9.1.101]:tcp:80 timeout.",
            "Timeout connecting server [10.9.1.102]:tcp:80.",
            "Timeout connecting server [10.9.1.103]:tcp:80.",
            "SMTP_CHECK Connection timeout to server [10.9.0.2]:7999",
            "DNS_CHECK ([10.9.1.106]:tcp:80) read timeout from socket",
            "UDP connection to [10.9.1.107]:tcp:80 failed.",
            "ICMP connection to address ",
        ] {
            let heard = daemon
                .log()
                .wait(Mark::default(), SLOW, |found| found.text.starts_with(line).then_some(()));
            assert!(heard.is_some(), "{line:?} is not in\n{}", daemon.log_text());
        }
    });
}
