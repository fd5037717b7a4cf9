//! How often one commit of a device that waits asks the database: each round trip is a part of that wait.

use crate::support::{Base, appliance, message, morning, profiles, site, stored, telemetry};
use hub_core::id::ApplianceId;
use hub_core::telemetry::Identity;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};

/// Stands between store and database and counts: a trip is what the client says after it has heard something.
#[derive(Default)]
struct Relay(AtomicU32);

impl Relay {
    fn listen(at: &Path, database: PgConnectOptions) -> Arc<Self> {
        let listener = UnixListener::bind(at).unwrap();
        let relay = Arc::new(Self::default());
        let shared = Arc::clone(&relay);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                if let Some(folder) = database.get_socket() {
                    let file = folder.join(format!(".s.PGSQL.{}", database.get_port()));
                    tokio::spawn(shared.carry(client, UnixStream::connect(file).await.unwrap()));
                } else {
                    let address = (database.get_host(), database.get_port());
                    tokio::spawn(shared.carry(client, TcpStream::connect(address).await.unwrap()));
                }
            }
        });
        relay
    }

    async fn carry(self: Arc<Self>, client: UnixStream, database: impl AsyncRead + AsyncWrite + Send + 'static) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_database, mut to_database) = tokio::io::split(database);
        let heard = Arc::new(AtomicBool::new(true));
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(read @ 1..) = from_database.read(&mut buffer).await {
                hears.store(true, Ordering::SeqCst);
                if to_client.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        });
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            if heard.swap(false, Ordering::SeqCst) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
            if to_database.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
        let _ = to_database.shutdown().await;
    }

    fn trips(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn json(id: ApplianceId, second: u64) -> Ingest {
    let mut message = message(id, 0, second, 1);
    message.identity = Identity::Content(vec![true]);
    Ingest::Telemetry(message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_a_known_device_is_one_round_trip_and_two_for_many_rows() {
    let base = Base::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = format!(".s.PGSQL.{}", base.options.get_port());
    let relay = Relay::listen(&folder.path().join(file), base.options.clone());
    let options = base.options.clone().socket(folder.path()).ssl_mode(PgSslMode::Disable);
    let store = PostgresStore::connect(options, base.keyring(), profiles())
        .await
        .unwrap();
    crate::support::take_lease(&store).await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    let id = appliance(&store, "acme", "wm-1").await;
    let mut trips = Vec::new();
    for round in 0..4u64 {
        for batch in [
            telemetry(id, 4, round * 40, 1),
            json(id, 1_000 + round),
            telemetry(id, 4, round * 40 + 1, 20),
        ] {
            let before = relay.trips();
            let count = if let Ingest::Telemetry(message) = &batch {
                message.samples.len()
            } else {
                0
            };
            assert_eq!(
                store.ingest(&[batch]).await.unwrap(),
                [stored(u32::try_from(count).unwrap())]
            );
            trips.push(relay.trips() - before);
        }
    }
    // From the third round on all is known, also to the server. A COPY is two.
    assert_eq!(trips[6..], [1, 1, 2, 1, 1, 2], "{trips:?}");
}
