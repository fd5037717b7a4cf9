//! Those who ask honestly while the hub is attacked: a monitor, the carrier and a device; how long each waits.

use super::calls::Calls;
use crate::reading::identity;
use anyhow::Result;
use hub_core::clock::{CivilClock, SystemClock};
use std::net::SocketAddr;
use std::time::Duration;
use tests_hub::fleet::log_in;
use tests_hub::rig::{self, Reading, STEP_MS};
use tests_mqtt::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Between two questions of the monitor, and of the carrier.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Between an acknowledgement and the device's next reading.
const PAUSE: Duration = Duration::from_millis(10);
const BOOT: u64 = 91;

/// Answers to one question, asked again and again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers {
    /// Questions.
    pub asked: usize,
    /// Of these, so many were not answered in time, or not as they have to be.
    pub late: usize,
    /// The longest of the others.
    pub longest: Duration,
}

impl Answers {
    fn note(&mut self, took: Option<Duration>) {
        self.asked += 1;
        match took {
            Some(took) => self.longest = self.longest.max(took),
            None => self.late += 1,
        }
    }
}

/// Asks for a page, each time over a new connection, until then. Only the wanted status is an answer; with `None`, any is.
pub async fn page(http: SocketAddr, path: &str, wanted: Option<u16>, patience: Duration, until: Instant) -> Answers {
    let mut answers = Answers::default();
    while Instant::now() < until {
        let begun = Instant::now();
        let is_answer = |status: u16| wanted.is_none_or(|wanted| wanted == status);
        let answered = timeout(patience, status(http, path)).await.ok().flatten();
        answers.note(answered.is_some_and(is_answer).then(|| begun.elapsed()));
        sleep_until(begun + ASK_EVERY).await;
    }
    answers
}

/// The status of a page; `None` where the connection ends without one.
pub async fn status(http: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(http).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8_lossy(&answer);
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// The carrier asks whether the hub is there, until then; `asked` counts its questions of the whole run.
pub async fn options(calls: &Calls, hub: SocketAddr, patience: Duration, until: Instant, asked: &mut usize) -> Answers {
    let mut answers = Answers::default();
    while Instant::now() < until {
        let begun = Instant::now();
        *asked += 1;
        answers.note(calls.options(hub, *asked, patience).await);
        sleep_until(begun + ASK_EVERY).await;
    }
    answers
}

/// A device that sends one sound reading after the other on a connection that must last.
pub struct Device {
    client: Client,
    topic: String,
    unit: u64,
    sent: u64,
    begun_ms: i64,
}

impl Device {
    /// Connects as the n-th device.
    ///
    /// # Errors
    /// It is not taken.
    pub async fn connect(mqtt: SocketAddr, device: usize) -> Result<Self> {
        let name = identity(device).device;
        Ok(Self {
            client: log_in(mqtt, &name).await?,
            topic: format!("d/{name}/t"),
            unit: device as u64,
            sent: 0,
            // Its readings are a step apart by their times, however soon they come, and never from the future.
            begun_ms: SystemClock.now().as_millisecond() - PAST.as_millis() as i64,
        })
    }

    /// Sends until then; how long each acknowledgement took, in milliseconds.
    ///
    /// # Errors
    /// The connection ends, or one is not acknowledged.
    pub async fn report(&mut self, until: Instant) -> Result<Vec<f64>> {
        let mut took_ms = Vec::new();
        while Instant::now() < until {
            let at_ms = self.begun_ms + i64::try_from(self.sent)? * STEP_MS;
            let reading = Reading::new(self.unit, self.sent, false);
            let payload = rig::cbor(BOOT, self.sent, at_ms, &[reading])?;
            let begun = Instant::now();
            self.client.publish_all(&[(&self.topic, &payload)], 1).await?;
            took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            self.sent += 1;
            sleep(PAUSE).await;
        }
        Ok(took_ms)
    }

    /// Readings that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.sent
    }
}

/// The device's first reading is so old: there are fewer seconds in it than readings in a run, which is what a device brings
/// after an outage.
const PAST: Duration = Duration::from_secs(5 * 24 * 3_600);

/// The value that this share does not exceed; NaN of none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!((quantile(&values, 0.5), quantile(&values, 0.9)), (2.0, 4.0));
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[tokio::test]
    async fn a_listener_that_says_nothing_is_late() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        let until = Instant::now() + Duration::from_millis(300);
        let answers = page(http, "/healthz", None, Duration::from_millis(50), until).await;
        assert_eq!((answers.asked, answers.late), (1, 1));
        let answer = async {
            // The one that gave up.
            drop(listener.accept().await.unwrap());
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
                .await
                .unwrap();
        };
        let (status, ()) = tokio::join!(status(http, "/readyz"), answer);
        assert_eq!(status, Some(503));
    }

    #[tokio::test]
    async fn a_hub_that_says_no_is_late_where_it_has_to_say_yes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 512];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let answer = b"HTTP/1.1 503 Service Unavailable\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        });
        for (wanted, late) in [(Some(200), 1), (Some(503), 0), (None, 0)] {
            // Over before the second question is due.
            let until = Instant::now() + Duration::from_millis(100);
            let answers = page(http, "/healthz", wanted, Duration::from_secs(20), until).await;
            assert_eq!((answers.asked, answers.late), (1, late), "{wanted:?}");
        }
        serving.abort();
    }
}
