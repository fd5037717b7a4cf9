//! Serves the console with sample tickets, for looking at it: `cargo run -p hub-console --example gallery -- 127.0.0.1:8090`.
//! Log in as `admin` with the password it prints.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a workbench, not a part of the hub"
)]

#[path = "../../api/tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use hub_api::{ApiConfig, ApiState, DemoBanner, DemoPart, create_first_account, serve};
use hub_console::PAGES;
use hub_core::clock::ManualClock;
use rand::SeedableRng;
use std::sync::Arc;
use support::{sample, store::SampleStore};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let store = Arc::new(SampleStore::new(vec![
        sample::booked(),
        sample::withdrawn(),
        sample::unsure(),
    ]));
    let clock = Arc::new(ManualClock::new(sample::at("09:05")));
    // The same password every time: there is nothing here to protect.
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let account = create_first_account(store.as_ref(), clock.as_ref(), &mut rng)
        .await
        .unwrap()
        .unwrap();
    println!(
        "http://{} {} {}",
        listener.local_addr().unwrap(),
        account.name,
        account.password
    );
    let state = ApiState {
        demo: Some(DemoBanner {
            simulated: vec![
                DemoPart::Appliances,
                DemoPart::Phones,
                DemoPart::Carrier,
                DemoPart::TimeLapse,
            ],
            real: vec![
                DemoPart::Mqtt,
                DemoPart::Database,
                DemoPart::Prediction,
                DemoPart::Sip,
                DemoPart::Audio,
            ],
        }),
        config: ApiConfig {
            zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
            ..ApiConfig::default()
        },
        ..support::state(store)
    };
    serve(listener, state, PAGES, CancellationToken::new()).await.unwrap();
}
