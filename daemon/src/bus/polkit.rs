//! Asks polkit whether a client of the system bus may do something. Without an answer it may not.

use std::collections::HashMap;
use std::time::Duration;

use common::bus::Error;
use zbus::Connection;
use zbus::message::{Flags, Header};
use zbus_polkit::policykit1::{
    AuthorityProxy, AuthorizationResult, CheckAuthorizationFlags, Subject,
};

use super::access::{Asking, Right};

/// For an answer that asks nobody.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn check(
    right: Right,
    connection: &Connection,
    header: &Header<'_>,
    asking: Asking,
) -> Result<(), Error> {
    let is_interactive = asking == Asking::AsAllowed
        && header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
    let asked = ask(right, connection, header, is_interactive);
    let answer = if is_interactive {
        // A person thinks, and types a password.
        asked.await
    } else {
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => return Err(unreached(right, "it does not answer")),
        }
    };
    match answer {
        Ok(answer) if answer.is_authorized => Ok(()),
        Ok(answer) => Err(denied(right, answer.is_challenge)),
        Err(error) => Err(unreached(right, error)),
    }
}

async fn ask(
    right: Right,
    connection: &Connection,
    header: &Header<'_>,
    is_interactive: bool,
) -> Result<AuthorizationResult, Box<dyn std::error::Error + Send + Sync>> {
    let authority = AuthorityProxy::new(connection).await?;
    let subject = Subject::new_for_message_header(header)?;
    let flags = if is_interactive {
        CheckAuthorizationFlags::ALLOW_USER_INTERACTION
    } else {
        CheckAuthorizationFlags::empty()
    };
    let details = HashMap::new();
    Ok(authority.check_authorization(&subject, right.action(), &details, flags, "").await?)
}

fn denied(right: Right, is_challenge: bool) -> Error {
    let what = right.name();
    let remedy = match (right, is_challenge) {
        (Right::ReadEvents, _) => {
            "join the group bpf-recorder (sudo usermod -aG bpf-recorder USER, then log in again), \
             or try with sudo"
        }
        (_, true) => "try with sudo",
        (_, false) => "try with sudo, or ask an administrator for a polkit rule",
    };
    Error::AccessDenied(format!("you may not {what}: {remedy}"))
}

fn unreached(right: Right, reason: impl std::fmt::Display) -> Error {
    let what = right.name();
    // Any user can cause this, so that it is nothing to fill the journal with.
    tracing::debug!("polkit was not reached, so that somebody may not {what}: {reason}");
    Error::AccessDenied(format!(
        "only root and the recorder's user may {what} while polkit cannot be asked: try with \
         sudo, or install polkitd"
    ))
}
