//! The instances in JSON, as programs read them.

use runtime::global::Script;
use runtime::json::Json;
use runtime::report::{Moment, command};

use super::super::instance::Instance;
use super::super::tracking::TrackedProcess;
use super::super::{Engine, own_links};
use super::instance::wanted;
use super::trackers::Shown;
use crate::config::auth::Auth;
use crate::config::instance::Deleted;
use crate::config::track::ScriptId;
use crate::fsm::Preempt;
use crate::report::rule;
use crate::stats::Stats;
use crate::track::process::Parameters;

impl Engine {
    /// Version 1 is an array of instances, version 2 an object that has it.
    pub(super) fn json(&self) -> String {
        let mut json = Json::new();
        if self.global.files.json_version < 2 {
            self.json_instances(&mut json);
            return json.into_text();
        }
        json.object(|json| {
            self.json_instances(json.name("vrrp"));
            if !self.config.processes.is_empty() {
                self.json_processes(json.name("track_process"));
            }
        });
        json.into_text()
    }

    fn json_instances(&self, json: &mut Json) {
        json.array(|json| {
            for instance in self.instances.iter() {
                json.object(|json| {
                    json.name("data").object(|json| self.json_data(instance, json));
                    json.name("stats").object(|json| statistics(&instance.stats, json));
                });
            }
        });
    }

    fn json_data(&self, instance: &Instance, json: &mut Json) {
        let (config, router) = (&instance.config, &instance.router);
        json.name("iname").string(&config.name);
        json.name("dont_track_primary").plain(u8::from(!config.track_primary));
        json.name("skip_check_adv_addr").plain(u8::from(config.skip_check_adv_addr));
        json.name("strict_mode").plain(u8::from(config.strict));
        let own = own_links::of_adverts(config, &self.own_links);
        json.name("vmac_ifname").string(own.unwrap_or_default());
        if let Some(name) = self.adverts_on(instance) {
            json.name("ifp_ifname").string(name);
        }
        let priority = router.master_priority().map_or(0, |priority| priority.0);
        json.name("master_priority").plain(priority);
        json.name("last_transition").plain(Moment(instance.last_transition));
        json_announcements(instance, json);
        json.name("lower_prio_no_advert").plain(u8::from(config.lower_prio_no_advert));
        json.name("higher_prio_send_advert").plain(u8::from(config.higher_prio_send_advert));
        json.name("vrid").plain(config.vrid.0);
        json.name("base_priority").plain(config.priority.0);
        json.name("effective_priority").plain(router.effective_priority().0);
        json.name("vipset").plain(instance.holds);
        json.name("promote_secondaries").plain(config.promote_secondaries);
        json.name("adver_int").number(config.advert_interval.as_secs_f64());
        json.name("master_adver_int").number(router.master_interval().as_secs_f64());
        json.name("accept").plain(u8::from(config.accept));
        json.name("nopreempt").plain(config.preempt == Preempt::Never);
        let delay = match config.preempt {
            Preempt::After(delay) => delay.as_secs(),
            Preempt::Never | Preempt::AtOnce => 0,
        };
        json.name("preempt_delay").plain(delay);
        json.name("state").plain(router.state().number());
        json.name("wantstate").plain(wanted(instance).number());
        json.name("version").plain(config.version.number());
        json.name("smtp_alert").plain(config.smtp_alert);
        json_scripts(instance, json);
        self.json_objects(instance, json);
        self.json_trackers(instance, json);
        let auth = match config.auth {
            Auth::None | Auth::Hmac(_) => 0,
            Auth::Pass(_) => 1,
            Auth::Ah(_) => 2,
        };
        json.name("auth_type").plain(auth);
        if auth != 0 {
            json.name("auth_data").string("********");
        }
    }

    fn json_objects(&self, instance: &Instance, json: &mut Json) {
        let config = &instance.config;
        let address = |address| self.address_line(address, Some(instance));
        strings("vips", config.addresses.iter().map(address), json);
        strings("evips", config.excluded.iter().map(address), json);
        strings("vroutes", config.routes.iter().map(|one| self.route_line(one)), json);
        strings("vrules", config.rules.iter().map(|one| rule(one, None)), json);
    }

    fn json_trackers(&self, instance: &Instance, json: &mut Json) {
        let trackers = &instance.config.trackers;
        strings("track_ifp", trackers.interfaces.iter().map(|one| one.what.clone()), json);
        let script = |id: ScriptId| self.config.script(id).map(|script| command(&script.script));
        strings("track_script", trackers.scripts.iter().filter_map(|one| script(one.what)), json);
        let processes = trackers.processes.iter();
        let processes = processes.filter_map(|one| self.config.process(one.what));
        strings("track_process", processes.map(|process| process.name.clone()), json);
    }

    fn json_processes(&self, json: &mut Json) {
        json.array(|json| {
            for (_, process) in self.tracked.processes.iter() {
                json.object(|json| json_process(process, json));
            }
        });
    }
}

fn json_process(process: &TrackedProcess, json: &mut Json) {
    let (config, census) = (process.config(), process.census());
    let shown = Shown::of(&config.pattern);
    json.name("process").string(&config.name);
    if let Some(parameters) = &shown.parameters {
        json.name("parameters").string(parameters);
    }
    let comparison = match config.comparison {
        None => "none",
        Some(Parameters::Exact) => "exact",
        Some(Parameters::Partial) => "partial",
        Some(Parameters::Initial) => "initial",
    };
    json.name("param_match").string(comparison);
    let quorum = &config.quorum;
    json.name("min_processes").plain(quorum.least);
    if quorum.most != u32::MAX {
        json.name("max_processes").plain(quorum.most);
    }
    json.name("current_processes").plain(census.count());
    json.name("have_quorum").plain(census.holds());
    let sign = if config.weighting.reverse { -1 } else { 1 };
    json.name("weight").plain(sign * config.weighting.weight);
    let delay = quorum.terminate_delay.as_secs_f64();
    json.name("terminate_delay").number(delay);
    json.name("fork_delay").number(quorum.fork_delay.as_secs_f64());
    json.name("fork_delay_timer_running").plain(census.waits_for_fork());
    json.name("terminate_delay_timer_running").plain(census.waits_for_exit());
    json.name("full_command").plain(shown.full_command);
}

fn json_announcements(instance: &Instance, json: &mut Json) {
    let garp = &instance.config.garp;
    json.name("garp_delay").number(garp.delay.as_secs_f64());
    json.name("garp_refresh").plain(garp.refresh.as_secs());
    json.name("garp_rep").plain(garp.repeat);
    json.name("garp_refresh_rep").plain(garp.refresh_repeat);
    json.name("garp_lower_prio_delay").plain(garp.lower_prio_delay.as_secs());
    json.name("garp_lower_prio_rep").plain(garp.lower_prio_repeat);
}

fn json_scripts(instance: &Instance, json: &mut Json) {
    let notify = &instance.config.notify;
    let (is_reported, deleted) = match &notify.deleted {
        Deleted::AsFault => (false, None),
        Deleted::Reported(script) => (true, script.as_deref()),
    };
    json.name("notify_deleted").plain(is_reported);
    let scripts: [(&str, Option<&Script>); 7] = [
        ("script_backup", notify.backup.as_deref()),
        ("script_master", notify.master.as_deref()),
        ("script_fault", notify.fault.as_deref()),
        ("script_stop", notify.stop.as_deref()),
        ("script_deleted", deleted),
        ("script", notify.any.as_deref()),
        ("script_master_rx_lower_pri", notify.lower_priority.as_deref()),
    ];
    for (name, script) in scripts {
        if let Some(script) = script {
            json.name(name).string(&command(script));
        }
    }
}

/// An array of strings, if there are any.
fn strings(name: &str, values: impl Iterator<Item = String>, json: &mut Json) {
    let mut values = values.peekable();
    if values.peek().is_some() {
        json.name(name).array(|json| values.for_each(|value| json.string(&value)));
    }
}

fn statistics(stats: &Stats, json: &mut Json) {
    let members = [
        ("advert_rcvd", stats.advert_rcvd),
        ("advert_sent", u64::from(stats.advert_sent)),
        ("become_master", u64::from(stats.become_master)),
        ("release_master", u64::from(stats.release_master)),
        ("packet_len_err", stats.packet_len_err),
        ("advert_interval_err", stats.advert_interval_err),
        ("ip_ttl_err", stats.ip_ttl_err),
        ("invalid_type_rcvd", stats.invalid_type_rcvd),
        ("addr_list_err", stats.addr_list_err),
        ("invalid_authtype", stats.invalid_authtype),
        ("authtype_mismatch", stats.authtype_mismatch),
        ("auth_failure", stats.auth_failure),
        ("auth_ext_missing", stats.auth_ext_missing),
        ("auth_ext_malformed", stats.auth_ext_malformed),
        ("auth_ext_unknown_key", stats.auth_ext_unknown_key),
        ("auth_ext_invalid_hmac", stats.auth_ext_invalid_hmac),
        ("auth_ext_stale", stats.auth_ext_stale),
        ("auth_ext_replay", stats.auth_ext_replay),
        ("pri_zero_rcvd", stats.pri_zero_rcvd),
        ("pri_zero_sent", stats.pri_zero_sent),
    ];
    for (name, value) in members {
        json.name(name).plain(value);
    }
}
