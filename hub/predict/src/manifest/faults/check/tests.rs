use super::*;
use crate::generic::Speed;
use crate::manifest::Statistic;
use hub_core::profile::Family;

const MANIFEST: &str = include_str!("../../../../tests/data/named/manifest.toml");
const FAULTS: &str = include_str!("../../../../tests/data/named/faults.toml");

fn profile() -> ApplianceProfile {
    let family: Family =
        toml::from_str(include_str!("../../../../../../models/profiles/washing-machine.toml")).unwrap();
    family.profile
}

fn manifest() -> Manifest {
    let manifest: Manifest = toml::from_str(MANIFEST).unwrap();
    assert_eq!(manifest.check(&profile()), Ok(()));
    manifest
}

fn file() -> FaultsFile {
    toml::from_str(FAULTS).unwrap()
}

/// Changes a file, and looks at what the refusal says.
type Case<'a> = dyn FnMut(&dyn Fn(&mut FaultsFile), &str, &str) + 'a;

#[test]
fn a_file_is_what_the_detector_goes_by() {
    let named = file().named(&manifest(), &profile()).unwrap();
    let names: Vec<&str> = named.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["pump", "spun", "full_speed"]);
    assert_eq!(
        named.compared(&[Some(1.0), None, Some(3.0), None, Some(4.0)]),
        [Some(1.0), Some(4.0), Some(3.0)]
    );
    let pump = &named.faults.signatures[0];
    assert_eq!((pump.moves.as_slice(), pump.speed), (&[(0, 0.4)][..], Speed::Quick));
    assert_eq!(pump.borne_out_by, Some((0, 2.5)));
    assert_eq!(named.faults.conditions[0].by, 2);
    assert_eq!(named.faults.metrics.slow.usual(1), 0.05);
    // What a mean in amperes is compared by is its logarithm, and shown as amperes.
    assert_eq!(named.shown[0].unit, "A");
    let (value, deviation) = named.shown[0].plain(0.5_f64.ln(), 0.1);
    assert!((value - 0.5).abs() < 1e-12 && (deviation - 0.05).abs() < 1e-12);
    assert_eq!((named.shown[1].unit.as_str(), named.shown[1].is_logarithm), ("/", true));
}

#[test]
fn a_file_that_is_written_is_read_as_it_was() {
    let mut file = file();
    file.signatures[1].call_level = f64::MAX;
    file.metrics.slow[0][0] = 0.1 + 0.2;
    let again: FaultsFile = toml::from_str(&toml::to_string(&file).unwrap()).unwrap();
    assert_eq!(again, file);
}

#[test]
fn figures_of_periods_have_no_phases() {
    let daily = || {
        let mut manifest = manifest();
        manifest.resampling = Resampling::Mean {
            period_s: 86_400.0,
            row_s: 60.0,
            gap_s: 604_800.0,
            min_rows: 48,
            running: None,
        };
        manifest
            .features
            .iter_mut()
            .for_each(|feature| (feature.phases.clear(), feature.statistic = Statistic::Mean).0);
        manifest
    };
    assert_eq!(daily().check(&profile()), Ok(()));
    let why = file().named(&daily(), &profile()).unwrap_err();
    assert!(why.to_string().contains("has no phases"), "{why}");
    let mut all_rows = file();
    let of_rows = all_rows.figures.iter_mut().filter_map(|figure| figure.rows.as_mut());
    of_rows.for_each(|rows| rows.phases.clear());
    assert!(all_rows.named(&daily(), &profile()).is_ok());
    let mut steady = daily();
    steady.resampling = Resampling::Period {
        period_s: 60.0,
        hold_gap_s: 600.0,
    };
    let why = all_rows.named(&steady, &profile()).unwrap_err();
    assert!(why.to_string().contains("rule = \"cycle\" or \"mean\""), "{why}");
}

#[test]
fn each_wrong_entry_is_refused_by_name_with_what_to_write() {
    let share = |figure: &str, by: f64| Share {
        figure: figure.into(),
        by,
    };
    let mut refused = 0;
    let mut case = |change: &dyn Fn(&mut FaultsFile), entry: &str, what: &str| {
        let mut file = file();
        change(&mut file);
        let said = file.named(&manifest(), &profile()).unwrap_err().to_string();
        assert!(
            said.starts_with(entry) && said.contains(what),
            "{said:?} and not {entry}: {what}"
        );
        refused += 1;
    };
    case(&|f| f.threshold = 0.0, "threshold", "above 0");
    case(&|f| f.calls = f64::INFINITY, "calls", "finite");
    case(&|f| f.figures.clear(), "figures", "1 to 64");
    case(&|f| f.compared.clear(), "compared", "1 to 64");
    case(&|f| f.compared = vec!["pump".into(); 65], "compared", "1 to 64");
    case(&|f| f.signatures.clear(), "signatures", "1 to 32");
    case(
        &|f| f.signatures = vec![f.signatures[0].clone(); 33],
        "signatures",
        "1 to 32",
    );
    case(
        &|f| f.figures[1].name = "pump".into(),
        "figure \"pump\"",
        "no other figure",
    );
    case(&|f| f.figures[0].rows = None, "figure \"pump\"", "either rows or a sum");
    case(
        &|f| f.figures[4].sum[0].figure = "spun".into(),
        "figure \"spun\"",
        "before it",
    );
    case(&|f| f.figures[4].sum[0].by = f64::NAN, "figure \"spun\"", "finite `by`");
    let rows = |change: &dyn Fn(&mut RowsRule), what: &str, case: &mut Case<'_>| {
        case(
            &|f| change(f.figures[0].rows.as_mut().unwrap()),
            "figure \"pump\"",
            what,
        );
    };
    rows(&|r| r.channel = "pressure".into(), "no channel \"pressure\"", &mut case);
    rows(&|r| r.phases.clear(), "phases", &mut case);
    rows(&|r| r.per.as_mut().unwrap().reference = 0.0, "`per`", &mut case);
    let upside_down = Within {
        channel: "drum_speed_rpm".into(),
        least: 2.0,
        most: 1.0,
    };
    rows(&|r| r.within = vec![upside_down.clone()], "`within`", &mut case);
    let loss = Take::Loss {
        settle_rows: 1,
        refill: 0.0,
    };
    rows(&|r| r.take = loss, "refill", &mut case);
    case(&|f| f.compared[1] = "pump".into(), "compared \"pump\"", "twice");
    case(&|f| f.compared[1] = "level".into(), "compared \"level\"", "[[figures]]");
    let of_feature = |f: &mut FaultsFile| {
        f.figures[2].name = "spin_current".into();
        f.compared[2] = "spin_current".into();
    };
    case(&of_feature, "compared \"spin_current\"", "feature of the manifest");
    case(
        &|f| f.conditions[0].by = "spun".into(),
        "condition of \"spun\"",
        "two compared figures",
    );
    case(
        &|f| f.conditions[0].linear = f64::NAN,
        "condition of \"spun\"",
        "finite numbers",
    );
    case(
        &|f| drop(f.signatures.pop()),
        "class \"drum_bearing\"",
        "has no signature",
    );
    case(
        &|f| f.signatures[0].class = "leak".into(),
        "class \"drain_pump\"",
        "has no signature",
    );
    let more = |f: &mut FaultsFile| {
        let other = f.signatures[0].clone();
        f.signatures.push(SignatureRule {
            class: "leak".into(),
            ..other
        });
    };
    case(&more, "signature of \"leak\"", "[[classification.classes]]");
    case(
        &|f| f.signatures[0].moves.clear(),
        "signature of \"drain_pump\"",
        "at least one",
    );
    case(
        &|f| f.signatures[0].moves[0].by = 0.0,
        "signature of \"drain_pump\"",
        "other than 0",
    );
    case(
        &|f| f.signatures[0].moves[0] = share("full_speed", 1.0),
        "signature of",
        "none that tells a condition",
    );
    case(
        &|f| f.signatures[0].borne_out_by = Some(share("gone", 1.0)),
        "signature of",
        "borne_out_by",
    );
    case(
        &|f| f.signatures[0].ticket_level = -1.0,
        "signature of",
        "ticket_level above 0",
    );
    case(&|f| f.signatures[0].call_level = 1.0, "signature of", "not below it");
    case(&|f| f.metrics.newest[0][1] += 1.0, "metrics.newest", "row 1, number 2");
    case(&|f| f.metrics.quick[2][2] = 0.0, "metrics.quick", "row 3, number 3");
    case(&|f| f.metrics.slow[1][1] = f64::NAN, "metrics.slow", "not finite");
    case(&|f| drop(f.metrics.slow.pop()), "metrics.slow", "3 rows of 3");
    assert!(refused > 30);
}

#[test]
fn a_moved_figure_needs_words_in_the_manifest_and_runs_need_their_rule() {
    let mut manifest = manifest();
    let words = &mut manifest.detector.as_mut().unwrap().words;
    words.remove("pump");
    let said = file().named(&manifest, &profile()).unwrap_err().to_string();
    assert!(said.contains("\"pump\"") && said.contains("[detector.words]"), "{said}");
    manifest.resampling = Resampling::Period {
        period_s: 60.0,
        hold_gap_s: 60.0,
    };
    let said = file().named(&manifest, &profile()).unwrap_err().to_string();
    assert!(said.contains("rule = \"cycle\""), "{said}");
    let said = manifest.check(&profile()).unwrap_err().to_string();
    assert!(said.contains("rule cycle") || said.contains("rule period"), "{said}");
}
