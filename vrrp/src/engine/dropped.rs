//! What a reload takes away from masters and of what is static, as the log tells it.

use log::{debug, info};
use runtime::machine::route::Prefix;

use super::Engine;
use super::instance::Instance;
use crate::config::{self, Config, Route, Rule};
use crate::packet::Family;
use crate::report;

impl Engine {
    /// Tells what `config` no longer has. Each of its instances was at the place in `found`, if it was there.
    pub(super) fn log_dropped(&self, found: &[Option<usize>], config: &Config) {
        log_rules(&self.config.static_rules, &config.static_rules, true);
        log_routes(&self.config.static_routes, &config.static_routes, true);
        let old: Vec<&Instance> = self.instances.iter().collect();
        for (now, place) in config.instances.iter().zip(found) {
            let Some(before) = place.and_then(|place| old.get(place).copied()) else { continue };
            log_rules(&before.config.rules, &now.rules, before.holds);
            log_routes(&before.config.routes, &now.routes, before.holds);
            if before.holds {
                self.log_addresses(before, now);
            }
        }
    }

    fn log_addresses(&self, before: &Instance, now: &config::Instance) {
        for address in before.config.all_addresses() {
            let kept = now.all_addresses().any(|one| {
                (one.address, one.prefix_len, &one.interface)
                    == (address.address, address.prefix_len, &address.interface)
            });
            if kept {
                continue;
            }
            let place = self.place(address, Some(before));
            let on = place.map_or_else(String::new, |at| self.interface_name(at.interface));
            info!(
                "({}) ip address {}/{} dev {on}, no longer exist",
                before.config.name, address.address, address.prefix_len
            );
        }
    }
}

/// `there` tells whether the kernel has what was configured.
fn log_rules(before: &[Rule], now: &[Rule], there: bool) {
    if now.is_empty() && !before.is_empty() {
        info!("Removing a VirtualRule block");
        return;
    }
    let gone =
        before.iter().filter(|rule| there && now.iter().all(|one| one.wanted != rule.wanted));
    for rule in gone {
        let from = rule.wanted.from.map_or("all".to_owned(), report::prefix);
        let to = rule.wanted.to.map(|to| format!(" to {}", report::prefix(to))).unwrap_or_default();
        debug!("ip rule from {from}{to} removed");
    }
}

/// `there` tells whether the kernel has what was configured.
fn log_routes(before: &[Route], now: &[Route], there: bool) {
    if now.is_empty() && !before.is_empty() {
        debug!("Removing a VirtualRoute block");
        return;
    }
    // One that only has other metrics is replaced.
    let key = |route: &Route| {
        let Route { destination, table, tos, metric, gateway, .. } = route;
        (*destination, *table, *tos, *metric, *gateway, route.interface.clone())
    };
    let gone = before.iter().filter(|route| there && now.iter().all(|one| key(one) != key(route)));
    for route in gone {
        let all = Prefix::everywhere(route.family == Family::V6);
        debug!("Removing route {}", report::prefix(route.destination.unwrap_or(all)));
    }
}
