//! Words to choose from: names that the data model gives, offered by completion and help.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use common::alert::Status;
use common::rule::{Level, RuleState};

/// A level by its name, or a beginning of it: no two begin alike.
pub(super) fn level() -> impl TypedValueParser<Value = Level> {
    let value = |level: Level| {
        let name = level.name();
        PossibleValue::new(name).aliases((1..name.len()).map(|end| &name[..end]))
    };
    PossibleValuesParser::new(Level::ALL.map(value))
        .try_map(|name| Level::parse(&name).ok_or("no such level"))
}

pub(super) fn state() -> impl TypedValueParser<Value = RuleState> {
    PossibleValuesParser::new(RuleState::ALL.map(RuleState::name)).try_map(|name| {
        let named = |state: &RuleState| state.name().eq_ignore_ascii_case(&name);
        RuleState::ALL.into_iter().find(named).ok_or("no such state")
    })
}

pub(super) fn status() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(status_value))
        .try_map(|name| Status::parse(&name.to_ascii_lowercase()).ok_or("no such status"))
}

/// A status, or `None` for all of them.
pub(super) fn status_or_all() -> impl TypedValueParser<Value = Option<Status>> {
    let values = Status::ALL.map(status_value).into_iter().chain([PossibleValue::new("all")]);
    PossibleValuesParser::new(values).map(|name| Status::parse(&name.to_ascii_lowercase()))
}

fn status_value(status: Status) -> PossibleValue {
    let value = PossibleValue::new(status.name());
    if status.name().contains('_') { value.alias(status.name().replace('_', "-")) } else { value }
}
