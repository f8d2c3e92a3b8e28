//! Testing the configuration (`-t`): complaints, and an exit status.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use conf_parser::Diagnostics;
use nix::errno::Errno;

use crate::command_line::{Options, Test};
use crate::config::{self, Purpose};

/// Exit status when the complaints cannot be written down.
const NO_LOG: i32 = 1;

/// Tests the configuration; returns the exit status.
pub(crate) fn run(options: &Options, test: &Test) -> i32 {
    let log = match test.log.as_deref().map(|path| (path, open_log(path))) {
        None => None,
        Some((_, Ok(file))) => Some(file),
        Some((path, Err(error))) => {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
            eprintln!(
                "Unable to open config-test log file {} {} - {}",
                path.display(),
                errno as i32,
                errno.desc()
            );
            return NO_LOG;
        }
    };
    let mut diagnostics = Diagnostics::for_test();
    let statements = config::read(options, &mut diagnostics);
    let global = config::settings(&statements, options, Purpose::Start, &mut diagnostics);
    let configuration = config::interpret(statements, global, Purpose::Start, &mut diagnostics);
    // As in the loader, the end of the process gives it back faster.
    std::mem::forget(configuration);
    let text = match &log {
        None if io::stderr().is_terminal() => diagnostics.render_terminal(true),
        _ => as_lines(&diagnostics),
    };
    // Where complaints cannot be written, the exit status still tells.
    let _ = match log {
        Some(mut file) => file.write_all(text.as_bytes()),
        None => io::stderr().write_all(text.as_bytes()),
    };
    diagnostics.exit_status()
}

/// Every complaint as a line of its own.
pub(crate) fn as_lines(diagnostics: &Diagnostics) -> String {
    diagnostics.render_log().map(|line| line + "\n").collect()
}

/// Adds to what is in the file. Symbolic links are not followed: the file may lie in a directory that everybody can
/// write to.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
    options.open(path)
}
