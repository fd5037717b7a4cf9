//! A broker that runs, and what a load does to it.

use crate::client::{Identity, connect_all, publish};
use crate::reading::identity;
use crate::subscriber::Subscriber;
use crate::train::Train;
use anyhow::{Context, Result, ensure};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests_hub::processes;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// A load ends within this.
const LOAD_MAX: Duration = Duration::from_secs(60);
/// What was begun during a load may go on for so long after it.
const QUIET_MAX: Duration = Duration::from_secs(15);
/// A process that used less of a look is quiet.
const QUIET_S: f64 = 0.03;
const LOOK: Duration = Duration::from_millis(400);

/// What an acknowledged message is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Committed before it was acknowledged.
    Stored,
    /// In the hands of one subscriber, whose session the broker may forget or has to keep.
    Delivered {
        /// It may forget.
        clean_session: bool,
    },
}

/// A running broker.
#[derive(Debug, Clone)]
pub struct Broker {
    /// What it is called in the figures.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// The directory of the hub whose database works for it.
    pub state: Option<PathBuf>,
    /// When a message counts.
    pub proof: Proof,
}

/// Processor seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// The broker.
    pub broker: f64,
    /// Its database.
    pub database: f64,
    /// This process.
    pub client: f64,
}

/// What a load took.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Messages.
    pub messages: usize,
    /// From the first publish until all messages count.
    pub took: Duration,
    /// Until the broker was quiet again.
    pub usage: Usage,
    /// Messages that came to the subscriber more than once.
    pub repeated: usize,
}

impl Figures {
    /// Messages a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.took.as_secs_f64()
    }
}

impl Broker {
    /// Connects, publishes all trains (the n-th as the n-th device) and waits until each message counts.
    ///
    /// # Errors
    /// A connection fails, or the time is over.
    pub async fn load(&self, trains: Vec<Train>, window: usize) -> Result<Figures> {
        tokio::time::timeout(LOAD_MAX, self.load_all(trains, window))
            .await
            .with_context(|| format!("{}: not done within {LOAD_MAX:?}", self.name))?
            .with_context(|| self.name)
    }

    async fn load_all(&self, trains: Vec<Train>, window: usize) -> Result<Figures> {
        self.quiet().await?;
        let each = trains.first().context("no train")?.count();
        let devices = trains.len();
        let subscriber = match self.proof {
            Proof::Stored => None,
            Proof::Delivered { clean_session } => Some(Subscriber::new(self.address, clean_session).await?),
        };
        let identities: Vec<Identity> = (0..devices).map(identity).collect();
        let streams = connect_all(self.address, &identities).await?;
        // Connecting and leaving are no part of the load.
        self.quiet().await?;
        let start = Arc::new(Barrier::new(devices + 1));
        let mut publishers = start_publishers(streams, trains, window, &start);
        let before = self.usage()?;
        let begun = Instant::now();
        start.wait().await;
        let received = async {
            match subscriber {
                Some(mut subscriber) => Ok(Some(subscriber.receive(devices, each).await?)),
                None => anyhow::Ok(None),
            }
        };
        let acknowledged = async {
            let mut streams = Vec::new();
            while let Some(done) = publishers.join_next().await {
                streams.push(done??);
            }
            anyhow::Ok(streams)
        };
        let (received, streams) = tokio::try_join!(received, acknowledged)?;
        let took = begun.elapsed();
        let messages = devices * each;
        ensure!(
            received.is_none_or(|r| r.distinct == messages),
            "of {messages} came {received:?}"
        );
        self.quiet().await?;
        let usage = self.usage()?.since(&before);
        drop(streams);
        Ok(Figures {
            messages,
            took,
            usage,
            repeated: received.map_or(0, |r| r.repeated),
        })
    }

    /// Waits until the broker and its database have nothing left to do, so that one does not pay for another.
    ///
    /// # Errors
    /// There is no /proc.
    pub async fn quiet(&self) -> Result<()> {
        let until = Instant::now() + QUIET_MAX;
        let mut before = self.usage()?;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.usage()?;
            let used = now.since(&before);
            if used.broker + used.database < QUIET_S || Instant::now() > until {
                return Ok(());
            }
            before = now;
        }
    }

    /// So far.
    ///
    /// # Errors
    /// There is no /proc.
    pub fn usage(&self) -> Result<Usage> {
        let all = processes::all()?;
        let of = |pid: u32| all.iter().find(|p| p.pid == pid).map_or(0.0, |p| p.own_s);
        let database = self.state.as_deref().map(|state| processes::database(&all, state));
        Ok(Usage {
            broker: of(self.pid),
            database: database.map_or(0.0, |d| d.iter().map(|p| p.own_s + p.ended_children_s).sum()),
            client: of(std::process::id()),
        })
    }
}

fn start_publishers(
    streams: Vec<TcpStream>,
    trains: Vec<Train>,
    window: usize,
    start: &Arc<Barrier>,
) -> JoinSet<Result<TcpStream>> {
    let mut publishers = JoinSet::new();
    for (mut stream, train) in streams.into_iter().zip(trains) {
        let start = start.clone();
        publishers.spawn(async move {
            start.wait().await;
            publish(&mut stream, &train, window).await?;
            Ok(stream)
        });
    }
    publishers
}

impl Usage {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            broker: self.broker - before.broker,
            database: self.database - before.database,
            client: self.client - before.client,
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broker {:.2}", self.broker)?;
        if self.database > 0.0 {
            write!(f, " + database {:.2}", self.database)?;
        }
        write!(f, ", client {:.2}", self.client)
    }
}
