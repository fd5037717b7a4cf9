//! The demo: real hub, real database, real MQTT, real SIP and audio; simulated homes, simulated phone, time-lapse.

pub mod homes;
pub mod story;

use crate::clock::TimeLapse;
use crate::config::Config;
use crate::database::open;
use crate::hub::Hub;
use crate::pipeline;
use crate::random;
use crate::terminal::say;
use anyhow::{Context, Result};
use homes::Homes;
use hub_api::new_password;
use hub_core::actor::Actor;
use hub_core::clock::CivilClock;
use hub_core::id::{AccountId, TenantId};
use hub_core::language::Language;
use hub_core::ticket::HUB;
use hub_lab::administrator::{Administrator, NAME};
use hub_lab::home::Board;
use hub_lab::phone::{PhoneReport, Phones};
use hub_store::account::{Account, AccountStore};
use jiff::Timestamp;
use rand::{Rng, TryRngCore};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use story::Story;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The demo's first moment: Monday 2 March 2026, 09:00 in Shanghai.
pub const START: &str = "2026-03-02T01:00:00Z";
/// Civil seconds in a second, while homes live: a day passes in a second.
const PACE: u32 = 86_400;
/// The same with a board, each of whose bytes passes through a serial port by itself.
const BOARD_PACE: u32 = PACE / 2;
/// The same once the story is told and a person looks at the console.
const CALM_PACE: u32 = 3_600;

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Play the whole story without a person, to the verdict, and end.
    pub headless: bool,
    /// Language of the first home's owner.
    pub language: Language,
    /// Where the console listens if that port is free.
    pub http: SocketAddr,
    /// Model folders and profiles.
    pub models_dir: std::path::PathBuf,
    /// Where to find the database's programs, if not in the usual places.
    pub postgres_bin: Option<std::path::PathBuf>,
    /// The first home's machine runs firmware on a board.
    pub board: Option<Board>,
}

/// Plays the demo until it is told (headless), or until `stop`.
pub async fn run(options: &Options, stop: CancellationToken) -> Result<()> {
    let start: Timestamp = START.parse().context("the demo's start")?;
    let dir = tempfile::Builder::new()
        .prefix("forecall-demo-")
        .tempdir()
        .context("cannot make a directory for the demo")?;
    // The database's processes may run as another user; everything secret below has its own, narrower rights.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))?;
    let config = config(options, dir.path());
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (phones, reports) = Phones::start_with(any, Some(homes::trunk_digest()))
        .await
        .context("cannot start the simulated phones")?;
    homes::set_phones(&phones)?;
    let homes = Homes::new(start, options.language, phones.local())?;

    let opened = open(&config).await?;
    homes.declare(&opened, start).await?;
    let clock = TimeLapse::new(start, pace(options));
    let hub = pipeline::start(&config, opened, clock.clone(), Some(banner())).await?;
    let told = tell(options, &hub, homes, reports, clock, &stop).await;
    phones.shutdown().await;
    hub.stop(Duration::ZERO).await?;
    told
}

async fn tell(
    options: &Options,
    hub: &Hub,
    homes: Homes,
    reports: mpsc::Receiver<PhoneReport>,
    clock: Arc<TimeLapse>,
    stop: &CancellationToken,
) -> Result<()> {
    announce(hub, options);
    let life = CancellationToken::new();
    let ticker = tokio::spawn(clock.clone().run(hub.calls_up.clone(), life.clone()));
    let living = homes.live(hub.mqtt, clock.clone(), life.clone(), options.board.clone());
    let administrator = administrator(hub, clock.now()).await?;
    let mut story = Story::new(hub, &living, reports, clock.clone(), administrator);
    let told = stop.run_until_cancelled(story.play()).await;
    let result = match told {
        Some(Ok(())) if !options.headless => {
            clock.set_scale(CALM_PACE);
            say(format_args!(
                "\nThe story is told; the homes live on, an hour a second. Look around: http://{}  (Ctrl-C ends)",
                hub.http
            ));
            stop.cancelled().await;
            Ok(())
        }
        Some(result) => result,
        None if options.headless => Err(anyhow::anyhow!("stopped before the story was told")),
        None => Ok(()),
    };
    // Homes stop first and wait for what they sent, so that every sample is either acknowledged or was never sent.
    clock.set_scale(0);
    living.stop(&life).await;
    ticker.await.context("the demo's clock")?;
    if stop.is_cancelled() {
        return result;
    }
    result?;
    story.account_for_samples().await
}

/// Logs the administrator in who approves calls, by an account whose name says that it is simulated.
async fn administrator(hub: &Hub, now: Timestamp) -> Result<Administrator> {
    let mut rng = rand::rngs::OsRng.unwrap_err();
    let drawn = new_password(&mut rng).context("no password for the simulated administrator")?;
    let account = Account {
        id: AccountId::new(now, rng.random()),
        password_hash: drawn.hash,
        actor: Actor::administrator(NAME).within(Some(TenantId::new(homes::TENANT)?)),
    };
    hub.store.add_account(&Actor::hub(HUB), &account, now).await?;
    Ok(Administrator::log_in(hub.http, NAME, &drawn.password, random::boot_id()).await?)
}

fn pace(options: &Options) -> u32 {
    if options.board.is_some() { BOARD_PACE } else { PACE }
}

fn config(options: &Options, dir: &std::path::Path) -> Config {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let http = if TcpListener::bind(options.http).is_ok() {
        options.http
    } else {
        any
    };
    Config {
        state_dir: dir.join("state"),
        models_dir: options.models_dir.clone(),
        postgres_bin: options.postgres_bin.clone(),
        mqtt: any,
        http,
        sip: any,
        time_zone: homes::ZONE.into(),
        ..Config::default()
    }
}

fn banner() -> hub_api::DemoBanner {
    use hub_api::DemoPart as P;
    hub_api::DemoBanner {
        simulated: vec![
            P::Appliances,
            P::Owners,
            P::Phones,
            P::Administrator,
            P::Carrier,
            P::TimeLapse,
        ],
        real: vec![P::Mqtt, P::Database, P::Prediction, P::Sip, P::Audio, P::Console],
    }
}

fn announce(hub: &Hub, options: &Options) {
    say("Forecall demo");
    let hours = pace(options) / 3_600;
    say(format_args!(
        "  simulated: three homes with their washing machines, an owner's phone, the administrator who approves the call, the technician, and time ({hours} hours a second; it stands still during a call)",
    ));
    say(
        "  real:      the hub, its PostgreSQL, MQTT, the ONNX model in tract, SIP and the audio of the call, the console",
    );
    if let Some(board) = &options.board {
        say(format_args!(
            "  firmware:  {} has its agent in C, {}, on a Cortex-M4 that QEMU plays; its sensors and its modem are simulated",
            homes::RUNG,
            board.image.display()
        ));
    }
    say(format_args!("  console:   http://{}", hub.http));
    if let Some(account) = &hub.first_account {
        say(format_args!("  log in:    {} / {}", account.name, account.password));
    }
    if !options.headless {
        say("  Ctrl-C ends it; everything it stored is thrown away then.");
    }
    say("");
}
