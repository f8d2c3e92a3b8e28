//! The load balancers of OpenStack Octavia for UDP and SCTP: the configuration that its amphora writes, and what it reads
//! of the kernel to tell how members are.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use lab::{Backend, Binary, Daemon, Namespace, Scratch, Service, on_machine, run};

/// The virtual machine is slow.
const SLOW: Duration = Duration::from_secs(60);

/// What the amphora reads: services, and their members, all in hexadecimal.
#[track_caller]
fn await_listeners(namespace: &Namespace, expected: &[&str], daemon: &Daemon) {
    let deadline = Instant::now() + SLOW;
    loop {
        let text = run("ip", &["netns", "exec", namespace.name(), "cat", "/proc/net/ip_vs"]);
        let lines = text.lines().skip(3).map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Of a service how long it is persistent is in jiffies, of a member its connections are chance.
            let meant = if line.starts_with("  ->") { 4 } else { 3 };
            words.into_iter().take(meant).collect::<Vec<_>>().join(" ")
        });
        // Which comes first is the kernel's business.
        let found: BTreeSet<String> = lines.collect();
        if found.iter().eq(expected.iter().copied().collect::<BTreeSet<_>>()) {
            return;
        }
        assert!(Instant::now() < deadline, "{text}\n{}", daemon.log_text());
        // The kernel tells nobody of changes.
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn config(namespace: &Namespace, script: &str, weight: u32) -> String {
    format!(
        "# Configuration for Loadbalancer 85e2111b-29c4-44be-94f3-e72045805801
# Configuration for Listener 3e3a3d9e-5b5c-4b5a-8d1b-7c1e6b8b0b8e

net_namespace {}

virtual_server_group ipv4-group {{
    10.9.0.10 80
}}

virtual_server group ipv4-group {{
    lb_algo wrr
    lb_kind NAT
    protocol UDP
    persistence_timeout 33
    persistence_granularity 255.255.0.0
    delay_loop 1
    delay_before_retry 1
    retry 1

    # Configuration for Pool 1f2f7a4e-dd11-4b8a-9a4c-5c4f5d0f4f77
    # Configuration for HealthMonitor 2b2a8e0a-3f3e-47c4-8f5e-3d0c9b0c6a10
    # Configuration for Member 6f1e5f0c-1111-4a0e-a5d5-0d1c6a4b7e01
    real_server 10.9.0.2 82 {{
        weight {weight}
        uthreshold 98
        # It is asked by a script.
        MISC_CHECK {{
            misc_path \"{script} 10.9.0.2 82\"
            misc_timeout 30
        }}
    }}

    # Configuration for Member 6f1e5f0c-1111-4a0e-a5d5-0d1c6a4b7e02
    real_server 10.9.0.3 82 {{
        weight 0
        HTTP_GET {{
            url {{
              path /index.html
              status_code 200
            }}
            connect_ip 10.9.0.3
            connect_port 80
            connect_timeout 5
        }}
    }}
}}

virtual_server_group ipv6-group {{
    fd00:9::10 80
}}

virtual_server group ipv6-group {{
    lb_algo rr
    lb_kind NAT
    protocol SCTP
    delay_loop 1

    # Member 6f1e5f0c-1111-4a0e-a5d5-0d1c6a4b7e03 is disabled
    real_server fd00:9::3 82 {{
        weight 1
        TCP_CHECK {{
            connect_ip 10.9.0.3
            connect_port 80
            connect_timeout 5
        }}
    }}
}}
",
        namespace.name()
    )
}

#[test]
fn members_are_seen_in_the_kernel() {
    on_machine("members_are_seen_in_the_kernel", || {
        let (namespace, scratch) = (Namespace::new(), Scratch::new());
        namespace.ip(
            "link add d0 type dummy\nlink set d0 up\naddr add 10.9.0.1/24 dev d0\naddr add 10.9.0.3/24 dev d0\n",
        );
        let verdict = scratch.write("verdict", "0");
        let text = format!("#!/bin/sh\nexit \"$(cat {})\"\n", verdict.display());
        let script = scratch.write("udp_check.sh", &text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&script, mode).expect("the directory is ours");
        let script = script.display().to_string();
        let address: SocketAddr = "10.9.0.3:80".parse().expect("an address");
        let member = Backend::start(&namespace, address, Service::page("200 OK", "fine"));

        let config = |weight| {
            "global_defs {\n    script_user root\n}\n".to_owned()
                + &config(&namespace, &script, weight)
        };
        let mut daemon = Daemon::start_outside(&Binary::under_test(), &config(13));
        let (udp, sctp) =
            ("UDP 0A09000A:0050 wrr", "SCTP [fd00:0009:0000:0000:0000:0000:0000:0010]:0050 rr");
        let (first, second) = ("-> 0A090002:0052 Masq 13", "-> 0A090003:0052 Masq 0");
        let third = "-> [fd00:0009:0000:0000:0000:0000:0000:0003]:0052 Masq 1";
        let all = [udp, second, first, sctp, third];
        await_listeners(&namespace, &all, &daemon);
        fs::write(&verdict, "1").expect("it is ours");
        await_listeners(&namespace, &[udp, second, sctp, third], &daemon);
        drop(member);
        await_listeners(&namespace, &[udp, sctp], &daemon);
        fs::write(&verdict, "0").expect("it is ours");
        await_listeners(&namespace, &[udp, first, sctp], &daemon);
        let _member = Backend::start(&namespace, address, Service::page("200 OK", "fine"));
        await_listeners(&namespace, &[udp, second, first, sctp, third], &daemon);
        // It is reloaded with another weight.
        daemon.reload(&config(7));
        let other = "-> 0A090002:0052 Masq 7";
        await_listeners(&namespace, &[udp, second, other, sctp, third], &daemon);
        assert!(daemon.stop().success());
        await_listeners(&namespace, &[], &daemon);
    });
}
