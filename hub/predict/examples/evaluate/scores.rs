//! The highest held score of each stream: what the calibration of probabilities is fitted to.

use hub_predict::Model;

/// The highest score that was held for the whole hold time.
pub struct Sustained {
    hold: usize,
    recent: Vec<f32>,
    pub most: f32,
}

impl Sustained {
    pub fn new(model: &Model) -> Self {
        Self {
            hold: model.manifest().persistence.hold,
            recent: Vec::new(),
            most: 0.0,
        }
    }

    pub fn next(&mut self, score: f32) {
        self.recent.push(score);
        if self.recent.len() >= self.hold {
            let held = self.recent[self.recent.len() - self.hold..]
                .iter()
                .copied()
                .fold(f32::INFINITY, f32::min);
            self.most = self.most.max(held);
        }
    }
}

/// One stream's figure.
pub struct Score {
    pub family: &'static str,
    pub fault: bool,
    pub held: f32,
}

/// Writes `family,fault,held_score`.
pub fn write(path: &std::path::Path, scores: &[Score]) -> anyhow::Result<()> {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record(["family", "fault", "held_score"])?;
    for score in scores {
        file.write_record([
            score.family,
            if score.fault { "1" } else { "0" },
            &score.held.to_string(),
        ])?;
    }
    Ok(file.flush()?)
}
