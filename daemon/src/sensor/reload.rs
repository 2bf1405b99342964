//! Other settings without a pause of the recording: a recorder that knows them takes over the ring.

use sd_notify::NotifyState;

use super::protocol::{self, Reply};
use super::{Child, Supervisor, notify};
use crate::log::kind;
use crate::settings::{Mistakes, Settings};

impl Supervisor {
    /// Reads the configuration again. True when the recorder has ended for another one to begin;
    /// what cannot be used changes nothing.
    pub(super) fn reload(&mut self, child: &Child) -> anyhow::Result<bool> {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("the service manager was not told: {error}"),
        }
        let new = match (self.again)() {
            Ok(new) => self.applicable(new),
            Err(error) => {
                refuse(&error);
                notify(&[
                    NotifyState::Ready,
                    NotifyState::Status(
                        "Recording; the new configuration is not usable, see the journal",
                    ),
                ]);
                return Ok(false);
            }
        };
        crate::log::set_level(&new.log);
        if new == self.template.settings {
            tracing::info!("the configuration is what it was: reading the rules again");
            let _ = protocol::send_reply(&child.socket, &Reply::Reload);
            notify(&[NotifyState::Ready, NotifyState::Status("Recording")]);
            return Ok(false);
        }
        tracing::info!("the configuration has changed: another recorder takes over");
        if let Err(error) = self.programs.set_capture_env(new.environment.is_recorded) {
            tracing::error!("the capture of environments stays as it was: {error}");
        }
        self.template.settings = new;
        let _ = protocol::send_reply(&child.socket, &Reply::Leave);
        // Whatever it had not committed is still in the ring.
        if let Err(error) = self.wait_for_end(child) {
            tracing::warn!("{error:#}");
        }
        Ok(true)
    }

    /// With what was settled at the start.
    fn applicable(&self, new: Settings) -> Settings {
        let old = &self.template.settings;
        let keys = old.needs_restart(&new);
        if !keys.is_empty() {
            tracing::warn!(
                "takes effect when the service is stopped and started: {}",
                keys.join(", ")
            );
        }
        Settings {
            data_dir: old.data_dir.clone(),
            bus: old.bus.clone(),
            user: old.user.clone(),
            ring_size_bytes: old.ring_size_bytes,
            ..new
        }
    }
}

fn refuse(error: &anyhow::Error) {
    let id = kind::CONFIGURATION_REFUSED;
    let stays = "the configuration of before stays in force";
    match error.downcast_ref::<Mistakes>() {
        Some(Mistakes(mistakes)) => {
            for mistake in mistakes {
                tracing::error!(message_id = id, "{mistake} ({stays})");
            }
        }
        None => tracing::error!(message_id = id, "{error:#} ({stays})"),
    }
}
