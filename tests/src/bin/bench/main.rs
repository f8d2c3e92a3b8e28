//! `make bench`: the binary under test beside the C daemon, in one run, on one machine.
//!
//! Prints one table: what was measured, both figures, and how the first relates to the second. `make bench PARTS="reload
//! bfd"` measures only these.

mod bfd;
mod lvs;
mod measures;
mod sessions;
mod stalls;
mod subject;
mod table;
mod takeover;
mod vrrp;

use std::process::ExitCode;

use lab::Binary;

/// A part of the table, and what fills it.
type Part = (&'static str, fn(&Binary, &Binary));

/// All parts, in the order of the table.
const PARTS: [Part; 11] = [
    ("check", vrrp::compare_checks),
    ("start", vrrp::compare_starts),
    ("load", vrrp::compare_loads),
    ("failover", vrrp::compare_failovers),
    ("takeover", vrrp::compare_takeovers),
    ("reload", vrrp::compare_reloads),
    ("rhythm", vrrp::compare_rhythms),
    ("lvs", lvs::measure),
    ("bfd", bfd::compare_sessions),
    ("bfd-holds", bfd::compare_holds),
    ("bfd-takeover", bfd::compare_takeovers),
];

fn main() -> ExitCode {
    let (ours, theirs) = (Binary::under_test(), Binary::peer());
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted == [lvs::INSIDE] {
        lvs::inside(&ours, &theirs);
        return ExitCode::SUCCESS;
    }
    let names = PARTS.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        eprintln!("there is no part '{unknown}', but {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    println!("ours: {} {}", ours.version(), ours.path().display());
    println!("C:    {} {}\n", theirs.version(), theirs.path().display());
    table::head();
    for (name, compare) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            compare(&ours, &theirs);
        }
    }
    ExitCode::SUCCESS
}
