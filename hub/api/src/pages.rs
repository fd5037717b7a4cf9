//! Where pages for people join the API: here is known that there are some, and nothing of how they look.

use crate::state::App;
use axum::Router;

/// Pages for people, as the listener takes them in.
#[derive(Clone, Copy)]
pub struct Pages {
    /// Their routes, beside those of the API.
    pub routes: fn() -> Router<App>,
    /// Lays around all routes what shows a problem to a person as a page; a program gets the problem itself.
    pub around: fn(Router<App>) -> Router<App>,
}
