//! A filter as SQL.
//!
//! Numbers are compared by SQLite itself, with bound parameters. Texts are tested by the very code
//! that tests live records, mostly called once for each distinct value of a dictionary: `term(n, …)`
//! is the nth test of the filter.

mod functions;
mod group;
mod home;
mod narrow;

use common::binary::{PackageState, Unread};
use common::filter::{Comparison, Expr, Filter, Term, Test};
use common::record::{Source, State};
use rusqlite::Connection;
use rusqlite::types::Value;

pub(super) use self::functions::register_fixed;
use self::functions::{register_env, register_terms};
pub(super) use self::group::{GroupKey, group_key};
use self::home::{Form, Home, OfExecutable, home, parent_pid, truncated};
pub(super) use self::narrow::{
    Way, has_time, look_up, may_narrow, range_of_time, rows_in, rows_of_time, way,
};

/// A condition on `process p`, for a `WHERE`.
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

/// Which command lines are tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Search {
    /// All there are, before the first row is looked at.
    #[default]
    Everything,
    /// That of each row that is looked at: where these are few, or the first matches are wanted.
    EachRow,
}

/// Compiles the filter and makes its tests known to the connection, replacing those of the last
/// one: a connection serves one query at a time.
pub(super) fn condition(
    connection: &Connection,
    filter: &Filter,
    search: Search,
) -> rusqlite::Result<Condition> {
    let mut compiler = Compiler { search, ..Compiler::default() };
    let sql = compiler.expr(&filter.expr);
    compiler.finish(connection, sql)
}

#[derive(Default)]
struct Compiler {
    search: Search,
    params: Vec<Value>,
    tests: Vec<(Form, Test)>,
}

impl Compiler {
    fn finish(self, connection: &Connection, sql: String) -> rusqlite::Result<Condition> {
        register_terms(connection, &self.tests)?;
        register_env(connection, &self.tests)?;
        Ok(Condition { sql, params: self.params })
    }

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
            Home::Executable(of) => format!("p.executable IN ({})", self.executables_of(&of, test)),
            Home::Number(sql) => self.number(&sql, test),
            Home::Text(column) => {
                let term = self.test(Form::Text, test, "value", "raw_bytes");
                format!("p.{column} IN (SELECT id FROM text WHERE {term})")
            }
            Home::Name => self.name(test),
            Home::Args(form) => self.args("p.args", form, test),
            Home::Env => {
                self.tests.push((Form::Variables, test.clone()));
                let index = self.tests.len() - 1;
                format!("p.env IN (SELECT id FROM env WHERE env_term({index}, value))")
            }
            Home::ScriptText(sql) => {
                let term = self.test(Form::Text, test, sql, "NULL");
                format!("p.script_file IN ({WITH_CONTENT} WHERE {term})")
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
                let parent = "(SELECT q.args FROM process q WHERE q.id = p.parent)";
                self.args(parent, Form::CommandLine, test)
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

    fn executables_of(&mut self, of: &OfExecutable, test: &Test) -> String {
        let condition = match of {
            OfExecutable::Path(form) => return self.executables(*form, test),
            OfExecutable::Number(sql) => {
                let test = self.number(sql, test);
                return format!("SELECT e.id FROM executable e WHERE e.mode != 0 AND {test}");
            }
            OfExecutable::Unread => {
                let code = codes("e.unread", &Unread::ALL, |reason| {
                    test.matches_text(reason.name().as_bytes())
                });
                return format!("SELECT e.id FROM executable e WHERE e.binary IS NULL AND {code}");
            }
            OfExecutable::ContentNumber(sql) => self.number(sql, test),
            OfExecutable::ContentText(sql) => self.test(Form::Text, test, sql, "NULL"),
            OfExecutable::PackageState => {
                let code = codes("e.package_state", &PackageState::ALL, |state| {
                    test.matches_text(state.name().as_bytes())
                });
                format!("e.package IS NOT NULL AND {code}")
            }
        };
        format!("{WITH_CONTENT} WHERE {condition}")
    }

    /// Those of all rows that pass, and perhaps of others; `None` where they do not tell.
    fn possible_executables(&mut self, Term { field, test }: &Term) -> Option<String> {
        match home(*field) {
            Home::Executable(of) => Some(self.executables_of(&of, test)),
            Home::Name => {
                let by_path = self.executables(Form::BaseName, test);
                let with_name = self.executables(Form::BaseName, &Test::Exists);
                Some(format!(
                    "{by_path} UNION ALL SELECT id FROM executable WHERE id NOT IN ({with_name})"
                ))
            }
            _ => None,
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

    /// `id`: of the command line, as an expression.
    fn args(&mut self, id: &str, form: Form, test: &Test) -> String {
        let term = self.test(form, test, "a.value", "a.raw_bytes");
        match self.search {
            Search::Everything => format!("{id} IN (SELECT a.id FROM args a WHERE {term})"),
            Search::EachRow => format!("(SELECT {term} FROM args a WHERE a.id = {id})"),
        }
    }

    /// The last part of the path, or comm where there is none.
    fn name(&mut self, test: &Test) -> String {
        let by_path = self.executables(Form::BaseName, test);
        let by_comm = self.test(Form::Text, test, "value", "raw_bytes");
        let with_name = self.executables(Form::BaseName, &Test::Exists);
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
