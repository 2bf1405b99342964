//! Reading alerts, and which rules are switched.

#[cfg(feature = "capture")]
use std::collections::HashMap;
use std::ops::ControlFlow;

use common::alert::{Alert, AlertRule, Change, Correlation, FieldMatch, Status, Triage};
use common::ecs::Event;
use common::filter::{Expr, Filter};
use common::record::Content;
use common::rule::Level;
use common::time::rfc3339;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use serde::{Deserialize, Serialize};

use super::contents::{CONTENT_COLUMNS, content_of};
use super::dictionary::unpack;
use super::read::{Control, Reader, Stopped};
use super::sql;

/// What is kept of an event that made a rule fire: later changes of the rule, or of the process,
/// do not change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot<'a> {
    pub(crate) event: Event<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) selections: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<FieldMatch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) correlation: Option<Correlation>,
    /// Parent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ancestors: Vec<Event<'a>>,
}

impl Snapshot<'static> {
    /// `add` what is not of the moment.
    pub(super) fn into_alert(
        self,
        rule: AlertRule,
        add: impl FnOnce(&mut Triage<'static>),
    ) -> Alert<'static> {
        let mut triage = Triage {
            selections: self.selections,
            fields: self.fields,
            correlation: self.correlation,
            ancestors: self.ancestors,
            ..Triage::default()
        };
        add(&mut triage);
        Alert::new(self.event, rule, triage)
    }
}

/// Which alerts, and from where.
pub(crate) struct AlertPage<'f> {
    /// Of the process.
    pub(crate) filter: &'f Filter,
    /// Empty: all.
    pub(crate) statuses: Vec<Status>,
    pub(crate) level: Level,
    /// Id of a rule or its beginning, or a glob of its title; empty: all.
    pub(crate) rule: String,
    /// 0: all.
    pub(crate) limit: u32,
    /// The last alert of the page before.
    pub(crate) cursor: Option<i64>,
    /// None but these.
    pub(crate) only: Option<Vec<i64>>,
}

const COLUMNS: &str =
    "a.id, a.time_ns, a.last_ns, a.count, a.status, a.rule, a.snapshot, a.process";

impl Reader {
    /// Hands each alert to `take`, newest first, until it says stop; returns where to go on.
    pub(crate) fn alerts(
        &self,
        control: &Control,
        page: &AlertPage<'_>,
        take: &mut dyn FnMut(&Alert<'static>) -> ControlFlow<()>,
    ) -> Result<Option<i64>, Stopped> {
        self.run(control, |connection| alerts(connection, page, take))
    }

    pub(crate) fn alert(
        &self,
        control: &Control,
        id: i64,
    ) -> Result<Option<Alert<'static>>, Stopped> {
        self.run(control, |connection| {
            connection
                .query_row(&format!("SELECT {COLUMNS} FROM alert a WHERE a.id = ?1"), [id], |row| {
                    alert(connection, row)
                })
                .optional()
        })
    }

    /// The number of the newest alert; 0 where there is none.
    #[cfg(feature = "capture")]
    pub(crate) fn newest_alert(&self, control: &Control) -> Result<i64, Stopped> {
        self.run(control, |connection| {
            connection.query_row("SELECT ifnull(max(id), 0) FROM alert", [], |row| row.get(0))
        })
    }

    #[cfg(feature = "capture")]
    /// How many alerts there are of each rule.
    pub(crate) fn alert_counts(&self, control: &Control) -> Result<HashMap<String, u64>, Stopped> {
        self.run(control, |connection| {
            let mut statement = connection
                .prepare_cached("SELECT rule_id, count(*) FROM alert GROUP BY rule_id")?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
            rows.collect()
        })
    }

    /// Rules that somebody switched on or off.
    #[cfg(feature = "capture")]
    pub(crate) fn rule_switches(
        &self,
        control: &Control,
    ) -> Result<HashMap<String, bool>, Stopped> {
        self.run(control, |connection| {
            let mut statement =
                connection.prepare_cached("SELECT rule_id, is_enabled FROM rule_switch")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }
}

fn alerts(
    connection: &Connection,
    page: &AlertPage<'_>,
    take: &mut dyn FnMut(&Alert<'static>) -> ControlFlow<()>,
) -> rusqlite::Result<Option<i64>> {
    let (query, params) = select(connection, page)?;
    let mut statement = connection.prepare(&query)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let (mut count, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        if page.limit != 0 && count >= page.limit {
            // There is at least one more.
            return Ok(last);
        }
        let alert = alert(connection, row)?;
        last = Some(row.get(0)?);
        if take(&alert).is_break() {
            break;
        }
        count += 1;
    }
    Ok(None)
}

fn select(connection: &Connection, page: &AlertPage<'_>) -> rusqlite::Result<(String, Vec<Value>)> {
    let mut query = format!("SELECT {COLUMNS} FROM alert a");
    let mut params = Vec::new();
    if page.filter.expr == Expr::True {
        query.push_str(" WHERE 1");
    } else {
        let condition = sql::condition(connection, page.filter, sql::Search::EachRow)?;
        query.push_str(&format!(" JOIN process p ON p.id = a.process WHERE {}", condition.sql));
        params = condition.params;
    }
    query.push_str(&format!(" AND a.level >= {}", page.level as u8));
    if !page.statuses.is_empty() {
        let codes: Vec<String> =
            page.statuses.iter().map(|status| (*status as u8).to_string()).collect();
        query.push_str(&format!(" AND a.status IN ({})", codes.join(", ")));
    }
    if !page.rule.is_empty() {
        query.push_str(" AND (instr(a.rule_id, lower(?)) = 1 OR a.title LIKE ? ESCAPE '\\')");
        params.push(Value::Text(page.rule.clone()));
        params.push(Value::Text(like(&page.rule)));
    }
    if let Some(cursor) = page.cursor {
        query.push_str(" AND a.id < ?");
        params.push(Value::Integer(cursor));
    }
    if let Some(only) = &page.only {
        let ids: Vec<String> = only.iter().map(i64::to_string).collect();
        query.push_str(&format!(" AND a.id IN ({})", ids.join(", ")));
    }
    query.push_str(" ORDER BY a.id DESC");
    Ok((query, params))
}

/// A glob as a pattern of LIKE, which does not mind the case of ASCII letters.
fn like(glob: &str) -> String {
    let mut pattern = String::new();
    for c in glob.chars() {
        match c {
            '*' => pattern.push('%'),
            '?' => pattern.push('_'),
            '%' | '_' | '\\' => pattern.extend(['\\', c]),
            c => pattern.push(c),
        }
    }
    pattern
}

fn alert(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Alert<'static>> {
    let id: i64 = row.get(0)?;
    let rule: AlertRule = document(connection, row.get(5)?)?;
    let mut snapshot: Snapshot<'static> = document(connection, row.get(6)?)?;
    if snapshot.event.process.hash.is_none() {
        // Of a new file it is known only after the event.
        let found = content_of_image(connection, row.get(7)?)?;
        snapshot.event.set_content(&found.unwrap_or_default());
    }
    let history = history(connection, id)?;
    let note = history.iter().rev().find_map(|change| change.note.clone());
    let status = status(row.get(4)?);
    let (count, last): (i64, i64) = (row.get(3)?, row.get(2)?);
    Ok(snapshot.into_alert(rule, |alert| {
        alert.id = id.cast_unsigned();
        alert.status = status;
        alert.count = count.cast_unsigned();
        alert.last = rfc3339(last);
        alert.note = note;
        alert.history = history;
    }))
}

fn content_of_image(connection: &Connection, image: i64) -> rusqlite::Result<Option<Content>> {
    connection
        .prepare_cached(&format!(
            "SELECT e.*, {CONTENT_COLUMNS} FROM process p JOIN executable e ON e.id = p.executable \
             LEFT JOIN binary b ON b.id = e.binary WHERE p.id = ?1"
        ))?
        .query_row([image], content_of)
        .optional()
}

fn history(connection: &Connection, alert: i64) -> rusqlite::Result<Vec<Change>> {
    let mut statement = connection.prepare_cached(
        "SELECT time_ns, uid, user, status, note FROM alert_change WHERE alert = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([alert], |row| {
        Ok(Change {
            time: rfc3339(row.get(0)?),
            uid: row.get(1)?,
            user: row.get(2)?,
            status: status(row.get(3)?),
            note: row.get(4)?,
        })
    })?;
    rows.collect()
}

fn status(code: u8) -> Status {
    Status::ALL.get(usize::from(code)).copied().unwrap_or_default()
}

fn document<T: for<'d> Deserialize<'d>>(connection: &Connection, id: i64) -> rusqlite::Result<T> {
    let bytes = connection
        .prepare_cached("SELECT value, raw_bytes FROM document WHERE id = ?1")?
        .query_row([id], |row| {
        let bytes = unpack(row.get_ref(0)?.as_blob()?, row.get(1)?).map_err(damaged)?;
        Ok(bytes.into_owned())
    })?;
    serde_json::from_slice(&bytes).map_err(damaged)
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
}
