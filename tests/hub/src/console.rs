//! The hub's API, as the console uses it.

use crate::hub::Lab;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// A logged-in client of the API.
pub struct Console {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Console {
    /// Logs in.
    pub async fn log_in(http: SocketAddr, name: &str, password: &str) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let base = format!("http://{http}");
        let answer = client
            .post(format!("{base}/api/v1/session"))
            .json(&json!({ "name": name, "password": password }))
            .send()
            .await?;
        ensure!(answer.status().is_success(), "log-in refused: {}", answer.text().await?);
        let token = answer.json::<Value>().await?["token"]
            .as_str()
            .context("no token")?
            .to_owned();
        Ok(Self { base, token, client })
    }

    /// GET of an API path, as JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "GET {path}: {} {}",
            answer.status(),
            answer.text().await?
        );
        Ok(answer.json().await?)
    }

    /// POST to an API path with an idempotency key; status and body.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Result<(u16, Value)> {
        let url = format!("{}{path}", self.base);
        let answer = self
            .client
            .post(url)
            .bearer_auth(&self.token)
            .header("Idempotency-Key", key)
            .json(body)
            .send()
            .await?;
        Ok((answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null)))
    }

    /// PUT to an API path; its answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let asked = self
            .client
            .put(format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .json(body);
        let answer = asked.send().await?;
        ensure!(
            answer.status().is_success(),
            "PUT {path}: {} {}",
            answer.status(),
            answer.text().await?
        );
        Ok(answer.json().await?)
    }

    /// All items of a list, page by page.
    pub async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let query = after
                .as_ref()
                .map(|a| format!("?limit=200&after={a}"))
                .unwrap_or_else(|| "?limit=200".into());
            let page = self.get(&format!("{path}{query}")).await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }
}

/// A page as an administrator sees it who reads this language.
///
/// # Errors
/// Nobody can log in, or the page does not come.
pub async fn page(lab: &Lab, language: &str, path: &str) -> Result<String> {
    let browser = reqwest::Client::builder()
        .cookie_store(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let url = |path: &str| format!("http://{}{path}", lab.http);
    let form = [("name", "admin"), ("password", &lab.password()), ("back", path)];
    let request = browser.post(url("/log-in")).form(&form);
    let answer = request.header("accept-language", language).send().await?;
    ensure!(answer.status() == 303, "not logged in and sent on: {}", answer.status());
    let request = browser.get(url(path)).header("accept-language", language);
    Ok(request.send().await?.text().await?)
}
