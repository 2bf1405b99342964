//! The list of rules, and one rule.

use axum::extract::Path;
use axum::response::Response;
use common::rule::{RuleInfo, RuleText};
use maud::Markup;

use super::Looking;
use crate::web::fault::Fault;
use crate::web::pages::{self, RulePage, RulesPage, Section};

pub(super) async fn list(looking: Looking) -> Response {
    looking.answer(looking.rule_list()).await
}

pub(super) async fn one(looking: Looking, Path(id): Path<String>) -> Response {
    looking.answer(looking.rule(&id)).await
}

impl Looking {
    async fn rule_list(&self) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Rules).await?;
        let asked = async {
            let _place = self.place().await?;
            let rules = self.session.rules().await?.list().await?;
            serde_json::from_str::<Vec<RuleInfo>>(&rules)
                .map_err(|error| Fault::not_understood(&error))
        };
        let (rules, trouble) = match asked.await {
            Ok(rules) => (rules, None),
            Err(fault) => (Vec::new(), Some(self.in_place(fault).await?.trouble(""))),
        };
        Ok(pages::rules(&chrome, &RulesPage { rules: &rules, trouble: trouble.as_ref() }))
    }

    async fn rule(&self, id: &str) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Rules).await?;
        let _place = self.place().await?;
        let rule = self.session.rules().await?.get(id).await?;
        let rule: RuleText =
            serde_json::from_str(&rule).map_err(|error| Fault::not_understood(&error))?;
        Ok(pages::rule(&chrome, &RulePage { rule: &rule }))
    }
}
