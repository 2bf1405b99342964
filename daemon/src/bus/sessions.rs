//! Links to the web page, and the sessions they became.
//!
//! The web process has no rights of its own. Whoever asks for a link lends it some of theirs: the
//! connection on which the link's secret is presented is bound to a session, and may do what that
//! may, until it ends. It then may do nothing, whoever is at its other end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::time::rfc3339;
use common::web::{WebRight, WebSession};
use sha2::{Digest as _, Sha256};

use super::access::Right;
use super::now_ns;

/// Enough to switch to the browser, or to a telephone.
pub(super) const LINK_LIFE: Duration = Duration::from_secs(300);
const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);
/// The oldest gives way.
const MOST_LINKS: usize = 64;
pub(super) const MOST_SESSIONS: usize = 64;

/// The connection that a session is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// By its unique name, which a bus gives to one connection only.
    Bus(String),
    /// By the number of a connection on a socket of our own.
    Peer(u64),
}

/// On whose behalf, and what for.
#[derive(Debug, Clone)]
pub(super) struct Loan {
    pub(super) uid: u32,
    pub(super) user: String,
    pub(super) rights: Vec<WebRight>,
}

struct Link {
    /// The secret itself is not kept.
    digest: [u8; 32],
    loan: Loan,
    made: Instant,
}

struct Session {
    id: u32,
    holder: Holder,
    loan: Loan,
    began: Instant,
    began_ns: i64,
    last_ns: i64,
    is_ended: bool,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        self.is_ended || now.duration_since(self.began) >= SESSION_LIFE
    }

    fn shown(&self) -> WebSession {
        let life_ns = i64::try_from(SESSION_LIFE.as_nanos()).unwrap_or(i64::MAX);
        WebSession {
            id: self.id,
            user: self.loan.user.clone(),
            rights: self.loan.rights.clone(),
            since: rfc3339(self.began_ns),
            last: rfc3339(self.last_ns),
            expires: rfc3339(self.began_ns.saturating_add(life_ns)),
        }
    }
}

/// What a connection may do because of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is bound to none.
    Free,
    /// The user with this uid lent it the right.
    Lent(u32),
    /// The session is without this right.
    Withheld,
    /// It was bound to one, and is good for nothing any more.
    Over,
}

/// Why a secret is good for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It was never made, has been used, or is too old; which, nobody is told.
    Unknown,
    /// This connection is bound already.
    Bound,
    Full,
}

#[derive(Default)]
pub(super) struct Sessions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    links: Vec<Link>,
    sessions: Vec<Session>,
    made: u32,
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps that a secret was made.
    pub(super) fn add_link(&self, secret: &str, loan: Loan, now: Instant) {
        let mut state = self.state();
        state.links.retain(|link| now.duration_since(link.made) < LINK_LIFE);
        if state.links.len() >= MOST_LINKS {
            state.links.remove(0);
        }
        state.links.push(Link { digest: digest(secret), loan, made: now });
    }

    /// Uses a link up. A digest is compared, so that how long it takes tells nothing.
    pub(super) fn redeem(
        &self,
        secret: &str,
        holder: Holder,
        now: Instant,
    ) -> Result<WebSession, Refusal> {
        let mut state = self.state();
        if state.sessions.iter().any(|session| session.holder == holder) {
            return Err(Refusal::Bound);
        }
        if state.sessions.iter().filter(|session| !session.is_over(now)).count() >= MOST_SESSIONS {
            return Err(Refusal::Full);
        }
        let digest = digest(secret);
        let at = state.links.iter().position(|link| link.digest == digest);
        let link = at.map(|at| state.links.remove(at)).ok_or(Refusal::Unknown)?;
        if now.duration_since(link.made) >= LINK_LIFE {
            return Err(Refusal::Unknown);
        }
        state.made += 1;
        let (id, wall_ns) = (state.made, now_ns());
        let session = Session {
            id,
            holder,
            loan: link.loan,
            began: now,
            began_ns: wall_ns,
            last_ns: wall_ns,
            is_ended: false,
        };
        let shown = session.shown();
        state.sessions.push(session);
        Ok(shown)
    }

    pub(super) fn standing(&self, holder: &Holder, right: Right, now: Instant) -> Standing {
        let mut state = self.state();
        let Some(session) = state.sessions.iter_mut().find(|one| one.holder == *holder) else {
            return Standing::Free;
        };
        if session.is_over(now) {
            return Standing::Over;
        }
        session.last_ns = now_ns();
        let is_lent = right.on_the_web().is_some_and(|right| session.loan.rights.contains(&right));
        if is_lent { Standing::Lent(session.loan.uid) } else { Standing::Withheld }
    }

    /// The session of a connection, while it lasts.
    pub(super) fn of(&self, holder: &Holder, now: Instant) -> Option<WebSession> {
        let state = self.state();
        let is_it = |session: &&Session| session.holder == *holder && !session.is_over(now);
        state.sessions.iter().find(is_it).map(Session::shown)
    }

    /// Those of one user, or all.
    pub(super) fn list(&self, uid: Option<u32>, now: Instant) -> Vec<WebSession> {
        let state = self.state();
        let is_listed = |session: &&Session| {
            !session.is_over(now) && uid.is_none_or(|uid| session.loan.uid == uid)
        };
        state.sessions.iter().filter(is_listed).map(Session::shown).collect()
    }

    /// Ends one of the user's sessions, or of anybody's; 0 is each. Returns how many.
    pub(super) fn revoke(&self, id: u32, uid: Option<u32>, now: Instant) -> u32 {
        let mut count = 0;
        for session in &mut self.state().sessions {
            let is_meant = (id == 0 || session.id == id)
                && uid.is_none_or(|uid| session.loan.uid == uid)
                && !session.is_over(now);
            if is_meant {
                session.is_ended = true;
                count += 1;
            }
        }
        count
    }

    pub(super) fn holders(&self) -> Vec<Holder> {
        self.state().sessions.iter().map(|session| session.holder.clone()).collect()
    }

    /// The connection is closed.
    pub(super) fn gone(&self, holder: &Holder) {
        self.state().sessions.retain(|session| session.holder != *holder);
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Holder = Holder::Peer(1);

    fn loan(uid: u32, rights: &[WebRight]) -> Loan {
        Loan { uid, user: format!("u{uid}"), rights: rights.to_vec() }
    }

    fn opened(rights: &[WebRight]) -> (Sessions, Instant) {
        let (sessions, now) = (Sessions::default(), Instant::now());
        sessions.add_link("secret", loan(7, rights), now);
        sessions.redeem("secret", ME, now).unwrap();
        (sessions, now)
    }

    #[test]
    fn a_link_works_once_and_not_for_ever() {
        let (sessions, now) = opened(&[WebRight::ReadEvents]);
        assert_eq!(sessions.redeem("secret", Holder::Peer(2), now), Err(Refusal::Unknown));
        sessions.add_link("late", loan(7, &[]), now);
        let late = now + LINK_LIFE;
        assert_eq!(sessions.redeem("late", Holder::Peer(3), late), Err(Refusal::Unknown));
        assert_eq!(sessions.redeem("", Holder::Peer(4), now), Err(Refusal::Unknown));
    }

    #[test]
    fn a_session_has_the_rights_of_its_link_and_no_others() {
        let (sessions, now) = opened(&[WebRight::ReadEvents]);
        assert_eq!(sessions.standing(&ME, Right::ReadEvents, now), Standing::Lent(7));
        for right in [Right::ManageAlerts, Right::ManageRules, Right::ReadBinaries, Right::Control]
        {
            assert_eq!(sessions.standing(&ME, right, now), Standing::Withheld);
        }
        let other = Holder::Bus(":1.7".to_owned());
        assert_eq!(sessions.standing(&other, Right::ReadEvents, now), Standing::Free);
    }

    #[test]
    fn what_was_bound_is_never_free_again() {
        let (sessions, now) = opened(&[WebRight::ReadEvents]);
        let over = now + SESSION_LIFE;
        assert_eq!(sessions.standing(&ME, Right::ReadEvents, over), Standing::Over);
        assert_eq!(sessions.revoke(0, Some(8), now), 0);
        assert_eq!(sessions.revoke(1, Some(7), now), 1);
        assert_eq!(sessions.revoke(1, Some(7), now), 0);
        assert_eq!(sessions.standing(&ME, Right::ReadEvents, now), Standing::Over);
        assert_eq!((sessions.of(&ME, now), sessions.list(None, now)), (None, vec![]));
        sessions.add_link("another", loan(7, &[]), now);
        assert_eq!(sessions.redeem("another", ME, now), Err(Refusal::Bound));
    }

    #[test]
    fn links_and_sessions_are_bounded() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        for number in 0..200_u64 {
            sessions.add_link(&format!("s{number}"), loan(7, &[]), now);
        }
        assert_eq!(sessions.state().links.len(), MOST_LINKS);
        assert_eq!(sessions.redeem("s0", ME, now), Err(Refusal::Unknown));
        for number in 136..200_u64 {
            sessions.redeem(&format!("s{number}"), Holder::Peer(number), now).unwrap();
        }
        sessions.add_link("more", loan(7, &[]), now);
        assert_eq!(sessions.redeem("more", ME, now), Err(Refusal::Full));
        sessions.gone(&Holder::Peer(150));
        assert_eq!(sessions.redeem("more", ME, now).map(|session| session.id), Ok(65));
    }

    #[test]
    fn each_sees_their_own() {
        let (sessions, now) = opened(&[WebRight::ReadEvents]);
        assert_eq!(sessions.list(Some(8), now), []);
        assert_eq!(sessions.list(Some(7), now).len(), 1);
        assert_eq!(sessions.list(None, now).len(), 1);
    }
}
