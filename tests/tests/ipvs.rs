//! What needs IPVS in the kernel, on a virtual machine.

use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Mark, Namespace, on_machine, run};

/// The virtual machine is slow.
const SLOW: Duration = Duration::from_secs(30);

/// Waits until the kernel says this of its synchronisation daemons.
#[track_caller]
fn await_daemons(namespace: &Namespace, expected: &str, daemon: &Daemon) {
    let deadline = Instant::now() + SLOW;
    loop {
        let arguments = ["netns", "exec", namespace.name(), "ipvsadm", "-L", "--daemon"];
        let found = run("ip", &arguments);
        if found.trim() == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?}, not {expected:?}\n{}", daemon.log_text());
        // The kernel tells nobody when a daemon starts or ends.
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn config(settings: &str) -> String {
    format!(
        "global_defs {{\n    {settings}\n}}\nvrrp_instance web {{
    interface sync0
    virtual_router_id 51
    priority 100
    advert_int 1
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
    )
}

#[test]
fn the_synchronisation_daemon_follows_its_instance() {
    on_machine("the_synchronisation_daemon_follows_its_instance", || {
        let namespace = Namespace::new();
        namespace.ip("link add sync0 type veth peer name sync1\nlink set sync0 up\nlink set sync1 up\naddr add 10.9.0.1/24 dev sync0\n");
        let all =
            "lvs_sync_daemon sync0 inst web id 7 maxlen 1400 port 8850 ttl 3 group 224.0.1.99";
        let mut daemon = Daemon::start(&Binary::under_test(), &namespace, &config(all));
        let is = |role: &str| {
            format!(
                "{role} sync daemon (mcast=sync0, syncid=7, maxlen=1400, group=224.0.1.99, port=8850, ttl=3)"
            )
        };
        await_daemons(&namespace, &is("backup"), &daemon);
        await_daemons(&namespace, &is("master"), &daemon);
        // A reload that changes its settings starts it anew; one that takes it away stops it.
        daemon.reload(&config("lvs_sync_daemon sync0 web"));
        let plain = "master sync daemon (mcast=sync0, syncid=51, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)";
        await_daemons(&namespace, plain, &daemon);
        daemon.reload(&config(""));
        await_daemons(&namespace, "", &daemon);
        let mark = daemon.log().mark();
        let old = config("").replace(
            "    interface sync0\n",
            "    interface sync0\n    lvs_sync_daemon_interface sync0\n",
        );
        daemon.reload(&old);
        await_daemons(&namespace, plain, &daemon);
        daemon.await_log(mark, "Specifying lvs_sync_daemon_interface against a vrrp is deprecated");
        assert!(daemon.stop().success());
        await_daemons(&namespace, "", &daemon);
    });
}

#[test]
fn without_ipvs_the_instance_goes_on_and_the_log_says_why() {
    let namespace = Namespace::new();
    namespace.ip("link add sync0 type veth peer name sync1\nlink set sync0 up\nlink set sync1 up\naddr add 10.9.0.1/24 dev sync0\n");
    let daemon =
        Daemon::start(&Binary::under_test(), &namespace, &config("lvs_sync_daemon sync0 web"));
    daemon.await_log(Mark::default(), "(web) Entering MASTER STATE");
    if !std::path::Path::new("/proc/net/ip_vs").exists() {
        daemon
            .await_log(Mark::default(), "IPVS: cannot run the sync daemon: the kernel has no IPVS");
    }
}
