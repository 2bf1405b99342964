//! By what to count rows, for each field.

use common::filter::Field;

use super::home::{Form, Home, OfExecutable, home, parent_pid, truncated};

/// What rows have to share to have the same value of a field.
pub(in crate::store) struct GroupKey {
    /// Of the row alone. Rows that differ in it may still have the same value, where `of_number` is.
    pub(in crate::store) of_row: String,
    /// What rows that share `of_row` share, and others may too.
    pub(in crate::store) of_number: Option<String>,
}

/// `None` for lists.
pub(in crate::store) fn group_key(field: Field) -> Option<GroupKey> {
    let key = whole_key(field)?;
    let number = match home(field) {
        Home::Executable(_) => "p.executable",
        Home::Name => "p.executable << 32 | ifnull(p.comm, 0)",
        Home::ScriptText(_) => "p.script_file",
        Home::ContextNumber(_) | Home::ContextText(_) => "p.context",
        Home::ParentExe(_) | Home::ParentArgs => "p.parent",
        _ => return Some(GroupKey { of_row: key, of_number: None }),
    };
    Some(GroupKey { of_row: number.to_owned(), of_number: Some(key) })
}

fn whole_key(field: Field) -> Option<String> {
    let exe = |sql: &str| format!("(SELECT {sql} FROM executable e WHERE e.id = p.executable)");
    let context = |sql: &str| {
        format!("(SELECT {sql} FROM context c WHERE c.id = p.context AND NOT c.is_unknown)")
    };
    let parent = |sql: &str| format!("(SELECT {sql} FROM process q WHERE q.id = p.parent)");
    Some(match home(field) {
        Home::Number(sql) => sql,
        Home::Text(column) => format!("p.{column}"),
        Home::Executable(of) => match of {
            OfExecutable::Path(_) => exe("iif(e.path_state = 5, NULL, e.path)"),
            OfExecutable::Number(sql) => exe(&format!("iif(e.mode = 0, NULL, {sql})")),
            OfExecutable::ContentNumber(sql) | OfExecutable::ContentText(sql) => format!(
                "(SELECT {sql} FROM executable e JOIN binary b ON b.id = e.binary \
                 WHERE e.id = p.executable)"
            ),
            OfExecutable::Unread => exe("iif(e.binary IS NULL, e.unread, NULL)"),
            OfExecutable::PackageState => exe("iif(e.package IS NULL, NULL, e.package_state)"),
        },
        Home::Name => {
            "process_name((SELECT t.value FROM executable e JOIN text t ON t.id = e.path \
                       WHERE e.id = p.executable AND e.path_state != 5), \
                       (SELECT value FROM text WHERE id = p.comm))"
                .to_owned()
        }
        Home::Args(Form::CommandLine) => "p.args".to_owned(),
        Home::Args(_) | Home::Env | Home::ContextBits(_) => return None,
        Home::ScriptText(sql) => format!(
            "(SELECT {sql} FROM executable e JOIN binary b ON b.id = e.binary \
             WHERE e.id = p.script_file)"
        ),
        Home::ContextNumber(sql) | Home::ContextText(sql) => context(sql),
        Home::ParentPid => parent_pid(),
        Home::ParentExe(Form::BaseName) => parent(
            "process_name((SELECT t.value FROM executable e JOIN text t ON t.id = e.path \
             WHERE e.id = q.executable), NULL)",
        ),
        Home::ParentExe(_) => parent("(SELECT e.path FROM executable e WHERE e.id = q.executable)"),
        Home::ParentArgs => parent("q.args"),
        Home::Process => "ifnull(p.first, p.id)".to_owned(),
        Home::ParentProcess => format!(
            "ifnull({}, {} || ' ' || ifnull(p.parent_start, 0))",
            parent("ifnull(q.first, q.id)"),
            parent_pid()
        ),
        Home::State => "p.state".to_owned(),
        Home::Source => "p.source".to_owned(),
        Home::Truncated => truncated(),
    })
}
