//! What the log says of a reload that takes something away, as the original says it.

use std::time::SystemTime;

use lab::{Lan, LogLine, Mark, Router};

/// Static routes and rules, and an instance with these lines.
fn config(static_routes: &str, static_rules: &str, routes: &str, rules: &str) -> String {
    format!(
        "static_routes {{\n{static_routes}}}\nstatic_rules {{\n{static_rules}}}
vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.1
    virtual_ipaddress {{
        10.9.0.100/24
    }}
    virtual_routes {{\n{routes}}}
    virtual_rules {{\n{rules}}}
}}\n"
    )
}

#[test]
fn routes_and_rules_that_go_are_told() {
    let kept_route = "10.75.0.0/16 via 10.9.0.9\n";
    let kept_rule = "from 10.75.0.0/16 table 78 preference 79\n";
    let more_routes = "default via 10.9.0.9\n10.74.0.1 via 10.9.0.9\n10.76.0.0/16 via 10.9.0.9\n\
                       fd74::/64 dev eth0 metric 4\n";
    let more_rules =
        "from 10.74.0.1 table 78 preference 77\nto 10.74.0.1/32 table 78 preference 78\n";
    let fixed_routes = ["10.61.0.0/24 dev eth0\n", "10.62.0.0/24 dev eth0\n"];
    let fixed_rules = [
        "to 10.65.0.1 table 77 preference 72\n",
        "from 10.63.0.0/24 to 10.64.0.1 table 77 preference 71\n",
    ];
    let all = config(
        &fixed_routes.concat(),
        &fixed_rules.concat(),
        &(kept_route.to_owned() + more_routes),
        &(kept_rule.to_owned() + more_rules),
    );
    // One of the routes has another way.
    let routes = kept_route.to_owned() + "10.76.0.0/16 via 10.9.0.8\n";
    let fewer = config(fixed_routes[0], fixed_rules[0], &routes, kept_rule);
    let router = Router::on(Lan::new(1), &all);
    router.await_addresses(&["10.9.0.100"], true);
    // Either process has said what it has to say of the start.
    router.daemon.await_log(Mark::default(), "Startup complete");
    router.daemon.await_log(Mark::default(), "(web) setting Virtual Rules");
    let said = |config: &str| -> Vec<String> {
        let mark = router.daemon.log().mark();
        router.daemon.reload(config);
        router.daemon.await_log(mark, "Reload complete");
        // The parent says so while its child may still have something to say.
        let config = config.replace("advert_int 0.1", "advert_int 0.1\n    priority 90");
        router.daemon.reload(&config);
        let complete = |line: &LogLine| line.text == "Reload complete";
        let mut times = 0;
        let both = router.daemon.log().wait(mark, lab::PATIENCE, |line| {
            times += usize::from(complete(line));
            (times == 2).then(SystemTime::now)
        });
        assert!(both.is_some(), "{}", router.daemon.log_text());
        let lines = router.daemon.log().since(mark).into_iter().map(|line| line.text);
        let about = |text: &String| ["emov", "setting "].iter().any(|word| text.contains(word));
        lines.filter(about).collect()
    };
    // Nothing is set again.
    assert_eq!(said(&all), [""; 0]);
    assert_eq!(
        said(&fewer),
        [
            "ip rule from 10.63.0.0/24 to 10.64.0.1 removed",
            "Removing route 10.62.0.0/24",
            "ip rule from 10.74.0.1 removed",
            "ip rule from all to 10.74.0.1 removed",
            "Removing route 0.0.0.0/0",
            "Removing route 10.74.0.1",
            "Removing route 10.76.0.0/16",
            "Removing route fd74::/64",
        ]
    );
    assert_eq!(
        said(&config("", "", "", "")),
        [
            "Removing a VirtualRule block",
            "Removing a VirtualRoute block",
            "Removing a VirtualRule block",
            "Removing a VirtualRoute block",
        ]
    );
}
