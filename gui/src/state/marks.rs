//! Several lines of a list chosen at once, as in every list of files: a click chooses one, with Ctrl
//! one more, with Shift all in between.

use std::collections::BTreeSet;

/// How a choice changes what is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This one and no other.
    Only,
    /// This one, too; or no more.
    Toggle,
    /// From the one that was chosen last up to this one.
    Extend,
}

#[derive(Debug, Clone)]
pub struct Marks<K> {
    chosen: BTreeSet<K>,
    /// Where a range begins.
    anchor: Option<K>,
    /// The one that is looked at.
    cursor: Option<K>,
}

impl<K> Default for Marks<K> {
    fn default() -> Self {
        Self { chosen: BTreeSet::new(), anchor: None, cursor: None }
    }
}

impl<K: Ord + Clone> Marks<K> {
    pub fn cursor(&self) -> Option<&K> {
        self.cursor.as_ref()
    }

    pub fn contains(&self, key: &K) -> bool {
        self.chosen.contains(key)
    }

    pub fn chosen(&self) -> impl Iterator<Item = &K> {
        self.chosen.iter()
    }

    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn choose(&mut self, order: &[K], key: &K, reach: Reach) {
        self.cursor = Some(key.clone());
        match reach {
            Reach::Only => {
                self.chosen = BTreeSet::from([key.clone()]);
                self.anchor = Some(key.clone());
            }
            Reach::Toggle => {
                if !self.chosen.remove(key) {
                    self.chosen.insert(key.clone());
                }
                self.anchor = Some(key.clone());
            }
            Reach::Extend => {
                let at = |key: &K| order.iter().position(|known| known == key);
                let from = self.anchor.as_ref().and_then(at);
                let (Some(from), Some(to)) = (from, at(key)) else {
                    return self.choose(order, key, Reach::Only);
                };
                self.chosen = order[from.min(to)..=from.max(to)].iter().cloned().collect();
            }
        }
    }

    pub fn choose_all(&mut self, order: &[K]) {
        self.chosen = order.iter().cloned().collect();
        if self.cursor.is_none() {
            self.cursor = order.first().cloned();
        }
    }

    /// The list is another. What is gone is not chosen any more; when the one that was looked at is
    /// gone, the next that stayed takes its place, so that one can go on from there.
    pub fn follow(&mut self, before: &[K], after: &[K]) {
        let stayed: BTreeSet<&K> = after.iter().collect();
        self.chosen.retain(|key| stayed.contains(key));
        self.anchor = self.anchor.take().filter(|key| stayed.contains(key));
        let Some(cursor) = self.cursor.clone().filter(|key| !stayed.contains(key)) else { return };
        let at = before.iter().position(|key| *key == cursor).unwrap_or(before.len());
        let below = before[at..].iter().find(|key| stayed.contains(key));
        let near = below.or_else(|| before[..at].iter().rev().find(|key| stayed.contains(key)));
        match near.cloned() {
            Some(near) => {
                self.cursor = Some(near.clone());
                if self.chosen.is_empty() {
                    self.choose(after, &near, Reach::Only);
                }
            }
            None => self.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(marks: &Marks<u8>) -> Vec<u8> {
        marks.chosen().copied().collect()
    }

    #[test]
    fn clicks_choose_as_in_lists_of_files() {
        let order = [5, 4, 3, 2, 1];
        let mut marks = Marks::default();
        marks.choose(&order, &4, Reach::Only);
        marks.choose(&order, &2, Reach::Extend);
        assert_eq!(chosen(&marks), [2, 3, 4]);
        marks.choose(&order, &5, Reach::Extend);
        assert_eq!(chosen(&marks), [4, 5], "the range turns around where it began");
        marks.choose(&order, &1, Reach::Toggle);
        assert_eq!((chosen(&marks), marks.cursor()), (vec![1, 4, 5], Some(&1)));
        marks.choose(&order, &4, Reach::Toggle);
        assert_eq!(chosen(&marks), [1, 5]);
        marks.choose(&order, &3, Reach::Only);
        assert_eq!(chosen(&marks), [3]);
        marks.choose_all(&order);
        assert_eq!((marks.len(), marks.cursor()), (5, Some(&3)));
    }

    #[test]
    fn a_range_without_beginning_is_one() {
        let mut marks = Marks::default();
        marks.choose(&[1, 2, 3], &2, Reach::Extend);
        assert_eq!(chosen(&marks), [2]);
        marks.choose(&[1, 3], &3, Reach::Extend);
        assert_eq!(chosen(&marks), [3], "where it began is gone");
    }

    #[test]
    fn what_is_looked_at_moves_on_when_it_goes() {
        let check = |cursor: u8, after: &[u8], expected: Option<u8>| {
            let before = [5, 4, 3, 2, 1];
            let mut marks = Marks::default();
            marks.choose(&before, &cursor, Reach::Only);
            marks.follow(&before, after);
            assert_eq!(marks.cursor().copied(), expected);
            assert_eq!(chosen(&marks), expected.into_iter().collect::<Vec<_>>());
        };
        check(3, &[5, 4, 3, 2, 1], Some(3));
        check(3, &[5, 4, 2, 1], Some(2));
        check(1, &[5, 4], Some(4));
        check(3, &[], None);
        check(3, &[6, 5], Some(5));
    }
}
