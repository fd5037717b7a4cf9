//! The hub's API, as the console uses it.

use crate::hub::Lab;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// A ticket is there, and looked at, so long after its reading at most.
const READY_WITHIN: Duration = Duration::from_secs(60);

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
    let browser = browser(lab, &lab.password()).await?;
    let url = format!("http://{}{path}", lab.http);
    let request = browser.get(url).header("accept-language", language);
    Ok(request.send().await?.text().await?)
}

/// On the page of what is ready to ring, once something is there, the administrator presses the button that approves.
///
/// # Errors
/// Nobody can log in, nothing becomes ready in time, or the approval is refused.
pub async fn approve_first(lab: &Lab, password: &str) -> Result<()> {
    let browser = browser(lab, password).await?;
    let origin = format!("http://{}", lab.http);
    let until = tokio::time::Instant::now() + READY_WITHIN;
    let action = loop {
        let page = browser
            .get(format!("{origin}/ready-to-ring"))
            .send()
            .await?
            .text()
            .await?;
        let mut actions = page
            .split("action=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        if let Some(action) = actions.find(|action| action.ends_with("/call/approve")) {
            break action.to_owned();
        }
        ensure!(tokio::time::Instant::now() < until, "nothing is ready to ring: {page}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let request = browser.post(format!("{origin}{action}")).header("origin", &origin);
    let answer = request.form(&[("back", "/ready-to-ring")]).send().await?;
    ensure!(answer.status() == 303, "not approved: {}", answer.status());
    Ok(())
}

/// A browser in which the administrator has logged in.
async fn browser(lab: &Lab, password: &str) -> Result<reqwest::Client> {
    let browser = reqwest::Client::builder()
        .cookie_store(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let form = [("name", "admin"), ("password", password), ("back", "/tickets")];
    let request = browser.post(format!("http://{}/log-in", lab.http)).form(&form);
    let answer = request.send().await?;
    ensure!(answer.status() == 303, "not logged in and sent on: {}", answer.status());
    Ok(browser)
}
