//! State and figures of the recorder.

use axum::response::Response;
use maud::Markup;

use super::Looking;
use crate::web::fault::Fault;
use crate::web::pages::{self, HealthPage, Section};

pub(super) async fn show(looking: Looking) -> Response {
    looking.answer(looking.health_page()).await
}

impl Looking {
    async fn health_page(&self) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Health).await?;
        let health = self.health().await?;
        let _place = self.place().await?;
        let (gaps, trouble) = match self.gaps(0, 0).await {
            Ok(gaps) => (gaps, None),
            Err(fault) => (Vec::new(), Some(self.in_place(fault).await?.trouble(""))),
        };
        let page = HealthPage { health: Some(&health), gaps: &gaps, trouble: trouble.as_ref() };
        Ok(pages::health(&chrome, &page))
    }
}
