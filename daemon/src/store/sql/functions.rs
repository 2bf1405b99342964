//! What SQLite calls back: tests of texts, by the very code that tests live records.

use std::collections::HashSet;

use common::filter::{Test, base_name};
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use super::home::Form;
use crate::store::dictionary::{unpack, varints};

/// Not in views or triggers; the same answer for the same value throughout a query.
const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_DIRECTONLY);

/// Functions that do not depend on a filter.
pub(in crate::store) fn register_fixed(connection: &Connection) -> rusqlite::Result<()> {
    rusqlite::vtab::array::load_module(connection)?;
    connection.create_scalar_function("process_name", 2, FLAGS, |context| {
        let path = bytes(context.get_raw(0));
        let name = base_name(path);
        let name = if name.is_empty() { bytes(context.get_raw(1)) } else { name };
        Ok(ToSqlOutput::Owned(Value::Blob(name.to_vec())))
    })
}

pub(super) fn register_terms(
    connection: &Connection,
    tests: &[(Form, Test)],
) -> rusqlite::Result<()> {
    let tests = tests.to_vec();
    connection.create_scalar_function("term", 3, FLAGS, move |context| {
        let Some((form, test)) = test_of(&tests, context) else { return Ok(false) };
        let value = match context.get_raw(1) {
            ValueRef::Null => return Ok(false),
            value => bytes(value),
        };
        let value = unpack(value, context.get(2)?)
            .map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
        Ok(match form {
            Form::Text => test.matches_text(&value),
            Form::BaseName => test.matches_text(base_name(&value)),
            Form::Strings | Form::Variables => test.matches_strings(&value),
            Form::CommandLine => test.matches_command_line(&value),
        })
    })
}

/// `env_term(n, list)`: whether the list has one of the variables that pass the nth test.
///
/// The variables are tested before the query, once each.
pub(super) fn register_env(
    connection: &Connection,
    tests: &[(Form, Test)],
) -> rusqlite::Result<()> {
    let is_env = |(form, _): &&(Form, Test)| *form == Form::Variables;
    if !tests.iter().any(|test| is_env(&test)) {
        return Ok(());
    }
    let mut passing: Vec<HashSet<i64, foldhash::fast::RandomState>> = Vec::new();
    for (form, test) in tests {
        let mut ids = HashSet::default();
        if *form == Form::Variables {
            let mut statement =
                connection.prepare_cached("SELECT id, raw_bytes, value FROM env_var")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let stored = row.get_ref(2)?.as_blob()?;
                let Ok(variable) = unpack(stored, row.get(1)?) else { continue };
                // One string, ended by NUL, so that an empty one counts too.
                let mut strings = variable.into_owned();
                strings.push(0);
                if test.matches_strings(&strings) {
                    ids.insert(row.get(0)?);
                }
            }
        }
        passing.push(ids);
    }
    connection.create_scalar_function("env_term", 2, FLAGS, move |context| {
        let index = usize::try_from(context.get::<i64>(0)?).unwrap_or(usize::MAX);
        let Some(ids) = passing.get(index) else { return Ok(false) };
        Ok(varints(bytes(context.get_raw(1))).any(|id| ids.contains(&id)))
    })
}

fn test_of<'t>(tests: &'t [(Form, Test)], context: &Context<'_>) -> Option<&'t (Form, Test)> {
    let index: i64 = context.get(0).ok()?;
    tests.get(usize::try_from(index).ok()?)
}

fn bytes(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}
