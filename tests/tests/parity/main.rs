//! The same story for the C daemon and for ours: what the wire shows, what the kernels hold, what listeners are told and
//! what scripts are called with must be the same, step by step, whichever of the two plays whichever part.
//!
//! A story is a file in `tests/parity`: a configuration for all nodes, and what happens to them. Beside it lies the record
//! of two or three C daemons (2.4.3) that lived through it. `RECORD=1 KEEPALIVED=/path/to/keepalived` writes that anew.
//!
//! After each step there is exactly one master, and the addresses are at it and nowhere else. Where a story says how many
//! adverts may get lost, the time until the next master speaks is held against the bounds of the protocol, and tshark
//! judges every frame in the end.

mod record;
mod scripts;
mod stage;
mod story;

use std::fs;
use std::path::{Path, PathBuf};

use lab::{Binary, Transcript};

use stage::Stage;
use story::Story;

/// Who plays the parts of the nodes, over and over again.
#[derive(Clone, Copy)]
enum Part {
    Ours,
    Peer,
}

fn path(name: &str, extension: &str) -> PathBuf {
    let name = name.replace('_', "-");
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity").join(name).with_extension(extension)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn play(name: &str, parts: &[Part]) {
    let story = Story::parse(&read(&path(name, "story")));
    let recording = std::env::var_os("RECORD").is_some();
    let binaries: Vec<Binary> = parts
        .iter()
        .cycle()
        .take(story.nodes)
        .map(|part| match part {
            Part::Ours => Binary::under_test(),
            Part::Peer => Binary::peer(),
        })
        .collect();
    if recording {
        let transcript = Stage::new(binaries, &story).play(&story, None);
        return fs::write(path(name, "record"), transcript.to_string()).expect("the tree is ours");
    }
    if story.recent && binaries.iter().any(|binary| binary.version().starts_with("2.2.")) {
        return eprintln!("not played: 2.2 lacks what this is about");
    }
    let expected = Transcript::parse(&read(&path(name, "record")));
    Stage::new(binaries, &story).play(&story, Some(&expected));
}

/// Each story with the binary under test alone, and with its peer in either order.
macro_rules! stories {
    ($($name:ident)*) => {
        mod same { $(#[test] fn $name() { super::play(stringify!($name), &[super::Part::Ours]); })* }
        mod ours_first {
            $(#[test] fn $name() { super::play(stringify!($name), &[super::Part::Ours, super::Part::Peer]); })*
        }
        mod ours_second {
            $(#[test] fn $name() { super::play(stringify!($name), &[super::Part::Peer, super::Part::Ours]); })*
        }
    };
}

stories! {
    address_options
    address_taken
    adverts_on_conflict
    checksum_as_v2
    equal_priorities
    excluded
    hmac
    hmac_rotation
    learned_interval
    lowest_priorities
    many_addresses
    nopreempt
    other_group
    owner
    patient
    preempt_delay
    priority_changes
    quick_start
    reload_addresses
    reload_faulty_group
    reload_group_member
    reload_instances
    reload_priority
    routes
    rules
    sequence
    several_instances
    sync_group
    three_nodes
    three_nopreempt
    three_unicast
    track_file_fault
    track_file_weight
    track_interface_group
    track_interface_weight
    track_script_fault
    tracked_interface
    v2_ah
    v2_pass
    v2_plain
    v2_unicast_pass
    v3_ipv6
    v3_ipv6_unicast
    v3_multicast
    v3_unicast
    vmac
    vmac_xmit_base
}

/// No story is forgotten.
#[test]
fn each_story_is_played() {
    let text = include_str!("main.rs");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity");
    for entry in fs::read_dir(directory).expect("it is in the tree") {
        let file = entry.expect("it is in the tree").path();
        let name = file.file_stem().and_then(|name| name.to_str()).expect("names are plain");
        assert!(text.contains(&format!("\n    {}\n", name.replace('-', "_"))), "{name}");
    }
}
