//! From what the file says to the complete VRRP configuration.

use std::collections::HashMap;
use std::rc::Rc;

use conf_parser::{Class, Line, Place, Spanned};
use runtime::global::{BfdName, SyncDaemon};
use runtime::scripts::ScriptChecker;

use super::address_entry::{AddressDraft, Owner};
use super::context::Context;
use super::group_finish::Groups;
use super::instance_draft::InstanceDraft;
use super::instance_finish::Workshop;
use super::instance_keywords::already_specified;
use super::iproute_names::Kind;
use super::keywords::Draft;
use super::link::{finish_delays, finish_garp_groups, finish_linkbeat};
use super::track_group::TrackGroupDraft;
use super::trackables::Trackables;
use super::{
    Address, Config, InstanceId, Linkbeat, TrackGroup, TrackGroupId, conflicts, route_entry,
    rule_entry, track_rules, unused,
};

/// Makes the complete configuration.
pub(super) fn finish(draft: Draft, bfd_names: &[BfdName], context: &mut Context<'_>) -> Config {
    let mut config = Config { wanted: draft.wanted, ..Config::default() };
    config.address_protocol = context.names.find_u8(Kind::AddressProtocol, "keepalived");
    let mut checker = ScriptChecker::new(&context.global.scripts);
    number_track_groups(&draft.track_groups, context);
    config.static_addresses = static_addresses(draft.static_addresses, context);
    config.static_routes =
        entries(&draft.static_routes, |line| route_entry::parse(line, Owner::Static, context));
    config.static_rules =
        entries(&draft.static_rules, |line| rule_entry::parse(line, Owner::Static, context));
    config.garp_groups = finish_garp_groups(draft.garp_groups, context);
    config.linkbeat = finish_linkbeat(&draft.linkbeat, context);
    config.delays = finish_delays(&draft.delays, context);

    // Scripts of a configuration without instances do not run.
    let checks_scripts = !draft.instances.is_empty();
    let mut trackables = Trackables::default();
    let script_checker = checks_scripts.then_some(&mut checker);
    let script_places = trackables.add_scripts(draft.scripts, &mut config, script_checker, context);
    trackables.add_processes(draft.processes, &mut config, context);
    trackables.add_files(&mut config, context);
    trackables.add_sessions(bfd_names, &mut config);

    config.sync_daemon = legacy_sync_daemon(&draft.instances, context);
    let groups = Groups::assign(draft.groups, &draft.instances, context);
    let workshop = Workshop {
        context,
        checker: &mut checker,
        trackables: &trackables,
        own_interfaces: HashMap::new(),
    };
    let places = finish_instances(draft.instances, &groups, workshop, &mut config);
    let ids: HashMap<String, InstanceId> = (0..)
        .map(InstanceId)
        .zip(&config.instances)
        .map(|(id, instance)| (instance.name.clone(), id))
        .collect();
    config.groups = groups.finish(&ids, &trackables, &mut checker, context);
    conflicts::check(&mut config, &places, context);
    track_rules::check_groups(&mut config, &places, context);
    track_rules::limit_delays(&mut config, context);
    finish_track_groups(draft.track_groups, &ids, &mut config, context);
    unused::drop_unused(&mut config, &script_places, context);
    if checks_scripts && !context.is_interface_missing() {
        let scripts = &context.global.scripts;
        checker.count_reader(scripts.notify_fifo.as_ref());
        checker.count_reader(scripts.vrrp_notify_fifo.as_ref());
        checker.finish("", context.diagnostics);
    }
    check_sync_daemon(&ids, context);
    if context.is_interface_missing() {
        let text = "Non-existent interface specified in configuration";
        context.diagnostics.report_overall(Class::BadInterface, text);
    }
    config.usable = context.is_usable();
    config
}

/// The entries that could be read.
fn entries<T>(lines: &[Line], parse: impl FnMut(&Line) -> Option<T>) -> Vec<T> {
    lines.iter().filter_map(parse).collect()
}

fn number_track_groups(drafts: &[TrackGroupDraft], context: &mut Context<'_>) {
    let ids = (0..).map(TrackGroupId);
    context.track_groups =
        drafts.iter().zip(ids).map(|(draft, id)| (draft.name.value.clone(), id)).collect();
}

/// Static addresses without an interface are put on the default one, which must be there.
fn static_addresses(drafts: Vec<AddressDraft>, context: &mut Context<'_>) -> Vec<Address> {
    let mut addresses = Vec::new();
    for draft in drafts {
        let (place, shown) = (draft.place(), draft.text.value.clone());
        let Some(mut address) = draft.finish(context) else { continue };
        if address.interface.is_none() {
            let name = context.global.vrrp.default_interface.clone();
            if !context.default_interface_known(&name) {
                let text = format!(
                    "Static address {shown} requires either an interface or default interface must exist"
                );
                context.diagnostics.report(Class::Fatal, place, text);
                continue;
            }
            address.interface = Some(name);
        }
        addresses.push(address);
    }
    addresses
}

/// The instances, and where each of them stands.
fn finish_instances(
    drafts: Vec<InstanceDraft>,
    groups: &Groups,
    mut workshop: Workshop<'_, '_>,
    config: &mut Config,
) -> Vec<Place> {
    let mut places = Vec::with_capacity(drafts.len());
    config.instances.reserve_exact(drafts.len());
    for draft in drafts {
        let everywhere = workshop.context.global.vrrp.linkbeat_use_polling;
        let (place, polled) = (draft.place(), draft.linkbeat_use_polling || everywhere);
        let membership = groups.of(draft.name());
        let Some(instance) = workshop.finish(draft, membership) else { continue };
        if let (true, Some(interface)) = (polled, &instance.interface) {
            let known = config.linkbeat.iter().any(|linkbeat| linkbeat.interface == *interface);
            if !known {
                config.linkbeat.push(Linkbeat { interface: interface.clone(), method: None });
            }
        }
        config.instances.push(Rc::new(instance));
        places.push(place);
    }
    places
}

/// The track groups whose instances are there. Static objects of the others lose their group.
fn finish_track_groups(
    drafts: Vec<TrackGroupDraft>,
    ids: &HashMap<String, InstanceId>,
    config: &mut Config,
    context: &mut Context<'_>,
) {
    let mut kept = HashMap::new();
    for (draft, old) in drafts.into_iter().zip((0..).map(TrackGroupId)) {
        let Spanned { value: name, place } = draft.name;
        let mut members = Vec::new();
        for member in draft.members.unwrap_or_default() {
            match ids.get(&member.value) {
                Some(&id) => members.push(id),
                None => {
                    let text = format!(
                        "vrrp instance {} specified in track group {name} doesn't exist - ignoring",
                        member.value
                    );
                    context.note(member.place, text);
                }
            }
        }
        if members.is_empty() {
            context.note(place, format!("Static track group {name} has no VRRP instance(s)"));
            context.note(place, format!("Static track group {name} init fails - removing"));
            continue;
        }
        kept.insert(old, TrackGroupId(super::trackables::number(config.track_groups.len())));
        config.track_groups.push(TrackGroup { name, members });
    }
    let addresses = config.static_addresses.iter_mut();
    let addresses = addresses.map(|address| (&mut address.track_group, address.tracked));
    let routes = config.static_routes.iter_mut();
    let routes = routes.map(|route| (&mut route.track_group, route.tracked));
    let rules = config.static_rules.iter_mut();
    let rules = rules.map(|rule| (&mut rule.track_group, rule.tracked));
    for (group, tracked) in addresses.chain(routes).chain(rules) {
        *group = group.filter(|_| tracked).and_then(|old| kept.get(&old).copied());
    }
    share_interfaces(config);
}

/// Gives the members of track groups the interfaces of the objects that name their group.
fn share_interfaces(config: &mut Config) {
    let addresses = config.static_addresses.iter();
    let addresses = addresses.map(|address| (address.track_group, &address.interface));
    let routes = config.static_routes.iter().map(|route| (route.track_group, &route.interface));
    let rules = config.static_rules.iter().map(|rule| (rule.track_group, &rule.wanted.input));
    for (group, interface) in addresses.chain(routes).chain(rules) {
        let (Some(group), Some(interface)) = (group, interface) else { continue };
        let place = usize::try_from(group.0).ok();
        let Some(group) = place.and_then(|place| config.track_groups.get(place)) else { continue };
        for member in &group.members {
            let place = usize::try_from(member.0).ok();
            let instance =
                place.and_then(|place| config.instances.get_mut(place).map(Rc::make_mut));
            let shared = instance.map(|instance| &mut instance.shared_interfaces);
            if let Some(shared) = shared.filter(|shared| !shared.contains(interface)) {
                shared.push(interface.clone());
            }
        }
    }
}

fn legacy_sync_daemon(
    instances: &[InstanceDraft],
    context: &mut Context<'_>,
) -> Option<SyncDaemon> {
    let mut found = context.global.lvs.sync_daemon.as_ref().map(|known| known.interface.clone());
    let mut daemon = None;
    for instance in instances {
        let Some(interface) = &instance.sync_daemon else { continue };
        if let Some(known) = &found {
            context.report(interface.place, already_specified(instance.name(), known));
            continue;
        }
        found = Some(interface.value.clone());
        daemon = Some(SyncDaemon {
            interface: interface.value.clone(),
            instance: Some(instance.name().to_owned()),
            // That of the virtual router is for the global form only.
            id: Some(0),
            max_length: None,
            port: None,
            ttl: None,
            group: None,
        });
    }
    daemon
}

/// The original finds out only after a test of the configuration has ended.
fn check_sync_daemon(ids: &HashMap<String, InstanceId>, context: &mut Context<'_>) {
    let daemon = context.global.lvs.sync_daemon.as_ref();
    let Some(instance) = daemon.and_then(|daemon| daemon.instance.as_ref()) else { return };
    if !ids.contains_key(instance) {
        let text = format!(
            "Unable to find vrrp instance {instance} for lvs_syncd - clearing lvs_syncd config"
        );
        context.diagnostics.report_overall(Class::Notice, text);
    }
}
