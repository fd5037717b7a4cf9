//! Who looks at a page, and in which language.

use crate::layout::Frame;
use crate::reader::Reader;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hub_api::App;
use hub_api::auth::session::Session;
use hub_api::error::ApiError;
use maud::Markup;
use std::convert::Infallible;

/// Somebody who has logged in, looking at a page.
pub(crate) struct Visitor {
    pub(crate) app: App,
    pub(crate) session: Session,
    pub(crate) reader: Reader,
    path: String,
}

impl Visitor {
    /// A whole page for this visitor.
    pub(crate) fn page(&self, title: &str, body: &Markup) -> Markup {
        Frame {
            demo: self.app.state.demo.as_ref(),
            reader: &self.reader,
            account: Some(self.session.name()),
            path: &self.path,
        }
        .page(title, body)
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let session = Session::from_request_parts(parts, app).await?;
        let reader = Reader::of(&parts.headers, app.state.config.zone.clone(), app.families());
        Ok(Self {
            app: app.clone(),
            reader: Reader {
                actor: Some(session.actor().clone()),
                ..reader
            },
            session,
            path: path_and_query(parts),
        })
    }
}

/// Where a request goes, to come back to.
pub(crate) fn path_and_query(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

/// The language of a page that anybody may see.
impl FromRequestParts<App> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Reader::of(
            &parts.headers,
            app.state.config.zone.clone(),
            app.families(),
        ))
    }
}
