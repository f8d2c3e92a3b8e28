//! `vrrp_script`: scripts whose result is tracked.

use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Limits, Line, Place, Spanned, Statement, Table, Value, Word,
    keyword, parse_decimal, parse_int, split_command,
};
use runtime::global::{self, Account, find_account};

use super::context::Context;
use super::track::Script;
use crate::track::Weighting;

/// The longest interval and time-out.
const LONGEST: Duration = Duration::from_secs(4294);
/// The greatest weight either way.
const HEAVIEST: i32 = 253;

/// What a `vrrp_script` block says.
#[derive(Clone, Debug)]
pub(super) struct ScriptDraft {
    pub(super) name: Spanned<String>,
    pub(super) block: Extent,
    script: Option<Line>,
    interval: Duration,
    timeout: Option<Duration>,
    weighting: Weighting,
    rise: u32,
    fall: u32,
    user: Option<Statement>,
    init_fail: bool,
}

const COUNT: Args = Args::Uint { unit: "UINT", min: 1, max: 0x7fff_ffff, strict: false };

/// The keywords of a `vrrp_script` block.
pub(super) static TABLE: Table<ScriptDraft> = Table(&[
    keyword(
        "script",
        Args::Script("SCRIPT"),
        "what is run",
        |draft: &mut ScriptDraft, _, statement, _| {
            draft.script = Some(statement.line.clone());
        },
    )
    .optional(),
    keyword(
        "interval",
        Args::Word("TIMER(ms):0..4294.000"),
        "from one start to the next",
        |draft, _, statement, diagnostics| {
            if let Some(interval) = seconds(draft, statement, diagnostics) {
                draft.interval = interval;
            }
        },
    ),
    keyword(
        "timeout",
        Args::Word("TIMER(ms):0..4294.000"),
        "how long it may run",
        |draft, _, statement, diagnostics| {
            draft.timeout = seconds(draft, statement, diagnostics).or(draft.timeout);
        },
    ),
    keyword(
        "weight",
        Args::Word("INT:-253..253 [reverse]"),
        "what it adds to the priority",
        weight,
    ),
    keyword(
        "rise",
        COUNT,
        "so many successes make it good",
        |draft: &mut ScriptDraft, value, _, _| {
            draft.rise = value.u32();
        },
    )
    .invalid_for(|draft, text| invalid_count(draft, "rise", text)),
    keyword(
        "fall",
        COUNT,
        "so many failures make it bad",
        |draft: &mut ScriptDraft, value, _, _| {
            draft.fall = value.u32();
        },
    )
    .invalid_for(|draft, text| invalid_count(draft, "fall", text)),
    keyword(
        "user",
        Args::Words("USER [[:]GROUP]"),
        "whom it runs as",
        |draft, _, statement, diagnostics| match statement.arg(0) {
            Some(_) => draft.user = Some(statement.clone()),
            None => conf_parser::report_missing_parameter(statement, 0, diagnostics),
        },
    ),
    keyword("init_fail", Args::Flag, "start as bad", |draft, _, _, _| draft.init_fail = true),
]);

fn invalid_count(draft: &ScriptDraft, what: &str, text: &str) -> String {
    format!("({}): vrrp script {what} value '{text}' invalid, defaulting to 1", draft.name.value)
}

/// The seconds of `interval` and `timeout`, of whole milliseconds.
fn seconds(
    draft: &ScriptDraft,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) -> Option<Duration> {
    let word = statement.arg(0)?;
    let name = &draft.name.value;
    let what = statement.keyword();
    let Some(millis) = parse_millis(word, diagnostics) else {
        let text = match what {
            "interval" => format!(
                "({name}): vrrp script interval '{}' must be between 0.001 and {} - ignoring",
                word.text,
                LONGEST.as_secs()
            ),
            _ => format!("({name}): vrrp script {what} '{}' invalid - ignoring", word.text),
        };
        diagnostics.report(Class::GeneralError, word.place, text);
        return None;
    };
    if millis.is_zero() {
        let text = format!("({name}): vrrp script {what} must be greater than 0, setting to 1");
        diagnostics.report(Class::GeneralError, word.place, text);
        return Some(Duration::from_secs(1));
    }
    Some(millis)
}

/// Seconds with up to three decimals.
fn parse_millis(word: Word<'_>, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let max = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
    let limits = Limits { min: 0, max, strict: false };
    parse_decimal(word, 3, limits, diagnostics).map(Duration::from_millis)
}

fn weight(
    draft: &mut ScriptDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let name = &draft.name.value;
    let limits = Limits { min: -i64::from(HEAVIEST), max: i64::from(HEAVIEST), strict: false };
    let parsed = parse_int(word, limits, diagnostics);
    draft.weighting.weight = match parsed.and_then(|weight| i32::try_from(weight).ok()) {
        Some(weight) => weight,
        None => {
            let text = format!("vrrp_script {name} weight {} must be in [-253, 253]", word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
            // A weight that is too great has always counted, and cannot do more than the greatest one.
            let meant: i64 = word.text.parse().unwrap_or(0);
            i32::try_from(meant.clamp(limits.min, limits.max)).unwrap_or(0)
        }
    };
    match statement.arg(1) {
        None => {}
        Some(option) if option.text == "reverse" => draft.weighting.reverse = true,
        Some(option) => {
            let text = format!("vrrp_script {name} unknown weight option {}", option.text);
            diagnostics.report(Class::GeneralError, option.place, text);
        }
    }
}

impl ScriptDraft {
    /// A block of which nothing is known but its name.
    pub(super) fn new(name: Spanned<String>, block: Extent) -> Self {
        Self {
            name,
            block,
            script: None,
            interval: Duration::from_secs(1),
            timeout: None,
            weighting: Weighting { weight: 0, reverse: false },
            rise: 1,
            fall: 1,
            user: None,
            init_fail: false,
        }
    }

    /// Looks up the account. `None` when there is nothing to run, or nobody to run it as, which has been reported then.
    pub(super) fn finish(self, context: &mut Context<'_>) -> Option<(Script, Weighting)> {
        let name = self.name.value.clone();
        let argv = self
            .script
            .as_ref()
            .and_then(|line| split_command(line, context.diagnostics))
            .map(|command| command.argv);
        let account = self.account(argv.as_deref(), context);
        let Some(argv) = argv else {
            context.report_block(
                self.block,
                format!("No script set for vrrp_script {name} - removing"),
            );
            return None;
        };
        let program = argv.first()?.clone();
        let script = Script {
            name,
            script: global::Script { program, argv, account: account? },
            interval: self.interval,
            timeout: self.timeout,
            rise: self.rise,
            fall: self.fall,
            init_fail: self.init_fail,
            weighting: self.weighting,
        };
        Some((script, self.weighting))
    }

    fn account(
        &self,
        argv: Option<&[std::ffi::OsString]>,
        context: &mut Context<'_>,
    ) -> Option<Account> {
        let scripts = &context.global.scripts;
        let Some(statement) = &self.user else {
            let place = self.name.place;
            let account = scripts.default_account(place, context.diagnostics);
            if account.is_none() && argv.is_some() {
                let text = format!(
                    "Unable to set default user for vrrp script {} - removing",
                    self.name.value
                );
                context.report_block(self.block, text);
            }
            return account;
        };
        let user = statement.arg(0)?.text;
        let group = statement.arg(1).map(|word| word.text);
        let place = statement.place();
        let account = find_account(user, group, scripts, place, context.diagnostics);
        if account.is_none() {
            let words = argv.unwrap_or_default().iter();
            let shown: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
            let text = format!("Unable to set uid/gid for script {}", shown.join(" "));
            context.report(place, text);
        }
        account
    }

    /// Where the block stands.
    pub(super) fn place(&self) -> Place {
        self.name.place
    }
}
