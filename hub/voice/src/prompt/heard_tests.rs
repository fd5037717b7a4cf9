//! What an owner hears, measured on what the voice really makes.

use super::level::{LEVEL_DBOV, PEAK, active_level_dbov};
use super::tts::EspeakTts;
use super::*;
use crate::value::Value;

/// Samples within which the first key has to be named: 25 s.
const FIRST_KEY_MAX: usize = 25 * 8_000;

fn values(language: Language, fault: &str) -> Values {
    let at = |hour, minute| {
        jiff::civil::date(2026, 11, 25)
            .at(hour, minute, 0, 0)
            .in_tz("Asia/Shanghai")
            .unwrap()
    };
    let brand = if language == Language::En { "Haier" } else { "海尔" };
    let (start, end) = (at(13, 30), at(16, 30));
    let price = Value::Money {
        currency: "CNY".into(),
        minor_units: 12_000,
    };
    Values::from(
        [
            ("brand", Value::Text(brand.into())),
            ("appliance", shipped::appliance("washing-machine", language)),
            ("serial", Value::Digits("8412".into())),
            ("fault", shipped::fault(fault, language)),
            ("safe", Value::YesNo(false)),
            ("price", price),
            ("slot", Value::TimeWindow { start, end }),
            ("by", Value::DateTime(at(17, 0))),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

async fn prepare(maker: &PromptMaker, language: Language, fault: &str) -> HashMap<String, Prompt> {
    let values = values(language, fault);
    let made = maker.prepare(language, &Flow::owner_call(), &values).await;
    made.unwrap().of_nodes
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
        let prompts = prepare(&maker, language, "drain_pump_wear").await;
        assert_eq!(prompts.len(), 10);
        for (node, prompt) in prompts {
            let samples: Vec<i16> = prompt.sound.samples().collect();
            let level = active_level_dbov(&samples).unwrap();
            assert!(
                (level - LEVEL_DBOV).abs() <= 2.0,
                "{node} in {language:?}: {level} dBov"
            );
            let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!(peak <= PEAK.unsigned_abs(), "{node} in {language:?}: {peak}");
            let speaks = samples.iter().position(|sample| sample.unsigned_abs() > 200).unwrap();
            let (from, to) = if node == "menu" {
                (LEAD, LEAD + 1_600)
            } else {
                (0, 1_600)
            };
            assert!(
                (from..to).contains(&speaks),
                "{node} in {language:?}: after {speaks} samples"
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
            let flow = Flow::owner_call();
            let facts = Facts::new(&maker.texts, language, &flow, &values(language, fault)).unwrap();
            let segments = facts.segments(flow.nodes[flow.start].say()).unwrap();
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
    let prompts = prepare(&maker, Language::En, "hot_water").await;
    let samples: Vec<i16> = prompts["goodbye"].sound.samples().collect();
    assert_eq!(samples.len(), loud.len() + TAIL, "the recording, not the voice");
    let level = active_level_dbov(&samples[..loud.len()]).unwrap();
    assert!((level - LEVEL_DBOV).abs() < 0.5, "{level} dBov");
}

#[tokio::test]
async fn calls_share_what_they_say_and_read_nothing_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let maker = maker(folder.path(), None);
    let first = prepare(&maker, Language::En, "hot_water").await;
    folder.close().unwrap();
    let second = prepare(&maker, Language::En, "hot_water").await;
    for (node, prompt) in &first {
        for (one, other) in prompt.sound.pieces().iter().zip(second[node].sound.pieces()) {
            if let (Piece::Samples(one), Piece::Samples(other)) = (one, other) {
                assert!(Arc::ptr_eq(one, other), "{node}");
            }
        }
    }
    let speaks = |prompt: &Prompt| {
        let mut pieces = prompt.sound.pieces().iter();
        pieces.any(|piece| matches!(piece, Piece::Samples(_)))
    };
    assert!(first.values().all(speaks));
}
