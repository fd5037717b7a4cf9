//! The hub and its peers under the same loads, in turn.

use crate::bar::{Bars, median};
use crate::broker::{Broker, Figures, Proof, Usage};
use crate::hub::BenchHub;
use crate::peer::{Peer, Persistence};
use crate::reading::{Load, trains};
use anyhow::{Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use std::collections::BTreeMap;
use std::time::Duration;
use tests_hub::bare::Bare;

/// What everything is compared with.
const BASE: &str = "mosquitto";
const HUB: &str = "hub";
const EACH_CHANGE: &str = "mosquitto, saves each change";
const BARE: &str = "bare COPY + commit";
/// As many as the hub grants one device at once.
const TWENTY: usize = 20;
/// Messages that the mosquitto gets which writes its whole store for each: it takes some hundred a second.
const EACH_CHANGE_MESSAGES: usize = 300;
/// Readings are of the last hour.
const AGE: Duration = Duration::from_secs(3_600);

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Connections, each of a device.
    pub connections: usize,
    /// Unacknowledged messages of a connection.
    pub window: usize,
    /// Messages of a connection.
    pub each: usize,
}

/// What is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rounds before those that count: connections, statements and files that a broker uses for the first time are not what
    /// lasts.
    pub warm_up: usize,
    /// How often.
    pub rounds: usize,
    /// The loads.
    pub scenarios: Vec<Scenario>,
}

impl Plan {
    /// What the bars hold for.
    pub fn full() -> Self {
        let scenario = |connections, window, each| Scenario {
            connections,
            window,
            each,
        };
        Self {
            warm_up: 1,
            rounds: 5,
            scenarios: vec![
                scenario(1, TWENTY, 8_000),
                scenario(100, TWENTY, 600),
                scenario(2_000, 5, 25),
                scenario(1, 1, 2_000),
            ],
        }
    }

    /// Some seconds: does it work at all?
    pub fn quick() -> Self {
        let mut plan = Self::full();
        (plan.warm_up, plan.rounds) = (0, 1);
        for scenario in &mut plan.scenarios {
            scenario.connections = scenario.connections.min(20);
            scenario.each = scenario.each.min(50);
        }
        plan
    }
}

impl Scenario {
    fn one_in_flight(self) -> bool {
        self.connections == 1 && self.window == 1
    }

    /// One connection with as much under way as the hub grants one device at once.
    fn twenty_in_flight(self) -> bool {
        self.connections == 1 && self.window == TWENTY
    }

    fn describe(self) -> String {
        let s = if self.connections == 1 { "" } else { "s" };
        format!("{} connection{s}, {} in flight each", self.connections, self.window)
    }
}

/// Acknowledged readings of the hub against its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audit {
    /// Acknowledged.
    pub acknowledged: usize,
    /// Of these not in the database.
    pub lost: usize,
    /// Rows too many.
    pub doubled: usize,
}

/// Rate, processor seconds and messages of one load.
type Measured = (f64, Usage, usize);

/// Everything that was measured.
pub struct Report {
    measured: BTreeMap<(usize, &'static str), Vec<Measured>>,
    plan: Plan,
    /// What the hub's database says.
    pub audit: Audit,
}

/// Runs the plan and prints each figure as it comes.
///
/// # Errors
/// A broker does not start, does not take the load, or loses a message; the hub stored a reading incompletely.
pub async fn run(plan: Plan) -> Result<Report> {
    let most = plan.scenarios.iter().map(|s| s.connections).max().unwrap_or(1);
    let hub = BenchHub::start(HUB, most).await?;
    let peers = [
        Peer::mosquitto(BASE, Persistence::Off).await?,
        Peer::mosquitto("mosquitto, Debian's persistence", Persistence::Periodic).await?,
        Peer::rumqttd("rumqttd, stock").await?,
    ];
    let mut brokers: Vec<Broker> = peers.iter().map(|peer| peer.broker.clone()).collect();
    brokers.insert(0, hub.broker.clone());
    let mut run = Run {
        hub,
        brokers,
        loads: 0,
        counts: false,
        report: Report {
            measured: BTreeMap::new(),
            plan: plan.clone(),
            audit: Audit::default(),
        },
    };
    for round in 0..plan.warm_up + plan.rounds {
        run.counts = round >= plan.warm_up;
        match run.counts {
            false => println!("warm-up"),
            true => println!("round {} of {}", round - plan.warm_up + 1, plan.rounds),
        }
        for (index, scenario) in plan.scenarios.iter().enumerate() {
            run.scenario(index, *scenario).await?;
        }
        // Nobody is always the first.
        run.brokers.rotate_left(1);
    }
    run.each_change().await?;
    run.hub.stop().await?;
    Ok(run.report)
}

struct Run {
    hub: BenchHub,
    brokers: Vec<Broker>,
    loads: u64,
    /// What is measured now is a part of the report.
    counts: bool,
    report: Report,
}

impl Run {
    fn next_load(&mut self, each: usize) -> Load {
        self.loads += 1;
        let age_ms = i64::try_from(AGE.as_millis()).unwrap_or(i64::MAX);
        Load {
            number: self.loads,
            each,
            from_ms: SystemClock.now().as_millisecond() - age_ms,
        }
    }

    async fn scenario(&mut self, index: usize, scenario: Scenario) -> Result<()> {
        println!("  {}", scenario.describe());
        let load = self.next_load(scenario.each);
        for broker in self.brokers.clone() {
            let figures = broker
                .load(trains(load, scenario.connections)?, scenario.window)
                .await?;
            self.note(index, broker.name, figures);
            if broker.proof == Proof::Stored {
                self.audit(load, figures.messages).await?;
                if scenario.one_in_flight() {
                    self.bare(index, load).await?;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, index: usize, name: &'static str, figures: Figures) {
        print_line(name, figures.rate(), "", figures.usage, figures.messages);
        if figures.repeated > 0 {
            println!("    {:32} {} came again", "", figures.repeated);
        }
        if self.counts {
            let of = self.report.measured.entry((index, name)).or_default();
            of.push((figures.rate(), figures.usage, figures.messages));
        }
    }

    /// Counts the rows of a load.
    async fn audit(&mut self, load: Load, acknowledged: usize) -> Result<()> {
        let stored = self.hub.stored(load).await?;
        ensure!(
            stored.whole == stored.rows,
            "{} of {} rows lack a channel",
            stored.rows - stored.whole,
            stored.rows
        );
        let audit = &mut self.report.audit;
        audit.acknowledged += acknowledged;
        audit.lost += acknowledged.saturating_sub(stored.distinct);
        audit.doubled += stored.rows - stored.distinct;
        Ok(())
    }

    /// The rows of a load once more, without a hub.
    async fn bare(&mut self, index: usize, load: Load) -> Result<()> {
        let of = format!("(select * from telemetry where boot = {})", load.boot());
        let mut bare = Bare::open(&self.hub.lab.state(), &of).await?;
        let rows = bare.rows();
        let measured = bare.load(0..rows, 1).await?;
        bare.close().await?;
        let usage = Usage {
            broker: 0.0,
            database: measured.cpu.database,
            client: measured.cpu.client,
        };
        let figures = Figures {
            messages: measured.rows,
            took: measured.took,
            usage,
            repeated: 0,
        };
        self.note(index, BARE, figures);
        Ok(())
    }

    /// Once, to be seen: what it costs mosquitto to write after each message, although it acknowledges before.
    async fn each_change(&mut self) -> Result<()> {
        let peer = Peer::mosquitto(EACH_CHANGE, Persistence::EachChange).await?;
        for (index, scenario) in self.report.plan.scenarios.clone().into_iter().enumerate() {
            if scenario.connections > 100 || scenario.one_in_flight() {
                continue;
            }
            println!("  {}", scenario.describe());
            let load = self.next_load((EACH_CHANGE_MESSAGES / scenario.connections).min(scenario.each));
            let figures = peer
                .broker
                .load(trains(load, scenario.connections)?, scenario.window)
                .await?;
            self.note(index, EACH_CHANGE, figures);
        }
        Ok(())
    }
}

impl Report {
    fn rate(&self, index: usize, name: &'static str) -> f64 {
        let of = self.measured.get(&(index, name));
        median(of.map_or_else(Vec::new, |of| of.iter().map(|(rate, ..)| *rate).collect()))
    }

    /// Prints the medians.
    pub fn print(&self) {
        println!("medians; CPU in seconds for each load and µs for each message");
        for (index, scenario) in self.plan.scenarios.iter().enumerate() {
            println!("  {}", scenario.describe());
            for ((_, name), of) in self.measured.iter().filter(|((i, _), _)| *i == index) {
                let rate = self.rate(index, name);
                let ratio = format!("{:.2}x", rate / self.rate(index, BASE));
                let middle = |part: fn(&Usage) -> f64| median(of.iter().map(|(_, usage, _)| part(usage)).collect());
                let usage = Usage {
                    broker: middle(|u| u.broker),
                    database: middle(|u| u.database),
                    client: middle(|u| u.client),
                };
                let messages = of.first().map_or(0, |(_, _, messages)| *messages);
                print_line(name, rate, &ratio, usage, messages);
            }
        }
        println!(
            "the hub acknowledged {}: {} lost, {} double",
            self.audit.acknowledged, self.audit.lost, self.audit.doubled
        );
        println!(
            "x: times {BASE} (persistence off, one subscriber has the message). Debian's persistence writes every 30 min \
             and at the end, so neither mosquitto acknowledges what is stored; the hub does."
        );
    }

    /// What must be reached.
    pub fn bars(&self) -> Bars {
        let mut bars = Bars::default();
        for (index, scenario) in self.plan.scenarios.iter().enumerate() {
            let hub = self.rate(index, HUB);
            if scenario.one_in_flight() {
                bars.at_least("one_in_flight_vs_bare_commit", hub / self.rate(index, BARE), 0.6);
            } else if scenario.twenty_in_flight() {
                bars.at_least("twenty_in_flight_vs_mosquitto", hub / self.rate(index, BASE), 0.5);
            } else if scenario.connections > 1 {
                let name = format!("vs_mosquitto_at_{}_connections", scenario.connections);
                bars.at_least(&name, hub / self.rate(index, BASE), 1.0);
            }
        }
        bars.at_most("acknowledged_and_lost", self.audit.lost as f64, 0.0);
        bars.at_most("stored_twice", self.audit.doubled as f64, 0.0);
        bars
    }
}

fn print_line(name: &str, rate: f64, ratio: &str, usage: Usage, messages: usize) {
    let each = (usage.broker + usage.database) / messages as f64 * 1e6;
    println!("    {name:<32} {rate:>8.0}/s {ratio:>6}  CPU {usage} ({each:.0} µs)");
}

#[cfg(test)]
mod tests {
    use super::{Audit, BARE, BASE, HUB, Plan, Report};
    use crate::broker::Usage;
    use std::collections::BTreeMap;

    /// The hub does this share of what it is compared with, in every load of the whole plan.
    fn report(share: f64) -> Report {
        let plan = Plan::full();
        let mut measured = BTreeMap::new();
        for index in 0..plan.scenarios.len() {
            for (name, rate) in [(HUB, share * 1e3), (BASE, 1e3), (BARE, 1e3)] {
                measured.insert((index, name), vec![(rate, Usage::default(), 1)]);
            }
        }
        Report {
            measured,
            plan,
            audit: Audit::default(),
        }
    }

    #[test]
    fn every_load_of_the_plan_has_its_bar() {
        let is_held = |share, name| report(share).bars().is_held(name);
        for (name, bound) in [
            ("one_in_flight_vs_bare_commit", 0.6),
            ("twenty_in_flight_vs_mosquitto", 0.5),
            ("vs_mosquitto_at_100_connections", 1.0),
            ("vs_mosquitto_at_2000_connections", 1.0),
        ] {
            assert!(is_held(bound + 0.01, name) && !is_held(bound - 0.01, name), "{name}");
        }
    }
}
