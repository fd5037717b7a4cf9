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

use hub_api::{ApiConfig, ApiState, DemoBanner, DemoPart, serve};
use hub_console::PAGES;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    // The same password every time: there is nothing here to protect.
    let scene = support::scene::scene().await;
    println!("http://{} admin {}", listener.local_addr().unwrap(), scene.password);
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
        ..support::state(scene.store)
    };
    serve(listener, state, PAGES, CancellationToken::new()).await.unwrap();
}
