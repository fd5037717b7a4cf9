//! Numbers, quantities and times as a page shows them.

use hub_core::language::Language;
use jiff::Zoned;

/// A number with about three significant figures.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 || v == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    // `-0.00` says nothing that `0.00` does not.
    let zero = text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    if zero {
        text.trim_start_matches('-').to_owned()
    } else {
        text.replace('-', "\u{2212}")
    }
}

/// A value with its SenML unit: `0.42 A`.
pub fn quantity(value: f64, unit: &str) -> String {
    match unit_sign(unit) {
        "" => number(value),
        sign => format!("{}\u{a0}{sign}", number(value)),
    }
}

/// The sign of a SenML unit (RFC 8428 §12.1) as people write it; empty for a number without one.
pub fn unit_sign(unit: &str) -> &str {
    match unit {
        "Cel" => "°C",
        "m/s2" => "m/s²",
        "1/min" => "min⁻¹",
        "%RH" | "%" => "%",
        "/" | "1" | "" => "",
        other => other,
    }
}

/// A time of day: `14:05`.
pub fn clock(at: &Zoned) -> String {
    at.strftime("%H:%M").to_string()
}

/// A day: `22 Nov`.
pub fn day(language: Language, at: &Zoned) -> String {
    let format = match language {
        Language::ZhCn => "%-m月%-d日",
        Language::En => "%-d %b",
    };
    at.strftime(format).to_string()
}

/// A day with its year: `22 Nov 2026`.
pub fn date(language: Language, at: &Zoned) -> String {
    let format = match language {
        Language::ZhCn => "%Y年%-m月%-d日",
        Language::En => "%-d %b %Y",
    };
    at.strftime(format).to_string()
}

/// A moment: `22 Nov 14:05`.
pub fn moment(language: Language, at: &Zoned) -> String {
    format!("{} {}", day(language, at), clock(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_figures() {
        let written = [0.42, 0.0, -0.0001, 12.34, 1234.5, -3.456].map(number);
        assert_eq!(written, ["0.42", "0.00", "0.000", "12.3", "1234", "\u{2212}3.46"]);
    }

    #[test]
    fn quantities_bear_the_sign_of_their_unit() {
        assert_eq!(quantity(40.0, "Cel"), "40.0\u{a0}°C");
        assert_eq!(quantity(0.5, "A"), "0.50\u{a0}A");
        assert_eq!(quantity(3.0, "/"), "3.00");
    }

    #[test]
    fn times_are_written_in_each_language() {
        let at = jiff::civil::date(2026, 11, 2).at(9, 5, 0, 0).in_tz("Asia/Shanghai");
        let at = at.unwrap();
        assert_eq!(moment(Language::En, &at), "2 Nov 09:05");
        assert_eq!(moment(Language::ZhCn, &at), "11月2日 09:05");
        assert_eq!(date(Language::En, &at), "2 Nov 2026");
        assert_eq!(date(Language::ZhCn, &at), "2026年11月2日");
    }
}
