//! Style, scripts and the icon, which are part of the program. Their names have a digest of what
//! they are, so that a browser keeps them, and never an old one.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use super::App;
use super::fault::Fault;

struct Asset {
    name: &'static str,
    url: String,
    kind: &'static str,
    content: String,
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("assets/", $name)))),*]
    };
}

/// A script comes after those that it imports: their digests become part of it.
const SOURCES: &[(&str, &str)] = &sources![
    "style.css",
    "icon.svg",
    "dom.js",
    "marks.js",
    "api.js",
    "text.js",
    "complete.js",
    "copy.js",
    "folds.js",
    "condition.js",
    "menu.js",
    "keys.js",
    "times.js",
    "page.js",
    "triage.js",
    "alert.js",
    "rows.js",
    "alertrows.js",
    "choice.js",
    "live.js",
    "alerts.js",
    "brush.js",
    "health.js",
    "hunt.js",
    "processes.js",
    "switch.js",
    "rule.js",
    "upload.js",
    "rules.js",
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets: Vec<Asset> = Vec::new();
    for (name, source) in SOURCES {
        let mut content = (*source).to_owned();
        for other in &assets {
            content =
                content.replace(&format!("\"./{}\"", other.name), &format!("\"{}\"", other.url));
        }
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let url = format!("/assets/{stem}.{}.{extension}", short_digest(&content));
        assets.push(Asset { name, url, kind: kind(extension), content });
    }
    assets
});

fn kind(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn short_digest(content: &str) -> String {
    let mut digits = String::new();
    for byte in &Sha256::digest(content.as_bytes())[..8] {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Where an asset is.
pub(super) fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/missing", |asset| &asset.url)
}

pub(super) fn router() -> Router<App> {
    Router::new().route("/assets/{file}", get(asset)).route("/favicon.ico", get(icon))
}

async fn icon() -> Response {
    super::answer::see_other(url("icon.svg"))
}

async fn asset(Path(file): Path<String>) -> Response {
    let found = ASSETS.iter().find(|asset| asset.url.strip_prefix("/assets/") == Some(&*file));
    match found {
        Some(asset) => {
            let forever = "public, max-age=31536000, immutable";
            ([(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, forever)], &*asset.content)
                .into_response()
        }
        None => Fault::not_found("there is no such file").answer(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_import_each_other_by_their_real_names() {
        for asset in &*ASSETS {
            assert!(!asset.content.contains("from \"./"), "{}", asset.name);
            assert!(!asset.content.contains("import \"./"), "{}", asset.name);
        }
    }

    #[test]
    fn every_file_of_the_directory_is_served() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/assets");
        let mut files: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut served: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
        files.sort();
        served.sort_unstable();
        assert_eq!(files, served);
    }
}
