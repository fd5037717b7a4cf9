//! Query parameters that the document does not name are refused: with a slip of the pen a filter would find everything.

use super::openapi_json;
use crate::error::ApiError;
use axum::extract::{MatchedPath, Query, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Characters of a name that are repeated in a refusal.
const SHOWN_MAX: usize = 40;

/// Names by path and method, as the document has them.
static KNOWN: LazyLock<HashMap<(String, String), Vec<String>>> = LazyLock::new(known);

/// Lets requests through whose parameters are known.
pub(crate) async fn only_known(request: Request, next: Next) -> Response {
    match unknown(&request) {
        None => next.run(request).await,
        Some(error) => error.into_response(),
    }
}

fn unknown(request: &Request) -> Option<ApiError> {
    request.uri().query()?;
    let path = request.extensions().get::<MatchedPath>()?;
    let method = match *request.method() {
        Method::HEAD => "get".to_owned(),
        ref other => other.as_str().to_lowercase(),
    };
    let known = KNOWN.get(&(path.as_str().to_owned(), method))?;
    // What is no query at all is told by who reads it.
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).ok()?;
    let (name, _) = pairs.into_iter().find(|(name, _)| !known.contains(name))?;
    let name: String = name.chars().take(SHOWN_MAX).collect();
    let takes = match known.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let why = format!("there is no parameter {name:?} here; this address takes {takes}");
    Some(ApiError::BadRequest(why))
}

fn known() -> HashMap<(String, String), Vec<String>> {
    let document: Value = serde_json::from_str(openapi_json()).expect("the document is written as JSON");
    let mut known = HashMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names = parameters
                .filter(|parameter| parameter["in"] == "query")
                .filter_map(|parameter| parameter["name"].as_str())
                .map(str::to_owned)
                .collect();
            known.insert((path.clone(), method.clone()), names);
        }
    }
    known
}
