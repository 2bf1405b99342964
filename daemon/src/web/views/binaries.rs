//! The list of executed files, and one of them.

use axum::extract::Path;
use axum::http::Uri;
use axum::response::Response;
use common::binary::Binary;
use common::bus::BinarySelection;
use maud::Markup;

use super::Looking;
use crate::web::fault::Fault;
use crate::web::form::{self, Pairs};
use crate::web::lines;
use crate::web::pages::{self, BinariesPage, BinaryOrder, BinaryPage, BinaryQuery, Section};

const ROWS: u32 = 200;

pub(super) async fn list(looking: Looking, uri: Uri) -> Response {
    let pairs = Pairs::of(&uri);
    let query = BinaryQuery {
        filter: pairs.text("filter"),
        order: match pairs.last("order") {
            "first" => BinaryOrder::First,
            "rarest" => BinaryOrder::Rarest,
            _ => BinaryOrder::Last,
        },
        is_unpackaged: pairs.last("unpackaged") == "1",
    };
    looking.answer(looking.binary_list(&query)).await
}

pub(super) async fn one(looking: Looking, Path(hash): Path<String>) -> Response {
    looking.answer(looking.binary(&hash)).await
}

impl Looking {
    async fn binary_list(&self, query: &BinaryQuery) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Binaries).await?;
        let asked = async {
            form::filter(&query.filter)?;
            let selection = BinarySelection {
                order: query.order.name().to_owned(),
                is_unpackaged: query.is_unpackaged,
                ..BinarySelection::default()
            };
            let _place = self.place().await?;
            let binaries = self.session.binaries().await?;
            // One more than is shown tells whether there are more.
            let pipe = binaries.query(&query.filter, &selection, ROWS + 1).await?;
            Ok(lines::whole::<lines::Binaries>(pipe).await?.0)
        };
        let (mut binaries, trouble) = match asked.await {
            Ok(binaries) => (binaries, None),
            Err(fault) => (Vec::new(), Some(self.in_place(fault).await?.trouble(&query.filter))),
        };
        let is_cut = binaries.len() > ROWS as usize;
        binaries.truncate(ROWS as usize);
        Ok(pages::binaries(
            &chrome,
            &BinariesPage { query, binaries: &binaries, is_cut, trouble: trouble.as_ref() },
        ))
    }

    async fn binary(&self, hash: &str) -> Result<Markup, Fault> {
        let chrome = self.chrome(Section::Binaries).await?;
        let _place = self.place().await?;
        let binary = self.session.binaries().await?.get(hash).await?;
        let binary: Binary =
            serde_json::from_str(&binary).map_err(|error| Fault::not_understood(&error))?;
        Ok(pages::binary(&chrome, &BinaryPage { binary: &binary }))
    }
}
