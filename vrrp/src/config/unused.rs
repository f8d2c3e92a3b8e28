//! What nobody tracks is dropped, but for processes: dumps tell how many of them there are.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use conf_parser::Place;

use super::Config;
use super::context::Context;
use super::track::{FileId, ScriptId, SessionId, Tracker, Trackers};
use super::trackables::number;

/// Drops scripts, files and sessions that nobody tracks, and renumbers the others.
pub(super) fn drop_unused(config: &mut Config, script_places: &[Place], context: &mut Context<'_>) {
    let mut holders: Vec<&mut Trackers> = config
        .instances
        .iter_mut()
        .map(|instance| Rc::make_mut(&mut Rc::make_mut(instance).trackers))
        .chain(config.groups.iter_mut().map(|group| &mut group.trackers))
        .collect();
    let scripts = renumber(&mut holders, |holder| &mut holder.scripts, |id| id.0, ScriptId);
    let files = renumber(&mut holders, |holder| &mut holder.files, |id| id.0, FileId);
    let sessions = renumber(&mut holders, |holder| &mut holder.sessions, |id| id.0, SessionId);
    for ((old, script), place) in (0..).zip(&config.scripts).zip(script_places) {
        if !scripts.contains_key(&old) {
            // A test of the configuration is over before the original finds out.
            context.note(*place, format!("Warning - script {} is not used", script.name));
        }
    }
    keep(&mut config.scripts, &scripts);
    keep(&mut config.files, &files);
    keep(&mut config.sessions, &sessions);
}

/// Gives the things that are tracked new numbers, in the order of the old ones, and returns which they are.
fn renumber<T: Copy + Eq + Hash>(
    holders: &mut [&mut Trackers],
    trackers: impl Fn(&mut Trackers) -> &mut Vec<Tracker<T>>,
    number_of: impl Fn(T) -> u32,
    make: impl Fn(u32) -> T,
) -> HashMap<u32, u32> {
    let mut used: Vec<u32> = Vec::new();
    for holder in holders.iter_mut() {
        used.extend(trackers(holder).iter().map(|tracker| number_of(tracker.what)));
    }
    used.sort_unstable();
    used.dedup();
    let new: HashMap<u32, u32> =
        used.iter().enumerate().map(|(new, &old)| (old, number(new))).collect();
    for holder in holders.iter_mut() {
        for tracker in trackers(holder) {
            if let Some(&new) = new.get(&number_of(tracker.what)) {
                tracker.what = make(new);
            }
        }
    }
    new
}

fn keep<T>(things: &mut Vec<T>, used: &HashMap<u32, u32>) {
    let mut old = 0;
    things.retain(|_| {
        old += 1;
        used.contains_key(&(old - 1))
    });
}
