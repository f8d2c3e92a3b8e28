//! How the children run: names, priorities, processors and memory of each.

use std::cmp::Ordering;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Statement, Value, fitting, keyword, parse_int,
};
use serde::{Deserialize, Serialize};

use super::Draft;

/// How a child runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its name, where it is not that of the program.
    pub name: Option<String>,
    /// Nice value; 0 leaves it.
    pub priority: i8,
    /// Real-time priority (SCHED_RR).
    pub realtime: Option<u8>,
    /// Limit of CPU time without a blocking call while real-time; `None` is no limit. The default is none at which a process
    /// would be killed.
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

/// The keywords of `global_defs`. Each begins with the child that it is about.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    name("vrrp_process_name", "name of the VRRP child"),
    name("checker_process_name", "name of the checker child"),
    keyword("lvs_process_name", NAME, "old name of checker_process_name", old_name),
    name("bfd_process_name", "name of the BFD child"),
    priority("vrrp_priority", "nice value of the VRRP child")
        .missing("No vrrp process priority specified")
        .invalid("Invalid vrrp process priority specified"),
    priority("checker_priority", "nice value of the checker child")
        .missing("No checker process priority specified")
        .invalid("Invalid checker process priority specified"),
    priority("bfd_priority", "nice value of the BFD child")
        .missing("No bfd process priority specified")
        .invalid("Invalid bfd process priority specified"),
    keyword("vrrp_rt_priority", REALTIME, "real-time priority of the VRRP child", realtime),
    keyword("checker_rt_priority", REALTIME, "real-time priority of the checker child", realtime),
    keyword("bfd_rt_priority", REALTIME, "real-time priority of the BFD child", realtime),
    limit("vrrp_rlimit_rttime").invalid("Invalid vrrp real-time limit - {}"),
    limit("checker_rlimit_rttime").invalid("Invalid checker real-time limit - {}"),
    limit("bfd_rlimit_rttime").invalid("Invalid bfd real-time limit - {}"),
    keyword("vrrp_rlimit_rtime", CPU_TIME, "old name of vrrp_rlimit_rttime", old_limit)
        .invalid("Invalid vrrp real-time limit - {}"),
    keyword("checker_rlimit_rtime", CPU_TIME, "old name of checker_rlimit_rttime", old_limit)
        .invalid("Invalid checker real-time limit - {}"),
    keyword("bfd_rlimit_rtime", CPU_TIME, "old name of bfd_rlimit_rttime", old_limit)
        .invalid("Invalid bfd real-time limit - {}"),
    keyword("vrrp_cpu_affinity", CPUS, "CPUs of the VRRP child", affinity),
    keyword("checker_cpu_affinity", CPUS, "CPUs of the checker child", affinity),
    keyword("bfd_cpu_affinity", CPUS, "CPUs of the BFD child", affinity),
    no_swap("vrrp_no_swap", "lock the memory of the VRRP child"),
    no_swap("checker_no_swap", "lock the memory of the checker child"),
    no_swap("bfd_no_swap", "lock the memory of the BFD child"),
];

pub(super) const NAME: Args = Args::Word("NAME:1..15 chars");
const NICE: Args = Args::Int { min: -20, max: 19, strict: false };
const REALTIME: Args = Args::Words("INT:1..99 (clamped)");
const CPU_TIME: Args = Args::Uint { unit: "USECS", min: 1, max: 4_294_967_295, strict: false };
const CPUS: Args = Args::Words("CPU_ID...:0..ncpu-1");

/// The kernel keeps 15 bytes of a process name.
const NAME_MAX: usize = 15;

/// The child that `statement` is about, and what messages call it.
fn child_of<'a>(draft: &'a mut Draft, statement: &Statement) -> (&'a mut Child, &'static str) {
    let processes = &mut draft.processes;
    match statement.keyword().split('_').next() {
        Some("vrrp") => (&mut processes.vrrp, "vrrp"),
        Some("bfd") => (&mut processes.bfd, "bfd"),
        _ => (&mut processes.checker, "checker"),
    }
}

const fn name(name: &'static str, help: &'static str) -> Keyword<Draft> {
    keyword(name, NAME, help, |draft: &mut Draft, value, statement, diagnostics| {
        let name = process_name(value.word(), statement, diagnostics);
        child_of(draft, statement).0.name = Some(name);
    })
}

fn old_name(
    draft: &mut Draft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let text = "'lvs_process_name' is deprecated - please use 'checker_process_name'";
    diagnostics.report(Class::Notice, statement.place(), text);
    draft.processes.checker.name = Some(process_name(value.word(), statement, diagnostics));
}

/// The name that a process is to have, as far as the kernel keeps it.
pub(super) fn process_name(
    name: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) -> String {
    if name.len() <= NAME_MAX {
        return name.to_owned();
    }
    let text = format!("Process name {name} more than {NAME_MAX} characters, truncating");
    diagnostics.report(Class::GeneralError, statement.place(), text);
    fitting(name, NAME_MAX).to_owned()
}

const fn priority(name: &'static str, help: &'static str) -> Keyword<Draft> {
    keyword(name, NICE, help, |draft: &mut Draft, value, statement, _| {
        child_of(draft, statement).0.priority = value.i8();
    })
}

fn realtime(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let (child, process) = child_of(draft, statement);
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

const fn limit(name: &'static str) -> Keyword<Draft> {
    keyword(
        name,
        CPU_TIME,
        "limit of CPU time while real-time (default: warning after 5 ms, end after 1 s)",
        |draft: &mut Draft, value, statement, _| set_limit(draft, value, statement),
    )
}

/// Half of the limit is the soft one, which must not be 0 either.
fn set_limit(draft: &mut Draft, value: Value<'_>, statement: &Statement) {
    let limit = Duration::from_micros(value.uint().max(2));
    child_of(draft, statement).0.realtime_limit = Some(limit);
}

fn old_limit(
    draft: &mut Draft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let old = statement.keyword();
    let stem = old.strip_suffix("rtime").unwrap_or(old);
    let text = format!("Keyword '{old}' is deprecated - please use '{stem}rttime'");
    diagnostics.report(Class::Notice, statement.place(), text);
    set_limit(draft, value, statement);
}

/// One bad number empties the set: running on CPUs that nobody chose is better than on some of those chosen.
fn affinity(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let (child, process) = child_of(draft, statement);
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

const fn no_swap(name: &'static str, help: &'static str) -> Keyword<Draft> {
    keyword(name, Args::Flag, help, |draft: &mut Draft, _, statement, _| {
        child_of(draft, statement).0.no_swap = true;
    })
}

fn online_cpus() -> i64 {
    let count = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    count.ok().flatten().unwrap_or(1).max(1)
}
