//! What a hub tells of itself: health, figures, and what `forecall doctor` finds.

use crate::eventually;
use crate::hub::Lab;
use std::time::Duration;

/// What happens must be told, and be over, within this on a loaded machine.
pub const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// GET of a path that needs no log-in: status and text; `None` while nobody listens, as between two hubs.
pub async fn get(lab: &Lab, path: &str) -> Option<(u16, String)> {
    let answer = reqwest::get(format!("http://{}{path}", lab.http)).await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// Waits until `/readyz` answers so; what it says.
pub async fn until_ready_is(lab: &Lab, wanted: u16, patience: Duration) -> String {
    let what = format!("/readyz answers {wanted}");
    eventually(&what, patience, async || {
        let (status, said) = get(lab, "/readyz").await?;
        (status == wanted).then_some(said)
    })
    .await
}

/// Waits until `/metrics` has all of these lines, without the prefix of the names.
pub async fn until_metrics_say(lab: &Lab, lines: &[&str]) {
    let what = format!("/metrics says {lines:?}");
    eventually(&what, TOLD_WITHIN, async || {
        let (_, text) = get(lab, "/metrics").await?;
        let told = |line: &&str| text.contains(&format!("\nforecall_{line}\n"));
        lines.iter().all(told).then_some(())
    })
    .await;
}

/// Waits until the worker that rings owners has looked at everything that is due now, as it did before: a call that is
/// due has then its attempt, and none is up.
///
/// # Panics
/// It does not look, or a call is up.
pub async fn contacts_are_looked_at(lab: &Lab) {
    rises_by(lab, "contact_looks_total", 2.0, TOLD_WITHIN).await;
    assert!(figure(lab, "calls_up").await < 1.0, "a call is up");
}

/// Waits until all that is stored is scored.
///
/// # Panics
/// Scoring does not come to its end.
pub async fn all_is_scored(lab: &Lab) {
    all_is_scored_within(lab, TOLD_WITHIN).await;
}

/// The same for a store that holds more than is scored in a minute.
///
/// # Panics
/// Scoring does not come to its end within `patience`.
pub async fn all_is_scored_within(lab: &Lab, patience: Duration) {
    rises_by(lab, "scoring_idle_total", 2.0, patience).await;
}

/// The first round that ends may have begun before: the second has seen all that was there.
async fn rises_by(lab: &Lab, name: &str, rounds: f64, patience: Duration) {
    let before = figure(lab, name).await;
    eventually(name, patience, async || {
        (figure(lab, name).await >= before + rounds).then_some(())
    })
    .await;
}

/// The value of a figure without labels.
///
/// # Panics
/// The hub does not tell it.
pub async fn figure(lab: &Lab, name: &str) -> f64 {
    let (_, text) = get(lab, "/metrics").await.expect("the hub answers");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("forecall_{name} ")));
    line.and_then(|value| value.parse().ok()).expect(name)
}

/// All that the doctor prints, whether it finds the hub well or not.
pub async fn doctor(lab: &Lab) -> String {
    match lab.run(&["doctor"]).await {
        Ok(said) => said,
        Err(error) => error.to_string(),
    }
}
