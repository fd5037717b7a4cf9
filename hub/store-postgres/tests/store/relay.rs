//! What stands between store and database in a test: the store comes to a socket of the test's own, and the test does with
//! each connection what it is about.

use crate::support::{Base, morning, profiles, site, take_lease};
use hub_store::site::SiteStore;
use hub_store_postgres::PostgresStore;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UnixListener, UnixStream};

/// A connection on its way, in both directions. An end hears that nothing more comes when the half that writes to it is
/// dropped.
pub struct Carried {
    pub from_client: OwnedReadHalf,
    pub to_client: OwnedWriteHalf,
    pub from_database: Box<dyn AsyncRead + Send + Unpin>,
    pub to_database: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Carried {
    /// From a client that has come to a database, by its socket file where it has one.
    async fn on(client: UnixStream, database: &PgConnectOptions) -> Self {
        let port = database.get_port();
        if let Some(folder) = database.get_socket() {
            let file = folder.join(format!(".s.PGSQL.{port}"));
            let (reads, writes) = UnixStream::connect(file).await.unwrap().into_split();
            return Self::new(client, reads, writes);
        }
        let address = (database.get_host(), port);
        let (reads, writes) = TcpStream::connect(address).await.unwrap().into_split();
        Self::new(client, reads, writes)
    }

    fn new(
        client: UnixStream,
        from_database: impl AsyncRead + Send + Unpin + 'static,
        to_database: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (from_client, to_client) = client.into_split();
        Self {
            from_client,
            to_client,
            from_database: Box::new(from_database),
            to_database: Box::new(to_database),
        }
    }
}

/// A store with the lease and the site. Its connections come through a socket in this folder, where `carry` is given each of
/// them and carries it to its end.
pub async fn through<F>(base: &Base, folder: &Path, carry: impl Fn(Carried) -> F + Send + 'static) -> PostgresStore
where
    F: Future<Output = ()> + Send + 'static,
{
    let file = format!(".s.PGSQL.{}", base.options.get_port());
    let listener = UnixListener::bind(folder.join(file)).unwrap();
    let database = base.options.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let connection = Carried::on(client, &database).await;
            tokio::spawn(carry(connection));
        }
    });
    let options = base.options.clone().socket(folder).ssl_mode(PgSslMode::Disable);
    let store = PostgresStore::connect(options, base.keyring(), profiles())
        .await
        .unwrap();
    take_lease(&store).await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    store
}
