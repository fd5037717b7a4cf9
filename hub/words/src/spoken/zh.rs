//! Numbers, times and names as Mandarin says them. espeak-ng reads figures as quantities and Latin words in English, so
//! neither ever reaches it: everything here yields Chinese characters or single capital letters.

use hub_core::language::is_han;
use jiff::Zoned;

const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
const WEEKDAYS: [&str; 7] = ["一", "二", "三", "四", "五", "六", "日"];

/// A whole number: 120 is 一百二十, 2,050 is 两千零五十.
pub(super) fn number(value: u64) -> String {
    const GROUPS: [&str; 5] = ["", "万", "亿", "万亿", "亿亿"];
    if value == 0 {
        return "零".into();
    }
    let mut groups = Vec::new();
    let mut rest = value;
    while rest > 0 {
        groups.push(rest % 10_000);
        rest /= 10_000;
    }
    let mut text = String::new();
    let mut gap = false;
    for (at, group) in groups.iter().enumerate().rev() {
        if *group == 0 {
            gap = true;
            continue;
        }
        if !text.is_empty() && (gap || *group < 1_000) {
            text.push('零');
        }
        // A lone two before 万 or 亿 is 两.
        if *group == 2 && at > 0 {
            text.push('两');
        } else {
            text += &below_ten_thousand(*group);
        }
        text += GROUPS.get(at).copied().unwrap_or_default();
        gap = false;
    }
    // 10 to 19 drop the leading one.
    match text.strip_prefix("一十") {
        Some(rest) => format!("十{rest}"),
        None => text,
    }
}

fn below_ten_thousand(value: u64) -> String {
    let mut text = String::new();
    let mut gap = false;
    for (unit, name) in [(1_000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = value / unit % 10;
        if digit == 0 {
            gap = !text.is_empty();
            continue;
        }
        if gap {
            text.push('零');
            gap = false;
        }
        text.push(if digit == 2 && unit >= 100 {
            '两'
        } else {
            DIGITS[digit as usize]
        });
        text += name;
    }
    text
}

/// Letters and figures one by one, as a serial number is read out: `A84` is `A 八 四`.
pub(super) fn one_by_one(text: &str) -> String {
    let spoken = text.chars().filter_map(|c| match c.to_digit(10) {
        Some(digit) => Some(DIGITS[digit as usize]),
        None => c.is_ascii_alphabetic().then(|| c.to_ascii_uppercase()),
    });
    let mut out = String::new();
    for c in spoken {
        // Letters stand alone, else they are read as one English word.
        if c.is_ascii() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c);
        if c.is_ascii() {
            out.push(' ');
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name made readable: Chinese characters stay, Latin letters and figures are read one by one, the rest is left out.
/// Empty when nothing is left.
pub(super) fn name(text: &str) -> String {
    let mut out = String::new();
    let mut latin = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() {
            latin.push(c);
            continue;
        }
        if !latin.is_empty() {
            out = format!("{out} {} ", one_by_one(&latin));
            latin.clear();
        }
        if is_han(c) {
            out.push(c);
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A sum of money in the currency's smallest unit.
pub(super) fn money(currency: &str, minor_units: u64) -> String {
    let (unit, part, per) = match currency {
        "CNY" => return yuan(minor_units),
        "USD" => ("美元", "美分", 100),
        "EUR" => ("欧元", "欧分", 100),
        "GBP" => ("英镑", "便士", 100),
        "JPY" => ("日元", "", 1),
        "KRW" => ("韩元", "", 1),
        other => return format!("{} {}", number(minor_units / 100), one_by_one(other)),
    };
    match minor_units % per {
        0 => format!("{}{unit}", number(minor_units / per)),
        rest => format!("{}{unit}{}{part}", number(minor_units / per), number(rest)),
    }
}

fn yuan(fen: u64) -> String {
    let (yuan, jiao, fen) = (fen / 100, fen / 10 % 10, fen % 10);
    let mut text = if yuan > 0 || (jiao == 0 && fen == 0) {
        format!("{}元", counted(yuan))
    } else {
        String::new()
    };
    if jiao > 0 {
        text += &format!("{}角", counted(jiao));
    } else if fen > 0 && yuan > 0 {
        text.push('零');
    }
    if fen > 0 {
        text += &format!("{}分", counted(fen));
    }
    text
}

/// A number before a measure word: a lone two is 两.
fn counted(value: u64) -> String {
    if value == 2 { "两".into() } else { number(value) }
}

fn part_of_day(hour: i8) -> &'static str {
    match hour {
        0..=5 => "凌晨",
        6..=11 => "上午",
        12 => "中午",
        13..=17 => "下午",
        _ => "晚上",
    }
}

fn clock(hour: i8, minute: i8) -> String {
    let hour = u64::try_from(if hour > 12 { hour - 12 } else { hour }).unwrap_or(0);
    let minute = u64::try_from(minute).unwrap_or(0);
    let past = match minute {
        0 => String::new(),
        30 => "半".into(),
        1..=9 => format!("零{}分", number(minute)),
        _ => format!("{}分", number(minute)),
    };
    format!("{}点{past}", counted(hour))
}

fn date(at: &Zoned) -> String {
    let unsigned = |value: i8| number(u64::try_from(value).unwrap_or(0));
    let weekday = WEEKDAYS[usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0) % 7];
    format!("{}月{}日，星期{weekday}", unsigned(at.month()), unsigned(at.day()))
}

/// A moment: 十一月二十四日，星期二，下午五点.
pub(super) fn moment(at: &Zoned) -> String {
    format!(
        "{}，{}{}",
        date(at),
        part_of_day(at.hour()),
        clock(at.hour(), at.minute())
    )
}

/// A stretch of one day: 十一月二十四日，星期二，上午九点到十二点.
pub(super) fn slot(start: &Zoned, end: &Zoned) -> String {
    if start.date() != end.date() {
        return format!("{}到{}", moment(start), moment(end));
    }
    let same = part_of_day(start.hour()) == part_of_day(end.hour()) || (start.hour() < 12 && end.hour() == 12);
    let part = if same { "" } else { part_of_day(end.hour()) };
    format!("{}到{part}{}", moment(start), clock(end.hour(), end.minute()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn numbers() {
        for (value, text) in [
            (0, "零"),
            (10, "十"),
            (15, "十五"),
            (20, "二十"),
            (102, "一百零二"),
            (110, "一百一十"),
            (220, "两百二十"),
            (1_000, "一千"),
            (2_050, "两千零五十"),
            (20_000, "两万"),
            (20_001, "两万零一"),
            (100_500, "十万零五百"),
            (120_000, "十二万"),
            (100_000_001, "一亿零一"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn serials_and_names() {
        assert_eq!(one_by_one("8412"), "八四一二");
        assert_eq!(one_by_one("a84-B"), "A 八四 B");
        assert_eq!(name("海尔"), "海尔");
        assert_eq!(name("Bosch 家电"), "B O S C H 家电");
        assert_eq!(name("ÅÄÖ !"), "");
    }

    #[test]
    fn money_as_it_is_spoken() {
        for (currency, minor, text) in [
            ("CNY", 12_000, "一百二十元"),
            ("CNY", 12_050, "一百二十元五角"),
            ("CNY", 12_005, "一百二十元零五分"),
            ("CNY", 200, "两元"),
            ("CNY", 25, "两角五分"),
            ("USD", 4_950, "四十九美元五十美分"),
            ("JPY", 3_000, "三千日元"),
            ("SEK", 50_000, "五百 S E K"),
        ] {
            assert_eq!(money(currency, minor), text);
        }
    }

    #[test]
    fn times() {
        let at = |hour, minute| {
            date(2026, 11, 24)
                .at(hour, minute, 0, 0)
                .in_tz("Asia/Shanghai")
                .unwrap()
        };
        assert_eq!(slot(&at(9, 0), &at(12, 0)), "十一月二十四日，星期二，上午九点到十二点");
        assert_eq!(
            slot(&at(10, 30), &at(14, 0)),
            "十一月二十四日，星期二，上午十点半到下午两点"
        );
        assert_eq!(
            slot(&at(14, 5), &at(17, 15)),
            "十一月二十四日，星期二，下午两点零五分到五点十五分"
        );
        assert_eq!(moment(&at(0, 0)), "十一月二十四日，星期二，凌晨零点");
    }
}
