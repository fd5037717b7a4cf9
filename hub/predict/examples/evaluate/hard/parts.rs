//! What a step of an appliance says of its parts, and what each fault moves: physics of the appliance, as its maker would write it down.
//! Nothing here is fitted, and nothing is read but what the profile's channels have.

mod fridge;
mod washing_machine;

use hub_predict::generic::{Channel, Influence, Signature, Speed};
use hub_predict::manifest::Per;
use hub_predict::{FromRows, RunFeature, Source, Take};
use tests_world::hard::FaultKind;

/// What is read of each step for named faults, and the faults.
pub struct Parts {
    pub features: Vec<RunFeature>,
    /// Figures that are watched, then those that are conditions, as indices into `features`.
    pub told: Vec<usize>,
    /// One for each that is told.
    pub channels: Vec<Channel>,
    pub influences: Vec<Influence>,
    /// Figures that are watched: the first so many of those that are told.
    pub watched: usize,
    /// Without levels yet.
    pub signatures: Vec<Signature>,
}

/// Figures with how far a fault moves them when it fails; the first is what it cannot be told without.
type Moves = &'static [(&'static str, f64)];
/// The figure that has to bear a fault out, with the score for each of its usual deviations; none where none is needed.
type Witness = Option<(&'static str, f64)>;
/// A fault.
type Fault = (&'static str, Speed, Moves, Witness);
/// A figure that is a sum of others, each times a factor, and whether its logarithm is told.
type SumOf = (&'static str, &'static [(&'static str, f64)], bool);
/// A condition of a figure, its usual value and its spread.
type By = (&'static str, &'static str, f64, f64);

impl Parts {
    pub fn of_washing_machine() -> Self {
        Self::new(
            washing_machine::features(),
            &washing_machine::WATCHED,
            &washing_machine::CONDITIONS,
            &washing_machine::FAULTS,
        )
    }

    pub fn of_fridge() -> Self {
        Self::new(
            fridge::features(),
            &fridge::WATCHED,
            &fridge::conditions(),
            &fridge::FAULTS,
        )
    }

    fn new(features: Vec<RunFeature>, watched: &[&'static str], by: &[By], faults: &[Fault]) -> Self {
        let mut names = watched.to_vec();
        for (_, by, ..) in by {
            if !names.contains(by) {
                names.push(by);
            }
        }
        let place = |name: &str| names.iter().position(|one| *one == name).unwrap_or(names.len());
        let influence = |(figure, by, reference, spread): &By| Influence {
            channel: place(figure),
            by: place(by),
            reference: *reference,
            spread: *spread,
        };
        let signature = |(class, speed, moves, borne_out): &Fault| Signature {
            class: (*class).into(),
            moves: moves.iter().map(|(name, by)| (place(name), *by)).collect(),
            speed: *speed,
            borne_out_by: borne_out.map(|(name, by)| (place(name), by)),
            ticket_level: f64::MAX,
            call_level: f64::MAX,
        };
        let channel = |name: &&str| Channel {
            name: (*name).into(),
            // Logarithms and shares: differences of them are compared.
            unit: "/".into(),
            decimals: 4,
        };
        let feature = |name: &&str| features.iter().position(|one| one.name == **name);
        let told: Vec<usize> = names.iter().filter_map(feature).collect();
        assert_eq!(told.len(), names.len(), "a figure that is told has no feature");
        Self {
            told,
            channels: names.iter().map(channel).collect(),
            influences: by.iter().map(influence).collect(),
            watched: watched.len(),
            signatures: faults.iter().map(signature).collect(),
            features,
        }
    }

    /// Names of the figures that are watched.
    pub fn names(&self) -> Vec<String> {
        let watched = self.channels.iter().take(self.watched);
        watched.map(|channel| channel.name.clone()).collect()
    }
}

/// Class of a fault. A pump that wears and one that is jammed look alike, and the same part is brought for both.
pub fn class_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::DrainPumpWear | FaultKind::DrainPumpDebris => "drain_pump",
        other => other.name(),
    }
}

/// A figure of rows of these phases; of all rows where there are none.
fn rows(name: &str, channel: &str, take: Take, phases: &[i32]) -> RunFeature {
    RunFeature {
        name: name.into(),
        source: Source::Rows(FromRows {
            channel: channel.into(),
            take,
            phases: phases.into(),
            within: Vec::new(),
            per: None,
        }),
        logarithm: !matches!(take, Take::Scatter | Take::Loss { .. }),
    }
}

fn per(mut feature: RunFeature, channel: &str, reference: f64, power: i32) -> RunFeature {
    if let Source::Rows(rows) = &mut feature.source {
        rows.per = Some(Per {
            channel: channel.into(),
            reference,
            power,
        });
    }
    feature
}

fn within(mut feature: RunFeature, channel: &str, (least, most): (f64, f64)) -> RunFeature {
    if let Source::Rows(rows) = &mut feature.source {
        rows.within.push((channel.into(), least, most));
    }
    feature
}

/// Adds sums of figures that are there.
fn add_sums(all: &mut Vec<RunFeature>, sums: &[SumOf]) {
    for (name, parts, logarithm) in sums {
        let place = |name: &str| all.iter().position(|one| one.name == name).unwrap_or(all.len());
        let sum = RunFeature {
            name: (*name).into(),
            source: Source::Sum(parts.iter().map(|(of, by)| (place(of), *by)).collect()),
            logarithm: *logarithm,
        };
        all.push(sum);
    }
}
