//! The command line: every option is declared once, and parsing, usage and the check of the man page read the same table.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::PathBuf;

use runtime::logging::Facility;
use runtime::options::Detail;
use runtime::signals::Signal;

use crate::getopt::{Argument, Found, Scanner, Spelling};

/// What the options say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The main configuration file, or a pattern (`-f`).
    pub(crate) configuration: Option<PathBuf>,
    /// Which children may run (`-P`, `-C`, `-B`, `--all`).
    pub(crate) children: Children,
    /// Only check the configuration, perhaps into a file (`-t`).
    pub(crate) test: Option<Test>,
    /// Stay in the foreground (`-n`).
    pub(crate) foreground: bool,
    /// Restart children that die (not `-R`).
    pub(crate) respawn: bool,
    /// Where the log goes.
    pub(crate) log: LogOptions,
    /// File creation mask (`-u`).
    pub(crate) umask: Option<u32>,
    /// Pid files that are not where they usually are.
    pub(crate) pid_files: PidFileNames,
    /// The AgentX master (`-A`).
    pub(crate) snmp_socket: Option<String>,
    /// Network namespace (`-s`).
    pub(crate) namespace: Option<String>,
    /// Allow core files (`-m`, `-M`).
    pub(crate) core_dump: bool,
    /// The kernel's pattern for their names (`-M`).
    pub(crate) core_pattern: Option<String>,
    /// Every problem with an include is an error (`-e`).
    pub(crate) check_all_includes: bool,
    /// What `@id` lines are compared with (`-i`).
    pub(crate) config_id: Option<String>,
    /// What the children need to know.
    pub(crate) child: runtime::options::Options,
}

/// Which children may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Children {
    /// The VRRP child.
    pub(crate) vrrp: bool,
    /// The checker child.
    pub(crate) checker: bool,
    /// The BFD child.
    pub(crate) bfd: bool,
    /// Those three, whether the configuration has anything for them or not.
    pub(crate) unconfigured: bool,
}

/// A test of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Test {
    /// Where complaints go, instead of to standard error.
    pub(crate) log: Option<PathBuf>,
}

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogOptions {
    /// To standard error, in the foreground (`-l`).
    pub(crate) console: bool,
    /// To the system's log (not `-G`).
    pub(crate) syslog: bool,
    /// Its facility there (`-S`).
    pub(crate) facility: Facility,
    /// To a file (`-g`).
    pub(crate) file: Option<PathBuf>,
}

/// Names of pid files; `None` is the usual one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PidFileNames {
    /// The parent's (`-p`).
    pub(crate) parent: Option<PathBuf>,
    /// That of the VRRP child (`-r`).
    pub(crate) vrrp: Option<PathBuf>,
    /// That of the checker child (`-c`).
    pub(crate) checker: Option<PathBuf>,
    /// That of the BFD child (`-b`).
    pub(crate) bfd: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            configuration: None,
            children: Children { vrrp: true, checker: true, bfd: true, unconfigured: false },
            test: None,
            foreground: false,
            respawn: true,
            log: LogOptions {
                console: false,
                syslog: true,
                facility: Facility::DAEMON,
                file: None,
            },
            umask: None,
            pid_files: PidFileNames::default(),
            snmp_socket: None,
            namespace: None,
            core_dump: false,
            core_pattern: None,
            check_all_includes: false,
            config_id: None,
            child: runtime::options::Options::default(),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Run, or test the configuration.
    Run(Box<Options>),
    /// Show the version.
    Version,
    /// Show the options.
    Usage,
    /// List all keywords of the configuration.
    Keywords,
    /// Print the number of a signal.
    Signal(Signal),
    /// Be genhash, with these words.
    Genhash(Vec<OsString>),
    /// Nothing: the command line is wrong (exit status 1).
    Refused,
}

/// A command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// What is asked for.
    pub(crate) request: Request,
    /// Lines for standard error.
    pub(crate) complaints: Vec<String>,
    /// Words that are no options.
    pub(crate) unexpected: Vec<OsString>,
}

/// An option: its spelling, a line of help, and what it does.
struct CommandOption {
    spelling: Spelling,
    help: &'static str,
    effect: Effect,
}

enum Effect {
    Flag(fn(&mut Options)),
    Text(fn(&mut Options, String)),
    Path(fn(&mut Options, PathBuf)),
    OptionalPath(fn(&mut Options, Option<PathBuf>)),
    /// A text that may be wrong, which is complained of and otherwise ignored.
    Checked(fn(&mut Options, &str) -> Result<(), String>),
    /// Ends the parsing.
    Leave(Leave),
}

enum Leave {
    Version,
    Usage,
    Keywords,
    Signal,
    Genhash,
}

const fn option(
    short: Option<char>,
    long: &'static str,
    argument: Argument,
    help: &'static str,
    effect: Effect,
) -> CommandOption {
    CommandOption { spelling: Spelling { short, long, argument }, help, effect }
}

const fn flag(
    short: Option<char>,
    long: &'static str,
    help: &'static str,
    set: fn(&mut Options),
) -> CommandOption {
    option(short, long, Argument::None, help, Effect::Flag(set))
}

const fn path(
    short: char,
    long: &'static str,
    help: &'static str,
    set: fn(&mut Options, PathBuf),
) -> CommandOption {
    option(Some(short), long, Argument::Required("FILE"), help, Effect::Path(set))
}

const fn leave(
    short: Option<char>,
    long: &'static str,
    help: &'static str,
    leave: Leave,
) -> CommandOption {
    option(short, long, Argument::None, help, Effect::Leave(leave))
}

/// All options, in the order of the usage.
const OPTIONS: &[CommandOption] = &[
    path('f', "use-file", "configuration file, or a pattern of files", |options, file| {
        options.configuration = Some(file);
    }),
    flag(Some('P'), "vrrp", "do not run health checks", |options| {
        options.children.checker = false;
    }),
    flag(Some('C'), "check", "do not run VRRP", |options| options.children.vrrp = false),
    flag(Some('B'), "no_bfd", "do not run BFD", |options| options.children.bfd = false),
    flag(None, "all", "run all three, even without configuration for them", |options| {
        options.children = Children { vrrp: true, checker: true, bfd: true, unconfigured: true };
    }),
    flag(Some('l'), "log-console", "log to standard error too, with -n", |options| {
        options.log.console = true;
    }),
    flag(Some('D'), "log-detail", "log more; twice, even more", |options| {
        options.child.detail = match options.child.detail {
            Detail::Normal => Detail::Detailed,
            Detail::Detailed | Detail::Extra => Detail::Extra,
        };
    }),
    option(
        Some('S'),
        "log-facility",
        Argument::Required("FACILITY"),
        "syslog facility: 0 to 7, local0 to local7, user or daemon",
        Effect::Checked(|options, text| {
            let found = Facility::by_name(text);
            options.log.facility = found.ok_or_else(|| format!("Invalid log facility '{text}'"))?;
            Ok(())
        }),
    ),
    option(
        Some('g'),
        "log-file",
        Argument::Optional("FILE"),
        "log to a file per process",
        Effect::OptionalPath(|options, file| {
            options.log.file = Some(file.unwrap_or_else(|| PathBuf::from("keepalived.log")));
        }),
    ),
    // There is nothing to switch on.
    flag(None, "flush-log-file", "write each line of the log file at once (always done)", |_| {}),
    flag(Some('G'), "no-syslog", "do not log to syslog", |options| options.log.syslog = false),
    option(
        Some('u'),
        "umask",
        Argument::Required("MASK"),
        "file creation mask, in numbers",
        Effect::Checked(|options, text| {
            let mask = umask(text);
            options.umask = Some(mask.ok_or_else(|| format!("Invalid --umask option {text}"))?);
            Ok(())
        }),
    ),
    // There is nothing to switch on.
    flag(
        Some('X'),
        "release-vips",
        "leaving MASTER, remove addresses not added here too (always done)",
        |_| {},
    ),
    flag(
        Some('V'),
        "dont-release-vrrp",
        "keep addresses, routes and rules at the end",
        |options| {
            options.child.keep_vrrp = true;
        },
    ),
    flag(Some('I'), "dont-release-ipvs", "keep the IPVS table at the end", |options| {
        options.child.keep_ipvs = true;
    }),
    flag(Some('R'), "dont-respawn", "stop when a child dies", |options| options.respawn = false),
    flag(Some('n'), "dont-fork", "stay in the foreground", |options| options.foreground = true),
    flag(Some('d'), "dump-conf", "log the configuration as it was understood", |options| {
        options.child.dump_configuration = true;
    }),
    path('p', "pid", "pid file of the parent", |options, file| {
        options.pid_files.parent = Some(file);
    }),
    path('r', "vrrp_pid", "pid file of the VRRP child", |options, file| {
        options.pid_files.vrrp = Some(file);
    }),
    leave(
        Some('T'),
        "genhash",
        "print the digest of a web page; all that follows are options of genhash",
        Leave::Genhash,
    ),
    path('c', "checkers_pid", "pid file of the checker child", |options, file| {
        options.pid_files.checker = Some(file);
    }),
    flag(Some('a'), "address-monitoring", "log every address that comes or goes", |options| {
        options.child.monitor_addresses = true;
    }),
    path('b', "bfd_pid", "pid file of the BFD child", |options, file| {
        options.pid_files.bfd = Some(file);
    }),
    flag(Some('x'), "snmp", "enable all parts of SNMP", |options| options.child.snmp = true),
    option(
        Some('A'),
        "snmp-agent-socket",
        Argument::Required("ADDRESS"),
        "where the AgentX master listens",
        Effect::Text(|options, address| options.snmp_socket = Some(address)),
    ),
    option(
        Some('s'),
        "namespace",
        Argument::Required("NAME"),
        "run in this network namespace",
        Effect::Text(|options, name| options.namespace = Some(name)),
    ),
    flag(Some('m'), "core-dump", "allow core files", |options| options.core_dump = true),
    option(
        Some('M'),
        "core-dump-pattern",
        Argument::Optional("PATTERN"),
        "the same, and set the kernel's pattern for their names",
        Effect::OptionalPath(|options, pattern| {
            let pattern = pattern.map(|pattern| pattern.to_string_lossy().into_owned());
            options.core_dump = true;
            options.core_pattern = Some(pattern.unwrap_or_else(|| "core".to_owned()));
        }),
    ),
    flag(Some('e'), "all-config", "every problem with an include is an error", |options| {
        options.check_all_includes = true;
    }),
    option(
        Some('i'),
        "config-id",
        Argument::Required("ID"),
        "what @id lines are compared with, instead of the host name",
        Effect::Text(|options, id| options.config_id = Some(id)),
    ),
    flag(None, "ignore-sigint", "ignore SIGINT", |options| options.child.ignore_interrupt = true),
    option(
        None,
        "signum",
        Argument::Required("NAME"),
        "print the number of STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON",
        Effect::Leave(Leave::Signal),
    ),
    option(
        Some('t'),
        "config-test",
        Argument::Optional("FILE"),
        "check the configuration, complain to standard error or into FILE",
        Effect::OptionalPath(|options, log| {
            options.test = Some(Test { log });
            options.foreground = true;
            options.respawn = false;
            options.log.syslog = false;
        }),
    ),
    leave(None, "keywords", "list all keywords of the configuration", Leave::Keywords),
    leave(Some('v'), "version", "show the version", Leave::Version),
    leave(Some('h'), "help", "show this list", Leave::Usage),
];

/// The spellings of all options.
pub(crate) fn spellings() -> Vec<Spelling> {
    OPTIONS.iter().map(|option| option.spelling).collect()
}

/// Understands the words behind the name of the program.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Parsed {
    let spellings = spellings();
    let mut scanner = Scanner::new(&spellings, words);
    let mut parsed = Parsed {
        request: Request::Run(Box::default()),
        complaints: Vec::new(),
        unexpected: Vec::new(),
    };
    let mut options = Box::<Options>::default();
    let mut refused = false;
    let mut first = true;
    while let Some(found) = scanner.next() {
        match found {
            Found::Word(word) => parsed.unexpected.push(word),
            Found::Wrong(text) => {
                parsed.complaints.push(text);
                refused = true;
            }
            Found::Option(index, value) => {
                let Some(option) = OPTIONS.get(index) else { continue };
                if let Effect::Leave(leave) = &option.effect {
                    parsed.request = match leave {
                        Leave::Version => Request::Version,
                        Leave::Usage => Request::Usage,
                        Leave::Keywords => Request::Keywords,
                        Leave::Signal => signal(&value.unwrap_or_default(), &mut parsed.complaints),
                        Leave::Genhash => {
                            if !first {
                                parsed.complaints.push(GENHASH_NOT_FIRST.to_owned());
                            }
                            Request::Genhash(scanner.rest())
                        }
                    };
                    return parsed;
                }
                if let Err(text) = option.effect.apply(&mut options, value) {
                    parsed.complaints.push(text);
                }
            }
        }
        first = false;
    }
    parsed.request = if refused { Request::Refused } else { Request::Run(options) };
    parsed
}

const GENHASH_NOT_FIRST: &str =
    "Warning -- `-T` not used as first option, previous options ignored";

impl Effect {
    fn apply(&self, options: &mut Options, value: Option<OsString>) -> Result<(), String> {
        let value = value.filter(|value| !value.is_empty());
        match self {
            Effect::Flag(set) => set(options),
            Effect::OptionalPath(set) => set(options, value.map(PathBuf::from)),
            Effect::Path(set) => set(options, PathBuf::from(value.unwrap_or_default())),
            Effect::Text(set) => {
                set(options, value.unwrap_or_default().to_string_lossy().into_owned());
            }
            Effect::Checked(set) => {
                return set(options, &value.unwrap_or_default().to_string_lossy());
            }
            Effect::Leave(_) => {}
        }
        Ok(())
    }
}

fn signal(name: &OsStr, complaints: &mut Vec<String>) -> Request {
    let name = name.to_string_lossy();
    match Signal::by_name(&name) {
        Some(signal) => Request::Signal(signal),
        None => {
            complaints.push(format!("Unknown sigfunc {name}"));
            Request::Refused
        }
    }
}

/// Octal with a leading 0, hexadecimal with 0x, otherwise decimal; permission bits only.
fn umask(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, radix).ok().filter(|&mask| plain && mask <= 0o777)
}

/// The list of options, for standard error.
pub(crate) fn usage(program: &str) -> String {
    /// Where the help starts.
    const COLUMN: usize = 31;
    let mut text = format!("Usage: {program} [OPTION...]\n");
    for CommandOption { spelling, help, .. } in OPTIONS {
        let mut left = match spelling.short {
            Some(letter) => format!("  -{letter}, --{}", spelling.long),
            None => format!("      --{}", spelling.long),
        };
        match spelling.argument {
            Argument::None => {}
            Argument::Required(name) => left.extend(["=", name]),
            Argument::Optional(name) => left.extend(["[=", name, "]"]),
        }
        // Writing to a string cannot fail.
        let _ = if left.len() < COLUMN {
            writeln!(text, "{left:COLUMN$}{help}")
        } else {
            writeln!(text, "{left}\n{:COLUMN$}{help}", "")
        };
    }
    text
}

#[cfg(test)]
mod tests;
