//! Style sheet, script and icon: files of this program, kept by browsers until they change.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use hub_api::App;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("../../../dashboards/console/console.css");
const SCRIPT: &str = include_str!("../../../dashboards/console/console.js");
const ICON: &str = include_str!("../../../dashboards/console/icon.svg");

static STYLE_HREF: LazyLock<String> = LazyLock::new(|| versioned("console.css", STYLE));
static SCRIPT_HREF: LazyLock<String> = LazyLock::new(|| versioned("console.js", SCRIPT));
static ICON_HREF: LazyLock<String> = LazyLock::new(|| versioned("icon.svg", ICON));

/// Address with a part that changes with the content, so that nothing stale is ever used.
fn versioned(name: &str, content: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    format!(
        "/assets/{name}?v={:02x}{:02x}{:02x}{:02x}",
        digest[0], digest[1], digest[2], digest[3]
    )
}

pub(crate) fn style() -> &'static str {
    &STYLE_HREF
}

pub(crate) fn script() -> &'static str {
    &SCRIPT_HREF
}

pub(crate) fn icon() -> &'static str {
    &ICON_HREF
}

/// Routes of the files.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route(
            "/assets/console.css",
            get(|| async { file("text/css; charset=utf-8", STYLE) }),
        )
        .route(
            "/assets/console.js",
            get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route("/assets/icon.svg", get(|| async { file("image/svg+xml", ICON) }))
        .route("/favicon.ico", get(|| async { file("image/svg+xml", ICON) }))
}

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, content)
}
