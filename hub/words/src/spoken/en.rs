//! Numbers, times and names as English says them on the telephone.

use jiff::Zoned;

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Letters and figures one by one, as a serial number is read out: `A84` is `A 8 4`.
pub(super) fn one_by_one(text: &str) -> String {
    let spoken: Vec<String> = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase().to_string())
        .collect();
    spoken.join(" ")
}

/// A name made readable: words in Latin letters stay, what the voice has no sound for is left out. Empty when nothing
/// is left.
pub(super) fn name(text: &str) -> String {
    let latin = |c: char| c.is_ascii_alphanumeric() || ('\u{c0}'..='\u{24f}').contains(&c) || "&-' .".contains(c);
    let kept: String = text.chars().filter(|c| latin(*c)).collect();
    if kept.chars().any(char::is_alphanumeric) {
        kept.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        String::new()
    }
}

/// A sum of money in the currency's smallest unit.
pub(super) fn money(currency: &str, minor_units: u64) -> String {
    let (unit, units, part, parts, per) = match currency {
        "CNY" => ("yuan", "yuan", "fen", "fen", 100),
        "USD" => ("dollar", "dollars", "cent", "cents", 100),
        "EUR" => ("euro", "euros", "cent", "cents", 100),
        "GBP" => ("pound", "pounds", "penny", "pence", 100),
        "JPY" => ("yen", "yen", "", "", 1),
        "KRW" => ("won", "won", "", "", 1),
        other => return format!("{} {}", minor_units / 100, one_by_one(other)),
    };
    let (whole, rest) = (minor_units / per, minor_units % per);
    let count = |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    match (whole, rest) {
        (_, 0) => count(whole, unit, units),
        (0, _) => count(rest, part, parts),
        _ => format!("{} and {}", count(whole, unit, units), count(rest, part, parts)),
    }
}

fn part_of_day(hour: i8) -> &'static str {
    match hour {
        0..=11 => "in the morning",
        12..=17 => "in the afternoon",
        _ => "in the evening",
    }
}

fn clock(hour: i8, minute: i8) -> String {
    let hour = match hour % 12 {
        0 => 12,
        other => other,
    };
    match minute {
        0 => format!("{hour}"),
        1..=9 => format!("{hour} oh {minute}"),
        _ => format!("{hour} {minute}"),
    }
}

fn date(at: &Zoned) -> String {
    let weekday = WEEKDAYS[usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0) % 7];
    let month = MONTHS[usize::try_from(at.month() - 1).unwrap_or(0) % 12];
    format!("{weekday}, {} {month}", at.day())
}

/// A moment: `5 in the afternoon on Tuesday, 24 November`.
pub(super) fn moment(at: &Zoned) -> String {
    format!(
        "{} {} on {}",
        clock(at.hour(), at.minute()),
        part_of_day(at.hour()),
        date(at)
    )
}

/// A stretch of one day: `Tuesday, 24 November, between 9 and 12`.
pub(super) fn slot(start: &Zoned, end: &Zoned) -> String {
    if start.date() != end.date() {
        return format!("{}, until {}", moment(start), moment(end));
    }
    let (from, to) = (clock(start.hour(), start.minute()), clock(end.hour(), end.minute()));
    let (first, second) = (part_of_day(start.hour()), part_of_day(end.hour()));
    let between = if start.hour() < 12 && (end.hour(), end.minute()) == (12, 0) {
        format!("between {from} and {to}")
    } else if first == second {
        format!("between {from} and {to} {first}")
    } else {
        format!("between {from} {first} and {to} {second}")
    };
    format!("{}, {between}", date(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let at = |hour, minute| {
            jiff::civil::date(2026, 11, 24)
                .at(hour, minute, 0, 0)
                .in_tz("Europe/London")
                .unwrap()
        };
        assert_eq!(slot(&at(9, 0), &at(12, 0)), "Tuesday, 24 November, between 9 and 12");
        assert_eq!(
            slot(&at(9, 30), &at(11, 5)),
            "Tuesday, 24 November, between 9 30 and 11 oh 5 in the morning"
        );
        assert_eq!(
            slot(&at(10, 0), &at(14, 0)),
            "Tuesday, 24 November, between 10 in the morning and 2 in the afternoon"
        );
        assert_eq!(moment(&at(0, 15)), "12 15 in the morning on Tuesday, 24 November");
    }

    #[test]
    fn money_serials_and_names() {
        assert_eq!(money("CNY", 12_000), "120 yuan");
        assert_eq!(money("USD", 101), "1 dollar and 1 cent");
        assert_eq!(money("GBP", 50), "50 pence");
        assert_eq!(one_by_one("a8-4"), "A 8 4");
        assert_eq!(name("海尔 Haier"), "Haier");
        assert_eq!(name("海尔 - "), "");
    }
}
