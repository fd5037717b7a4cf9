//! The model folder of what a fleet taught of named faults, as the hub loads it: manifest, faults, golden lives, card.

mod words;

pub use words::{FRIDGE, WASHING_MACHINE, Words};

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use hub_core::prediction::Severity;
use hub_core::release::EvidenceKind;
use hub_predict::generic::{Condition, Settings, Signature};
use hub_predict::manifest::{
    Baseline, Budgets, Classification, ConditionRule, DataSource, DetectorKind, FaultsFile, Feature, FigureCondition,
    FigureRule, Generic, MetricRows, Persistence, RowsRule, Share, SignatureRule, StatedEvidence, Transform, Within,
};
use hub_predict::{Manifest, Model, RunFeature, Source, golden_runs};
use tests_world::hard::VERSION;

use super::kit::{Kit, Run};
use super::named::Named;

/// Stated of a ticket, and of one whose fault has held its level for calls: what false tickets and false calls may be at the most, by as many
/// months as were judged, leaves no more.
const PROBABILITY: f64 = 0.3;
const CALL_PROBABILITY: f64 = 0.6;
/// Runs of a golden life that are learned from, and those behind them.
const LEARNED: usize = 45;
const MOVED: usize = 15;
/// Share of a figure by which it goes up and down in one.
const WAVE: f64 = 0.002;

/// What the folder is made of.
pub struct Written<'a> {
    pub kit: &'a Kit,
    pub named: &'a Named,
    /// Runs of a machine without a fault: golden lives are around its usual values.
    pub usual: &'a [Run],
    /// What people read of it.
    pub told: &'a Words,
    /// Units and seeds that were learned from.
    pub learned: &'a str,
}

impl Written<'_> {
    /// Writes the folder, and loads it as a hub would: `profiles/` has to lie beside it or above.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let manifest = self.manifest()?;
        let faults = toml::to_string(&self.faults()?)?;
        let golden = self.golden(&manifest, &faults)?;
        std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        // The manifest last: until it is there, a hub that looks sees no model.
        for (name, text) in [
            ("faults.toml", faults),
            ("golden.jsonl", golden),
            ("CARD.md", self.card(&manifest)),
            ("manifest.toml", toml::to_string(&manifest)?),
        ] {
            let path = out.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let model = Model::load(out).with_context(|| format!("{} was written and is refused", out.display()))?;
        println!(
            "{} written to {}, hash {}",
            model.version(),
            out.display(),
            model.hash()
        );
        Ok(())
    }

    fn manifest(&self) -> anyhow::Result<Manifest> {
        let (shipped, settings) = (self.kit.manifest(), &self.named.generic);
        let features = shipped.features.iter().enumerate();
        let features = features.map(|(i, feature)| Feature {
            words: feature.words.clone().or_else(|| self.told.of_condition(&feature.name)),
            transform: Transform::None,
            floor: settings.fleet_floors.get(i).copied().flatten().unwrap_or(0.0),
            ..feature.clone()
        });
        let moved = self
            .named
            .faults
            .signatures
            .iter()
            .flat_map(|signature| &signature.moves);
        let figure_words = moved.map(|(channel, _)| {
            let name = &self.kit.parts.channels[*channel].name;
            let words = self
                .told
                .of_figure(name)
                .with_context(|| format!("figure {name} has no words"))?;
            anyhow::Ok((name.clone(), words))
        });
        Ok(Manifest {
            family: self.kit.profile().name.clone(),
            version: self.told.version,
            detector: Some(Generic {
                kind: DetectorKind::Named,
                probability: PROBABILITY,
                call_probability: Some(CALL_PROBABILITY),
                call: None,
                conditions: self.conditions(settings),
                words: figure_words.collect::<anyhow::Result<_>>()?,
            }),
            baseline: Baseline {
                calibration: settings.calibration,
                ewma: settings.ewma,
                shrinkage: 0.0,
                recentre_steps: settings.follow_steps,
                recentre_below: settings.follow_below,
                threshold: settings.threshold,
            },
            autoencoder: None,
            probability: None,
            persistence: Persistence {
                hold: settings.hold as usize,
                clear_below: settings.clear_below as f32,
                clear_after: settings.clear_after,
                evidence_points: 16,
            },
            classification: Classification {
                min_cosine: 1.0,
                unknown_severity: Severity::Major,
                classes: self.told.classes(),
            },
            features: features.collect(),
            budgets: Budgets {
                tickets: 1.0,
                calls: 0.05,
            },
            evidence: StatedEvidence {
                kind: EvidenceKind::Simulated,
                verdicts: BTreeMap::new(),
            },
            data: vec![DataSource {
                name: format!("hard world {VERSION} of this project (tests/world)"),
                licence: "MIT OR Apache-2.0".to_owned(),
                part: self.learned.to_owned(),
            }],
            metrics: BTreeMap::from([("device_months".to_owned(), f64::from(self.named.device_months))]),
            ..shipped.clone()
        })
    }

    fn conditions(&self, settings: &Settings) -> Vec<ConditionRule> {
        let name = |channel: usize| self.kit.channels[channel].name.clone();
        let rule = |one: &Condition| ConditionRule {
            feature: name(one.channel),
            by: name(one.by),
            reference: one.reference,
            linear: one.linear,
            square: one.square,
        };
        settings.conditions.iter().map(rule).collect()
    }

    fn faults(&self) -> anyhow::Result<FaultsFile> {
        let (parts, faults) = (&self.kit.parts, &self.named.faults);
        let compared = |channel: usize| parts.channels[channel].name.clone();
        let share = |(channel, by): &(usize, f64)| Share {
            figure: compared(*channel),
            by: *by,
        };
        let condition = |one: &Condition| FigureCondition {
            figure: compared(one.channel),
            by: compared(one.by),
            reference: one.reference,
            linear: one.linear,
            square: one.square,
        };
        let signature = |one: &Signature| SignatureRule {
            class: one.class.clone(),
            speed: one.speed,
            ticket_level: one.ticket_level,
            call_level: one.call_level,
            moves: one.moves.iter().map(share).collect(),
            borne_out_by: one.borne_out_by.as_ref().map(share),
        };
        ensure!(self.named.device_months > 0, "no threshold was learned");
        Ok(FaultsFile {
            threshold: faults.threshold,
            calls: self.named.calls,
            compared: parts.channels.iter().map(|channel| channel.name.clone()).collect(),
            figures: parts.features.iter().map(|one| figure(one, &parts.features)).collect(),
            conditions: faults.conditions.iter().map(condition).collect(),
            signatures: faults.signatures.iter().map(signature).collect(),
            metrics: MetricRows {
                newest: faults.metrics.newest.rows(),
                quick: faults.metrics.quick.rows(),
                slow: faults.metrics.slow.rows(),
            },
        })
    }

    /// Lives around what is usual: a quiet one, one with each fault, and one with what has no name.
    fn golden(&self, manifest: &Manifest, faults: &str) -> anyhow::Result<String> {
        let features = self.kit.channels.len();
        let of_run = |run: &Run| -> Vec<Option<f64>> { run.values.iter().chain(&run.parts).copied().collect() };
        let runs: Vec<Vec<Option<f64>>> = self.usual.iter().map(of_run).collect();
        let count = features + self.kit.parts.channels.len();
        let usual: Vec<Option<f64>> = (0..count).map(|place| middle(&runs, place)).collect();
        let life = |moves: &[(usize, f64)]| -> Vec<Vec<Option<f64>>> {
            let run = |number: usize| {
                let way = f64::from([0_i8, 1, 0, -1][number % 4]);
                let value = |(place, usual): (usize, &Option<f64>)| {
                    let moved = moves.iter().filter(|(of, _)| *of == place && number >= LEARNED);
                    let by: f64 = moved.map(|(_, by)| by).sum();
                    usual.map(|usual| rounded(usual + WAVE * way * usual.abs().max(0.1) + by))
                };
                usual.iter().enumerate().map(value).collect()
            };
            (0..LEARNED + MOVED).map(run).collect()
        };
        let mut lives = vec![("quiet".to_owned(), life(&[]))];
        for signature in &self.named.faults.signatures {
            let moves: Vec<(usize, f64)> = signature.moves.iter().map(|(of, by)| (features + of, *by)).collect();
            lives.push((signature.class.clone(), life(&moves)));
        }
        let first = usual.first().copied().flatten().unwrap_or(1.0);
        lives.push((
            "the first feature is twice its usual value".to_owned(),
            life(&[(0, first)]),
        ));
        let mut text = String::new();
        for (name, runs) in lives {
            let line = golden_runs(&name, runs, manifest, faults, self.kit.profile());
            text.push_str(&line.with_context(|| format!("life {name}: the detector says nothing of it"))?);
            text.push('\n');
        }
        Ok(text)
    }

    fn card(&self, manifest: &Manifest) -> String {
        let signatures = self.named.faults.signatures.iter().map(|one| {
            format!(
                "| `{}` | {:.2} | {:.2} |\n",
                one.class, one.ticket_level, one.call_level
            )
        });
        format!(
            "# Model card: {}\n\n**For** {}.\n\n**Data.** Only the simulator in `tests/world` (MIT OR Apache-2.0): {}, {} device-months. It has **never seen a real \
             {}**; its figures say that the method works on what the simulator does, no more. Its evidence is `simulated`: a person approves each \
             call, until 21 closed tickets of a hub have shown predictions of a class right.\n\n**How it decides.** Faults by their signatures, in the metric of \
             harmless wander (ADR 45), and beside them the detector without names (ADR 40). {}\n\n**Levels**, in usual deviations of a healthy fleet; a ticket needs {:.2} and a call \
             {:.2} of them:\n\n| class | ticket | call |\n| --- | --- | --- |\n{}\nWhat has no name opens a ticket from {:.2} floors on. Signatures are physics and not \
             fitted. How good it is: `evaluate --only {}`, and ADR 54.\n",
            manifest.id(),
            self.told.of,
            self.learned,
            self.named.device_months,
            self.told.unit,
            self.told.watched,
            self.named.faults.threshold,
            self.named.calls,
            signatures.collect::<String>(),
            self.named.generic.threshold,
            self.told.part,
        )
    }
}

/// A figure as the file has it, with names in the place of numbers.
fn figure(one: &RunFeature, all: &[RunFeature]) -> FigureRule {
    let (rows, sum) = match &one.source {
        Source::Rows(rows) => {
            let within = rows.within.iter().map(|(channel, least, most)| Within {
                channel: channel.clone(),
                least: *least,
                most: *most,
            });
            let rows = RowsRule {
                channel: rows.channel.clone(),
                phases: rows.phases.clone(),
                take: rows.take,
                within: within.collect(),
                per: rows.per.clone(),
            };
            (Some(rows), Vec::new())
        }
        Source::Sum(parts) => {
            let share = |(place, by): &(usize, f64)| Share {
                figure: all[*place].name.clone(),
                by: *by,
            };
            (None, parts.iter().map(share).collect())
        }
    };
    FigureRule {
        name: one.name.clone(),
        logarithm: one.logarithm,
        rows,
        sum,
    }
}

/// The value in the middle of those that are there.
fn middle(runs: &[Vec<Option<f64>>], place: usize) -> Option<f64> {
    let mut values: Vec<f64> = runs.iter().filter_map(|run| run[place]).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Six decimals: a file that a person can read.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests;
