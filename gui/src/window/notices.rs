//! What comes from the recorder, and how everything is asked for anew.
//!
//! So that nothing is missed and nothing comes twice, the subscription is begun first. Once it is
//! there, the range is settled to end now, and what is stored is counted and fetched. What happens
//! from then on comes by the subscription; what is in both is told by its position in the store.

use common::time::parse_rfc3339;
use eframe::egui;

use super::Window;
use crate::connection::processes::{Answer as Found, Ask, Live};
use crate::connection::{Answer, Notice, Request, Status, Trouble};
use crate::state::scope::Span;
use crate::views::Reply;

/// After a hole in the live stream, so that a flood does not ask again and again.
const PATIENCE_NS: i64 = 5_000_000_000;
/// At once; the rest is taken in the next frame.
const MOST_NOTICES: usize = 200;

impl Window {
    pub(super) fn take_notices(&mut self, ctx: &egui::Context) {
        for _ in 0..MOST_NOTICES {
            let Some(notice) = self.link.next_notice() else { return };
            match notice {
                Notice::Status(status) => self.take_status(status),
                Notice::Health(health) => self.health = Some(health),
                Notice::Answer(ticket, result) => self.take_reply(Reply { ticket, result }, ctx),
            }
        }
        ctx.request_repaint();
    }

    fn take_status(&mut self, status: Status) {
        let is_back = status == Status::Connected && self.status != Status::Connected;
        self.status = status;
        if self.status != Status::Connected {
            self.export.cut_off();
        }
        if is_back {
            self.take_range_of_recording();
            self.refresh();
        }
    }

    /// All of a recording is of interest, and its last hour may be months ago.
    fn take_range_of_recording(&mut self) {
        if self.is_recorded() {
            self.span_of_live.get_or_insert(self.settings.span);
            self.settings.span = Span::All;
        } else if let Some(span) = self.span_of_live.take() {
            self.settings.span = span;
        }
    }

    /// Asks for everything that is seen anew.
    pub(super) fn refresh(&mut self) {
        self.refresh_at = None;
        self.stale = crate::views::ViewId::ALL.iter().copied().collect();
        if self.status != Status::Connected {
            return;
        }
        if let Ok(scope) = self.settle(&self.settings.filter.clone(), self.settings.span) {
            self.scope = scope;
        }
        if self.paused.is_some() {
            self.paused = Some(0);
        }
        if self.scope.span.is_open() && !self.is_recorded() {
            self.is_beginning = true;
            let ask = Ask::Follow { filter: self.scope.filter_text() };
            self.following.ask(&mut self.link, Request::Processes(ask));
        } else {
            self.following.cancel(&mut self.link);
            self.begin();
        }
    }

    /// Nothing can be missed from now on.
    fn begin(&mut self) {
        self.is_beginning = false;
        if let Ok(scope) = self.settle(&self.settings.filter.clone(), self.settings.span) {
            self.scope = scope;
        }
        self.strip.refresh(&mut self.link, &self.scope);
        if let Some(process) = self.selected {
            self.details.look_at(process, &mut self.link);
        }
        self.refresh_urgent();
        self.refresh_seen();
    }

    /// Views that are kept fresh although another is seen.
    fn refresh_urgent(&mut self) {
        let mut views = std::mem::take(&mut self.views);
        for view in views.iter_mut().filter(|view| view.is_always_fresh()) {
            if self.stale.remove(&view.id()) {
                view.refresh(&mut self.context());
            }
        }
        self.views = views;
    }

    /// The view that is seen, if what it shows is stale.
    pub(super) fn refresh_seen(&mut self) {
        if !self.is_beginning && self.status == Status::Connected {
            let is_stale = self.stale.remove(&self.settings.view);
            if is_stale {
                self.with_view(|view, cx| view.refresh(cx));
            }
        }
    }

    /// A recorded database is looked at: nothing happens in it.
    pub(super) fn is_recorded(&self) -> bool {
        self.health.as_ref().is_some_and(|health| health.state == "read-only")
    }

    fn take_reply(&mut self, reply: Reply, _ctx: &egui::Context) {
        if self.following.is(reply.ticket) {
            match reply.result {
                Ok(Answer::Processes(Found::Live(live))) => self.take_live(&live),
                Ok(_) => {}
                Err(trouble) => self.follow_ended(trouble),
            }
            return;
        }
        if self.values.0.take(reply.ticket) {
            if let (Ok(Answer::Processes(Found::Top(counts))), Some(field)) =
                (reply.result, self.values.1)
            {
                let values = counts.into_iter().map(|count| count.value).collect();
                self.filter_box.set_values(field, values);
            }
            return;
        }
        let Some(reply) = self.strip.answer(reply) else { return };
        let Some(reply) = self.export.answer(reply, &mut self.link) else { return };
        let Some(mut reply) = self.details.answer(reply) else { return };
        let mut views = std::mem::take(&mut self.views);
        for view in &mut views {
            match view.answer(reply, &mut self.context()) {
                Some(other) => reply = other,
                None => break,
            }
        }
        // What nobody claims was asked for by somebody who asked anew since.
        self.views = views;
    }

    fn take_live(&mut self, live: &Live) {
        if self.is_beginning {
            self.begin();
        }
        for gap in &live.gaps {
            if let Some(time_ns) = parse_rfc3339(&gap.timestamp) {
                self.strip.add_gap(time_ns, gap.count);
            }
        }
        let begun = live.rows.iter().filter(|row| !row.is_end);
        if let Some(waiting) = &mut self.paused {
            *waiting += begun.count() as u64 + live.missed;
            return;
        }
        for row in begun {
            self.strip.add(row.time_ns);
        }
        if live.missed > 0 && self.refresh_at.is_none() {
            self.refresh_at = Some(self.clock.now_ns + PATIENCE_NS);
        }
        let is_selected = |row: &crate::state::row::Row| Some(row.id) == self.selected;
        if live.rows.iter().any(is_selected) {
            self.details.update(&mut self.link);
        }
        let mut views = std::mem::take(&mut self.views);
        for view in &mut views {
            if !self.stale.contains(&view.id()) {
                view.live(live, &mut self.context());
            }
        }
        self.views = views;
    }

    /// There is nothing to follow, or the recorder went away, which the connection will tell.
    fn follow_ended(&mut self, trouble: Trouble) {
        self.following.cancel(&mut self.link);
        if self.is_beginning {
            self.begin();
            self.say(trouble.message);
        }
    }

    pub(super) fn pause_or_resume(&mut self) {
        if self.paused.take().is_none() {
            self.paused = Some(0);
        } else {
            self.refresh();
        }
    }
}
