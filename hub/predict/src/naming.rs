//! Which fault it is, and how sure.

use hub_core::prediction::{Severity, UNKNOWN_FAULT};

use crate::manifest::{Classification, FaultClass, Feature, Probability};

/// The class whose signature has the largest cosine with the deviation, if that is large enough.
pub(crate) fn classify(scaled: &[f64], features: &[Feature], rule: &Classification) -> (String, Severity) {
    let mut best: Option<(f64, &str, Severity)> = None;
    for class in &rule.classes {
        let cosine = likeness(scaled, features, class);
        if cosine >= rule.min_cosine && best.is_none_or(|(c, ..)| cosine > c) {
            best = Some((cosine, &class.name, class.severity));
        }
    }
    best.map_or_else(
        || (UNKNOWN_FAULT.to_owned(), rule.unknown_severity),
        |(_, n, s)| (n.to_owned(), s),
    )
}

/// Whether the deviation still has enough of this class; an unknown fault has none.
pub(crate) fn points_to(class: &str, scaled: &[f64], features: &[Feature], rule: &Classification) -> bool {
    let mut classes = rule.classes.iter();
    classes.any(|one| one.name == class && likeness(scaled, features, one) >= rule.min_cosine)
}

fn likeness(scaled: &[f64], features: &[Feature], class: &FaultClass) -> f64 {
    let signature: Vec<f64> = features
        .iter()
        .map(|f| class.signature.get(&f.name).copied().unwrap_or(0.0))
        .collect();
    cosine(scaled, &signature)
}

/// 0 where either is no direction.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let lengths = norm(a) * norm(b);
    if lengths > 0.0 { dot / lengths } else { 0.0 }
}

/// Calibrated probability that a deviation held at `score` is a real fault; 0 where nothing is known of it.
pub(crate) fn probability(score: f32, rule: Option<&Probability>) -> f32 {
    let Some(rule) = rule.filter(|_| score > 0.0) else {
        return 0.0;
    };
    let logit = rule.offset + rule.slope * f64::from(score).ln();
    (1.0 / (1.0 + (-logit).exp())).min(rule.ceiling) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probability_grows_with_the_score_up_to_the_ceiling() {
        let rule = Probability {
            offset: 1.0,
            slope: 3.0,
            ceiling: 0.98,
        };
        assert_eq!(probability(0.0, Some(&rule)), 0.0);
        assert!((probability(1.0, Some(&rule)) - 0.731).abs() < 1e-3);
        assert!(probability(1.5, Some(&rule)) > probability(1.0, Some(&rule)));
        assert_eq!(probability(100.0, Some(&rule)), 0.98);
    }
}
