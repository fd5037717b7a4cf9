//! A simulated administrator, for the demo and for tests that expect a telephone to ring: logs in by a hub's API, as a program of a person
//! would, and approves every call that is ready to ring. It looks at no evidence, so that what it approves says nothing of a prediction.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Log-in name that says what it is, on each timeline.
pub const NAME: &str = "administrator-simulated";
/// The hub answers within this.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// Longest answer that is read, in bytes: a page of tickets has some hundred kB.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;
/// Tickets that are approved at a time, at most.
const PAGE: usize = 50;

/// Somebody who has logged in.
#[derive(Debug)]
pub struct Administrator {
    http: SocketAddr,
    token: String,
    /// Number that no other log-in has: by it each act has a key of its own.
    run: u64,
    acts: u64,
}

/// A call that was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// Number of the ticket.
    pub ticket: i64,
    /// Name of the device.
    pub device: String,
    /// What the call is about.
    pub fault_class: String,
}

/// Why nothing was approved.
#[derive(Debug, thiserror::Error)]
pub enum AdministratorError {
    /// The hub is away.
    #[error("the hub at {0} cannot be reached")]
    Away(SocketAddr, #[source] std::io::Error),
    /// It took too long.
    #[error("the hub at {0} did not answer in time")]
    Late(SocketAddr),
    /// It refused, or answered something else than the API does.
    #[error("{asked}: the hub answered {status}: {body}")]
    Refused {
        /// What was asked.
        asked: String,
        /// Status of the answer; 0 where it was no answer of HTTP.
        status: u16,
        /// What it said.
        body: String,
    },
}

impl Administrator {
    /// Logs in. `run` is a number that no other log-in has.
    ///
    /// # Errors
    ///
    /// The hub is away, or refuses name or password.
    pub async fn log_in(http: SocketAddr, name: &str, password: &str, run: u64) -> Result<Self, AdministratorError> {
        let mut own = Self {
            http,
            token: String::new(),
            run,
            acts: 0,
        };
        let who = json!({ "name": name, "password": password });
        let answer = own.ask("POST", "/api/v1/session", &who).await?;
        own.token = answer["token"].as_str().unwrap_or_default().to_owned();
        Ok(own)
    }

    /// Approves the calls that are ready to ring now, the longest waiting first, at most 50.
    ///
    /// # Errors
    ///
    /// The hub is away or refuses. What it refuses since somebody was faster is left out.
    pub async fn approve(&mut self) -> Result<Vec<Approved>, AdministratorError> {
        let waiting = format!("/api/v1/tickets?ready_to_ring=true&limit={PAGE}");
        let page = self.ask("GET", &waiting, &Value::Null).await?;
        let mut approved = Vec::new();
        for item in page["items"].as_array().into_iter().flatten() {
            let (ticket, device) = (&item["ticket"], &item["appliance"]["device"]);
            let id = ticket["id"].as_str().unwrap_or_default();
            let path = format!("/api/v1/tickets/{id}/call/approve");
            match self.ask("POST", &path, &json!({})).await {
                Ok(_) => approved.push(Approved {
                    ticket: ticket["number"].as_i64().unwrap_or_default(),
                    device: device.as_str().unwrap_or_default().to_owned(),
                    fault_class: ticket["fault_class"].as_str().unwrap_or_default().to_owned(),
                }),
                Err(AdministratorError::Refused { status: 409, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(approved)
    }

    async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, AdministratorError> {
        self.acts += 1;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {http}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Idempotency-Key: simulated-{run}-{act}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            http = self.http,
            token = self.token,
            run = self.run,
            act = self.acts,
            length = body.len(),
        );
        let answer = timeout(ANSWERS_WITHIN, exchange(self.http, &request)).await;
        let answer = answer.map_err(|_| AdministratorError::Late(self.http))?;
        let answer = answer.map_err(|error| AdministratorError::Away(self.http, error))?;
        read(&answer).map_err(|(status, body)| AdministratorError::Refused {
            asked: format!("{method} {path}"),
            status,
            body,
        })
    }
}

async fn exchange(http: SocketAddr, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(http).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The body of an answer of status 2xx, which the API always sends whole; status and text of any other.
fn read(answer: &[u8]) -> Result<Value, (u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let status: u16 = status.unwrap_or(0);
    let refused = || (status, body.to_owned());
    if !(200..300).contains(&status) {
        return Err(refused());
    }
    serde_json::from_str(body).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_answer_is_read_by_its_status() {
        let taken = read(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"token\":\"t\"}");
        assert_eq!(taken.unwrap()["token"], "t");
        let refused = read(b"HTTP/1.1 409 Conflict\r\n\r\nfaster");
        assert_eq!(refused.unwrap_err(), (409, "faster".to_owned()));
        assert_eq!(read(b"").unwrap_err(), (0, String::new()));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\nno JSON").unwrap_err().0, 200);
    }
}
