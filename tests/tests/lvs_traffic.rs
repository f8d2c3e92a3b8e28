//! Clients, a director and real servers in namespaces of their own, on a virtual machine: traffic goes where it should,
//! whatever happens to the servers.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Backend, Binary, Daemon, Mark, Namespace, Nginx, Service, on_machine_for, run};

/// The virtual machine is slow.
const SLOW: Duration = Duration::from_secs(40);

/// The names of the servers, and the last octet of their addresses.
const SERVERS: [(&str, u8); 3] = [("a", 2), ("b", 3), ("c", 4)];

/// What the client asks: through NAT, direct routing, a tunnel, and TLS through NAT.
const NAT: &str = "10.9.0.100:80";
const DIRECT: &str = "10.9.0.101:80";
const TUNNEL: &str = "10.9.0.102:80";
const DATAGRAMS: &str = "10.9.0.100:5300";
/// Mail, names, pages of a server that may be slow, and two addresses that nftables makes one service.
const MAIL: &str = "10.9.0.100:25";
const NAMES: &str = "10.9.0.100:53";
const SLOW_PAGES: &str = "10.9.0.100:8081";
const MARKED: [&str; 2] = ["10.9.0.104:8080", "10.9.0.105:8080"];

struct Network {
    nginx: Vec<Option<Nginx>>,
    _sorry: Backend,
    echoes: Vec<Backend>,
    mails: Vec<Backend>,
    names: Vec<Backend>,
    pages: Vec<Backend>,
    client: Namespace,
    director: Namespace,
    servers: Vec<Namespace>,
}

impl Network {
    fn new() -> Self {
        run("modprobe", &["ipip"]);
        let (client, director) = (Namespace::new(), Namespace::new());
        let servers: Vec<Namespace> = SERVERS.iter().map(|_| Namespace::new()).collect();
        let name = client.name();
        let mut lines = format!(
            "link add d0 type veth peer name c0 netns {name}\n\
             link set d0 up\n\
             addr add 10.9.0.1/24 dev d0\n\
             addr add 10.9.0.100/32 dev d0\naddr add 10.9.0.101/32 dev d0\naddr add 10.9.0.102/32 dev d0\n\
             addr add 10.9.0.104/32 dev d0\naddr add 10.9.0.105/32 dev d0\n\
             link add d1 type bridge\nlink set d1 up\naddr add 192.168.50.1/24 dev d1\n\
             link add c1 type veth peer name c1 netns {name}\nlink set c1 master d1 up\n"
        );
        for (number, server) in servers.iter().enumerate() {
            let server = server.name();
            lines += &format!(
                "link add s{number} type veth peer name s0 netns {server}\nlink set s{number} master d1 up\n"
            );
        }
        director.ip(&lines);
        // What comes back without the director's help comes from behind: for direct routing and tunnels.
        client.ip(
            "link set c0 up\nlink set c1 up\naddr add 10.9.0.2/24 dev c0\naddr add 10.9.0.3/32 dev c0\n\
             addr add 192.168.50.254/24 dev c1\n\
             route add 10.9.0.101/32 dev c0 src 10.9.0.3\nroute add 10.9.0.102/32 dev c0 src 10.9.0.3\n",
        );
        for (server, (_, octet)) in servers.iter().zip(SERVERS) {
            server.ip(&format!(
                "link set s0 up\naddr add 192.168.50.{octet}/24 dev s0\n\
                 addr add 10.9.0.101/32 dev lo\naddr add 10.9.0.102/32 dev lo\n\
                 route add default via 192.168.50.1\nroute add 10.9.0.3/32 via 192.168.50.254\n\
                 link set tunl0 up\n"
            ));
            for interface in ["all", "default", "tunl0", "s0"] {
                server.sysctl(&format!("ipv4/conf/{interface}/rp_filter"), "0");
            }
        }
        for interface in ["all", "c0", "c1"] {
            client.sysctl(&format!("ipv4/conf/{interface}/rp_filter"), "0");
        }
        director.sysctl("ipv4/ip_forward", "1");
        let address: SocketAddr = "192.168.50.1:8080".parse().expect("an address");
        let sorry = Service::page("200 fine", "sorry");
        let _sorry = Backend::start(&director, address, sorry);
        let each = |port: u16, service: &dyn Fn(&str) -> Service| -> Vec<Backend> {
            let start = |(server, (name, _)): (&Namespace, (&str, u8))| {
                Backend::start(server, SocketAddr::from(([0, 0, 0, 0], port)), service(name))
            };
            servers.iter().zip(SERVERS).map(start).collect()
        };
        let mut network = Self {
            nginx: vec![None, None, None],
            _sorry,
            echoes: each(5300, &|name| Service::Udp(Some(name.as_bytes().to_vec()))),
            mails: each(25, &|_| Service::Smtp(true)),
            names: each(53, &|_| Service::Dns(0)),
            pages: each(8081, &|name| Service::page("200 fine", &page(name))),
            client,
            director,
            servers,
        };
        (0..SERVERS.len()).for_each(|number| network.start(number));
        network
    }

    fn start(&mut self, number: usize) {
        let any: IpAddr = [0, 0, 0, 0].into();
        let nginx = Nginx::start(&self.servers[number], any, &page(SERVERS[number].0));
        self.nginx[number] = Some(nginx);
    }

    /// Who answers `count` requests to `address`, and how often each.
    fn ask(&self, address: &str, count: usize) -> BTreeMap<String, usize> {
        count_all(count, || {
            let text = self.client.enter(|| fetch(address))?;
            let name = text.lines().last().unwrap_or_default();
            Ok(name.trim_start_matches("I am ").to_owned())
        })
    }

    /// Who answers datagrams.
    fn ask_by_datagram(&self, count: usize) -> BTreeMap<String, usize> {
        count_all(count, || {
            self.client.enter(|| {
                let socket = UdpSocket::bind("10.9.0.2:0")?;
                socket.set_read_timeout(Some(SLOW))?;
                socket.send_to(b"who", DATAGRAMS)?;
                let mut buffer = [0; 16];
                let count = socket.recv(&mut buffer)?;
                Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
            })
        })
    }

    /// Who answers requests to the two addresses that are one service, `count` to each: how often each server does.
    fn ask_marked(&self, count: usize) -> [usize; 3] {
        let [one, other] = MARKED.map(|address| self.ask(address, count));
        SERVERS.map(|(name, _)| one.get(name).unwrap_or(&0) + other.get(name).unwrap_or(&0))
    }

    /// The code with which mail servers greet, and how often each.
    fn ask_for_mail(&self, count: usize) -> BTreeMap<String, usize> {
        count_all(count, || {
            self.client.enter(|| {
                let mut stream = TcpStream::connect(MAIL)?;
                stream.set_read_timeout(Some(SLOW))?;
                let mut code = [0; 3];
                stream.read_exact(&mut code)?;
                Ok(String::from_utf8_lossy(&code).into_owned())
            })
        })
    }

    /// The code with which name servers answer, and how often each.
    fn ask_for_names(&self, count: usize) -> BTreeMap<String, usize> {
        count_all(count, || {
            self.client.enter(|| {
                let socket = UdpSocket::bind("10.9.0.2:0")?;
                socket.set_read_timeout(Some(SLOW))?;
                socket.send_to(b"ab\x01\0\0\x01\0\0\0\0\0\0\0\0\x06\0\x01", NAMES)?;
                let mut buffer = [0; 64];
                socket.recv(&mut buffer)?;
                Ok((buffer[3] & 0xf).to_string())
            })
        })
    }

    /// Waits until the kernel has just these servers for the service at `address`: the log tells what is about to be done.
    #[track_caller]
    fn await_servers(&self, address: &str, octets: &[u8]) {
        let expected: Vec<String> =
            octets.iter().map(|octet| format!(" 192.168.50.{octet}:")).collect();
        let deadline = Instant::now() + SLOW;
        loop {
            let name = self.director.name();
            let kind = if is_udp(address) { "-u" } else { "-t" };
            let table = run("ip", &["netns", "exec", name, "ipvsadm", "-Ln", kind, address]);
            let servers: Vec<&str> = table.lines().filter(|line| line.contains("-> 192")).collect();
            let there = |server: &String| servers.iter().any(|line| line.contains(server.as_str()));
            if servers.len() == expected.len() && expected.iter().all(there) {
                return;
            }
            assert!(Instant::now() < deadline, "{address}: not {octets:?}:\n{table}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn table(&self) -> String {
        run("ip", &["netns", "exec", self.director.name(), "ipvsadm", "-Ln"])
    }
}

fn is_udp(address: &str) -> bool {
    [DATAGRAMS, NAMES].contains(&address)
}

/// How often each answer comes, or each error.
fn count_all(count: usize, ask: impl Fn() -> io::Result<String>) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for _ in 0..count {
        let answer = ask().unwrap_or_else(|error| error.kind().to_string());
        *found.entry(answer).or_default() += 1;
    }
    found
}

fn page(name: &str) -> String {
    format!("healthy\nI am {name}")
}

/// The body of the page `/`.
fn fetch(address: &str) -> io::Result<String> {
    let address: SocketAddr = address.parse().expect("an address");
    let mut stream = TcpStream::connect_timeout(&address, SLOW)?;
    stream.set_read_timeout(Some(SLOW))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// A request on a connection that goes on, and the last line of the answer.
fn fetch_more(stream: &mut TcpStream) -> io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")?;
    let mut text = Vec::new();
    // The body ends with the name of the server.
    while !text.get(..text.len().saturating_sub(1)).is_some_and(|text| text.ends_with(b"I am ")) {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&text).lines().last().unwrap_or_default().to_owned())
}

fn config(weight: u32) -> String {
    let http = |kind: &str| {
        format!(
            "{kind} {{
            url {{
                path /
                regex healthy
            }}
        }}"
        )
    };
    let block =
        |what: &str, port: &str, [protocol, method]: [&str; 2], weight: u32, check: &str| {
            let mut text = format!(
                "virtual_server {what} {{
    lvs_sched rr
    lvs_method {method}
    protocol {protocol}
    delay_loop 2
    retry 1
    delay_before_retry 1
    connect_timeout 4
    warmup 0
    sorry_server 192.168.50.1 8080
    sorry_server_lvs_method NAT
"
            );
            for (_, octet) in SERVERS {
                text += &format!(
                    "    real_server 192.168.50.{octet} {port} {{
        weight {weight}
        {check}
    }}\n"
                );
            }
            text + "}\n"
        };
    let service = |address: &str, protocol: &str, method: &str, weight: u32, check: &str| {
        let (address, port) = address.split_once(':').expect("it has a port");
        block(&format!("{address} {port}"), port, [protocol, method], weight, check)
    };
    let mut text = "global_defs {\n    script_user root\n    nftables_ipvs\n}\n".to_owned();
    text += &service(NAT, "TCP", "NAT", weight, &http("HTTP_GET"));
    text += &service("10.9.0.100:443", "TCP", "NAT", 1, &http("SSL_GET"));
    text += &service(DIRECT, "TCP", "DR", 1, "TCP_CHECK {\n }");
    text += &service(TUNNEL, "TCP", "TUN", 1, "TCP_CHECK {\n }");
    text += &service(DATAGRAMS, "UDP", "NAT", 1, "UDP_CHECK {\n require_reply\n }");
    text += &service(MAIL, "TCP", "NAT", 1, "SMTP_CHECK {\n }");
    text += &service(NAMES, "UDP", "NAT", 1, "DNS_CHECK {\n type A\n name www.example.org\n }");
    text += &service(
        SLOW_PAGES,
        "TCP",
        "NAT",
        1,
        "HTTP_GET {\n connect_timeout 1.5\n url {\n path /\n }\n }",
    );
    let entries = MARKED.map(|address| address.replace(':', " ")).join("\n    ");
    text += &format!("virtual_server_group marked {{\n    {entries}\n}}\n");
    text + &block("group marked", "80", ["TCP", "NAT"], 1, "TCP_CHECK {\n }")
}

/// Waits until the log has said `text` of the server in each of `services`.
#[track_caller]
fn await_each(daemon: &Daemon, mark: Mark, text: &str, services: &[&str]) {
    for service in services {
        let (address, port) = service.split_once(':').expect("it has a port");
        let protocol = if is_udp(service) { "udp" } else { "tcp" };
        let end = format!("VS [{address}]:{protocol}:{port}");
        let found = daemon.log().wait(mark, SLOW, |line| {
            (line.text.starts_with(text) && line.text.ends_with(&end)).then_some(())
        });
        assert!(found.is_some(), "no {text:?} … {end:?}:\n{}", daemon.log_text());
    }
}

fn shares(shares: &[(&str, usize)]) -> BTreeMap<String, usize> {
    shares.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// A mail server that flaps and a name server that errs get no traffic while they do.
fn mail_and_names_follow_their_servers(network: &Network, daemon: &Daemon) {
    let [mail, names] = [&network.mails[1], &network.names[2]];
    for _ in 0..2 {
        let mark = daemon.log().mark();
        assert!(
            mail.become_another(&Service::Smtp(false)) && names.become_another(&Service::Dns(2))
        );
        await_each(daemon, mark, "Removing service [192.168.50.3]:tcp:25", &[MAIL]);
        await_each(daemon, mark, "Removing service [192.168.50.4]:udp:53", &[NAMES]);
        network.await_servers(MAIL, &[2, 4]);
        network.await_servers(NAMES, &[2, 3]);
        assert_eq!(network.ask_for_mail(6), shares(&[("220", 6)]), "{}", network.table());
        assert_eq!(network.ask_for_names(6), shares(&[("0", 6)]), "{}", network.table());
        let mark = daemon.log().mark();
        assert!(
            mail.become_another(&Service::Smtp(true)) && names.become_another(&Service::Dns(0))
        );
        await_each(daemon, mark, "Adding service [192.168.50.3]:tcp:25", &[MAIL]);
        await_each(daemon, mark, "Adding service [192.168.50.4]:udp:53", &[NAMES]);
    }
    network.await_servers(MAIL, &[2, 3, 4]);
    network.await_servers(NAMES, &[2, 3, 4]);
    assert_eq!(network.ask_for_mail(6), shares(&[("220", 6)]), "{}", network.table());
    assert_eq!(network.ask_for_names(6), shares(&[("0", 6)]), "{}", network.table());
}

/// One that answers, but not in time, gets no traffic.
fn a_slow_server_is_no_server(network: &Network, daemon: &Daemon) {
    let Service::Http(answer) = Service::page("200 fine", &page("a")) else { return };
    let mark = daemon.log().mark();
    assert!(
        network.pages[0].become_another(&Service::Late(Duration::from_secs(4), answer.clone()))
    );
    await_each(daemon, mark, "Removing service [192.168.50.2]:tcp:8081", &[SLOW_PAGES]);
    network.await_servers(SLOW_PAGES, &[3, 4]);
    let found = network.ask(SLOW_PAGES, 4);
    assert_eq!(found, shares(&[("b", 2), ("c", 2)]), "{}", network.table());
    assert!(network.pages[0].become_another(&Service::Http(answer)));
    await_each(daemon, mark, "Adding service [192.168.50.2]:tcp:8081", &[SLOW_PAGES]);
}

#[test]
fn traffic_goes_to_servers_that_are_well() {
    on_machine_for("traffic_goes_to_servers_that_are_well", 300, || {
        let mut network = Network::new();
        let mut daemon = Daemon::start(&Binary::under_test(), &network.director, &config(1));
        await_each(&daemon, Mark::default(), "Gained quorum", &[NAT, DIRECT, TUNNEL, DATAGRAMS]);
        for path in ["Remote Web server [192.168.50.4]:tcp:443", "UDP connection to [192.168.50.4]"]
        {
            let found = daemon
                .log()
                .wait(Mark::default(), SLOW, |line| line.text.starts_with(path).then_some(()));
            assert!(found.is_some(), "no {path}:\n{}", daemon.log_text());
        }
        let all = shares(&[("a", 2), ("b", 2), ("c", 2)]);
        for address in [NAT, DIRECT, TUNNEL] {
            assert_eq!(network.ask(address, 6), all, "{address}\n{}", network.table());
        }
        assert_eq!(network.ask_by_datagram(6), all, "{}", network.table());

        mail_and_names_follow_their_servers(&network, &daemon);
        a_slow_server_is_no_server(&network, &daemon);
        // Packets to two addresses, marked by nftables, are one service.
        assert_eq!(network.ask_marked(3), [2, 2, 2], "{}", network.table());

        // One is gone, and stays away from every service.
        let mark = daemon.log().mark();
        network.nginx[1] = None;
        let removed = "Removing service [192.168.50.3]:tcp:";
        await_each(&daemon, mark, removed, &[NAT, "10.9.0.100:443", DIRECT, TUNNEL]);
        for address in [NAT, DIRECT, TUNNEL] {
            network.await_servers(address, &[2, 4]);
            let found = network.ask(address, 4);
            assert_eq!(found, shares(&[("a", 2), ("c", 2)]), "{address}\n{}", network.table());
        }
        assert_eq!(network.ask_by_datagram(6), all, "{}", network.table());
        let gone = daemon.log().wait(mark, SLOW, |line| {
            (line.text == "Removing service [192.168.50.3]:tcp:80 from VS [marked]:0").then_some(())
        });
        assert!(gone.is_some(), "{}", daemon.log_text());
        assert_eq!(network.ask_marked(2), [2, 0, 2], "{}", network.table());

        // One accepts and says nothing: a check of the page knows, and a connection does not.
        let mark = daemon.log().mark();
        if let Some(nginx) = &network.nginx[2] {
            nginx.pause();
        }
        let removed = "Removing service [192.168.50.4]:tcp:";
        await_each(&daemon, mark, removed, &[NAT, "10.9.0.100:443"]);
        network.await_servers(NAT, &[2]);
        assert_eq!(network.ask(NAT, 3), shares(&[("a", 3)]), "{}", network.table());

        // The last one has the wrong page, and its echo is gone.
        let mark = daemon.log().mark();
        if let Some(nginx) = &network.nginx[0] {
            nginx.set_page("ill\nI am a");
        }
        network.echoes.remove(0);
        await_each(&daemon, mark, "Adding sorry server", &[NAT, "10.9.0.100:443"]);
        network.await_servers(NAT, &[1]);
        assert_eq!(network.ask(NAT, 3), shares(&[("sorry", 3)]), "{}", network.table());
        await_each(&daemon, mark, "Removing service [192.168.50.2]:udp:5300", &[DATAGRAMS]);
        network.await_servers(DATAGRAMS, &[3, 4]);
        let found = network.ask_by_datagram(4);
        assert_eq!(found, shares(&[("b", 2), ("c", 2)]), "{}", network.table());

        // They are all well again.
        let mark = daemon.log().mark();
        if let (Some(first), Some(last)) = (&network.nginx[0], &network.nginx[2]) {
            first.set_page(&page("a"));
            last.go_on();
        }
        network.start(1);
        for octet in [2, 3, 4] {
            let added = format!("Adding service [192.168.50.{octet}]:tcp:80");
            await_each(&daemon, mark, &added, &[NAT]);
        }
        await_each(&daemon, mark, "Adding service [192.168.50.3]:tcp:80", &[DIRECT, TUNNEL]);
        for address in [NAT, DIRECT, TUNNEL] {
            network.await_servers(address, &[2, 3, 4]);
            assert_eq!(network.ask(address, 6), all, "{address}\n{}", network.table());
        }

        // Another weight does not hurt a connection that goes on.
        let mut stream = network.client.enter(|| TcpStream::connect(NAT)).expect("it is served");
        stream.set_read_timeout(Some(SLOW)).expect("a time");
        let before = fetch_more(&mut stream).expect("it is served");
        let mark = daemon.log().mark();
        daemon.reload(&config(5));
        let changed = "Changing weight from 1 to 5 for active service [192.168.50.4]:tcp:80 of";
        await_each(&daemon, mark, changed, &[NAT]);
        assert_eq!(fetch_more(&mut stream).expect("it is served still"), before);

        daemon.process().signal(nix::sys::signal::Signal::SIGTERM);
        assert!(daemon.process().wait(SLOW), "{}", daemon.log_text());
        daemon.wait();
        assert!(!network.table().contains("->  "), "{}", network.table());
    });
}
