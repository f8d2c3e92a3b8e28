//! Virtual and static policy rules. Row 0 of the first index has the static ones.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};
use runtime::machine::route::Prefix;
use runtime::machine::rule::RuleAction;

use super::super::Engine;
use super::by_owner;
use crate::config::Rule;
use crate::kernel;

struct Row<'a> {
    engine: &'a Engine,
    rule: &'a Rule,
}

/// `vrrpRuleTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| {
            Some(Value::text(match (row.rule.wanted.from, row.rule.wanted.to) {
                (Some(_), Some(_)) => "both",
                (Some(_), None) => "from",
                (None, Some(_)) => "to",
                (None, None) => "",
            }))
        }),
        column(3, |row| either(row.rule).map(|prefix| Value::address_type(prefix.address))),
        column(4, |row| either(row.rule).map(|prefix| Value::address(prefix.address))),
        column(5, |row| either(row.rule).map(|prefix| Value::Gauge(prefix.len.into()))),
        column(6, |row| routing_table(row.rule)),
        column(7, |row| {
            let is_set = row.engine.ledger.holds_rule(&row.rule.wanted);
            Some(Value::truth(is_set))
        }),
        column(8, |row| Some(Value::truth(row.rule.wanted.invert))),
        column(9, |row| row.rule.wanted.to.map(|prefix| Value::address_type(prefix.address))),
        column(10, |row| row.rule.wanted.to.map(|prefix| Value::address(prefix.address))),
        column(11, |row| row.rule.wanted.to.map(|prefix| Value::Gauge(prefix.len.into()))),
        column(12, |row| row.rule.wanted.from.map(|prefix| Value::address_type(prefix.address))),
        column(13, |row| row.rule.wanted.from.map(|prefix| Value::address(prefix.address))),
        column(14, |row| row.rule.wanted.from.map(|prefix| Value::Gauge(prefix.len.into()))),
        column(15, |row| Some(Value::Gauge(row.rule.wanted.tos.into()))),
        column(16, |row| row.rule.mark.map(Value::Gauge)),
        column(17, |row| row.rule.mask.map(Value::Gauge)),
        column(18, |row| {
            row.rule
                .wanted
                .realms
                .filter(|&realms| realms != 0)
                .map(|realms| Value::Gauge(realms & 0xffff))
        }),
        column(19, |row| {
            row.rule
                .wanted
                .realms
                .map(|realms| realms >> 16)
                .filter(|&from| from != 0)
                .map(Value::Gauge)
        }),
        column(20, |row| row.rule.wanted.input.as_ref().map(Value::text)),
        column(21, |row| row.rule.wanted.output.as_ref().map(Value::text)),
        column(22, |row| match row.rule.wanted.action {
            RuleAction::Goto(target) => Some(Value::Gauge(target)),
            _ => None,
        }),
        column(23, |row| Some(Value::Integer(action(row.rule.wanted.action)))),
        column(24, |row| routing_table(row.rule)),
        column(25, |row| Some(row.rule.wanted.priority).filter(|&one| one != 0).map(Value::Gauge)),
        column(26, |row| row.rule.wanted.suppress_prefix_len.map(Value::gauge)),
        column(27, |row| {
            row.rule.wanted.suppress_group.map(|group| Value::text(group.to_string()))
        }),
        column(28, |row| row.rule.wanted.tunnel.map(|id| Value::gauge(id >> 32))),
        column(29, |row| row.rule.wanted.tunnel.map(|id| Value::gauge(id & 0xffff_ffff))),
        column(30, |row| row.rule.wanted.users.as_ref().map(|users| Value::Gauge(*users.start()))),
        column(31, |row| row.rule.wanted.users.as_ref().map(|users| Value::Gauge(*users.end()))),
        column(32, |row| {
            (row.rule.wanted.action == RuleAction::L3mdev).then_some(Value::truth(true))
        }),
        column(33, |row| {
            let protocol = row.rule.wanted.protocol.filter(|&number| number != kernel::PROTOCOL);
            protocol.map(|number| Value::Integer(i32::from(number) + 1))
        }),
        column(34, |row| row.rule.wanted.ip_protocol.map(|number| Value::Gauge(number.into()))),
        column(35, |row| {
            row.rule.wanted.source_ports.as_ref().map(|ports| Value::Gauge((*ports.start()).into()))
        }),
        column(36, |row| {
            row.rule.wanted.source_ports.as_ref().map(|ports| Value::Gauge((*ports.end()).into()))
        }),
        column(37, |row| {
            row.rule
                .wanted
                .destination_ports
                .as_ref()
                .map(|ports| Value::Gauge((*ports.start()).into()))
        }),
        column(38, |row| {
            row.rule
                .wanted
                .destination_ports
                .as_ref()
                .map(|ports| Value::Gauge((*ports.end()).into()))
        }),
    ];
    let owned = engine.instances.iter().map(|instance| rows(engine, &instance.config.rules));
    find(columns, by_owner(rows(engine, &engine.config.static_rules), owned), ask)
}

fn rows<'a>(engine: &'a Engine, rules: &'a [Rule]) -> impl Iterator<Item = Row<'a>> {
    rules.iter().map(move |rule| Row { engine, rule })
}

/// The address that the table had when it had only one: where to, else where from.
fn either(rule: &Rule) -> Option<Prefix> {
    rule.wanted.to.or(rule.wanted.from)
}

fn routing_table(rule: &Rule) -> Option<Value> {
    match rule.wanted.action {
        RuleAction::Table(table) => Some(Value::Gauge(table)),
        _ => None,
    }
}

/// `FR_ACT_*`
fn action(action: RuleAction) -> i32 {
    match action {
        RuleAction::Table(_) | RuleAction::L3mdev => 1,
        RuleAction::Goto(_) => 2,
        RuleAction::Other(number) => number.into(),
    }
}
