//! A filter as SQL.
//!
//! Numbers are compared by SQLite itself, with bound parameters. Texts are tested by the very code
//! that tests live records, called once for each distinct value of a dictionary: `term(n, …)` is
//! the nth test of the filter.

use std::collections::HashSet;

use common::binary::{PackageState, Unread};
use common::filter::{Comparison, Expr, Field, Filter, Term, Test, base_name};
use common::record::{Source, State};
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use super::dictionary::{unpack, varints};

/// A condition on `process p`, for a `WHERE`.
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

/// Compiles the filter and makes its tests known to the connection, replacing those of the last
/// one: a connection serves one query at a time.
pub(super) fn condition(connection: &Connection, filter: &Filter) -> rusqlite::Result<Condition> {
    let mut compiler = Compiler { params: Vec::new(), tests: Vec::new() };
    let sql = compiler.expr(&filter.expr);
    let Compiler { params, tests } = compiler;
    register_terms(connection, &tests)?;
    register_env(connection, &tests)?;
    Ok(Condition { sql, params })
}

/// How a dictionary value is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    BaseName,
    Strings,
    CommandLine,
}

/// Where the value of a field is found.
enum Home {
    /// An expression on the row, NULL where the value is not known.
    Number(String),
    /// A column that refers to `text`.
    Text(&'static str),
    Exe(Form),
    Name,
    Args(Form),
    Env,
    /// A number of the executable.
    ExeNumber(&'static str),
    /// Of the content of the executable, NULL where not known.
    ContentNumber(&'static str),
    ContentText(&'static str),
    ScriptText(&'static str),
    Unread,
    PackageState,
    /// A number of the context, NULL where not known.
    ContextNumber(&'static str),
    ContextBits(&'static str),
    ContextText(&'static str),
    ParentPid,
    ParentExe(Form),
    ParentArgs,
    Process,
    ParentProcess,
    State,
    Source,
    Truncated,
}

fn home(field: Field) -> Home {
    let number = |sql: &str| Home::Number(sql.to_owned());
    match field {
        Field::Time => number("p.time_ns"),
        Field::Start => number("(p.time_ns - p.age_ns)"),
        Field::End => number("(p.time_ns - p.age_ns + p.run_ns)"),
        Field::Pid => number("p.pid"),
        Field::Id => Home::Process,
        Field::Name => Home::Name,
        Field::Exe => Home::Exe(Form::Text),
        Field::Cmd => Home::Args(Form::CommandLine),
        Field::Arg => Home::Args(Form::Strings),
        Field::Argc => number("iif(p.args IS NULL, NULL, p.args_count)"),
        Field::Env => Home::Env,
        Field::Cwd => Home::Text("cwd"),
        Field::Script => Home::Text("script"),
        Field::Comm => Home::Text("comm"),
        Field::Tty => Home::Text("tty"),
        Field::State => Home::State,
        Field::Source => Home::Source,
        Field::Ordinal => number("p.ordinal"),
        Field::Pgid => number("nullif(p.process_group, 0)"),
        Field::Sid => number("nullif(p.session, 0)"),
        Field::Nspid => number(
            "iif(p.context IN (SELECT id FROM context WHERE is_unknown), NULL, \
             nullif(ifnull(p.namespace_pid, p.pid), 0))",
        ),
        Field::ExitCode => number("p.exit_code"),
        Field::Signal => number("p.signal"),
        Field::CoreDump => number("iif(p.run_ns IS NULL, NULL, ifnull(p.core_dump, 0))"),
        Field::Duration => number("p.run_ns"),
        Field::Cpu => number("p.cpu_ns"),
        Field::Rss => number("p.max_rss_bytes"),
        Field::IoRead => number("p.read_bytes"),
        Field::IoWrite => number("p.write_bytes"),
        Field::Ppid => Home::ParentPid,
        Field::ParentId => Home::ParentProcess,
        Field::Parent => Home::ParentExe(Form::Text),
        Field::ParentName => Home::ParentExe(Form::BaseName),
        Field::ParentCmd => Home::ParentArgs,
        Field::Size => Home::ExeNumber("e.size_bytes"),
        Field::Mode => Home::ExeNumber("(e.mode & 4095)"),
        Field::Inode => Home::ExeNumber("e.inode"),
        Field::Device => Home::ExeNumber("(e.device_major << 32 | e.device_minor)"),
        Field::Deleted => Home::ExeNumber("e.is_deleted"),
        Field::Memfd => Home::ExeNumber("e.is_memfd"),
        Field::UpperLayer => Home::ExeNumber("e.is_upper"),
        Field::Sha256 => Home::ContentText("lower(hex(b.sha256))"),
        Field::Sha1 => Home::ContentText("lower(hex(b.sha1))"),
        Field::Md5 => Home::ContentText("lower(hex(b.md5))"),
        Field::ScriptSha256 => Home::ScriptText("lower(hex(b.sha256))"),
        Field::Unread => Home::Unread,
        Field::Package => Home::ContentText("e.package"),
        Field::PackageState => Home::PackageState,
        Field::FileCapabilities => Home::ContentText("e.capabilities"),
        Field::ElfMachine => Home::ContentText("b.elf_machine"),
        Field::ElfClass => Home::ContentNumber("b.elf_class"),
        Field::ElfType => Home::ContentText("b.elf_type"),
        Field::ElfStatic => Home::ContentNumber("b.elf_static"),
        Field::ElfInterpreter => Home::ContentText("b.elf_interpreter"),
        Field::ElfStripped => Home::ContentNumber("b.elf_stripped"),
        Field::ElfBuildId => Home::ContentText("b.elf_build_id"),
        Field::ElfPacked => Home::ContentNumber("b.elf_packed"),
        Field::Truncated => Home::Truncated,
        Field::User => Home::ContextText("c.user_name"),
        Field::Euser => Home::ContextText("c.effective_name"),
        Field::Group => Home::ContextText("c.group_name"),
        Field::Login => Home::ContextText("c.login_name"),
        Field::Container => Home::ContextText("c.container"),
        Field::Runtime => Home::ContextText("c.runtime"),
        Field::Unit => Home::ContextText("c.unit"),
        Field::Slice => Home::ContextText("c.slice"),
        Field::Cgroup => Home::ContextText("c.cgroup"),
        Field::Uid => Home::ContextNumber("c.uid"),
        Field::Euid => Home::ContextNumber("c.euid"),
        Field::Gid => Home::ContextNumber("c.gid"),
        Field::Egid => Home::ContextNumber("c.egid"),
        Field::Auid => Home::ContextNumber("c.login_uid"),
        Field::AuditSession => Home::ContextNumber("c.audit_session"),
        Field::Capability => Home::ContextBits("c.cap_effective"),
        Field::MountNs => Home::ContextNumber("nullif(c.mount_ns, 0)"),
        Field::PidNs => Home::ContextNumber("nullif(c.pid_ns, 0)"),
        Field::NetNs => Home::ContextNumber("nullif(c.network_ns, 0)"),
        Field::UserNs => Home::ContextNumber("nullif(c.user_ns, 0)"),
        Field::UtsNs => Home::ContextNumber("nullif(c.uts_ns, 0)"),
        Field::IpcNs => Home::ContextNumber("nullif(c.ipc_ns, 0)"),
        Field::CgroupNs => Home::ContextNumber("nullif(c.cgroup_ns, 0)"),
    }
}

/// What rows have to share to have the same value of a field.
pub(super) struct GroupKey {
    /// Of the row alone. Rows that differ in it may still have the same value, where `of_number` is.
    pub(super) of_row: String,
    /// What rows that share `of_row` share, and others may too.
    pub(super) of_number: Option<String>,
}

/// `None` for lists.
pub(super) fn group_key(field: Field) -> Option<GroupKey> {
    let key = whole_key(field)?;
    let number = match home(field) {
        Home::Exe(_)
        | Home::ExeNumber(_)
        | Home::ContentNumber(_)
        | Home::ContentText(_)
        | Home::Unread
        | Home::PackageState => "p.executable",
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
        Home::Exe(_) => exe("iif(e.path_state = 5, NULL, e.path)"),
        Home::Name => {
            "process_name((SELECT t.value FROM executable e JOIN text t ON t.id = e.path \
                       WHERE e.id = p.executable AND e.path_state != 5), \
                       (SELECT value FROM text WHERE id = p.comm))"
                .to_owned()
        }
        Home::Args(Form::CommandLine) => "p.args".to_owned(),
        Home::Args(_) | Home::Env | Home::ContextBits(_) => return None,
        Home::ExeNumber(sql) => exe(&format!("iif(e.mode = 0, NULL, {sql})")),
        Home::ContentNumber(sql) | Home::ContentText(sql) => format!(
            "(SELECT {sql} FROM executable e JOIN binary b ON b.id = e.binary \
             WHERE e.id = p.executable)"
        ),
        Home::ScriptText(sql) => format!(
            "(SELECT {sql} FROM executable e JOIN binary b ON b.id = e.binary \
             WHERE e.id = p.script_file)"
        ),
        Home::Unread => exe("iif(e.binary IS NULL, e.unread, NULL)"),
        Home::PackageState => exe("iif(e.package IS NULL, NULL, e.package_state)"),
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

fn parent_pid() -> String {
    "ifnull((SELECT q.pid FROM process q WHERE q.id = p.parent), p.parent_pid)".to_owned()
}

fn truncated() -> String {
    "(p.args_state IN (1, 2) OR p.env_state IN (1, 2) OR p.cwd_state IN (3, 4) OR p.executable IN \
     (SELECT id FROM executable WHERE path_state IN (3, 4)))"
        .to_owned()
}

struct Compiler {
    params: Vec<Value>,
    tests: Vec<(Form, Test)>,
}

impl Compiler {
    fn expr(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::True => "1".to_owned(),
            Expr::And(all) => self.joined(all, " AND "),
            Expr::Or(any) => self.joined(any, " OR "),
            // What is not known fails each test: NULL is false before it is negated.
            Expr::Not(expr) => format!("NOT ifnull({}, 0)", self.expr(expr)),
            Expr::Term(term) => self.term(term),
        }
    }

    fn joined(&mut self, exprs: &[Expr], operator: &str) -> String {
        let parts: Vec<String> = exprs.iter().map(|expr| self.expr(expr)).collect();
        format!("({})", parts.join(operator))
    }

    fn term(&mut self, Term { field, test }: &Term) -> String {
        match home(*field) {
            Home::Number(sql) => self.number(&sql, test),
            Home::Text(column) => {
                let term = self.test(Form::Text, test, "value", "raw_bytes");
                format!("p.{column} IN (SELECT id FROM text WHERE {term})")
            }
            Home::Exe(form) => format!("p.executable IN ({})", self.executables(form, test)),
            Home::Name => self.name(test),
            Home::Args(form) => format!("p.args IN ({})", self.args(form, test)),
            Home::Env => {
                self.tests.push((Form::Strings, test.clone()));
                let index = self.tests.len() - 1;
                format!("p.env IN (SELECT id FROM env WHERE env_term({index}, value))")
            }
            Home::ExeNumber(sql) => {
                let test = self.number(sql, test);
                format!(
                    "p.executable IN (SELECT e.id FROM executable e WHERE e.mode != 0 AND {test})"
                )
            }
            Home::ContentNumber(sql) => {
                let test = self.number(sql, test);
                format!("p.executable IN ({WITH_CONTENT} WHERE {test})")
            }
            Home::ContentText(sql) => {
                let term = self.test(Form::Text, test, sql, "NULL");
                format!("p.executable IN ({WITH_CONTENT} WHERE {term})")
            }
            Home::ScriptText(sql) => {
                let term = self.test(Form::Text, test, sql, "NULL");
                format!("p.script_file IN ({WITH_CONTENT} WHERE {term})")
            }
            Home::Unread => {
                let code = codes("e.unread", &Unread::ALL, |reason| {
                    test.matches_text(reason.name().as_bytes())
                });
                format!(
                    "p.executable IN (SELECT e.id FROM executable e WHERE e.binary IS NULL \
                     AND {code})"
                )
            }
            Home::PackageState => {
                let code = codes("e.package_state", &PackageState::ALL, |state| {
                    test.matches_text(state.name().as_bytes())
                });
                format!("p.executable IN ({WITH_CONTENT} WHERE e.package IS NOT NULL AND {code})")
            }
            Home::ContextNumber(sql) => {
                let test = self.number(sql, test);
                in_context(&test)
            }
            Home::ContextBits(sql) => {
                let test = match test {
                    Test::AnyBit(bits) => {
                        self.params.push(Value::Integer(bits.cast_signed()));
                        format!("{sql} & ? != 0")
                    }
                    Test::Exists => "1".to_owned(),
                    _ => "0".to_owned(),
                };
                in_context(&test)
            }
            Home::ContextText(sql) => {
                let term = self.test(Form::Text, test, sql, "NULL");
                in_context(&term)
            }
            Home::ParentPid => {
                let test = self.number(&parent_pid(), test);
                format!("(p.parent_source IS NOT NULL AND {test})")
            }
            Home::ParentExe(form) => {
                let executables = self.executables(form, test);
                format!(
                    "(SELECT q.executable FROM process q WHERE q.id = p.parent) IN ({executables})"
                )
            }
            Home::ParentArgs => {
                let args = self.args(Form::CommandLine, test);
                format!("(SELECT q.args FROM process q WHERE q.id = p.parent) IN ({args})")
            }
            Home::Process => self.process(test, "p.pid", "p.start_boottime_ns", "1"),
            Home::ParentProcess => self.process(
                test,
                &parent_pid(),
                "ifnull((SELECT q.start_boottime_ns FROM process q WHERE q.id = p.parent), \
                 p.parent_start)",
                "p.parent_source IS NOT NULL",
            ),
            Home::State => {
                codes("p.state", &State::ALL, |state| test.matches_text(state.name().as_bytes()))
            }
            Home::Source => codes("p.source", &Source::ALL, |source| {
                test.matches_text(source.name().as_bytes())
            }),
            Home::Truncated => {
                let sql = truncated();
                self.number(&sql, test)
            }
        }
    }

    fn number(&mut self, sql: &str, test: &Test) -> String {
        match test {
            Test::Exists => format!("{sql} IS NOT NULL"),
            Test::IntIn(values) => {
                let marks = vec!["?"; values.len()].join(", ");
                self.params.extend(values.iter().map(|value| Value::Integer(*value)));
                format!("{sql} IN ({marks})")
            }
            Test::IntCompare(comparison, than) => {
                self.params.push(Value::Integer(*than));
                let operator = match comparison {
                    Comparison::Less => "<",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => ">=",
                };
                format!("{sql} {operator} ?")
            }
            // No number passes a test of texts; the parser makes none.
            _ => "0".to_owned(),
        }
    }

    fn test(&mut self, form: Form, test: &Test, value: &str, raw_bytes: &str) -> String {
        self.tests.push((form, test.clone()));
        format!("term({}, {value}, {raw_bytes})", self.tests.len() - 1)
    }

    fn executables(&mut self, form: Form, test: &Test) -> String {
        let term = self.test(form, test, "t.value", "t.raw_bytes");
        format!(
            "SELECT e.id FROM executable e JOIN text t ON t.id = e.path \
             WHERE e.path_state != 5 AND {term}"
        )
    }

    fn args(&mut self, form: Form, test: &Test) -> String {
        let term = self.test(form, test, "value", "raw_bytes");
        format!("SELECT id FROM args WHERE {term}")
    }

    /// The last part of the path, or comm where there is none.
    fn name(&mut self, test: &Test) -> String {
        let by_path = self.executables(Form::BaseName, test);
        let by_comm = self.test(Form::Text, test, "value", "raw_bytes");
        let all = Test::Exists;
        let with_name = self.executables(Form::BaseName, &all);
        format!(
            "(p.executable IN ({by_path}) OR (p.executable NOT IN ({with_name}) AND p.comm IN \
             (SELECT id FROM text WHERE {by_comm})))"
        )
    }

    fn process(&mut self, test: &Test, pid: &str, start: &str, exists: &str) -> String {
        match test {
            Test::Exists => exists.to_owned(),
            Test::ProcessIn(ids) => {
                let mut any = Vec::new();
                for id in ids {
                    self.params.push(Value::Integer(id.boot.bits().cast_signed()));
                    self.params.push(Value::Integer(i64::from(id.pid)));
                    self.params.push(Value::Integer(id.start_boottime_ns.cast_signed()));
                    any.push(format!(
                        "(p.boot = (SELECT id FROM boot WHERE boot_id = ?) AND {pid} = ? AND \
                         {start} = ?)"
                    ));
                }
                format!("({exists} AND ({}))", any.join(" OR "))
            }
            _ => "0".to_owned(),
        }
    }
}

/// Files whose content is known.
const WITH_CONTENT: &str = "SELECT e.id FROM executable e JOIN binary b ON b.id = e.binary";

fn in_context(test: &str) -> String {
    format!("p.context IN (SELECT c.id FROM context c WHERE NOT c.is_unknown AND {test})")
}

fn codes<T: Copy>(column: &str, all: &[T], is_match: impl Fn(T) -> bool) -> String {
    let codes: Vec<i64> = (0..)
        .zip(all)
        .filter_map(|(code, value): (i64, _)| is_match(*value).then_some(code))
        .collect();
    let codes: Vec<String> = codes.iter().map(i64::to_string).collect();
    format!("{column} IN ({})", codes.join(", "))
}

/// Not in views or triggers; the same answer for the same value throughout a query.
const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_DIRECTONLY);

/// Functions that do not depend on a filter.
pub(super) fn register_fixed(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_scalar_function("process_name", 2, FLAGS, |context| {
        let path = bytes(context.get_raw(0));
        let name = base_name(path);
        let name = if name.is_empty() { bytes(context.get_raw(1)) } else { name };
        Ok(ToSqlOutput::Owned(Value::Blob(name.to_vec())))
    })
}

fn register_terms(connection: &Connection, tests: &[(Form, Test)]) -> rusqlite::Result<()> {
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
            Form::Strings => test.matches_strings(&value),
            Form::CommandLine => test.matches_command_line(&value),
        })
    })
}

/// `env_term(n, list)`: whether the list has one of the variables that pass the nth test.
///
/// The variables are tested before the query, once each.
fn register_env(connection: &Connection, tests: &[(Form, Test)]) -> rusqlite::Result<()> {
    let is_env = |(form, _): &&(Form, Test)| *form == Form::Strings;
    if !tests.iter().any(|test| is_env(&test)) {
        return Ok(());
    }
    let mut passing: Vec<HashSet<i64, foldhash::fast::RandomState>> = Vec::new();
    for (form, test) in tests {
        let mut ids = HashSet::default();
        if *form == Form::Strings {
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
