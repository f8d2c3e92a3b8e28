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
        await_daemons(&namespace, &plain.replace("syncid=51", "syncid=0"), &daemon);
        daemon.await_log(mark, "Specifying lvs_sync_daemon_interface against a vrrp is deprecated");
        assert!(daemon.stop().success());
        await_daemons(&namespace, "", &daemon);
    });
}

/// Forms of the line, and what the kernel says of the daemon of a master.
const FORMS: [(&str, &str); 8] = [
    ("sync0 web 9", "syncid=9, maxlen=1472, group=224.0.0.81, port=8848, ttl=1"),
    ("sync0 inst web", "syncid=51, maxlen=1472, group=224.0.0.81, port=8848, ttl=1"),
    ("sync0 inst web id 0", "syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1"),
    (
        "sync0 id 7 maxlen 1400 inst web port 8850",
        "syncid=7, maxlen=1400, group=224.0.0.81, port=8850, ttl=1",
    ),
    (
        "sync0 inst web group ff02::1:7 ttl 2",
        "syncid=51, maxlen=1452, group=ff02::1:7, port=8848, ttl=2",
    ),
    ("sync0 inst other id 3", ""),
    ("nowhere inst web", ""),
    ("sync0 web", "syncid=51, maxlen=1472, group=224.0.0.81, port=8848, ttl=1"),
];

#[test]
fn each_form_of_the_synchronisation_daemon_is_that_of_the_original() {
    on_machine("each_form_of_the_synchronisation_daemon_is_that_of_the_original", || {
        let namespace = Namespace::new();
        namespace.ip("link add sync0 type veth peer name sync1\nlink set sync0 up\nlink set sync1 up\naddr add 10.9.0.1/24 dev sync0\n");
        let is = |role: &str, parts: &str| format!("{role} sync daemon (mcast=sync0, {parts})");
        let (form, mut parts) = ("lvs_sync_daemon sync0 web", FORMS[7].1);
        let mut daemon = Daemon::start(&Binary::under_test(), &namespace, &config(form));
        daemon.await_log(Mark::default(), "Initializing ipvs");
        await_daemons(&namespace, &is("master", parts), &daemon);
        for (form, expected) in FORMS {
            let mark = daemon.log().mark();
            daemon.reload(&config(&format!("lvs_sync_daemon {form}")));
            daemon.await_log(mark, "Reinitializing ipvs");
            parts = expected;
            let expected = if parts.is_empty() { String::new() } else { is("master", parts) };
            await_daemons(&namespace, &expected, &daemon);
        }
        // It follows its instance into a fault, and out of it, and to another number and name.
        namespace.ip("link set sync1 down\n");
        await_daemons(&namespace, &is("backup", parts), &daemon);
        namespace.ip("link set sync1 up\n");
        await_daemons(&namespace, &is("master", parts), &daemon);
        let renamed =
            config("lvs_sync_daemon sync0 mail").replace("_instance web", "_instance mail");
        daemon.reload(&renamed);
        await_daemons(&namespace, &is("master", parts), &daemon);
        daemon.reload(&renamed.replace("router_id 51", "router_id 52"));
        let parts = parts.replace("syncid=51", "syncid=52");
        await_daemons(&namespace, &is("master", &parts), &daemon);
        assert!(daemon.stop().success());
        await_daemons(&namespace, "", &daemon);
    });
}

#[test]
fn the_synchronisation_daemon_may_pass_from_process_to_process() {
    on_machine("the_synchronisation_daemon_may_pass_from_process_to_process", || {
        let namespace = Namespace::new();
        namespace.ip("link add sync0 type veth peer name sync1\nlink set sync0 up\nlink set sync1 up\naddr add 10.9.0.1/24 dev sync0\n");
        let server = "virtual_server 10.9.0.200 80 {\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server 10.9.0.201 80 {\n }\n}\n";
        let with = |form: &str| config(&format!("lvs_sync_daemon sync0 {form}")) + server;
        let is = |role: &str, id: u8| {
            format!(
                "{role} sync daemon (mcast=sync0, syncid={id}, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)"
            )
        };
        let both = format!("{}\n{}", is("master", 7), is("backup", 7));
        let mut daemon = Daemon::start(&Binary::under_test(), &namespace, &with("inst web"));
        await_daemons(&namespace, &is("master", 51), &daemon);
        for _ in 0..3 {
            for (form, expected) in [("id 7", &both), ("inst web", &is("master", 51))] {
                let mark = daemon.log().mark();
                daemon.reload(&with(form));
                // The processes are done, in whatever order.
                daemon.await_log(mark, "Reload complete");
                daemon.await_log(mark, "Activating BFD healthchecker");
                await_daemons(&namespace, expected, &daemon);
            }
        }
        assert!(daemon.stop().success());
        await_daemons(&namespace, "", &daemon);
    });
}

#[test]
fn the_synchronisation_daemon_runs_where_ipvs_is() {
    on_machine("the_synchronisation_daemon_runs_where_ipvs_is", || {
        let (namespace, other) = (Namespace::new(), Namespace::new());
        let link =
            "link add sync0 type veth peer name sync1\nlink set sync0 up\nlink set sync1 up\n";
        namespace.ip(&format!("{link}addr add 10.9.0.1/24 dev sync0\n"));
        other.ip(link);
        let config =
            format!("net_namespace_ipvs {}\n{}", other.name(), config("lvs_sync_daemon sync0 web"));
        let mut daemon = Daemon::start(&Binary::under_test(), &namespace, &config);
        let expected = "master sync daemon (mcast=sync0, syncid=51, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)";
        await_daemons(&other, expected, &daemon);
        await_daemons(&namespace, "", &daemon);
        assert!(daemon.stop().success());
        await_daemons(&other, "", &daemon);
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
