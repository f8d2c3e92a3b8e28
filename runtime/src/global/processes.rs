//! The processes as a whole: the parent's name, namespaces, and what holds for all of them.

use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Reload, Statement, Value, keyword, parse_int,
};
use serde::{Deserialize, Serialize};

use super::Draft;
use super::child::{Child, NAME, process_name};
use super::umask::umask;

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
