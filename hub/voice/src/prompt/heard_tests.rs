//! What an owner hears, measured on what the voice really makes.

use super::level::{LEVEL_DBOV, PEAK, active_level_dbov};
use super::tts::EspeakTts;
use super::*;
use crate::order::{ApplianceKind, Price, Slot};

/// Samples within which the first key has to be named: 25 s.
const FIRST_KEY_MAX: usize = 25 * 8_000;

fn script(language: Language, fault_class: &str) -> Script {
    let at = |hour, minute| {
        jiff::civil::date(2026, 11, 25)
            .at(hour, minute, 0, 0)
            .in_tz("Asia/Shanghai")
            .unwrap()
    };
    Script {
        brand: if language == Language::En { "Haier" } else { "海尔" }.into(),
        appliance: ApplianceKind("washing-machine".into()),
        serial_tail: "8412".into(),
        fault_class: fault_class.into(),
        safe_to_use: false,
        price: Price {
            currency: "CNY".into(),
            minor_units: 12_000,
        },
        slot: Some(Slot {
            start: at(13, 30),
            end: at(16, 30),
        }),
        person_rings_by: at(17, 0),
    }
}

fn maker(folder: &Path, recordings: Option<PathBuf>) -> PromptMaker {
    let cache = PromptCache::open(folder, 64 << 20).unwrap();
    PromptMaker::new(Arc::new(EspeakTts::default()), cache, recordings).unwrap()
}

#[tokio::test]
async fn every_prompt_is_as_loud_as_speech_on_the_telephone_and_a_call_begins_with_silence() {
    let folder = tempfile::tempdir().unwrap();
    let maker = maker(folder.path(), None);
    for language in [Language::En, Language::ZhCn] {
        let prompts = maker
            .prepare(language, &script(language, "drain_pump_wear"))
            .await
            .unwrap();
        assert_eq!(prompts.len(), PromptId::ALL.len());
        for (id, prompt) in prompts {
            let samples: Vec<i16> = prompt.sound.samples().collect();
            let level = active_level_dbov(&samples).unwrap();
            assert!(
                (level - LEVEL_DBOV).abs() <= 2.0,
                "{id:?} in {language:?}: {level} dBov"
            );
            let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!(peak <= PEAK.unsigned_abs(), "{id:?} in {language:?}: {peak}");
            let speaks = samples.iter().position(|sample| sample.unsigned_abs() > 200).unwrap();
            let (from, to) = if id == PromptId::Menu {
                (LEAD, LEAD + 1_600)
            } else {
                (0, 1_600)
            };
            assert!(
                (from..to).contains(&speaks),
                "{id:?} in {language:?}: after {speaks} samples"
            );
        }
    }
}

/// The sentence of the keys that names the first one.
fn first_sentence(text: &str) -> &str {
    let end = text.find(['.', '。']).expect("a full stop");
    let stop = text[end..].chars().next().map_or(0, char::len_utf8);
    &text[..end + stop]
}

#[tokio::test]
async fn the_first_key_is_named_within_25_s() {
    let folder = tempfile::tempdir().unwrap();
    let maker = maker(folder.path(), None);
    let faults = [
        "drain_pump_wear",
        "drum_bearing",
        "heater_scale",
        "door_gasket",
        "flow_loss",
        "rotor_imbalance",
        "hot_water",
        "never_heard_of",
    ];
    for language in [Language::En, Language::ZhCn] {
        for fault in faults {
            let script = script(language, fault);
            let segments = maker.texts.segments(PromptId::Menu, language, &script).unwrap();
            let keys = segments.iter().position(|s| s.message == "keys-slot").unwrap();
            let mut samples = LEAD;
            for segment in &segments[..keys] {
                samples += maker.audio(language, segment).await.unwrap().len() + PAUSE;
            }
            let first = Segment {
                text: first_sentence(&segments[keys].text).to_owned(),
                ..segments[keys].clone()
            };
            samples += maker.audio(language, &first).await.unwrap().len();
            let seconds = samples as f64 / 8_000.0;
            assert!(samples <= FIRST_KEY_MAX, "{fault} in {language:?}: {seconds} s");
            // A voice in a hurry is not understood.
            assert!(seconds > 12.0, "{fault} in {language:?}: {seconds} s");
        }
    }
}

#[tokio::test]
async fn a_recording_is_brought_to_the_same_level() {
    let (folder, recordings) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(recordings.path().join("en")).unwrap();
    let loud: Vec<i16> = (0..16_000)
        .map(|n| ((f64::from(n) * 0.4).sin() * 32_000.0) as i16)
        .collect();
    tts::write_wav(&recordings.path().join("en/goodbye.wav"), &loud).unwrap();
    let maker = maker(folder.path(), Some(recordings.path().to_owned()));
    let prompts = maker
        .prepare(Language::En, &script(Language::En, "hot_water"))
        .await
        .unwrap();
    let samples: Vec<i16> = prompts[&PromptId::Goodbye].sound.samples().collect();
    assert_eq!(samples.len(), loud.len() + TAIL, "the recording, not the voice");
    let level = active_level_dbov(&samples[..loud.len()]).unwrap();
    assert!((level - LEVEL_DBOV).abs() < 0.5, "{level} dBov");
}

#[tokio::test]
async fn calls_share_what_they_say_and_read_nothing_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let maker = maker(folder.path(), None);
    let script = script(Language::En, "hot_water");
    let first = maker.prepare(Language::En, &script).await.unwrap();
    folder.close().unwrap();
    let second = maker.prepare(Language::En, &script).await.unwrap();
    for id in PromptId::ALL {
        for (one, other) in first[&id].sound.pieces().iter().zip(second[&id].sound.pieces()) {
            if let (Piece::Samples(one), Piece::Samples(other)) = (one, other) {
                assert!(Arc::ptr_eq(one, other), "{id:?}");
            }
        }
    }
    let spoken = |id: PromptId| {
        first[&id]
            .sound
            .pieces()
            .iter()
            .any(|piece| matches!(piece, Piece::Samples(_)))
    };
    assert!(PromptId::ALL.into_iter().all(spoken));
}
