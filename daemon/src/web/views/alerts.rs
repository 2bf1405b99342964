//! The list of alerts, and one alert.

use axum::extract::Path;
use axum::http::Uri;
use axum::response::Response;
use common::alert::Status;
use common::bus::AlertSelection;
use common::rule::Level;
use maud::Markup;

use super::Looking;
use crate::web::fault::Fault;
use crate::web::form::{self, Pairs};
use crate::web::lines;
use crate::web::pages::{self, AlertPage, AlertQuery, AlertsPage, Section};

const ROWS: u32 = 100;

pub(super) async fn list(looking: Looking, uri: Uri) -> Response {
    let pairs = Pairs::of(&uri);
    let query = AlertQuery {
        statuses: pairs.all("status").filter_map(Status::parse).collect(),
        level: Level::parse(pairs.last("level")).unwrap_or_default(),
        rule: pairs.text("rule"),
        filter: pairs.text("filter"),
        cursor: pairs.text("cursor"),
        is_by_rule: pairs.last("group") == "rule",
    };
    looking.answer(looking.alert_list(&query)).await
}

pub(super) async fn one(looking: Looking, Path(id): Path<String>) -> Response {
    looking.answer(looking.alert(&id)).await
}

impl Looking {
    async fn alert_list(&self, query: &AlertQuery) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Alerts).await?;
        let asked = async {
            form::filter(&query.filter)?;
            let selection = AlertSelection {
                statuses: query.statuses.iter().map(|status| status.name().to_owned()).collect(),
                level: query.level.name().to_owned(),
                rule: query.rule.clone(),
            };
            let _place = self.place().await?;
            let alerts = self.session.alerts().await?;
            let pipe = alerts.query(&query.filter, &selection, ROWS, &query.cursor).await?;
            lines::whole::<lines::Alerts>(pipe).await
        };
        let (alerts, done, trouble) = match asked.await {
            Ok((alerts, done)) => (alerts, done, None),
            Err(fault) => {
                let fault = self.in_place(fault).await?;
                (Vec::new(), Default::default(), Some(fault.trouble(&query.filter)))
            }
        };
        Ok(pages::alerts(
            &chrome,
            &AlertsPage {
                query,
                alerts: &alerts,
                next: done.cursor.as_deref(),
                trouble: trouble.as_ref(),
            },
        ))
    }

    async fn alert(&self, id: &str) -> Result<Markup, Fault> {
        let id = id.parse().map_err(|_| Fault::not_found("the id of an alert is a number"))?;
        let chrome = self.chrome(Section::Alerts).await?;
        let _place = self.place().await?;
        let alert = self.session.alerts().await?.get(id).await?;
        let alert = serde_json::from_str(&alert).map_err(|error| Fault::not_understood(&error))?;
        Ok(pages::alert(&chrome, &AlertPage { alert: &alert }))
    }
}
