//! The breaker of calls on simulated counts of tickets: how soon it stops a surge, and how often it stops without one.

use hub_core::budget::Budgets;
use hub_core::budget::surge::{SurgeBreaker, expected_tickets};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::part::{Data, Evidence, Part};

const SEED: u64 = 1;
const RUNS: usize = 4_000;
const DAYS: u32 = 60;
const FLEETS: [u32; 4] = [300, 1_000, 5_000, 20_000];
/// Times the expected rate.
const TIMES: [f64; 3] = [1.0, 3.0, 10.0];

/// What came of many runs.
struct Stops {
    share: f64,
    /// Day of the median run, the first being 1; none where half of the runs have not stopped.
    median: Option<u32>,
    /// Mean of tickets until it stopped.
    tickets: f64,
}

pub fn evaluate() -> Part {
    let mut lines = vec![
        format!(
            "Tickets of one appliance model, counted once a day against the budget of {} false ones per 1,000 and month; {RUNS} runs of {DAYS} days each.",
            Budgets::default().tickets.per_1000()
        ),
        String::new(),
        "| appliances | times the expected rate | stops within 60 days | on day, median | tickets until then, mean |"
            .to_owned(),
        format!("|{}", " --- |".repeat(5)),
    ];
    for appliances in FLEETS {
        for times in TIMES {
            let stops = stops(appliances, times);
            lines.push(format!(
                "| {appliances} | {times} | {:.1} % | {} | {:.1} |",
                100.0 * stops.share,
                stops.median.map_or("-".into(), |day| day.to_string()),
                stops.tickets
            ));
            println!("breaker {}", lines.last().map_or("", String::as_str));
        }
    }
    Part {
        name: "breaker",
        evidence: Evidence::Simulated,
        data: Data::Seeds(format!("seed {SEED}")),
        lines,
        found: Vec::new(),
        bars: Vec::new(),
    }
}

fn stops(appliances: u32, times: f64) -> Stops {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let expected = expected_tickets(Budgets::default().tickets, 0.0, appliances, 1.0);
    let (mut days, mut tickets) = (Vec::new(), 0);
    for _ in 0..RUNS {
        let mut breaker = SurgeBreaker::default();
        for day in 1..=DAYS {
            let opened = poisson(times * expected, &mut rng);
            tickets += opened;
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * i64::from(day));
            if breaker.count(opened, expected, now) {
                days.push(day);
                break;
            }
        }
    }
    days.sort_unstable();
    Stops {
        share: days.len() as f64 / RUNS as f64,
        median: days.get(RUNS / 2).copied(),
        tickets: f64::from(tickets) / RUNS as f64,
    }
}

/// A Poisson count (Knuth, The Art of Computer Programming 2, 3.4.1).
fn poisson(mean: f64, rng: &mut ChaCha8Rng) -> u32 {
    let (limit, mut product, mut count) = ((-mean).exp(), rng.random::<f64>(), 0);
    while product > limit {
        product *= rng.random::<f64>();
        count += 1;
    }
    count
}
