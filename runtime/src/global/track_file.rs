//! Files that hold a number and are watched for changes; VRRP instances and checkers track them by name.

use std::fs;
use std::path::Path;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Keyword, Limits, Statement, Table, Value, keyword, parse_int,
    report_missing_parameter,
};
use nix::errno::Errno;
use nix::sys::statfs::statfs;
use nix::sys::statvfs::{FsFlags, statvfs};
use serde::{Deserialize, Serialize};

use super::Draft as All;

/// A file that holds a number, watched for changes (`track_file`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackFile {
    /// The name by which it is tracked.
    pub name: String,
    /// The file.
    pub path: String,
    /// What the number is multiplied with where the tracker gives no weight; 0 means that any number but 0 is a fault.
    pub weight: i32,
    /// Whether the weight is turned round.
    pub reverse: bool,
    /// What to write at start.
    pub initial: Option<InitialValue>,
}

/// What a tracked file is given at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialValue {
    /// The number.
    pub value: i32,
    /// Whether an existing file is overwritten.
    pub overwrite: bool,
}

/// The keywords of the top level.
pub(super) const TOP: &[Keyword<All>] = &[
    keyword(
        "track_file",
        Args::Block("NAME", &BLOCK),
        "file whose number is tracked",
        |draft, _, statement, diagnostics| {
            draft.track_files.extend(track_file(statement, diagnostics));
        },
    ),
    keyword(
        "vrrp_track_file",
        Args::Block("NAME", &BLOCK),
        "old name of track_file",
        |draft, _, statement, diagnostics| {
            let text = "\"vrrp_track_file\" is deprecated, please use \"track_file\"";
            diagnostics.report(Class::Notice, statement.place(), text);
            draft.track_files.extend(track_file(statement, diagnostics));
        },
    ),
];

#[derive(Debug, Default)]
struct Draft {
    name: String,
    path: Option<String>,
    weight: Option<i32>,
    reverse: bool,
    initial: Option<InitialValue>,
}

static BLOCK: Table<Draft> = Table(&[
    keyword(
        "file",
        Args::Word("PATH"),
        "the file",
        |draft: &mut Draft, value, statement, diagnostics| {
            if draft.path.is_none() {
                draft.path = Some(value.word().to_owned());
                return;
            }
            let Draft { name, .. } = draft;
            let text =
                format!("File already set for track file {name} - ignoring {}", value.word());
            diagnostics.report(Class::GeneralError, statement.place(), text);
        },
    )
    .missing("track file file name missing"),
    keyword("weight", Args::Words("INT:-254..254 [reverse]"), "what the number counts", weight),
    keyword(
        "init_file",
        Args::Words("[VALUE] [overwrite]"),
        "write a number into the file at start",
        initial,
    ),
]);

/// The greatest weight, and the greatest number that makes sense in the file.
const LARGEST: i32 = 254;

fn weight(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let name = &draft.name;
    let mut refuse = |text| diagnostics.report(Class::GeneralError, statement.place(), text);
    let Some(word) = statement.arg(0) else {
        return refuse(format!("No weight specified for track file {name} - ignoring"));
    };
    if draft.weight.is_some() {
        let text = format!("Weight already set for track file {name} - ignoring {}", word.text);
        return refuse(text);
    }
    let largest = i64::from(LARGEST);
    let limits = Limits { min: -largest, max: largest, strict: false };
    match parse_int(word, limits, diagnostics).and_then(|weight| i32::try_from(weight).ok()) {
        Some(weight) => draft.weight = Some(weight),
        None => {
            let text = format!(
                "Weight ({}) for track_file {name} must be between [-254..254] inclusive. Ignoring...",
                word.text
            );
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
    match statement.arg(1) {
        None => {}
        Some(word) if word.text == "reverse" => draft.reverse = true,
        Some(word) => {
            let text = format!("track_file {name} unknown weight option {}", word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
}

fn initial(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let mut initial = InitialValue { value: 0, overwrite: false };
    for word in statement.args() {
        let text = word.text.trim_start();
        if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            let limits =
                Limits { min: i64::from(i32::MIN), max: i64::from(i32::MAX), strict: true };
            let value = parse_int(word, limits, diagnostics);
            let name = &draft.name;
            let text = match value.and_then(|value| i32::try_from(value).ok()) {
                Some(value) => {
                    initial.value = value;
                    if (-LARGEST..=LARGEST).contains(&value) {
                        continue;
                    }
                    format!(
                        "Track file {name} init value {value} is outside sensible range [-254, 254]"
                    )
                }
                None => format!("Track file {name} init value {text} is invalid"),
            };
            diagnostics.report(Class::GeneralError, word.place, text);
        } else if text == "overwrite" {
            initial.overwrite = true;
        } else {
            let text = format!("Unknown track file init option {text}");
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
    draft.initial = Some(initial);
}

fn track_file(statement: &Statement, diagnostics: &mut Diagnostics) -> Option<TrackFile> {
    let Some(name) = statement.arg(0) else {
        report_missing_parameter(statement, 0, diagnostics);
        return None;
    };
    let name = name.text.to_owned();
    let mut draft = Draft { name, ..Draft::default() };
    BLOCK.fill(&mut draft, statement, diagnostics);
    let Draft { name, path, weight, reverse, initial } = draft;
    let Some(path) = path else {
        let text = format!("No file set for track_file {name} - ignoring");
        diagnostics.report_block(Class::GeneralError, statement.extent(), text);
        return None;
    };
    let file = TrackFile { name, path, weight: weight.unwrap_or(1), reverse, initial };
    file.check(statement.extent(), diagnostics)?;
    Some(file)
}

impl TrackFile {
    /// Whether the file can be watched, and written where that is asked for; otherwise it is reported and `None`.
    fn check(&self, block: Extent, diagnostics: &mut Diagnostics) -> Option<()> {
        let Self { name, path, .. } = self;
        let mut refuse = |text| {
            diagnostics.report_block(Class::GeneralError, block, text);
            None
        };
        let directory = match path.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((directory, _)) => directory,
            None => ".",
        };
        let directory = match fs::canonicalize(directory) {
            Ok(directory) => directory,
            Err(error) => {
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
                let number = error.raw_os_error().unwrap_or_default();
                return refuse(format!("realpath() error {number} ({}) for {name}", errno.desc()));
            }
        };
        if !can_be_watched(&directory) {
            return refuse(format!(
                "The filesystem of {path} is read only or cannot be monitored - ignoring"
            ));
        }
        let overwrite = self.initial.is_some_and(|initial| initial.overwrite);
        if overwrite && fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return refuse(format!(
                "Cannot initialise track file {name} - it is not a regular file"
            ));
        }
        Some(())
    }
}

/// File systems that tell nobody of changes, or where a file of numbers makes no sense: bpf, cgroup, cgroup2, debugfs,
/// devpts, efivarfs, fuse, mqueue, nfs, pipefs, proc, romfs, selinuxfs, smb, smb2, sockfs, sysfs, sysv (two of them)
/// and tracefs, as `statfs` numbers them.
const UNWATCHABLE: [i64; 20] = [
    0xcafe_4a11,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x1cd1,
    0xde5e_81e4,
    0x6573_5546,
    0x1980_0202,
    0x6969,
    0x5049_5045,
    0x9fa0,
    0x7275,
    0xf97c_ff8c,
    0x517b,
    0xfe53_4d42,
    0x534f_434b,
    0x6265_6572,
    0x012f_f7b5,
    0x012f_f7b6,
    0x7472_6163,
];

fn can_be_watched(directory: &Path) -> bool {
    let kind = statfs(directory).map(|found| found.filesystem_type().0);
    let read_only =
        statvfs(directory).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY));
    // A file system that says nothing of itself gets the benefit of the doubt.
    !read_only && !kind.is_ok_and(|kind| UNWATCHABLE.contains(&kind))
}
