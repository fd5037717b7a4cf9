//! The report as a page and as a file, of names that nobody would choose.

use super::words::TEXTS;
use super::*;
use hub_core::language::is_han;
use hub_predict::trial::{Kind, Refused};
use std::fmt::Write;
use std::os::unix::fs::symlink;

const HOSTILE: &str = "<script>alert('1')</script>\"&\u{202e}";

/// Eighty days of three machines whose names are hostile; one of them warms from the fiftieth day on.
fn export() -> String {
    let mut text = "device;time;temp <i> (°C);flow [l/min];fixed\n".to_owned();
    for machine in 0..3 {
        for hour in 0..80 * 24 {
            let worn = if machine == 1 {
                f64::from((hour - 50 * 24).max(0)) / 24.0
            } else {
                0.0
            };
            let noise = f64::from((hour * 7_919 + machine * 104_729) % 1_000) / 1_000.0 - 0.5;
            let at = 1_735_689_600 + hour * 3_600;
            let (temp, flow) = (60.0 + worn + noise, 30.0 - 0.2 * worn + 0.2 * noise);
            writeln!(text, "{HOSTILE}{machine};{at};{temp:.2};{flow:.2};7").unwrap();
        }
    }
    text
}

fn services() -> String {
    format!("device;date\n{HOSTILE}1;2025-03-18\n{HOSTILE}2;2025-03-01\n")
}

fn report() -> Report {
    try_export("fleet & co.csv", export().as_bytes(), Some(services().as_bytes()), None).unwrap()
}

#[test]
fn the_page_is_one_file_in_which_names_are_names() {
    let report = report();
    assert_eq!(report.devices[1].openings.len(), 1, "{:?}", report.devices[1]);
    for language in Language::ALL {
        let page = page::page(&Words { language }, &report);
        for outside in [
            "<script", "http:", "https:", "src=", "href=", "url(", "@import", "\u{202e}", "<i>", "\u{27e6}",
        ] {
            assert!(!page.contains(outside), "{outside} in {}", language.tag());
        }
        for inside in [
            "&lt;script&gt;",
            "fleet &amp; co.csv",
            "<svg",
            "polyline",
            "prefers-color-scheme: dark",
            "class=\"opening\"",
        ] {
            assert!(page.contains(inside), "{inside} not in {}", language.tag());
        }
        assert!(page.contains(&format!("<html lang=\"{}\"", language.tag())));
        assert_eq!(page.contains("would be watched"), language == Language::En);
        assert!(page.contains(&words::number(report.step.threshold)));
    }
}

#[test]
fn both_languages_have_all_texts() {
    assert_eq!(TEXTS.differences(), [""; 0]);
    for key in TEXTS.keys(Language::En) {
        let blank: Vec<(&str, &str)> = TEXTS.needs(Language::En, key).map(|value| (value, "")).collect();
        let said = |language| Words { language }.with(key, &blank);
        assert!(!said(Language::En).chars().any(is_han), "{key}");
        let zh = said(Language::ZhCn);
        assert!(
            zh.chars().any(is_han) || !zh.chars().any(char::is_alphabetic),
            "{key} = {zh}"
        );
    }
    let words = Words { language: Language::En };
    for kind in Kind::ALL {
        assert!(!words.of("kind", &kind).contains('\u{27e6}') && !words.of("why", &kind).contains('\u{27e6}'));
    }
    for refused in Refused::ALL {
        assert!(!words.of("refused", &refused).contains('\u{27e6}'));
    }
}

/// Every key that the code asks for by name is a text.
#[test]
fn every_key_in_the_code_is_translated() {
    let sources = [
        include_str!("data.rs"),
        include_str!("found.rs"),
        include_str!("page.rs"),
        include_str!("plot.rs"),
        include_str!("watched.rs"),
        include_str!("../trial.rs"),
    ];
    let mut seen = 0;
    for source in sources {
        for call in [
            "words.t(\"",
            "words.with(\"",
            "words.filled(\"",
            "words.with(\n            \"",
        ] {
            for rest in source.split(call).skip(1) {
                let key = rest.split('"').next().unwrap();
                seen += 1;
                assert!(TEXTS.has(Language::En, key), "{key}");
            }
        }
    }
    assert!(seen > 60, "the search finds the keys: {seen}");
}

fn command(folder: &Path, export: &str) -> Try {
    let file = folder.join("fleet.csv");
    std::fs::write(&file, export).unwrap();
    Try {
        export: file,
        services: None,
        running: None,
        out: folder.join("out"),
        lang: Language::En,
    }
}

#[test]
fn both_files_are_written_and_the_input_never_is() {
    let folder = tempfile::tempdir().unwrap();
    let export = export();
    command(folder.path(), &export).run().unwrap();
    let json = std::fs::read_to_string(folder.path().join("out/report.json")).unwrap();
    let report: Report = serde_json::from_str(&json).unwrap();
    assert_eq!((report.version, report.devices.len()), (1, 3));
    assert!(folder.path().join("out/report.html").exists());

    let mut over = command(folder.path(), &export);
    over.out = folder.path().join("other");
    std::fs::create_dir(&over.out).unwrap();
    symlink(&over.export, over.out.join("report.json")).unwrap();
    let input = over.export.clone();
    let error = format!("{:#}", over.run().unwrap_err());
    assert!(error.contains("is an input itself"), "{error}");
    assert_eq!(std::fs::read_to_string(input).unwrap(), export);
}

#[test]
fn only_an_earlier_report_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let export = export();
    let out = folder.path().join("out");
    command(folder.path(), &export).run().unwrap();
    // What an interrupted run left behind is no hindrance.
    std::fs::write(out.join("report.json.part"), "{").unwrap();
    for name in [HTML, JSON] {
        command(folder.path(), &export).run().unwrap();
        let ours = std::fs::read(out.join(name)).unwrap();
        std::fs::write(out.join(name), "{\"sales\": 7}").unwrap();
        let other = if name == HTML { JSON } else { HTML };
        std::fs::remove_file(out.join(other)).unwrap();
        let error = format!("{:#}", command(folder.path(), &export).run().unwrap_err());
        assert!(error.contains("is no report of a trial"), "{error}");
        assert_eq!(std::fs::read_to_string(out.join(name)).unwrap(), "{\"sales\": 7}");
        // Neither of the two is written where one cannot be.
        assert!(!out.join(other).exists());
        std::fs::write(out.join(name), ours).unwrap();
    }
}

#[test]
fn a_link_beside_the_report_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (out, other) = (folder.path().join("out"), folder.path().join("other.txt"));
    std::fs::create_dir(&out).unwrap();
    std::fs::write(&other, "kept").unwrap();
    symlink(&other, out.join("report.html.part")).unwrap();
    assert!(command(folder.path(), &export()).run().is_err());
    assert_eq!(std::fs::read_to_string(other).unwrap(), "kept");
}

#[test]
fn a_service_ends_the_band_and_one_outside_is_not_drawn() {
    let with = |services: String| {
        let report = try_export("f.csv", export().as_bytes(), Some(services.as_bytes()), None).unwrap();
        let words = Words { language: Language::En };
        page::page(&words, &report)
    };
    let drawn = |page: &str| page.matches("class=\"service\"").count();
    let band = |page: &str| {
        let band = page.split("class=\"band\"").nth(1).unwrap();
        let width = band.split("width=\"").nth(1).unwrap().split('"').next().unwrap();
        width.parse::<f64>().unwrap()
    };
    let inside = with(services());
    let outside = with(format!("device;date\n{HOSTILE}1;2026-03-18\n{HOSTILE}1;2024-03-01\n"));
    assert_eq!((drawn(&inside), drawn(&outside)), (1, 0));
    assert!(band(&inside) < band(&outside) && (band(&outside) - 538.0).abs() < 0.1);
}

#[test]
fn an_export_of_which_nothing_can_be_watched_fails_and_says_where_the_reason_is() {
    let folder = tempfile::tempdir().unwrap();
    let few: Vec<String> = export().lines().take(30).map(str::to_owned).collect();
    let error = command(folder.path(), &few.join("\n")).run().unwrap_err().to_string();
    assert!(
        error.contains("could be watched") && error.contains("report.html"),
        "{error}"
    );
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("too few steps"));
}

#[test]
fn the_language_is_one_of_two() {
    assert_eq!(language("zh-cn"), Ok(Language::ZhCn));
    assert!(language("fr").is_err());
}
