//! Contrast of the style sheet's colours, in light and dark (WCAG 2.2 §1.4.3 and §1.4.11).

use std::collections::HashMap;

const STYLE: &str = include_str!("../../../../dashboards/console/console.css");

/// Text on what it stands on: 4.5:1.
const TEXT: [(&str, &[&str]); 7] = [
    (
        "text",
        &["page", "card", "accent-soft", "warn-soft", "bad-soft", "chart-span"],
    ),
    ("muted", &["page", "card", "accent-soft"]),
    ("accent", &["page", "card", "accent-soft"]),
    ("accent-text", &["accent"]),
    ("good", &["page", "card", "accent-soft"]),
    ("bad", &["page", "card", "accent-soft"]),
    ("warn", &["page", "card", "accent-soft", "warn-soft"]),
];

/// Lines, edges of controls and the focus ring: 3:1.
const LINES: [(&str, &[&str]); 4] = [
    ("chart-line", &["card", "chart-band", "chart-span"]),
    ("chart-threshold", &["card", "chart-span"]),
    ("control", &["page", "card"]),
    ("focus", &["page", "card"]),
];

fn luminance(colour: &str) -> f64 {
    let part = |from: usize| {
        let value = f64::from(u8::from_str_radix(&colour[from..from + 2], 16).unwrap()) / 255.0;
        if value <= 0.03928 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

/// Variables of each `:root` block: light first, then dark.
fn themes() -> Vec<HashMap<&'static str, &'static str>> {
    let blocks = STYLE
        .split(":root {")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap());
    let variable = |line: &'static str| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": ")?;
        value.starts_with('#').then_some((name, value))
    };
    blocks
        .map(|block| block.split(';').filter_map(variable).collect())
        .collect()
}

#[test]
fn everything_can_be_read_in_light_and_dark() {
    assert_eq!(themes().len(), 2);
    for theme in themes() {
        for (pairs, least) in [(&TEXT[..], 4.5), (&LINES[..], 3.0)] {
            for (front, backs) in pairs {
                for back in *backs {
                    let found = contrast(theme[front], theme[back]);
                    assert!(found >= least, "{front} on {back}: {found:.2}, at least {least}");
                }
            }
        }
    }
}
