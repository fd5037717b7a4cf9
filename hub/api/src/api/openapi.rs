//! GET /api/v1/openapi.json: the document, generated from the code that answers.

use axum::response::IntoResponse;
use std::sync::LazyLock;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// What is said of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Forecall",
        description = "From a reading to a ringing phone: appliances, readings, commands, quarantine, findings, tickets, contacts and live events.\n\n\
            Errors are problem+json (RFC 9457). Lists are paged: give `next` back as `after`. Every act needs an \
            Idempotency-Key; the same key with the same request is carried out once and answered again for a day.\n\n\
            An address answers 405 to a method that is not here, with Allow. A head that is no HTTP or too long is answered \
            400, 414 or 431 without a body, before the API sees it.",
        license(name = "MIT OR Apache-2.0"),
    ),
    modifiers(&Security),
    security(("bearer" = []), ("cookie" = [])),
)]
pub(crate) struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::new(crate::auth::session::COOKIE);
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

static JSON: LazyLock<String> = LazyLock::new(|| {
    let document = super::document();
    document
        .to_pretty_json()
        .expect("a document of strings and maps is JSON")
        + "\n"
});

/// The OpenAPI document, as it is committed in `docs/openapi.json`.
pub fn openapi_json() -> &'static str {
    &JSON
}

/// The document that describes this API.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "document", operation_id = "getDocument", security(),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object)))]
pub(crate) async fn handle() -> impl IntoResponse {
    ([("content-type", "application/json")], openapi_json())
}
