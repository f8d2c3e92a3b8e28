//! Names, namespaces, priorities and limits of the processes.

use std::cmp::Ordering;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Reload, Statement, Value, keyword, parse_int,
    report_missing_parameter,
};
use serde::{Deserialize, Serialize};

use super::Draft;

/// What concerns the processes themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// Name of the parent, where it is not that of the program.
    pub name: Option<String>,
    /// The VRRP child.
    pub vrrp: Child,
    /// The checker child.
    pub checker: Child,
    /// The BFD child.
    pub bfd: Child,
    /// Ceiling of the real-time priority that is raised by itself when timers run late: 0 is off, −1 off without a word.
    pub max_auto_priority: i8,
    /// Lateness of a timer that raises the priority.
    pub min_auto_priority_delay: Duration,
    /// File creation mask; `None` leaves what is set.
    pub umask: Option<u32>,
    /// How long to wait for the children when stopping; `None` is 5 s.
    pub child_wait: Option<Duration>,
    /// The network namespace to run in.
    pub network_namespace: Option<String>,
    /// Where the IPVS sockets live.
    pub ipvs_namespace: Option<IpvsNamespace>,
    /// Whether ipsets with default names are used in a namespace.
    pub namespace_with_ipsets: bool,
    /// Suffix of pid files and of the name in the log.
    pub instance: Option<String>,
    /// Whether pid files live in a directory of their own. Implied by a namespace and by an instance name.
    pub use_pid_dir: bool,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            name: None,
            vrrp: Child::default(),
            checker: Child::default(),
            bfd: Child::default(),
            max_auto_priority: 0,
            min_auto_priority_delay: Duration::from_secs(1),
            umask: None,
            child_wait: None,
            network_namespace: None,
            ipvs_namespace: None,
            namespace_with_ipsets: false,
            instance: None,
            use_pid_dir: false,
        }
    }
}

/// The namespace of the IPVS sockets, where it is not that of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvsNamespace {
    /// That of process 1.
    Default,
    /// The one of this name.
    Named(String),
}

/// How a child runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its name, where it is not that of the program.
    pub name: Option<String>,
    /// Nice value; 0 leaves it.
    pub priority: i8,
    /// Real-time priority (SCHED_RR).
    pub realtime: Option<u8>,
    /// Limit of CPU time without a blocking call while real-time; `None` is no limit.
    pub realtime_limit: Option<Duration>,
    /// The CPUs that it may use; empty leaves what is set.
    pub cpus: Vec<u16>,
    /// Whether its memory is locked.
    pub no_swap: bool,
}

impl Default for Child {
    fn default() -> Self {
        Self {
            name: None,
            priority: 0,
            realtime: None,
            realtime_limit: Some(Duration::from_millis(10)),
            cpus: Vec::new(),
            no_swap: false,
        }
    }
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword(
        "process_names",
        Args::Flag,
        "name each child after what it does",
        |draft: &mut Draft, _, _, _| {
            let processes = &mut draft.processes;
            processes.vrrp.name = Some("keepalived_vrrp".to_owned());
            processes.checker.name = Some("keepalived_lvs".to_owned());
            processes.bfd.name = Some("keepalived_bfd".to_owned());
        },
    ),
    keyword(
        "process_name",
        NAME,
        "name of the parent",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.processes.name = Some(process_name(value.word(), statement, diagnostics));
        },
    ),
    keyword(
        "vrrp_process_name",
        NAME,
        "name of the VRRP child",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.processes.vrrp.name = Some(process_name(value.word(), statement, diagnostics));
        },
    ),
    keyword(
        "checker_process_name",
        NAME,
        "name of the checker child",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.processes.checker.name = Some(process_name(value.word(), statement, diagnostics));
        },
    ),
    keyword(
        "lvs_process_name",
        NAME,
        "old name of checker_process_name",
        |draft: &mut Draft, value, statement, diagnostics| {
            diagnostics.report(
                Class::Notice,
                statement.place(),
                "'lvs_process_name' is deprecated - please use 'checker_process_name'",
            );
            draft.processes.checker.name = Some(process_name(value.word(), statement, diagnostics));
        },
    ),
    keyword(
        "bfd_process_name",
        NAME,
        "name of the BFD child",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.processes.bfd.name = Some(process_name(value.word(), statement, diagnostics));
        },
    ),
    keyword(
        "max_auto_priority",
        Args::Words("[INT:-1..99]"),
        "ceiling of the real-time priority that rises by itself when timers run late",
        max_auto_priority,
    ),
    keyword(
        "min_auto_priority_delay",
        Args::Uint { unit: "USECS", min: 1, max: 10_000_000, strict: false },
        "lateness of a timer that raises the priority",
        |draft: &mut Draft, value, _, _| {
            draft.processes.min_auto_priority_delay = Duration::from_micros(value.uint());
        },
    )
    .missing("min_auto_priority_delay requires delay time")
    .invalid("min_auto_priority_delay '{}' must be in [1, 10000000] - ignoring"),
    keyword(
        "vrrp_priority",
        NICE,
        "nice value of the VRRP child",
        |draft: &mut Draft, value, _, _| {
            draft.processes.vrrp.priority = value.i8();
        },
    )
    .missing("No vrrp process priority specified")
    .invalid("Invalid vrrp process priority specified"),
    keyword(
        "checker_priority",
        NICE,
        "nice value of the checker child",
        |draft: &mut Draft, value, _, _| {
            draft.processes.checker.priority = value.i8();
        },
    )
    .missing("No checker process priority specified")
    .invalid("Invalid checker process priority specified"),
    keyword(
        "bfd_priority",
        NICE,
        "nice value of the BFD child",
        |draft: &mut Draft, value, _, _| {
            draft.processes.bfd.priority = value.i8();
        },
    )
    .missing("No bfd process priority specified")
    .invalid("Invalid bfd process priority specified"),
    keyword(
        "vrrp_rt_priority",
        REALTIME,
        "real-time priority of the VRRP child",
        |draft: &mut Draft, _, statement, diagnostics| {
            realtime(&mut draft.processes.vrrp, "vrrp", statement, diagnostics);
        },
    ),
    keyword(
        "checker_rt_priority",
        REALTIME,
        "real-time priority of the checker child",
        |draft: &mut Draft, _, statement, diagnostics| {
            realtime(&mut draft.processes.checker, "checker", statement, diagnostics);
        },
    ),
    keyword(
        "bfd_rt_priority",
        REALTIME,
        "real-time priority of the BFD child",
        |draft: &mut Draft, _, statement, diagnostics| {
            realtime(&mut draft.processes.bfd, "bfd", statement, diagnostics);
        },
    ),
    keyword(
        "vrrp_rlimit_rttime",
        CPU_TIME,
        "limit of CPU time while real-time",
        |draft: &mut Draft, value, _, _| {
            draft.processes.vrrp.limit(value);
        },
    )
    .invalid("Invalid vrrp real-time limit - {}"),
    keyword(
        "checker_rlimit_rttime",
        CPU_TIME,
        "limit of CPU time while real-time",
        |draft: &mut Draft, value, _, _| {
            draft.processes.checker.limit(value);
        },
    )
    .invalid("Invalid checker real-time limit - {}"),
    keyword(
        "bfd_rlimit_rttime",
        CPU_TIME,
        "limit of CPU time while real-time",
        |draft: &mut Draft, value, _, _| {
            draft.processes.bfd.limit(value);
        },
    )
    .invalid("Invalid bfd real-time limit - {}"),
    keyword(
        "vrrp_rlimit_rtime",
        CPU_TIME,
        "old name of vrrp_rlimit_rttime",
        |draft: &mut Draft, value, statement, diagnostics| {
            old_limit(&mut draft.processes.vrrp, value, statement, diagnostics);
        },
    )
    .invalid("Invalid vrrp real-time limit - {}"),
    keyword(
        "checker_rlimit_rtime",
        CPU_TIME,
        "old name of checker_rlimit_rttime",
        |draft: &mut Draft, value, statement, diagnostics| {
            old_limit(&mut draft.processes.checker, value, statement, diagnostics);
        },
    )
    .invalid("Invalid checker real-time limit - {}"),
    keyword(
        "bfd_rlimit_rtime",
        CPU_TIME,
        "old name of bfd_rlimit_rttime",
        |draft: &mut Draft, value, statement, diagnostics| {
            old_limit(&mut draft.processes.bfd, value, statement, diagnostics);
        },
    )
    .invalid("Invalid bfd real-time limit - {}"),
    keyword(
        "vrrp_cpu_affinity",
        CPUS,
        "CPUs of the VRRP child",
        |draft: &mut Draft, _, statement, diagnostics| {
            affinity(&mut draft.processes.vrrp, "vrrp", statement, diagnostics);
        },
    ),
    keyword(
        "checker_cpu_affinity",
        CPUS,
        "CPUs of the checker child",
        |draft: &mut Draft, _, statement, diagnostics| {
            affinity(&mut draft.processes.checker, "checker", statement, diagnostics);
        },
    ),
    keyword(
        "bfd_cpu_affinity",
        CPUS,
        "CPUs of the BFD child",
        |draft: &mut Draft, _, statement, diagnostics| {
            affinity(&mut draft.processes.bfd, "bfd", statement, diagnostics);
        },
    ),
    keyword(
        "vrrp_no_swap",
        Args::Flag,
        "lock the memory of the VRRP child",
        |draft: &mut Draft, _, _, _| {
            draft.processes.vrrp.no_swap = true;
        },
    ),
    keyword(
        "checker_no_swap",
        Args::Flag,
        "lock the memory of the checker child",
        |draft: &mut Draft, _, _, _| {
            draft.processes.checker.no_swap = true;
        },
    ),
    keyword(
        "bfd_no_swap",
        Args::Flag,
        "lock the memory of the BFD child",
        |draft: &mut Draft, _, _, _| {
            draft.processes.bfd.no_swap = true;
        },
    ),
    keyword(
        "umask",
        Args::Words("NUMBER:0..0777|BIT[|BIT]..."),
        "file creation mask",
        |draft: &mut Draft, _, statement, diagnostics| {
            if let Some(mask) = umask(statement, diagnostics) {
                draft.processes.umask = Some(mask);
            }
        },
    ),
];

/// The keywords of the top level.
pub(super) const TOP: &[Keyword<Draft>] = &[
    keyword(
        "net_namespace",
        Args::Word("NAME"),
        "network namespace to run in",
        |draft: &mut Draft, value, statement, diagnostics| {
            let name = value.word().to_owned();
            first(
                &mut draft.processes.network_namespace,
                name,
                "net_namespace",
                statement,
                diagnostics,
            );
        },
    )
    .missing("net_namespace name missing - ignoring")
    .reload(Reload::Refused),
    keyword(
        "net_namespace_ipvs",
        Args::Words("[NAME]"),
        "network namespace of the IPVS sockets; without a name that of process 1",
        |draft: &mut Draft, _, statement, diagnostics| {
            let name = statement.arg(0).map(|word| word.text.to_owned());
            let namespace = name.map_or(IpvsNamespace::Default, IpvsNamespace::Named);
            let place = &mut draft.processes.ipvs_namespace;
            first(place, namespace, "net_namespace_ipvs", statement, diagnostics);
        },
    )
    .reload(Reload::Refused),
    keyword(
        "namespace_with_ipsets",
        Args::Flag,
        "use ipsets with default names in a namespace",
        |draft: &mut Draft, _, _, _| {
            draft.processes.namespace_with_ipsets = true;
        },
    ),
    keyword(
        "instance",
        Args::Word("NAME"),
        "suffix of pid files and of the name in the log",
        |draft: &mut Draft, value, statement, diagnostics| {
            let name = value.word().to_owned();
            first(&mut draft.processes.instance, name, "instance", statement, diagnostics);
        },
    )
    .missing("instance name missing - ignoring")
    .reload(Reload::Refused),
    keyword(
        "use_pid_dir",
        Args::Flag,
        "keep pid files in a directory of their own",
        |draft: &mut Draft, _, _, _| {
            draft.processes.use_pid_dir = true;
        },
    )
    .reload(Reload::StartOnly),
    keyword(
        "child_wait_time",
        Args::Uint { unit: "SECS", min: 0, max: 4_294_967_295, strict: true },
        "how long to wait for the children when stopping",
        |draft: &mut Draft, value, _, _| draft.processes.child_wait = Some(value.seconds()),
    )
    .invalid("Invalid child_wait_time {}"),
];

const NAME: Args = Args::Word("NAME:1..15 chars");
const NICE: Args = Args::Int { min: -20, max: 19, strict: false };
const REALTIME: Args = Args::Words("INT:1..99 (clamped)");
const CPU_TIME: Args = Args::Uint { unit: "USECS", min: 1, max: 4_294_967_295, strict: false };
const CPUS: Args = Args::Words("CPU_ID...:0..ncpu-1");

/// The kernel keeps 15 bytes of a process name.
const NAME_MAX: usize = 15;

impl Child {
    /// Half of the limit is the soft one, which must not be 0 either.
    fn limit(&mut self, value: Value<'_>) {
        self.realtime_limit = Some(Duration::from_micros(value.uint().max(2)));
    }
}

fn process_name(name: &str, statement: &Statement, diagnostics: &mut Diagnostics) -> String {
    if name.len() <= NAME_MAX {
        return name.to_owned();
    }
    let text = format!("Process name {name} more than {NAME_MAX} characters, truncating");
    diagnostics.report(Class::GeneralError, statement.place(), text);
    let end = (0..=NAME_MAX).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    name[..end].to_owned()
}

fn max_auto_priority(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else {
        draft.processes.max_auto_priority = 99;
        return;
    };
    let limits = Limits { min: -1, max: 99, strict: false };
    match parse_int(word, limits, diagnostics).and_then(|priority| i8::try_from(priority).ok()) {
        Some(priority) => draft.processes.max_auto_priority = priority,
        None => {
            let text = format!(
                "max_auto_priority '{}' must be in [0, 99] (or -1 to disable) - ignoring",
                word.text
            );
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
}

fn realtime(
    child: &mut Child,
    process: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let mut report = |text| diagnostics.report(Class::GeneralError, statement.place(), text);
    let Some(word) = statement.arg(0) else {
        return report(format!("No {process} process real-time priority specified"));
    };
    let limits = Limits { min: i64::from(i32::MIN), max: i64::from(i32::MAX), strict: false };
    let Some(priority) = parse_int(word, limits, diagnostics) else {
        let text = format!("{process} process real-time priority '{}' invalid", word.text);
        return diagnostics.report(Class::GeneralError, word.place, text);
    };
    let clamped = priority.clamp(1, 99);
    let text = match priority.cmp(&clamped) {
        Ordering::Less => format!(
            "{process} process real-time priority {priority} less than minimum 1 - setting to minimum"
        ),
        Ordering::Greater => format!(
            "{process} process real-time priority {priority} greater than maximum 99 - setting to maximum"
        ),
        Ordering::Equal => String::new(),
    };
    if !text.is_empty() {
        diagnostics.report(Class::GeneralError, word.place, text);
    }
    child.realtime = u8::try_from(clamped).ok();
}

fn old_limit(
    child: &mut Child,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let old = statement.keyword();
    let stem = old.strip_suffix("rtime").unwrap_or(old);
    let text = format!("Keyword '{old}' is deprecated - please use '{stem}rttime'");
    diagnostics.report(Class::Notice, statement.place(), text);
    child.limit(value);
}

/// One bad number empties the set: running on CPUs that nobody chose is better than on some of those chosen.
fn affinity(
    child: &mut Child,
    process: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if statement.arg(0).is_none() {
        let text = format!("No {process} cpu_id set specified");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    child.cpus.clear();
    let limits = Limits { min: 0, max: online_cpus() - 1, strict: false };
    for word in statement.args() {
        let cpu = parse_int(word, limits, diagnostics).and_then(|cpu| u16::try_from(cpu).ok());
        let Some(cpu) = cpu else {
            let text = format!("Invalid cpu_id:{} specified for {process} process", word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
            child.cpus.clear();
            return;
        };
        if !child.cpus.contains(&cpu) {
            child.cpus.push(cpu);
        }
    }
}

fn online_cpus() -> i64 {
    let count = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    count.ok().flatten().unwrap_or(1).max(1)
}

/// Keeps the first value given and reports any further one.
fn first<T>(
    place: &mut Option<T>,
    value: T,
    keyword: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if place.is_none() {
        *place = Some(value);
        return;
    }
    let word = statement.arg(0).map_or("", |word| word.text);
    let text = format!("Duplicate {keyword} definition {word} - ignoring");
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

fn umask(statement: &Statement, diagnostics: &mut Diagnostics) -> Option<u32> {
    let Some(word) = statement.arg(0) else {
        report_missing_parameter(statement, 0, diagnostics);
        return None;
    };
    let mask = if word.text.starts_with(|first: char| first.is_ascii_digit()) {
        match statement.arg(1) {
            Some(_) => Err("Extra parameter(s) to umask option".to_owned()),
            None => {
                mask_number(word.text).ok_or_else(|| format!("invalid umask value {}", word.text))
            }
        }
    } else {
        mask_bits(statement)
    };
    mask.map_err(|text| diagnostics.report(Class::GeneralError, word.place, text)).ok()
}

/// Octal with a leading 0, hexadecimal with 0x, otherwise decimal.
fn mask_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let digits_only = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mask = u32::from_str_radix(digits, radix).ok().filter(|_| digits_only)?;
    (mask <= 0o777).then_some(mask)
}

/// Names of bits with `|` between them, however they are spread over words.
fn mask_bits(statement: &Statement) -> Result<u32, String> {
    let mut mask = 0;
    let mut separated = true;
    for word in statement.args() {
        let mut rest = word.text;
        while !rest.is_empty() {
            if !separated {
                rest = rest
                    .strip_prefix('|')
                    .ok_or_else(|| format!("Invalid umask syntax {}", word.text))?;
                separated = true;
                continue;
            }
            let found = MASK_BITS
                .iter()
                .find_map(|&(name, bits)| rest.strip_prefix(name).map(|rest| (rest, bits)));
            let (tail, bits) = found.ok_or_else(|| format!("Unknown umask bit {rest}"))?;
            mask |= bits;
            rest = tail;
            separated = false;
        }
    }
    if separated { Err("umask missing bit value".to_owned()) } else { Ok(mask) }
}

const MASK_BITS: [(&str, u32); 12] = [
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRWXU", 0o700),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IRWXG", 0o070),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
    ("IRWXO", 0o007),
];
