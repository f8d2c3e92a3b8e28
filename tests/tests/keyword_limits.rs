//! Every keyword takes what its limits allow, refuses the next value beyond them, and says so in the right class.

use conf_parser::{Args, Class, Diagnostics, Entry, Options, Schema, parse_text};
use runtime::machine::Machine;

/// The tables of all parts as one.
struct Root;

impl Root {
    fn parts() -> [&'static dyn Schema; 4] {
        [&runtime::global::ROOT, &vrrp::config::ROOT, &check::config::ROOT, &bfd::config::ROOT]
    }
}

impl Schema for Root {
    fn find(&self, name: &str) -> Option<&'static Entry> {
        Self::parts().into_iter().find_map(|part| part.find(name))
    }

    fn entries(&self) -> Vec<Entry> {
        Self::parts().into_iter().flat_map(|part| part.entries()).collect()
    }
}

/// A keyword in its blocks: the lines that open them, and what follows the keyword.
struct Place {
    blocks: Vec<String>,
    keyword: &'static str,
    args: String,
}

impl Place {
    /// The classes of what is said of the keyword's own line when `value` follows it.
    fn classes(&self, value: &str) -> Vec<Class> {
        let mut text = String::new();
        for block in &self.blocks {
            text.push_str(&format!("{block} {{\n"));
        }
        text.push_str(&format!("{} {value}\n", self.keyword));
        text.push_str(&"}\n".repeat(self.blocks.len()));
        let line = u32::try_from(self.blocks.len() + 1).expect("blocks are few");
        let mut diagnostics = Diagnostics::for_test();
        load(&text, &mut diagnostics);
        let here = |place: conf_parser::Place| place.line == line;
        let items = diagnostics.items().iter();
        items.filter(|item| item.place.is_some_and(here)).map(|item| item.class).collect()
    }

    fn name(&self) -> String {
        format!("{} {}", self.blocks.join("/"), self.keyword)
    }
}

fn load(text: &str, diagnostics: &mut Diagnostics) {
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &Root, diagnostics);
    let global = runtime::global::load(&statements, diagnostics);
    let bfd = bfd::config::load(&statements, diagnostics);
    check::config::load(&statements, &global, diagnostics);
    vrrp::config::load(&statements, &global, &Machine::default(), &bfd.names, diagnostics);
}

/// All keywords that take words, below `schema`.
fn places(schema: &dyn Schema, blocks: &[String], out: &mut Vec<Place>) {
    for entry in schema.entries() {
        match entry.args {
            Args::Block(head, inner) => {
                let argument = match head.split(' ').next() {
                    Some("NAME") => "n",
                    Some("IPADDR") => "192.0.2.1 80",
                    _ => "",
                };
                let opened = format!("{} {argument}", entry.name);
                places(inner, &[blocks, &[opened]].concat(), out);
            }
            args => out.push(Place {
                blocks: blocks.to_vec(),
                keyword: entry.name,
                args: args.to_string(),
            }),
        }
    }
}

fn all() -> Vec<Place> {
    let mut out = Vec::new();
    places(&Root, &[], &mut out);
    out
}

/// A range of numbers with this many decimals, as integers of the last one.
struct Range {
    decimals: usize,
    min: i128,
    /// `None` where it is open.
    max: Option<i128>,
}

impl Range {
    /// The range that the text of arguments begins with, such as `TIMER:0.01..255`.
    fn parse(args: &str) -> Option<Self> {
        let args = args.trim_start_matches('[');
        let args = args.strip_prefix("all] ").unwrap_or(args);
        let (kind, rest) = args.split_once(':')?;
        let decimals = match kind {
            "UINT" | "INT" | "SECS" | "USECS" | "BYTES" | "PRIORITY" => 0,
            "TIMER" => 6,
            "TIMER(ms)" | "MSECS(3 dp)" => 3,
            _ => return None,
        };
        let range = rest.split([' ', ']']).next()?;
        let (min, max) = range.split_once("..")?;
        Some(Self {
            decimals,
            min: scaled(min, decimals)?,
            max: if max.is_empty() { None } else { Some(scaled(max, decimals)?) },
        })
    }

    fn show(&self, value: i128) -> String {
        if self.decimals == 0 {
            return value.to_string();
        }
        let scale = 10_i128.pow(u32::try_from(self.decimals).expect("it is small"));
        let sign = if value < 0 { "-" } else { "" };
        let (whole, fraction) = (value.abs() / scale, value.abs() % scale);
        format!("{sign}{whole}.{fraction:0width$}", width = self.decimals)
    }
}

fn scaled(text: &str, decimals: usize) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

/// Keywords whose number stands behind other words, or that speak of more than one: what stands before the number, and
/// its limits.
const WITHIN: &[(&str, &str, i64, i64)] = &[
    ("lvs_timeouts", "tcp ", 0, 2_678_400),
    ("lvs_timeouts", "tcpfin ", 0, 2_678_400),
    ("lvs_timeouts", "udp ", 0, 2_678_400),
    ("lvs_sync_daemon", "eth0 id ", 0, 255),
    ("lvs_sync_daemon", "eth0 maxlen ", 1, 65_507),
    ("lvs_sync_daemon", "eth0 port ", 1, 65_535),
    ("lvs_sync_daemon", "eth0 ttl ", 1, 255),
    ("smtp_server", "192.0.2.1 ", 1, 65_535),
    ("vrrp_rx_bufs_policy", "", 0, 4_294_967_295),
    ("nftables_priority", "", -2_147_483_648, 2_147_483_647),
    ("nftables_ipvs_priority", "", -2_147_483_648, 2_147_483_647),
    ("vrrp_version", "", 2, 3),
    ("json_version", "", 1, 2),
    ("lvs_method", "TUN type gue port ", 1, 65_535),
    ("lb_kind", "TUN type gue port ", 1, 65_535),
];

#[test]
fn limits_are_accepted_and_what_lies_beyond_is_not() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for place in all() {
        let Some(range) = Range::parse(&place.args).filter(|_| !place.args.contains("clamped"))
        else {
            continue;
        };
        seen += 1;
        let ends = [(range.min, range.min - 1)].into_iter();
        for (good, bad) in ends.chain(range.max.map(|max| (max, max + 1))) {
            check(&place, &range.show(good), &range.show(bad), &mut wrong);
        }
    }
    assert_eq!(wrong, [""; 0]);
    // A change of how arguments are written must not empty this test.
    assert!(seen > 150, "only {seen} keywords have limits");
}

#[test]
fn limits_of_numbers_among_other_words_hold() {
    let places = all();
    let mut wrong = Vec::new();
    for &(keyword, before, min, max) in WITHIN {
        for place in places.iter().filter(|place| place.keyword == keyword) {
            for (good, bad) in [(min, min - 1), (max, max + 1)] {
                check(place, &format!("{before}{good}"), &format!("{before}{bad}"), &mut wrong);
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn check(place: &Place, good: &str, bad: &str, wrong: &mut Vec<String>) {
    let classes = place.classes(good);
    if classes.contains(&Class::InvalidNumber) {
        wrong.push(format!("{} {good} is refused: {classes:?}", place.name()));
    }
    let classes = place.classes(bad);
    if !classes.contains(&Class::InvalidNumber) {
        wrong.push(format!("{} {bad} is accepted: {classes:?}", place.name()));
    }
}

#[test]
fn clamped_numbers_are_used_and_reported() {
    for place in all().iter().filter(|place| place.args.contains("clamped")) {
        for good in ["1", "99"] {
            assert_eq!(place.classes(good), [], "{} {good}", place.name());
        }
        for beyond in ["0", "100"] {
            assert_eq!(place.classes(beyond), [Class::GeneralError], "{} {beyond}", place.name());
        }
    }
}

#[test]
fn switches_take_six_words() {
    for place in all().iter().filter(|place| place.args == "[BOOL]") {
        for good in ["", "on", "true", "yes", "off", "false", "no"] {
            assert_eq!(place.classes(good), [], "{} {good}", place.name());
        }
        for bad in ["1", "0", "TRUE", "\"\""] {
            assert_eq!(place.classes(bad), [Class::GeneralError], "{} {bad}", place.name());
        }
    }
}

/// Keywords that pass over an absent argument, or say what is missing when their block ends.
const SILENT: &[&str] = &[
    "smtp_helo_name",
    "script",
    "misc_path",
    "sni_name",
    "status_code",
    "regex_options",
    "param_match",
];

#[test]
fn a_word_that_must_be_there_is_missed() {
    let mut wrong = Vec::new();
    for place in all() {
        let needs_none = place.args.starts_with(['[', '{', '-']);
        if needs_none || SILENT.contains(&place.keyword) {
            continue;
        }
        if place.classes("").is_empty() {
            wrong.push(place.name());
        }
    }
    assert_eq!(wrong, [""; 0]);
}
