//! Core files (`-m`, `-M`).

use std::fs;
use std::io;

use log::info;
use runtime::process::allow_core_dumps;

use crate::command_line::Options;

const PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// What is to be put back at the end.
#[derive(Debug, Default)]
pub(crate) struct CorePattern(Option<Vec<u8>>);

/// Does what the command line says about core files.
pub(crate) fn prepare(options: &Options) -> CorePattern {
    let before = options.core_pattern.as_deref().and_then(|pattern| {
        let replaced = replace(pattern);
        if replaced.is_err() {
            info!("Unable to read/write core_pattern");
        }
        replaced.ok()
    });
    if options.core_dump && allow_core_dumps().is_err() {
        info!("Failed to set core file size");
    }
    CorePattern(before)
}

fn replace(pattern: &str) -> io::Result<Vec<u8>> {
    let before = fs::read(PATTERN)?;
    fs::write(PATTERN, pattern)?;
    Ok(before)
}

impl CorePattern {
    /// Puts the kernel's pattern back.
    pub(crate) fn restore(self) {
        if let Some(before) = self.0 {
            if fs::write(PATTERN, before).is_err() {
                info!("Unable to read/write core_pattern");
            }
        }
    }
}
