//! Reload handling, and files that are written.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Reload, Statement, Value, Word, keyword, parse_uint,
};
use serde::{Deserialize, Serialize};

use super::Draft;

/// How the configuration is reloaded, and where things are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Whether a reload is checked first, and the file for what is found.
    pub reload_check_config: Option<String>,
    /// A file that says when to reload.
    pub reload_time_file: Option<String>,
    /// Whether that file stays after the reload.
    pub reload_repeat: bool,
    /// A file that exists while the configuration is read.
    pub reload_file: Option<ReloadFile>,
    /// Where copies of the configuration and of dumps are kept.
    pub config_save_dir: Option<String>,
    /// Where the configuration was meant to be kept while running.
    pub tmp_config_directory: Option<String>,
    /// Whether names of dump files carry the instance name.
    pub data_use_instance: bool,
    /// Where the state is dumped.
    pub state_dump_file: Option<String>,
    /// Where statistics are dumped.
    pub stats_dump_file: Option<String>,
    /// Where the JSON dump goes.
    pub json_dump_file: Option<String>,
    /// Format of the JSON dump, 1 or 2.
    pub json_version: u8,
}

/// The file that exists while the configuration is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReloadFile {
    /// Beside the parent's pid file.
    BesidePidFile,
    /// This one.
    Path(String),
}

impl Default for Files {
    fn default() -> Self {
        Self {
            reload_check_config: None,
            reload_time_file: None,
            reload_repeat: false,
            reload_file: None,
            config_save_dir: None,
            tmp_config_directory: None,
            data_use_instance: false,
            state_dump_file: None,
            stats_dump_file: None,
            json_dump_file: None,
            json_version: 1,
        }
    }
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword(
        "include_check",
        Args::Words("[[+|-]read|match|wildcard_match|brace_match]..."),
        "which problems of an include are errors",
        acts_while_reading,
    ),
    keyword(
        "random_seed",
        Args::Uint { unit: "UINT", min: 0, max: 4_294_967_295, strict: true },
        "start of the numbers that ${_RANDOM} gives",
        acts_while_reading,
    )
    .invalid("random_seed {} invalid"),
    keyword(
        "reload_check_config",
        Args::Words("[LOG_FILE]"),
        "check a new configuration before it is loaded",
        |draft: &mut Draft, _, statement, _| {
            let log = statement.arg(0).map_or("/dev/null", |word| word.text);
            draft.files.reload_check_config = Some(log.to_owned());
        },
    ),
    keyword(
        "reload_time_file",
        Args::Words("PATH"),
        "file that says when to reload",
        |draft: &mut Draft, _, statement, diagnostics| match (statement.arg(0), statement.arg(1)) {
            (Some(word), None) => draft.files.reload_time_file = Some(word.text.to_owned()),
            _ => {
                let text = "reload_time_file invalid";
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
        },
    ),
    keyword(
        "reload_repeat",
        Args::Flag,
        "keep that file after the reload",
        |draft: &mut Draft, _, _, _| {
            draft.files.reload_repeat = true;
        },
    ),
    keyword(
        "reload_file",
        Args::Words("[PATH]"),
        "file that exists while the configuration is read",
        |draft: &mut Draft, _, statement, _| {
            let path = statement.arg(0).map(|word| word.text.to_owned());
            draft.files.reload_file =
                Some(path.map_or(ReloadFile::BesidePidFile, ReloadFile::Path));
        },
    ),
    keyword(
        "config_save_dir",
        Args::Word("DIR"),
        "where copies of the configuration, and the state around each reload, are kept",
        |draft: &mut Draft, value, statement, diagnostics| {
            if let Some(directory) = save_directory(value.word(), statement, diagnostics) {
                draft.files.config_save_dir = Some(directory);
            }
        },
    ),
    keyword(
        "tmp_config_directory",
        Args::Word("DIR"),
        "accepted; the configuration is kept in memory",
        |draft: &mut Draft, value, statement, diagnostics| {
            let directory = &mut draft.files.tmp_config_directory;
            if directory.is_none() {
                *directory = Some(value.word().to_owned());
            } else {
                let text = "tmp_config_directory already specified - ignoring";
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
        },
    )
    .missing("tmp_config_directory missing directory name")
    .reload(Reload::Refused),
    keyword(
        "data_use_instance",
        Args::Bool,
        "put the instance name into names of dump files",
        |draft: &mut Draft, value, _, _| draft.files.data_use_instance = value.bool(),
    )
    .invalid("Invalid value '{}' for global date_use_instance specified"),
    keyword("json_version", Args::Words("1|2"), "format of the JSON dump", json_version),
    keyword(
        "state_dump_file",
        DUMP,
        "where the state is dumped",
        |draft: &mut Draft, _, statement, diagnostics| {
            dump_file(&mut draft.files.state_dump_file, statement, diagnostics);
        },
    ),
    keyword(
        "stats_dump_file",
        DUMP,
        "where statistics are dumped",
        |draft: &mut Draft, _, statement, diagnostics| {
            dump_file(&mut draft.files.stats_dump_file, statement, diagnostics);
        },
    ),
    keyword(
        "json_dump_file",
        DUMP,
        "where the JSON dump goes",
        |draft: &mut Draft, _, statement, diagnostics| {
            dump_file(&mut draft.files.json_dump_file, statement, diagnostics);
        },
    ),
];

const DUMP: Args = Args::Words("PATH");

/// The language acts on these keywords while it reads: what follows them depends on it.
fn acts_while_reading(_: &mut Draft, _: Value<'_>, _: &Statement, _: &mut Diagnostics) {}

/// The directory without a slash at its end. It is made where it is missing.
fn save_directory(
    path: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let problem = match fs::metadata(path) {
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some(format!("config_save_dir {path} exists and is not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The owner must be able to use it, whatever the file creation mask is.
            let made = DirBuilder::new()
                .mode(0o700)
                .create(path)
                .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)));
            made.err().map(|error| {
                format!("Unable to create config_save_dir {path} (error {})", numbered(&error))
            })
        }
        Err(error) => Some(format!("config_save_dir {path} error {}", numbered(&error))),
    };
    if let Some(text) = problem {
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return None;
    }
    Some(path.strip_suffix('/').unwrap_or(path).to_owned())
}

/// Number and text of a system error.
fn numbered(error: &io::Error) -> String {
    let number = error.raw_os_error().unwrap_or_default();
    format!("{number} - {}", nix::errno::Errno::from_raw(number).desc())
}

fn json_version(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let version = |word: Word<'_>, diagnostics: &mut Diagnostics| {
        parse_uint(word, Limits { min: 1, max: 2, strict: false }, diagnostics)
    };
    let text = match statement.arg(0).map(|word| version(word, diagnostics)) {
        None => "json_version requires version",
        Some(None) => "Invalid JSON version",
        Some(Some(version)) => {
            draft.files.json_version = u8::try_from(version).unwrap_or(1);
            return;
        }
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

fn dump_file(place: &mut Option<String>, statement: &Statement, diagnostics: &mut Diagnostics) {
    match (statement.arg(0), statement.arg(1)) {
        (Some(word), None) if !word.text.is_empty() => *place = Some(word.text.to_owned()),
        _ => {
            let text = format!("{} requires a non-empty path", statement.keyword());
            diagnostics.report(Class::GeneralError, statement.place(), text);
        }
    }
}
