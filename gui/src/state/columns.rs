//! Which columns a table shows, and how wide.

use serde::{Deserialize, Serialize};

use super::saved::Saved;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub width: f32,
    pub is_shown: bool,
}

/// Of one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Columns {
    /// As they are now. Those that are missing are as the table has them at first.
    pub now: Vec<Column>,
    pub sets: Saved<Vec<Column>>,
}

impl Columns {
    /// Puts columns right that another version remembered: those are left that are among `known`,
    /// and of these none is missing.
    pub fn complete(&mut self, known: impl Iterator<Item = Column> + Clone) {
        self.now.retain(|column| known.clone().any(|one| one.name == column.name));
        for one in known {
            if !self.now.iter().any(|column| column.name == one.name) {
                self.now.push(one);
            }
        }
    }

    /// The last that is shown cannot be hidden: a table without columns says nothing.
    pub fn can_hide(&self, column: &Column) -> bool {
        !column.is_shown || self.now.iter().filter(|one| one.is_shown).count() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, width: f32, is_shown: bool) -> Column {
        Column { name: name.to_owned(), width, is_shown }
    }

    #[test]
    fn columns_of_other_versions_are_put_right() {
        let now = vec![column("gone", 1.0, true), column("b", 70.0, false)];
        let mut columns = Columns { now, ..Columns::default() };
        columns.complete([column("a", 50.0, true), column("b", 50.0, true)].into_iter());
        assert_eq!(columns.now, [column("b", 70.0, false), column("a", 50.0, true)]);
    }

    #[test]
    fn one_column_stays() {
        let now = vec![column("a", 1.0, true), column("b", 1.0, false)];
        let columns = Columns { now, ..Columns::default() };
        assert!(!columns.can_hide(&columns.now[0]));
        assert!(columns.can_hide(&columns.now[1]), "it is hidden");
    }
}
