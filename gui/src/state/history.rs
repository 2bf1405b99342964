//! Where one was: back and forward.

use common::id::ProcessId;

use super::scope::Span;
use crate::views::{Subject, ViewId};

/// How far back one can go.
const MOST: usize = 200;

/// All that makes up what is seen, but for where it is scrolled to.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub view: ViewId,
    pub filter: String,
    pub span: Span,
    pub process: Option<ProcessId>,
    /// What the view looks at.
    pub subject: Option<Subject>,
}

#[derive(Debug, Default)]
pub struct History {
    back: Vec<Place>,
    forward: Vec<Place>,
}

impl History {
    /// Leaves a place for another.
    pub fn leave(&mut self, place: Place) {
        if self.back.last() != Some(&place) {
            self.back.push(place);
        }
        if self.back.len() > MOST {
            self.back.remove(0);
        }
        self.forward.clear();
    }

    pub fn back(&mut self, here: Place) -> Option<Place> {
        step(&mut self.back, &mut self.forward, here)
    }

    pub fn forward(&mut self, here: Place) -> Option<Place> {
        step(&mut self.forward, &mut self.back, here)
    }

    pub fn can_go_back(&self) -> bool {
        !self.back.is_empty()
    }

    pub fn can_go_forward(&self) -> bool {
        !self.forward.is_empty()
    }
}

fn step(from: &mut Vec<Place>, to: &mut Vec<Place>, here: Place) -> Option<Place> {
    let place = from.pop()?;
    to.push(here);
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(filter: &str) -> Place {
        Place {
            view: ViewId::Timeline,
            filter: filter.to_owned(),
            span: Span::All,
            process: None,
            subject: None,
        }
    }

    #[test]
    fn back_and_forward_undo_each_other() {
        let mut history = History::default();
        history.leave(place("a"));
        history.leave(place("b"));
        assert_eq!(history.back(place("c")), Some(place("b")));
        assert_eq!(history.back(place("b")), Some(place("a")));
        assert_eq!(history.back(place("a")), None);
        assert_eq!(history.forward(place("a")), Some(place("b")));
        assert_eq!(history.forward(place("b")), Some(place("c")));
        assert!(!history.can_go_forward());
    }

    #[test]
    fn a_new_way_ends_the_way_forward() {
        let mut history = History::default();
        history.leave(place("a"));
        history.back(place("b"));
        history.leave(place("a"));
        assert!(!history.can_go_forward());
    }
}
