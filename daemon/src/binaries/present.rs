//! The vault that is there now, for all who use it: another takes the place of one that was removed.

use std::sync::{Arc, PoisonError, RwLock};

use super::Vault;

#[derive(Clone)]
pub(crate) struct Present(Arc<RwLock<Option<Arc<Vault>>>>);

impl Present {
    pub(crate) fn new(vault: Option<Vault>) -> Self {
        Self(Arc::new(RwLock::new(vault.map(Arc::new))))
    }

    /// `None` where no copy can be, or shall be, kept.
    pub(crate) fn get(&self) -> Option<Arc<Vault>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(feature = "capture")]
    pub(super) fn set(&self, vault: Option<Arc<Vault>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = vault;
    }
}
