//! The parent process: understands the command line, and runs what it asks for.

mod child;
mod command_line;
mod config;
mod config_test;
mod core_dump;
mod crash_report;
mod daemon;
mod genhash;
mod getopt;
mod links;
mod loader;
mod log_target;
mod namespace;
mod pid_file;
mod reload_file;
mod reload_timer;
mod respawn;
mod saved_copy;
mod supervisor;
mod systemd;
mod version;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use command_line::{Options, Parsed, Request};

/// What the program is called, unless the configuration says otherwise.
const PROGRAM: &str = "keepalived";

/// Exit status of a wrong command line.
const WRONG: i32 = 1;

fn main() {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_else(|| OsString::from(PROGRAM));
    let program = program.to_string_lossy();
    if Path::new(&*program).file_name().is_some_and(|name| name == "genhash") {
        std::process::exit(genhash::run(&program, words));
    }
    let Parsed { request, complaints, unexpected } = command_line::parse(words);
    for complaint in complaints {
        eprintln!("{complaint}");
    }
    if !unexpected.is_empty() {
        let words: String =
            unexpected.iter().map(|word| format!("{} ", word.to_string_lossy())).collect();
        print(&format!("Unexpected argument(s): {words}\n"));
    }
    let status = match request {
        Request::Run(options) => run(*options),
        Request::Version => {
            eprint!("{}", version::text());
            0
        }
        Request::Usage => {
            eprint!("{}", command_line::usage(&program));
            0
        }
        Request::Keywords => {
            print(&conf_parser::list_keywords(&config::ROOT));
            0
        }
        Request::Signal(signal) => {
            print(&format!("{}\n", signal.number()));
            0
        }
        Request::Genhash(words) => genhash::run(&format!("{program} --genhash"), words),
        Request::Refused => WRONG,
    };
    log::logger().flush();
    std::process::exit(status);
}

/// A reader that has gone away is no reason to complain.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn run(options: Options) -> i32 {
    daemon::set_mask(&options);
    match &options.test {
        Some(test) => config_test::run(&options, test),
        None => {
            // What a bug has to say belongs into the log.
            std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
            daemon::run(options)
        }
    }
}
