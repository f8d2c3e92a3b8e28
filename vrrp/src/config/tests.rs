//! Configurations as text, and what is made of them.

mod instances;
mod links;
mod objects;
mod relations;
mod tracking;

use std::collections::HashMap;
use std::time::Duration;

use conf_parser::{Class, Diagnostics, Options, list_keywords, parse_text};
use runtime::global::{Account, BfdName, Global, TrackFile};
use runtime::machine::{Address as MachineAddress, IfIndex, Machine};

use super::*;

/// A machine with some Ethernet interfaces, a loopback interface, and one address each.
fn machine() -> Machine {
    let mut machine = Machine::with_interfaces(&["eth0", "eth1", "eth2", "lo"]);
    let lo = machine.links.last_mut().unwrap();
    lo.hardware = runtime::machine::Hardware::LOOPBACK;
    machine.addresses = (1..=3)
        .map(|index| {
            let address = format!("10.9.0.{index}").parse().unwrap();
            MachineAddress::plain(IfIndex(index), address, 24)
        })
        .collect();
    machine
}

fn global() -> Global {
    let mut global = Global::default();
    global.scripts.account = Some(Account { uid: 0, gid: 0, groups: Vec::new() });
    global.scripts.security = true;
    // What this machine's own files say must not matter.
    global.vrrp.iproute_etc_dir = "/nonexistent".to_owned();
    global.vrrp.iproute_usr_dir = "/nonexistent".to_owned();
    global.track_files = ["f", "g"]
        .map(|name| TrackFile {
            name: name.to_owned(),
            path: format!("/tmp/{name}"),
            weight: if name == "f" { 1 } else { 7 },
            reverse: false,
            initial: None,
        })
        .to_vec();
    global
}

fn sessions() -> Vec<BfdName> {
    let session = |name: &str, vrrp| BfdName {
        name: name.to_owned(),
        weight: 0,
        reverse: false,
        vrrp,
        checker: !vrrp,
    };
    vec![session("peer", true), session("checked", false)]
}

/// What became of a configuration.
struct Loaded {
    config: Config,
    diagnostics: Diagnostics,
}

impl Loaded {
    fn from(text: &str) -> Self {
        Self::with(text, &global(), &machine())
    }

    fn with(text: &str, global: &Global, machine: &Machine) -> Self {
        let mut diagnostics = Diagnostics::default();
        let options = Options { main: "test.conf".into(), ..Options::default() };
        let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
        let config = load(&statements, global, machine, &sessions(), &mut diagnostics);
        Self { config, diagnostics }
    }

    /// All that is said, but for what is only worth a line in the log.
    fn complaints(&self) -> Vec<&str> {
        let items = self.diagnostics.items().iter();
        items
            .filter(|item| item.class > Class::Harmless)
            .map(|item| item.message.as_str())
            .collect()
    }

    #[track_caller]
    fn expect_silence(self) -> Self {
        assert_eq!(self.complaints(), [""; 0]);
        self
    }

    /// There are as many complaints as parts, and each contains its part.
    #[track_caller]
    fn expect_complaints(self, parts: &[&str]) -> Self {
        let complaints = self.complaints();
        let fit = complaints.len() == parts.len()
            && complaints.iter().zip(parts).all(|(complaint, part)| complaint.contains(part));
        assert!(fit, "{complaints:#?}\nare not about\n{parts:#?}");
        self
    }

    fn instance(&self) -> &Instance {
        self.config.instances.first().unwrap()
    }
}

/// An instance with these lines besides what it needs.
fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance web {{\n interface eth0\n virtual_router_id 51\n {lines}\n virtual_ipaddress {{\n 10.9.0.100/24\n }}\n}}\n"
    )
}

/// As [`instance`], for IPv6.
fn instance6(lines: &str) -> String {
    format!(
        "vrrp_instance web {{\n interface eth0\n virtual_router_id 51\n {lines}\n virtual_ipaddress {{\n fe80::100/64\n }}\n}}\n"
    )
}

/// An instance with lines that are accepted.
#[track_caller]
fn good(lines: &str) -> Instance {
    Loaded::from(&instance(lines)).expect_silence().config.instances.remove(0).as_ref().clone()
}

/// An instance with lines about each of which something is said.
#[track_caller]
fn bad(lines: &str, complaints: &[&str]) -> Instance {
    Loaded::from(&instance(lines))
        .expect_complaints(complaints)
        .config
        .instances
        .remove(0)
        .as_ref()
        .clone()
}

#[test]
fn an_empty_configuration_needs_no_child() {
    let loaded = Loaded::from("").expect_silence();
    assert!(!loaded.config.needs_child());
    assert!(loaded.config.usable);
}

#[test]
fn instances_and_static_objects_need_the_child() {
    for text in [
        instance(""),
        "static_ipaddress {\n 10.0.0.1 dev eth0\n}".to_owned(),
        "static_routes {\n 10.0.0.0/8 dev eth0\n}".to_owned(),
        "static_rules {\n from 10.0.0.0/8 table 5 priority 5\n}".to_owned(),
        "static_rules {\n}".to_owned(),
    ] {
        assert!(Loaded::from(&text).config.needs_child(), "{text}");
    }
    for text in
        ["vrrp_script x {\n script /bin/true\n}", "vrrp_sync_group g {\n group {\n a\n }\n}"]
    {
        assert!(!Loaded::from(text).config.needs_child(), "{text}");
    }
}

#[test]
fn defaults_are_those_of_the_protocol() {
    let web = good("");
    assert_eq!((web.vrid.0, web.priority.0, web.wants_master), (51, 100, false));
    assert_eq!(web.version.number(), 2);
    assert_eq!(web.advert_interval, Duration::from_secs(1));
    assert_eq!(web.down_timer_adverts, 3);
    assert!(web.accept && web.track_primary && !web.strict && !web.defective);
    assert_eq!(web.garp.delay, Duration::from_secs(5));
    assert_eq!((web.garp.repeat, web.garp.refresh_repeat), (5, 1));
    assert_eq!((web.garp.lower_prio_repeat, web.garp.lower_prio_delay.as_secs()), (5, 5));
}

#[test]
fn a_configuration_survives_the_handover() {
    let text = format!(
        "{}vrrp_sync_group g {{\n group {{\n web\n }}\n}}\n{}",
        "static_routes {\n 10.1.0.0/16 via 10.9.0.2 encap mpls 5\n}\n",
        instance("use_vmac\nauthentication {\n auth_type PASS\n auth_pass x\n}\nnotify_deleted")
    );
    let config = Loaded::from(&text).config;
    let sealed = runtime::handover::seal(&config).unwrap();
    assert_eq!(runtime::handover::open::<Config>(&sealed).unwrap(), config);
}

/// `global_defs` and the tables of others are not looked at here.
#[test]
fn every_keyword_is_listed_with_its_arguments() {
    let listed = list_keywords(&ROOT);
    let counted: HashMap<&str, usize> = listed.lines().fold(HashMap::new(), |mut counted, line| {
        *counted.entry(line.split('\t').next().unwrap()).or_default() += 1;
        counted
    });
    let count = |path| counted.get(path).copied().unwrap_or_default();
    assert_eq!(count("/"), 11);
    assert_eq!(count("vrrp_instance"), 71);
    assert_eq!(count("vrrp_sync_group"), 15);
    assert_eq!(count("vrrp_script"), 8);
    assert_eq!(count("vrrp_track_process"), 9);
    assert!(listed.contains("vrrp_instance\tpriority\tUINT:1..255\n"), "{listed}");
    assert!(listed.contains("vrrp_instance\tadvert_int\tTIMER:0.01..255\n"), "{listed}");
}

#[test]
fn a_name_that_is_not_there_is_guessed() {
    let text = instance("track_interface {\n ehth1\n}");
    let loaded = Loaded::from(&text);
    let hints: Vec<_> =
        loaded.diagnostics.items().iter().filter_map(|item| item.hint.as_deref()).collect();
    assert_eq!(hints, ["did you mean 'eth1'?"]);
}

#[test]
fn five_thousand_instances_load_in_time_that_grows_with_their_number() {
    let count = |number: usize| {
        let text: String = (0..number)
            .map(|index| {
                format!(
                    "vrrp_instance i{index} {{\n interface eth{}\n virtual_router_id {}\n mcast_dst_ip 224.0.{}.{}\n virtual_ipaddress {{\n 10.{}.{}.1/24\n }}\n}}\n",
                    index % 3,
                    index % 255 + 1,
                    1 + index / 65_536,
                    index / 255 % 256,
                    index / 256,
                    index % 256,
                )
            })
            .collect();
        Loaded::from(&text).expect_silence().config.instances.len()
    };
    assert_eq!(count(5000), 5000);
}
