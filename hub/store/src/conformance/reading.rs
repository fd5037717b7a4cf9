//! Readings as they are asked for.

use super::Harness;
use super::scene::{after, appliance, message, morning, played, stored, tenant};
use crate::StoreError;
use crate::reading::{Point, Window};
use crate::telemetry::Ingest;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_core::telemetry::Sample;

/// One reading a minute, from a number on.
fn readings(id: ApplianceId, first: u64, count: u64, value: impl Fn(i64) -> [Option<i32>; 3]) -> Ingest {
    let mut message = message(id, 1, first, 0);
    let sample = |seq: u64| {
        let minute = i64::try_from(seq).unwrap();
        Sample {
            at: after(minute),
            values: value(minute).to_vec(),
            extra: None,
        }
    };
    message.samples = (first..first + count).map(sample).collect();
    Ingest::Telemetry(message)
}

fn point(minute: i64, value: f64) -> Point {
    Point {
        at: after(minute),
        value,
    }
}

pub(super) async fn a_window_keeps_the_extremes_at_their_own_times(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    // A saw with one spike up, one down; the second channel is silent half of the time.
    let value = |minute: i64| match minute {
        37 => 9_000,
        1_203 => -5_000,
        _ => i32::try_from(minute % 10).unwrap(),
    };
    let day = readings(id, 0, 1_440, |minute| {
        [Some(value(minute)), (minute < 720).then_some(1_500), None]
    });
    assert_eq!(store.ingest(&[day]).await.unwrap(), [stored(1_440)]);
    let acme = Actor::hub("test").within(Some(tenant("acme")));
    let asked = |channels: &[&str], to: i64| Window {
        channels: channels.iter().map(|name| (*name).to_owned()).collect(),
        from: morning(),
        to: after(to),
        points: 300,
    };
    let series = store.window(&acme, id, &asked(&[], 1_440)).await.unwrap();
    let names: Vec<_> = series.iter().map(|s| (s.channel.as_str(), s.unit.as_str())).collect();
    assert_eq!(names, [("phase", "/"), ("current_a", "A"), ("inlet_cel", "Cel")]);
    let phase = &series[0].points;
    assert!((200..=300).contains(&phase.len()), "{}", phase.len());
    assert!(phase.is_sorted_by_key(|point| point.at) && series[2].points.is_empty());
    assert!(phase.contains(&point(37, 9.0)) && phase.contains(&point(1_203, -5.0)));
    // What fits comes whole, and only what was asked for.
    let hour = store.window(&acme, id, &asked(&["phase"], 60)).await.unwrap();
    let wanted: Vec<Point> = (0..60)
        .map(|minute| point(minute, f64::from(value(minute)) / 1_000.0))
        .collect();
    assert_eq!((hour.len(), &hour[0].points), (1, &wanted));
    let unknown = store.window(&acme, id, &asked(&["nonsense"], 60)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
    let backwards = store.window(&acme, id, &asked(&[], -1)).await;
    assert!(matches!(backwards, Err(StoreError::Refused(_))), "{backwards:?}");
}

pub(super) async fn late_readings_take_their_place_by_time(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let value = |minute: i64| [Some(i32::try_from(minute).unwrap()), None, Some(-7)];
    store.ingest(&[readings(id, 10, 5, value)]).await.unwrap();
    // Late: older readings with higher numbers.
    store.ingest(&[readings(id, 2, 3, value)]).await.unwrap();
    let window = Window {
        channels: Vec::new(),
        from: morning(),
        to: after(60),
        points: 100,
    };
    let series = store.window(&Actor::hub("test"), id, &window).await.unwrap();
    let wanted = [2, 3, 4, 10, 11, 12, 13, 14].map(|minute| point(minute, minute as f64 / 1_000.0));
    assert_eq!((&*series[0].points, &*series[1].points), (&wanted[..], &[][..]));
    super::scene::rolled_up(&*store).await;
    let latest = store.latest(&Actor::hub("test"), id).await.unwrap();
    let told: Vec<_> = latest.iter().map(|l| (l.channel.as_str(), l.point)).collect();
    assert_eq!(told, [("phase", point(14, 0.014)), ("inlet_cel", point(14, -0.007))]);
}
