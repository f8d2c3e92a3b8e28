//! Keeping the interfaces that we make: when they are made, set up and removed.

use std::collections::BTreeMap;

use log::info;
use runtime::machine::IfIndex;
use runtime::netlink::Request;

use super::Engine;
use super::machine::Told;
use crate::config;
use crate::interfaces::Interfaces;
use crate::kernel::own_links::{self, Key, OwnLinks};
use crate::kernel::sysctl::{Knob, Setting, Settings};

/// More rounds than there are steps to any number of interfaces.
const ROUNDS: usize = 256;
/// So many requests are made at once that what the kernel tells about them fits the monitor's buffer.
const TOGETHER: usize = 16;

/// How strictly the sources of packets were checked before we came. It is the higher one of an interface's own setting
/// and that for all that counts, and VMACs need none; so what was asked of all is asked of each.
#[derive(Debug)]
pub(super) struct SourceChecks {
    /// What was asked of all.
    level: i32,
    /// The interfaces that asked for less themselves.
    raised: Vec<IfIndex>,
    /// What less new interfaces would ask for.
    default: Option<i32>,
}

impl SourceChecks {
    fn look(interfaces: &Interfaces, settings: &Settings) -> Self {
        let level = settings.original(Setting::All(Knob::RpFilter)).unwrap_or_else(|error| {
            info!("Unable to read sysctl net.ipv4.conf.all.rp_filter: {error}");
            0
        });
        if level == 0 {
            return Self { level, raised: Vec::new(), default: None };
        }
        let less = |setting| settings.original(setting).ok().filter(|&own| own < level);
        let default = less(Setting::Default(Knob::RpFilter));
        if let Some(own) = default {
            info!("NOTICE: setting sysctl net.ipv4.conf.default.rp_filter from {own} to {level}");
        }
        info!("NOTICE: setting sysctl net.ipv4.conf.all.rp_filter from {level} to 0");
        let raised = interfaces
            .iter()
            .map(|interface| interface.link().index)
            .filter(|&index| less(Setting::Interface(index, Knob::RpFilter)).is_some())
            .collect();
        Self { level, raised, default }
    }

    fn log_end(&self) {
        if self.level != 0 {
            info!("NOTICE: resetting sysctl net.ipv4.conf.all.rp_filter to {}", self.level);
        }
        if let Some(own) = self.default {
            info!("NOTICE: resetting sysctl net.ipv4.conf.default.rp_filter to {own}");
        }
    }

    fn settings(&self, interfaces: &Interfaces) -> BTreeMap<Setting, i32> {
        if self.level == 0 {
            return BTreeMap::new();
        }
        let there = self.raised.iter().filter(|&&index| interfaces.get(index).is_some());
        let raised = there.map(|&index| (Setting::Interface(index, Knob::RpFilter), self.level));
        let default = (Setting::Default(Knob::RpFilter), self.level);
        raised
            .chain(self.default.map(|_| default))
            .chain([(Setting::All(Knob::RpFilter), 0)])
            .collect()
    }
}

impl Engine {
    /// Has the interfaces made that the configuration asks for, and those removed that it asks for no more. What
    /// follows for the instances is to be looked at for all of them.
    pub(super) fn make_links(&mut self) {
        let wanted = own_links::wanted(&self.config, &self.global.vrrp);
        self.own_links.want(wanted, &self.interfaces);
        self.tend_links();
        self.apply_settings();
    }

    /// Removes all interfaces that we have made.
    pub(super) fn remove_links(&mut self) {
        self.own_links.want(Vec::new(), &self.interfaces);
        self.tend_links();
    }

    /// Has the interfaces that we make be as they should be. Returns what the kernel has told meanwhile.
    pub(super) fn tend_links(&mut self) -> Told {
        let mut told = Told::default();
        if self.own_links.is_empty() && self.source_checks.is_none() {
            return told;
        }
        self.own_links.retry();
        for _ in 0..ROUNDS {
            let steps = self.own_links.plan(&self.interfaces);
            // Before an interface is up, for it is to say nothing wrong.
            self.apply_settings();
            if steps.is_empty() {
                break;
            }
            // What an interface says when it comes up is to be kept in.
            self.block();
            let requests: Vec<Request> = steps.iter().map(|step| step.request().clone()).collect();
            let mut outcomes = Vec::with_capacity(requests.len());
            for some in requests.chunks(TOGETHER) {
                outcomes.extend(self.netlink.execute(some));
                // The kernel has told about it before it answered.
                told.extend(self.take_in());
            }
            self.own_links.done(steps, outcomes);
            self.dirty = true;
        }
        told
    }

    /// Has the kernel's settings be what we need.
    pub(super) fn apply_settings(&mut self) {
        let desired = self.desired_settings();
        for failure in self.settings.reconcile(&desired, &mut self.netlink) {
            info!("{failure}");
        }
    }

    fn desired_settings(&mut self) -> BTreeMap<Setting, i32> {
        let own = self.own_links.settings(&self.interfaces);
        if own.is_empty() {
            if let Some(checks) = self.source_checks.take() {
                checks.log_end();
            }
        } else if self.source_checks.is_none() {
            self.source_checks = Some(SourceChecks::look(&self.interfaces, &self.settings));
        }
        let checks = self.source_checks.as_ref();
        let mut settings =
            checks.map_or_else(BTreeMap::new, |checks| checks.settings(&self.interfaces));
        settings.extend(own);
        settings.extend(self.promotions());
        if self.global.vrrp.disable_local_igmp {
            settings.insert(Setting::LocalIgmpReports, 0);
        }
        settings
    }
}

/// The name of the interface that is made for the adverts of an instance.
pub(super) fn of_adverts<'a>(config: &config::Instance, links: &'a OwnLinks) -> Option<&'a str> {
    links.name_of(&Key::of_instance(config)?)
}

/// The names of the interfaces that are made for addresses of an instance, if these are tracked.
pub(super) fn of_addresses<'a>(
    config: &'a config::Instance,
    links: &'a OwnLinks,
) -> impl Iterator<Item = &'a str> {
    let tracked = config.all_addresses().filter(|address| address.tracked);
    tracked.filter_map(|address| links.name_of(&Key::of_address(config, address)?))
}
