//! The pages over a real listener, as a browser uses them.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../../api/tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests of the API use more of it")]
mod support;

mod accounts;
mod claims;
mod devices;
mod hosts;
mod log_in;
mod pages;
mod quarantine;
mod readings;
mod refusals;

use hub_api::ApiState;
use hub_console::PAGES;
use reqwest::Client;
use serde_json::{Value, json};
use support::hub::{Hub, asked, claim_code, said};
use support::scene::NUMBERS;

impl Hub {
    async fn start() -> Self {
        Self::start_with(|state| state).await
    }

    async fn start_with(change: impl FnOnce(ApiState) -> ApiState) -> Self {
        Self::serving(PAGES, change).await
    }

    /// A browser that has logged in: cookies are kept, redirects are seen.
    async fn browser(&self) -> Client {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let form = [("name", "admin"), ("password", &self.password), ("back", "/tickets")];
        let answer = client.post(self.url("/log-in")).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["location"], "/tickets");
        client
    }
}
