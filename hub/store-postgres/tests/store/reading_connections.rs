//! Connections that readings are asked on.

use crate::reading::{acme, minutes, readings};
use crate::said::{POOL, end_others};
use crate::server::Server;
use crate::support::{appliance, played, rolled_up};
use hub_store::reading::{POINTS_MAX, ReadingStore, Window};
use hub_store::telemetry::TelemetryStore;
use sqlx::Connection;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// The caller does not notice that the database was away for a moment.
#[tokio::test]
async fn a_reading_is_asked_again_where_its_connection_is_dead() {
    if !Server::chosen()
        .await
        .is_concurrent("a_reading_is_asked_again_where_its_connection_is_dead")
    {
        return;
    }
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    store
        .ingest(&[readings(id, 0, &[(0, [Some(1), Some(2), Some(3)])])])
        .await
        .unwrap();
    rolled_up(&store).await;
    let before = store.latest(&acme(), id).await.unwrap();
    assert_eq!(before.len(), 3);
    let mut sql = base.sql().await;
    for _ in 0..3 {
        end_others(&mut sql).await;
        assert_eq!(store.latest(&acme(), id).await.unwrap(), before);
    }
    sql.close().await.unwrap();
    store.close().await;
    assert!(
        store.latest(&acme(), id).await.is_err(),
        "a store that is closed opens nothing"
    );
}

/// What somebody gave up in the middle is not what the next one reads; and however many ask, few connections are used.
#[tokio::test]
async fn readings_that_are_given_up_leave_nothing_behind() {
    if !Server::chosen()
        .await
        .is_concurrent("readings_that_are_given_up_leave_nothing_behind")
    {
        return;
    }
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let samples: Vec<_> = (0..500).map(|minute| (minute, [Some(1), Some(2), Some(3)])).collect();
    store.ingest(&[readings(id, 0, &samples)]).await.unwrap();
    let (store, scope) = (&store, acme());
    // The first minutes, one reading each.
    let ask = async |count: i64| {
        let window = Window {
            channels: vec!["phase".to_owned()],
            from: minutes(0),
            to: minutes(count),
            points: POINTS_MAX,
        };
        store
            .window(&scope, id, &window)
            .await
            .map(|series| series[0].points.len())
    };
    // Given up wherever it may wait, on any machine: after the first look that found nothing yet, or the second, and so on.
    let mut given_up = 0;
    for n in 0..200_u64 {
        let mut looks = n % 5;
        let found = {
            let mut asked = pin!(ask(500));
            let look = poll_fn(|context| match (asked.as_mut().poll(context), looks) {
                (Poll::Ready(found), _) => Poll::Ready(Some(found)),
                (Poll::Pending, 0) => Poll::Ready(None),
                (Poll::Pending, _) => {
                    looks -= 1;
                    Poll::Pending
                }
            });
            look.await
        };
        match found {
            Some(found) => assert_eq!(found.unwrap(), 500),
            None => given_up += 1,
        }
        let count = 1 + n % 7;
        assert_eq!(ask(count as i64).await.unwrap(), count as usize);
    }
    assert!(given_up > 10, "{given_up}");
    let all = futures::future::join_all((0..40).map(|_| ask(500))).await;
    assert!(all.into_iter().all(|found| found.unwrap() == 500));
    let mut sql = base.sql().await;
    let open: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'forecall'",
    )
    .fetch_one(&mut sql)
    .await
    .unwrap();
    // The pool's, those of the writer and of the lease, and four that read.
    assert!(open <= i64::from(POOL) + 1 + 1 + 4, "{open} connections are open");
}
