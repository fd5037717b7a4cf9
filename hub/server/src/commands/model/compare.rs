//! `forecall model compare`: a challenger beside its champion, by what both said of the same appliances since both judge there.

use crate::commands::args::ConfigArgs;
use crate::commands::target::open_existing;
use crate::terminal::say;
use anyhow::{Context, Result};
use hub_core::shadow::{Comparison, Judged};
use hub_store::page::PAGE_MAX;
use hub_store::prediction::{KeptChallenge, PredictionStore};

/// Compares the challenger of a family with what is served: how often both alarmed, where they agreed, and who was right by closed
/// tickets.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Family, e.g. pump-rig.
    family: String,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Compare {
    pub(super) async fn run(self) -> Result<()> {
        let opened = open_existing(&self.config.load()?).await?;
        let compared = compare(opened.store.as_ref(), &self.family).await;
        opened.close().await?;
        say(compared?);
        Ok(())
    }
}

async fn compare(store: &dyn PredictionStore, family: &str) -> Result<String> {
    let mut challenges = store.challenges().await?.into_iter();
    let kept = challenges.find(|kept| kept.challenge.family == family);
    let kept = kept.with_context(|| {
        format!(
            "no challenger of {family} was scored yet: name one with `forecall model challenge {family} VERSION`; its challenge \
             begins with the first readings behind that"
        )
    })?;
    let mut comparison = Comparison::default();
    let mut after = None;
    loop {
        let page = store.challenged(family, after, PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.appliance);
        page.iter()
            .for_each(|one| comparison.add(&one.champion, &one.challenger));
    }
    Ok(text(&kept, &comparison))
}

fn text(kept: &KeptChallenge, seen: &Comparison) -> String {
    let challenge = &kept.challenge;
    let mut lines = vec![
        format!("champion    {}", challenge.champion),
        format!("challenger  {}, hash {}", challenge.model, challenge.hash),
        format!("since       {}", kept.begun_at),
    ];
    if let Some((at, why)) = &kept.dropped {
        lines.push(format!("dropped     {at}: {why}; tried again when the hub starts"));
    }
    lines.push(format!(
        "judged      {} appliances; an alarm that had risen before the challenger had learned what is normal there is not counted",
        seen.appliances
    ));
    lines.push(format!(
        "alarms      champion {}, challenger {}; of the champion's the challenger saw {}, and {} of its own the champion did not",
        seen.champion, seen.challenger, seen.agreed, seen.challenger_alone
    ));
    let judged = |what: &str, judged: &Judged, then: [&str; 2]| {
        format!(
            "{what} {}: the challenger {} {}, {} {}",
            judged.both + judged.champion_alone,
            then[0],
            judged.both,
            then[1],
            judged.champion_alone
        )
    };
    lines.push(judged(
        "tickets on which a fault was found",
        &seen.faults,
        ["saw", "missed"],
    ));
    lines.push(judged(
        "tickets on which there was none",
        &seen.false_alarms,
        ["alarmed falsely too on", "was rightly silent on"],
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_store::prediction::Challenge;

    #[test]
    fn who_was_right_is_said_in_numbers() {
        let kept = KeptChallenge {
            challenge: Challenge {
                family: "pump-rig".to_owned(),
                model: "pump-rig/2".to_owned(),
                hash: "5f".to_owned(),
                champion: "pump-rig/1".to_owned(),
            },
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            dropped: Some((jiff::Timestamp::UNIX_EPOCH, "it failed".to_owned())),
        };
        let seen = Comparison {
            appliances: 12,
            champion: 9,
            challenger: 7,
            agreed: 6,
            challenger_alone: 1,
            faults: Judged {
                both: 5,
                champion_alone: 1,
            },
            false_alarms: Judged {
                both: 1,
                champion_alone: 2,
            },
        };
        let said = text(&kept, &seen);
        for line in [
            "dropped     1970-01-01T00:00:00Z: it failed; tried again when the hub starts",
            "judged      12 appliances; an alarm that had risen before the challenger had learned what is normal there is not counted",
            "alarms      champion 9, challenger 7; of the champion's the challenger saw 6, and 1 of its own the champion did not",
            "tickets on which a fault was found 6: the challenger saw 5, missed 1",
            "tickets on which there was none 3: the challenger alarmed falsely too on 1, was rightly silent on 2",
        ] {
            assert!(said.lines().any(|own| own == line), "{said}");
        }
    }
}
