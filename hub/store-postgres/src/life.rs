//! Whether connections live: which are asked, which are trusted, and what a dead one looks like.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A connection that lives answers within this time.
const PING_LIMIT: Duration = Duration::from_secs(3);
/// A new connection in place of one that does not answer is made within this time, or tried again …
const EXCHANGE_LIMIT: Duration = Duration::from_secs(5);
/// … after this.
const EXCHANGE_PAUSE: Duration = Duration::from_secs(1);
/// One over a Unix socket that was used within this time is trusted, unless another was found dead since.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// When a connection of this process was found dead last: the others, which were used before, are asked then.
static FOUND_DEAD: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether the server is reached without a network. An address of this machine does not say so: a tunnel or a proxy may
/// listen there, with a network behind it that can go silent.
pub(crate) fn is_local(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

/// Whether a connection over a Unix socket that has been idle for so long need not be asked whether it lives.
pub(crate) fn is_trusted(idle_for: Duration) -> bool {
    let found_dead = *FOUND_DEAD.lock().unwrap_or_else(PoisonError::into_inner);
    used_since(idle_for, found_dead.map(|at| at.elapsed()))
}

/// Whether it was used lately, and since one was found dead so long ago.
fn used_since(idle_for: Duration, found_dead: Option<Duration>) -> bool {
    idle_for < TRUSTED_FOR && found_dead.is_none_or(|ago| idle_for < ago)
}

/// The connection has ended, by itself or by the server's word (SQLSTATE class 57P).
pub(crate) fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

/// The server is not there yet, or takes no connections yet (SQLSTATE 57P03) or not so many (53300).
pub(crate) fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(cause) => matches!(cause.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

/// Where one is dead, so are the others mostly: a server that has come back knows none of them.
pub(crate) fn found_dead() {
    *FOUND_DEAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether a connection may be used: an error of its own ends it. One that does not answer is dropped, and a new one put in
/// its place as soon as there is one. The pool must not close it: over TLS that waits for the other side's last word, which
/// a silent network never brings, and the pool would have a place less for as long. One that is `trusted` is not asked.
pub(crate) async fn answers(
    conn: &mut PgConnection,
    options: PgConnectOptions,
    trusted: bool,
) -> Result<bool, sqlx::Error> {
    if trusted {
        return Ok(true);
    }
    if let Ok(pinged) = timeout(PING_LIMIT, conn.ping()).await {
        return pinged.map(|()| true);
    }
    loop {
        if let Ok(Ok(new)) = timeout(EXCHANGE_LIMIT, options.connect()).await {
            *conn = new;
            return Ok(true);
        }
        sleep(EXCHANGE_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_socket_is_local_and_no_address_is() {
        let local = |url: &str| is_local(&url.parse().unwrap());
        assert!(local("postgres://hub@%2Frun%2Fpostgresql:5432/hub"));
        assert!(local("postgres:///hub?host=/run/postgresql"));
        assert!(is_local(
            &PgConnectOptions::new_without_pgpass().socket("/state/socket")
        ));
        for remote in ["127.0.0.1", "localhost", "[::1]", "db.example"] {
            assert!(!local(&format!("postgres://hub@{remote}/hub")), "{remote}");
        }
    }

    #[test]
    fn only_what_was_used_lately_and_since_one_was_found_dead_is_trusted() {
        let ms = Duration::from_millis;
        assert!(used_since(ms(999), None) && !used_since(ms(1_000), None));
        assert!(used_since(ms(10), Some(ms(11))) && !used_since(ms(10), Some(ms(10))));
        assert!(!used_since(ms(1_000), Some(ms(2_000))));
    }
}
