//! On which of the processes in sight rules fired.

use std::ops::Range;

use common::bus::AlertSelection;
use common::filter::{Field, quote};
use common::id::ProcessId;

use super::TreeView;
use super::rows::Fired;
use crate::connection::alerts::{Answer as Alerts, Ask as AskAlerts};
use crate::connection::{Answer, Request, Trouble};
use crate::state::tree::Kind;
use crate::views::Context;

/// Processes whose alerts are asked for at once; a filter has room for some more.
const MOST_ALERT_IDS: usize = 100;

impl TreeView {
    /// Asks for those in sight, unless more of the tree is on its way.
    pub(super) fn fetch_alerts(&mut self, visible: &Range<u64>, cx: &mut Context<'_>) {
        if self.asking_alerts.0.is_waiting() || !self.asking.is_empty() {
            return;
        }
        let range = visible.start as usize..visible.end as usize;
        let seen = self.tree.laid_out().get(range).unwrap_or_default().iter();
        let unknown: Vec<ProcessId> = seen
            .filter(|line| line.kind == Kind::Process && !self.alerts.contains_key(&line.id))
            .map(|line| line.id)
            .take(MOST_ALERT_IDS)
            .collect();
        if unknown.is_empty() {
            return;
        }
        let ids: Vec<String> = unknown.iter().map(|id| quote(&id.to_string())).collect();
        let ask = AskAlerts::Page {
            filter: format!("{} in ({})", Field::Id.name(), ids.join(", ")),
            selection: AlertSelection::default(),
            limit: 0,
            cursor: String::new(),
        };
        self.asking_alerts.0.ask(cx.link, Request::Alerts(ask));
        self.asking_alerts.1 = unknown;
    }

    pub(super) fn take_alerts(&mut self, result: Result<Answer, Trouble>) {
        let asked = std::mem::take(&mut self.asking_alerts.1);
        // Asked for again only when something happens to them.
        self.alerts.extend(asked.into_iter().map(|id| (id, None)));
        match result {
            Ok(Answer::Alerts(Alerts::Page { alerts, .. })) => {
                for alert in alerts {
                    let level = alert.rule.level;
                    let known = self.alerts.entry(alert.event.process.entity_id).or_default();
                    let before = known.unwrap_or(Fired { count: 0, worst: level });
                    let worst = before.worst.max(level);
                    *known = Some(Fired { count: before.count + 1, worst });
                }
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
    }
}
