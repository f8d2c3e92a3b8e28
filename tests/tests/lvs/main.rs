//! The same story for the C daemon and for ours: what the kernel's table of virtual servers holds, what the log says, what
//! listeners, scripts and operators are told must be the same, step by step.
//!
//! A story is a file in `tests/lvs`: a configuration, and what happens. Beside it lies the record of the C daemon (2.4.3)
//! that lived through it, and, where ours deliberately differs, one of ours (`NAME.ours`; the story says why).
//! `RECORD=1 KEEPALIVED=/path/to/keepalived` writes them anew, `STORIES=NAME,NAME` plays only these.

mod record;
mod stage;
mod story;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use lab::{Binary, Transcript, on_machine_for};

use stage::Stage;
use story::Story;

/// How many stories are played at the same time: they mostly wait for checks.
const AT_ONCE: usize = 10;

/// What stands before a record that comes from the machine.
const RECORD_OF: &str = "@@ record of ";

/// What ends it.
const RECORD_ENDS: &str = "@@ end";

fn path(name: &str, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lvs").join(format!("{name}.{extension}"))
}

/// The record that `binary` is measured by.
fn record_path(binary: &Binary, name: &str) -> PathBuf {
    let own = path(name, "ours");
    if !binary.is_original() && own.exists() { own } else { path(name, "record") }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Plays one story; the message says what went wrong.
fn play(name: &str, recording: bool) -> Result<(), String> {
    let story = Story::parse(name, &read(&path(name, "story")));
    let binary = Binary::under_test();
    if story.ours && binary.is_original() {
        return Ok(());
    }
    let expected = (!recording).then(|| Transcript::parse(&read(&record_path(&binary, name))));
    let transcript = Stage::new(binary, &story).play(&story, expected.as_ref())?;
    if recording {
        println!("{RECORD_OF}{name}\n{transcript}{RECORD_ENDS}");
    }
    Ok(())
}

/// Plays several on one machine.
fn play_all(test: &str, seconds: u32, names: &[&str]) {
    let recording = std::env::var("RECORD").is_ok();
    let chosen = std::env::var("STORIES").ok();
    let chosen: Option<Vec<&str>> = chosen.as_deref().map(|names| names.split(',').collect());
    let wanted = |name: &&str| chosen.as_ref().is_none_or(|chosen| chosen.contains(name));
    let names: Vec<&str> = names.iter().copied().filter(wanted).collect();
    if names.is_empty() {
        return;
    }
    let seconds = if recording { 3 * seconds } else { seconds };
    let output = on_machine_for(test, seconds, || {
        let waiting = Mutex::new(names.iter().rev().copied().collect::<Vec<_>>());
        let failures = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let next = waiting.lock().expect("nobody panics with it").pop();
                        let Some(name) = next else { return };
                        let played = std::panic::catch_unwind(|| play(name, recording));
                        let played = played.unwrap_or_else(|_| Err(format!("{name} panicked")));
                        if let Err(failure) = played {
                            failures.lock().expect("nobody panics with it").push(failure);
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().expect("nobody panics with it");
        if recording {
            return println!("{}", failures.join("\n\n"));
        }
        assert!(failures.is_empty(), "{} stories:\n{}", failures.len(), failures.join("\n\n"));
    });
    if let Some(output) = output.filter(|_| recording) {
        keep(&output);
    }
}

/// Writes the records in what the machine printed.
fn keep(output: &str) {
    let binary = Binary::under_test();
    for part in output.split(RECORD_OF).skip(1) {
        let (name, rest) = part.split_once('\n').expect("a line names it");
        let record = rest.split(RECORD_ENDS).next().unwrap_or_default();
        let extension = if binary.is_original() { "record" } else { "ours" };
        let file = path(name, extension);
        let theirs = fs::read_to_string(path(name, "record")).unwrap_or_default();
        let same = extension == "ours" && theirs == record;
        if same {
            let _ = fs::remove_file(file);
        } else {
            fs::write(file, record).expect("the tree is ours");
        }
    }
}

#[test]
fn what_happens_to_real_servers() {
    play_all(
        "what_happens_to_real_servers",
        600,
        &[
            "all-checks",
            "alpha",
            "check-bfd",
            "check-dns",
            "check-flapping",
            "check-http",
            "check-http-alpha",
            "check-http-regex",
            "check-misc",
            "check-ping",
            "check-ports",
            "check-several",
            "check-smtp",
            "check-ssl",
            "check-tcp",
            "check-udp",
            "fifos",
            "ha-suspend",
            "ha-suspend-present",
            "init-notifies",
            "quorum",
            "quorum-alone",
            "quorum-inhibit",
            "weights",
            "weights-quorum",
        ],
    );
}

#[test]
fn what_stands_in_the_table() {
    play_all(
        "what_stands_in_the_table",
        600,
        &[
            "crash",
            "crash-checker",
            "existing",
            "flush",
            "flush-on-stop",
            "flush-on-stop-group",
            "flush-on-stop-vs",
            "keep",
            "maps",
            "ranges",
            "reload-dynamic",
            "reload-failed",
            "reload-groups",
            "reload-method",
            "reload-others",
            "reload-recovered",
            "reload-servers",
            "reload-sorry",
            "reload-weights",
            "somebody-else",
            "sync-daemon",
            "table-families",
            "table-groups",
            "table-ipv6",
            "table-marks",
            "table-nat",
            "table-schedulers",
            "table-tunnels",
        ],
    );
}

/// No story is forgotten.
#[test]
fn each_story_is_played() {
    let text = include_str!("main.rs");
    let directory = path("", "story");
    for entry in fs::read_dir(directory.parent().expect("it has one")).expect("it is in the tree") {
        let file = entry.expect("it is in the tree").path();
        let name = file.file_stem().and_then(|name| name.to_str()).expect("names are plain");
        assert!(text.contains(&format!("\"{name}\",")), "{name} is played nowhere");
    }
}
