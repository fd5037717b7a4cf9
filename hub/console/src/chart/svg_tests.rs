use super::super::data::panels;
use super::*;
use hub_core::language::Language;
use hub_core::prediction::{Contribution, EvidencePoint};
use jiff::tz::TimeZone;

fn evidence() -> Evidence {
    let at = |minute: i64| Timestamp::from_second(1_780_000_000 + minute * 60).unwrap();
    let point = |n: i64| EvidencePoint {
        at: at(n),
        score: n as f32 / 50.0,
        values: vec![0.3 + n as f64 / 1000.0, if n == 40 { f64::NAN } else { 50.0 }],
    };
    let channel = |name: &str, mean, deviation| Contribution {
        channel: name.into(),
        share: 0.5,
        value: 0.4,
        baseline_mean: mean,
        baseline_deviation: deviation,
        unit: "A".into(),
    };
    Evidence {
        channels: vec![channel("drain_pump_current_a", 0.3, 0.01), channel("x<y", 50.0, 0.5)],
        points: (0..100).map(point).collect(),
        anomalous_since: at(60),
    }
}

fn reader() -> Reader {
    Reader {
        language: Language::En,
        zone: TimeZone::UTC,
        families: std::sync::Arc::default(),
        actor: None,
    }
}

fn drawn() -> String {
    let evidence = evidence();
    draw(
        &reader(),
        &evidence,
        &panels(&reader(), "washing-machine", &evidence, 3),
    )
    .into_string()
}

/// Values of an attribute, wherever it stands.
fn attribute(svg: &str, element: &str, name: &str) -> Vec<f64> {
    svg.split('<')
        .filter(|tag| tag.starts_with(element))
        .filter_map(|tag| tag.split(&format!(" {name}=\"")).nth(1))
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn every_point_lies_on_the_drawing_and_times_run_rightwards() {
    let svg = drawn();
    let height: f64 = svg
        .split("viewBox=\"0 0 560 ")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    for line in svg.split("points=\"").skip(1) {
        let places: Vec<(f64, f64)> = line
            .split('"')
            .next()
            .unwrap()
            .split(' ')
            .map(|pair| pair.split_once(',').unwrap())
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        assert!(places.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(
            places
                .iter()
                .all(|(x, y)| (LEFT..=WIDTH - RIGHT).contains(x) && (0.0..height).contains(y))
        );
    }
}

#[test]
fn the_anomalous_span_is_shaded_from_its_start_to_the_end() {
    let svg = drawn();
    let starts = attribute(&svg, "rect class=\"chart-span\"", "x");
    let widths = attribute(&svg, "rect class=\"chart-span\"", "width");
    assert_eq!(starts.len(), 3, "one on each panel");
    // Minute 60 of 0 to 99.
    let expected = LEFT + 60.0 / 99.0 * (WIDTH - RIGHT - LEFT);
    assert!((starts[0] - expected).abs() < 0.1);
    assert!((starts[0] + widths[0] - (WIDTH - RIGHT)).abs() < 0.11);
}

#[test]
fn the_score_has_a_threshold_and_each_sensor_its_band() {
    let svg = drawn();
    assert_eq!(svg.matches("class=\"chart-threshold\"").count(), 1);
    assert_eq!(svg.matches("class=\"chart-band\"").count(), 2);
    // 101 values less one hole: the second sensor's line is in two pieces.
    assert_eq!(svg.matches("<polyline").count(), 4);
}

#[test]
fn names_from_outside_are_escaped_and_nothing_is_styled_inline() {
    let svg = drawn();
    assert!(svg.contains("x&lt;y (A)"));
    assert!(!svg.contains("style="));
    assert!(svg.contains("aria-labelledby=\"chart-title chart-desc\""));
}
