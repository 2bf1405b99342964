//! A filter as SQL.
//!
//! Numbers are compared by SQLite itself, with bound parameters. Texts are tested by the very code
//! that tests live records, called once for each distinct value of a dictionary: `term(n, …)` is
//! the nth test of the filter.

mod functions;
mod group;
mod home;

use common::binary::{PackageState, Unread};
use common::filter::{Comparison, Expr, Filter, Term, Test};
use common::record::{Source, State};
use rusqlite::Connection;
use rusqlite::types::Value;

pub(super) use self::functions::register_fixed;
use self::functions::{register_env, register_terms};
pub(super) use self::group::{GroupKey, group_key};
use self::home::{Form, Home, home, parent_pid, truncated};

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
