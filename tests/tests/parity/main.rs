//! The same story for the C daemon and for ours: what the wire shows, what the kernels hold and what listeners are told
//! must be the same, step by step, whichever of the two plays whichever part.
//!
//! A story is a file in `tests/parity`: a configuration for all nodes, and what happens to them. Beside it lies the record
//! of two or three C daemons (2.4.3) that lived through it. `RECORD=1 KEEPALIVED=/path/to/keepalived` writes that anew.

mod record;
mod stage;
mod story;

use std::fs;
use std::path::{Path, PathBuf};

use lab::Binary;

use record::Record;
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
        let record = Stage::new(binaries, &story).play(&story, None);
        return fs::write(path(name, "record"), record.to_string()).expect("the tree is ours");
    }
    if story.recent && binaries.iter().any(|binary| binary.version().starts_with("2.2.")) {
        return eprintln!("not played: 2.2 lacks what this is about");
    }
    let expected = Record::parse(&read(&path(name, "record")));
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
    address_taken
    equal_priorities
    ipv6
    owner
    preempt_delay
    priority_changes
    reload_addresses
    reload_instances
    reload_priority
    routes
    rules
    sync_group
    three_nodes
    three_nopreempt
    three_unicast
    track_file_fault
    track_file_weight
    track_interface_group
    track_interface_weight
    track_script_fault
    version_2
    vmac
    vmac_base
}
