//! The first thousand appliances: from an empty database, the day on which the detector opens its first right ticket, and how many
//! false ones it has opened by then. A ticket is taken to be open for a month. It begins with the floors and the threshold of its table, and the level of tickets that the hub has for a
//! fleet without a past. Each month floors are refreshed from the fleet, and the level follows by the rule of budgets. Conditions are not
//! learned: they belong to a model that somebody trains. What tells only of conditions is not watched: it is no sign of health.

use std::collections::BTreeMap;
use std::path::Path;

use hub_core::budget::gate::{ALARM, FIRST_LEVEL};
use hub_core::budget::history::{ConfirmedFault, HighestScore, History, MonthOfScores};
use hub_core::budget::ledger::Ledger;
use hub_core::budget::{Draws, Month};
use hub_core::id::ApplianceId;
use hub_predict::generic::{
    Channel, DEVICES_MIN, Settings, Step, Unit, WATCHED_DAYS_MIN, fleet_floors, refreshed_floors,
};
use jiff::civil::date;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tests_world::hard::{Fault, FaultKind, Faults, Fleet, Life, VERSION};

use super::each::each;
use super::kit::{Kit, Run};
use super::report::{Appliance, FRIDGE, WASHING_MACHINE};
use super::watch::{Held, MONTH_DAYS};
use super::{DAYS, Size, fleet};
use crate::part::{Data, Evidence, Found, Part};

/// Seeds of fleets that are begun with, one after the other.
const SEEDS: [u64; 3] = [761, 762, 763];
/// A fridge has a row every five minutes: one fleet of them takes longer than three of washing machines.
const FRIDGE_SEEDS: [u64; 1] = [764];
const UNITS: u64 = 1_000;
/// Days for which a ticket is taken to be open: what comes back meanwhile joins it.
const TICKET_DAYS: f64 = 30.0;
/// Months of a record, all of them whole.
const MONTHS: u32 = DAYS / MONTH_DAYS as u32;
/// Faults a unit and year that show before they fail.
const FAULTS_A_YEAR: f64 = 0.01;

/// What a unit of this number in a fleet lives through.
type Lived<'a> = dyn Fn(&Fleet, u64) -> (Life, Vec<Run>) + Sync + 'a;

/// What is begun with.
struct Begun<'a> {
    of: &'a Appliance,
    channels: &'a [Channel],
    settings: Settings,
    lived: &'a Lived<'a>,
}

/// A unit as the hub has it, live.
struct Live {
    runs: Vec<Run>,
    life: Life,
    unit: Unit,
    /// Steps that it has taken.
    taken: usize,
    stands: bool,
    /// Day on which its newest ticket was opened.
    ticket: Option<f64>,
    /// The alarm has stood since then.
    stands_since_ticket: bool,
    /// The newest scores and slow scores, as they are held.
    held: [Held; 2],
    /// Highest held score of the month.
    highest: f64,
    watched_from: Option<f64>,
    /// Days of the month in which it was watched.
    watched_days: f64,
}

/// What the hub judges by now.
struct Now {
    settings: Settings,
    /// Score, in thresholds, from which a ticket is opened.
    level: f64,
    /// End of the month from which that is the fleet's own.
    level_from: Option<f64>,
    history: History,
    ledger: Ledger,
}

/// A ticket.
struct Opened {
    day: f64,
    is_right: bool,
}

/// What a fleet did until the end of its year.
struct Year {
    opened: Vec<Opened>,
    faults: usize,
    /// Months for which appliances were watched, month by month, with parts of one.
    device_months: Vec<f64>,
    /// Level of tickets behind each month, in thresholds.
    levels: Vec<f64>,
    /// Day from which the level of tickets is the fleet's own.
    level_from: Option<f64>,
    /// Units that are watched at its end.
    watched: usize,
}

pub fn evaluate(models: &Path, size: &Size) -> anyhow::Result<Part> {
    let (kit, of_fridge) = (Kit::of_washing_machine(models)?, Kit::of_fridge(models)?);
    let machines = |fleet: &Fleet, number| {
        let mut machine = fleet.washing_machine(number);
        let runs = kit.runs(fleet, &mut machine, f64::from(DAYS));
        (machine.life().clone(), runs)
    };
    let fridges = |fleet: &Fleet, number| {
        let mut fridge = fleet.fridge(number);
        let days = of_fridge.days(fleet, &mut fridge, f64::from(DAYS));
        (fridge.life().clone(), days)
    };
    let all = [
        (
            Begun {
                of: &WASHING_MACHINE,
                channels: &kit.channels[..kit.features],
                settings: Settings::of_runs(),
                lived: &machines,
            },
            SEEDS.as_slice(),
        ),
        (
            Begun {
                of: &FRIDGE,
                channels: &of_fridge.channels[..of_fridge.features],
                settings: Settings::default(),
                lived: &fridges,
            },
            FRIDGE_SEEDS.as_slice(),
        ),
    ];
    let units = size.units.unwrap_or(UNITS);
    let mut lines = vec![
        format!(
            "{units} appliances of the hard world from the day on which the first reading comes, {:.0} % of them with a fault that shows in a \
             year: washing machines by their runs, fridges by their days. Floors of the table and three times its threshold until the fleet has \
             its own, then refreshed each month.",
            100.0 * FAULTS_A_YEAR
        ),
        String::new(),
        "| appliance | seed | watched at the end | level of the fleet's own from | first right ticket | false ones until then | right in the year | \
         faults that show | false in the year | per 1,000 a month, by quarter | level in the months |"
            .to_owned(),
        format!("|{}", " --- |".repeat(11)),
    ];
    let mut found = Vec::new();
    for (begun, seeds) in all {
        for seed in seeds {
            let year = live(&begun, *seed, units, size.threads);
            lines.push(year.line(begun.of.name, *seed, units));
            println!("first-thousand {}", lines.last().map_or("", String::as_str));
            found.push(year.found(begun.of.name, *seed));
        }
    }
    let seeds: Vec<String> = SEEDS.iter().chain(&FRIDGE_SEEDS).map(u64::to_string).collect();
    Ok(Part {
        name: "first-thousand",
        evidence: Evidence::Simulated,
        data: Data::Seeds(format!("hard world {VERSION}, seeds {}", seeds.join(", "))),
        lines,
        found,
        bars: Vec::new(),
    })
}

impl Year {
    fn right(&self) -> impl Iterator<Item = &Opened> {
        self.opened.iter().filter(|one| one.is_right)
    }

    fn wrong_until(&self, day: f64) -> usize {
        let wrong = self.opened.iter().filter(|one| !one.is_right && one.day <= day);
        wrong.count()
    }

    fn line(&self, name: &str, seed: u64, units: u64) -> String {
        let first = self.right().map(|one| one.day).reduce(f64::min);
        let wrong = self.wrong_until(f64::MAX);
        format!(
            "| {name} | {seed} | {} of {units} | {} | {} | {} | {} | {} | {wrong} | {} | {} |",
            self.watched,
            self.level_from.map_or("-".into(), |day| format!("day {day:.0}")),
            first.map_or("none".into(), |day| format!("day {day:.0}")),
            self.wrong_until(first.unwrap_or(f64::MAX)),
            self.right().count(),
            self.faults,
            self.by_quarter().join(", "),
            self.levels
                .iter()
                .map(|level| format!("{level:.1}"))
                .collect::<Vec<_>>()
                .join(" "),
        )
    }

    /// False tickets for 1,000 appliances that were watched for a month.
    fn by_quarter(&self) -> Vec<String> {
        let quarter = |(number, months): (usize, &[f64])| {
            let days = 3.0 * MONTH_DAYS * number as f64..3.0 * MONTH_DAYS * (number + 1) as f64;
            let wrong = self
                .opened
                .iter()
                .filter(|one| !one.is_right && days.contains(&one.day));
            let months: f64 = months.iter().sum();
            match months > 0.0 {
                true => format!("{:.1}", 1_000.0 * wrong.count() as f64 / months),
                false => "-".to_owned(),
            }
        };
        self.device_months.chunks(3).enumerate().map(quarter).collect()
    }

    fn found(&self, name: &str, seed: u64) -> Found {
        let right = self.right().count() as f64;
        Found {
            what: format!("generic, {name}, tickets, seed {seed}"),
            found: right,
            of: self.faults as f64,
            wrong: self.wrong_until(f64::MAX) as f64,
            watched: format!("{:.0} device-months", self.device_months.iter().sum::<f64>()),
            precision: (!self.opened.is_empty()).then(|| right / self.opened.len() as f64),
        }
    }
}

fn live(begun: &Begun<'_>, seed: u64, units: u64, threads: u64) -> Year {
    let shares = |kinds: &mut dyn Iterator<Item = &FaultKind>| kinds.map(|kind| kind.share()).sum::<f64>();
    let all = shares(&mut begun.of.kinds.iter());
    let shown = shares(&mut begun.of.kinds.iter().filter(|kind| **kind != FaultKind::Electronics));
    let fleet = Fleet {
        faults: Faults::PerYear(FAULTS_A_YEAR * all / shown),
        ..fleet(seed)
    };
    let channels = begun.channels;
    let mut now = Now {
        settings: begun.settings.clone(),
        level: FIRST_LEVEL,
        level_from: None,
        history: History::default(),
        ledger: Ledger::default(),
    };
    let mut units: Vec<Live> = each(0..units, threads, |number| {
        let (life, mut runs) = (begun.lived)(&fleet, number);
        for run in &mut runs {
            run.values.truncate(channels.len());
        }
        Live {
            life,
            runs,
            unit: Unit::new(channels, &now.settings),
            taken: 0,
            stands: false,
            ticket: None,
            stands_since_ticket: false,
            held: held(&now.settings),
            highest: 0.0,
            watched_from: None,
            watched_days: 0.0,
        }
    });
    let mut year = Year {
        opened: Vec::new(),
        faults: units.iter().map(Live::shown_faults).sum(),
        device_months: Vec::new(),
        levels: Vec::new(),
        level_from: None,
        watched: 0,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for month in 0..MONTHS {
        let end = MONTH_DAYS * f64::from(month + 1);
        let mut days = 0.0;
        for unit in &mut units {
            unit.live_until(end, channels, &now, &mut year.opened);
            days += unit.watched_days;
        }
        year.device_months.push(days / MONTH_DAYS);
        now.refresh(begun, &units, end, &mut rng);
        year.levels.push(now.level);
    }
    year.level_from = now.level_from;
    year.watched = units.iter().filter(|unit| unit.watched_from.is_some()).count();
    year
}

impl Now {
    /// At the end of a month: floors as the hub refreshes them, and the level by the scores of the months as they were said.
    fn refresh(&mut self, begun: &Begun<'_>, units: &[Live], end: f64, rng: &mut ChaCha8Rng) {
        let channels = begun.channels;
        let long = |unit: &&Live| !unit.stands && unit.watched_from.is_some_and(|from| end - from >= WATCHED_DAYS_MIN);
        let of_units = units.iter().filter(long);
        let wanders: Vec<_> = of_units.map(|unit| unit.unit.wander(channels)).collect();
        let shown = fleet_floors(channels.len(), &wanders, DEVICES_MIN);
        let all_usual = |of: Told| -> Vec<Option<f64>> {
            (0..channels.len())
                .map(|channel| usual(begun, units, channel, of))
                .collect()
        };
        let (own, begun_from) = (all_usual(Unit::floors), all_usual(Unit::tolerances));
        let floors = &self.settings.fleet_floors;
        let before = (0..channels.len()).map(|channel| floors.get(channel).copied().flatten().or(begun_from[channel]));
        let refreshed = refreshed_floors(&before.collect::<Vec<_>>(), &shown, &own).into_iter();
        // What no fleet has shown stays the table's.
        let learned = refreshed.enumerate().map(|(channel, floor)| {
            let was_learned = floors.get(channel).is_some_and(Option::is_some);
            floor.filter(|_| was_learned || shown[channel].is_some())
        });
        self.settings.fleet_floors = learned.collect();
        let first = Month::of(date(2026, 1, 1));
        let month = (end / MONTH_DAYS) as i32;
        let there = units.iter().enumerate();
        let there = there.filter(|(_, unit)| unit.watched_from.is_some_and(|from| from <= end - MONTH_DAYS));
        let highest = there.map(|(number, unit)| HighestScore {
            appliance: ApplianceId(number as i64),
            score: (unit.highest / self.settings.threshold) as f32,
        });
        self.history.record(MonthOfScores::new(first.plus(month - 1), highest));
        for (number, unit) in units.iter().enumerate() {
            let repaired = unit.life.faults().iter().map(Fault::repaired_day);
            for day in repaired.filter(|day| (end - MONTH_DAYS..end).contains(day)) {
                self.history.confirm(ConfirmedFault {
                    appliance: ApplianceId(number as i64),
                    month: first.plus((day / MONTH_DAYS) as i32),
                    score: 0.0,
                });
            }
        }
        let mut draw = || rng.next_u64();
        let histories = BTreeMap::from([(begun.of.name.to_owned(), self.history.clone())]);
        self.ledger
            .renew(first.plus(month), Some(FIRST_LEVEL), &histories, &mut Draws(&mut draw));
        let thresholds = self
            .ledger
            .model(begun.of.name)
            .and_then(|model| model.thresholds.as_ref());
        if let Some(thresholds) = thresholds {
            self.level = thresholds.tickets.in_force.max(ALARM);
            self.level_from.get_or_insert(end);
        }
    }
}

impl Live {
    /// Faults that show before they fail.
    fn shown_faults(&self) -> usize {
        let faults = self.life.faults().iter();
        let shown = faults
            .filter(|fault| fault.kind != FaultKind::Electronics && fault.onset_day < MONTH_DAYS * f64::from(MONTHS));
        shown.count()
    }

    fn live_until(&mut self, end: f64, channels: &[Channel], now: &Now, opened: &mut Vec<Opened>) {
        let settings = &now.settings;
        self.highest = 0.0;
        self.watched_days = 0.0;
        let of_month = |from: Option<f64>, until: f64| from.map_or(0.0, |from| until - from.max(end - MONTH_DAYS));
        while let Some(run) = self.runs.get(self.taken).filter(|run| run.day < end) {
            self.taken += 1;
            if run.afresh {
                self.watched_days += of_month(self.watched_from, run.day);
                self.unit.restart(channels, settings);
                (self.stands, self.stands_since_ticket, self.watched_from) = (false, false, None);
                self.held = held(settings);
            }
            let step = self.unit.step(channels, settings, &run.values, false, self.stands);
            let Step::Watching {
                score,
                slow_score,
                alarm,
                measured: true,
                ..
            } = step
            else {
                continue;
            };
            let [quick, slow] = &mut self.held;
            let score = quick.next(score).max(slow.next(slow_score));
            self.highest = self.highest.max(score);
            self.stands = alarm;
            self.stands_since_ticket &= alarm;
            self.watched_from.get_or_insert(run.day);
            let is_open = self.ticket.is_some_and(|day| run.day - day < TICKET_DAYS);
            let is_known = is_open || self.stands_since_ticket;
            if alarm && !is_known && score >= now.level * settings.threshold {
                (self.ticket, self.stands_since_ticket) = (Some(run.day), true);
                opened.push(Opened {
                    day: run.day,
                    is_right: is_faulty(&self.life, run.day),
                });
            }
        }
        self.watched_days += of_month(self.watched_from, end);
    }
}

/// What a unit tells of its channels.
type Told = fn(&Unit, &[Channel], &Settings) -> Vec<(usize, f64)>;

/// The median by the table of what units tell of a channel.
fn usual(begun: &Begun<'_>, units: &[Live], channel: usize, of: Told) -> Option<f64> {
    let floors = units
        .iter()
        .flat_map(|unit| of(&unit.unit, begun.channels, &begun.settings));
    let mut floors: Vec<f64> = floors
        .filter(|(of, _)| *of == channel)
        .map(|(_, floor)| floor)
        .collect();
    floors.sort_by(f64::total_cmp);
    floors.get(floors.len() / 2).copied()
}

fn held(settings: &Settings) -> [Held; 2] {
    [(); 2].map(|()| Held::new(settings.hold as usize))
}

/// Whether somebody who looks on this day finds a fault.
fn is_faulty(life: &Life, day: f64) -> bool {
    let mut faults = life.faults().iter();
    faults.any(|fault| fault.onset_day <= day && day < fault.repaired_day())
}
