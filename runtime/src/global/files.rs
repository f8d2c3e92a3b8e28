//! Reload handling, and files that are written.

use serde::{Deserialize, Serialize};

/// How the configuration is reloaded, and where things are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Format of the JSON dump, 1 or 2; 0 was not given and means 1.
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
