//! What an owner hears at the other end of real calls, over SIPp and baresip and in both languages: the prompt as it was made,
//! with its first syllable, after a silence, at the level of speech. When the first key is named is measured in
//! `prompt/heard_tests.rs`, on the same sound.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::baresip::Baresip;
use common::sipp::Sipp;
use common::{TestHost, config, eventually, limits, logs, order, prompts, trunk};
use hub_core::call_result::CallResult;
use hub_core::language::Language;
use hub_voice::media::g711::Codec;
use hub_voice::media::rtp;
use hub_voice::prompt::cache::PromptCache;
use hub_voice::prompt::level::{LEVEL_DBOV, active_level_dbov};
use hub_voice::prompt::tts::EspeakTts;
use hub_voice::prompt::{LEAD, PromptMaker};
use hub_voice::{Limits, Voice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;

/// What is heard of a call, in samples: 12 s.
const HEARD: usize = 96_000;
/// What of it is compared, from the first sound on: 10 s.
const COMPARED: usize = 80_000;
/// The first 200 ms of speech.
const FIRST: usize = 1_600;
/// Samples by which the first sound may be found too late, when its beginning was lost, and too early.
const LATE: usize = 4_000;
const EARLY: usize = 800;
/// Samples beyond this are sound.
const SOUND: u16 = 200;

/// The menu as it is made for the order that [`rings`] has.
async fn menu(language: Language) -> Vec<i16> {
    let cache = PromptCache::open(&prompts(), 64 << 20).unwrap();
    let maker = PromptMaker::new(Arc::new(EspeakTts::default()), cache, None).unwrap();
    let order = order(language);
    let made = maker.prepare(language, &order.flow, &order.values).await.unwrap();
    made.of_nodes["menu"].sound.samples().collect()
}

/// Rings over that trunk and hangs up when enough was heard.
async fn rings(language: Language, at: SocketAddr, has_heard: impl Future<Output = ()>) {
    logs();
    let patient = Limits {
        post_dial: Duration::from_secs(20),
        ..limits()
    };
    let voice = Voice::start(config(trunk(at), patient)).await.unwrap();
    let ends = async {
        has_heard.await;
        voice.hang_up_all();
    };
    let ring = voice.ring(order(language), Arc::new(TestHost::default()));
    let (detail, ()) = tokio::join!(ring, ends);
    assert_eq!(detail.result, CallResult::Answered, "{detail:?}");
    voice.shutdown().await;
}

fn first_sound(samples: &[i16]) -> usize {
    let found = samples.iter().position(|sample| sample.unsigned_abs() > SOUND);
    found.expect("a sound")
}

fn product(one: &[i16], other: &[i16]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn likeness(one: &[i16], other: &[i16]) -> f64 {
    let powers = product(one, one) * product(other, other);
    if powers > 0.0 {
        product(one, other) / powers.sqrt()
    } else {
        0.0
    }
}

/// Insists that `heard`, from the first sample after the answer on, is what was made, and says how it was. `lead_min`: samples
/// of silence before it.
fn is_as_made(case: &str, made: &[i16], heard: &[i16], lead_min: usize) {
    let from = first_sound(made);
    let said = &made[from..from + COMPARED];
    let lead = first_sound(heard);
    let lags = lead.saturating_sub(LATE)..=(lead + EARLY).min(heard.len() - COMPARED);
    let second = |lag: usize| product(&said[..8_000], &heard[lag..lag + 8_000]);
    let place = lags.max_by(|a, b| second(*a).total_cmp(&second(*b))).unwrap();
    let window = &heard[place..place + COMPARED];
    let (whole, first) = (likeness(said, window), likeness(&said[..FIRST], &window[..FIRST]));
    let level = active_level_dbov(window).unwrap();
    eprintln!(
        "{case}: likeness {whole:.4}, of the first 200 ms {first:.4}; level {level:.1} dBov; lead-in {} ms",
        lead / 8
    );
    assert!(whole >= 0.9, "{case}: the prompt is heard as it was made: {whole}");
    assert!(first >= 0.9, "{case}: its first 200 ms too: {first}");
    assert!((level - LEVEL_DBOV).abs() <= 2.0, "{case}: {level} dBov");
    // The voice leaves up to 200 ms of its own before its first sound, and the prompt may begin some packets after the answer.
    assert!(
        (lead_min..LEAD + 4_000).contains(&lead),
        "{case}: {lead} samples of silence"
    );
}

/// Puts the sound of each packet where its time stamp says; what is missing stays silent.
async fn listens(socket: UdpSocket, heard: Arc<Mutex<Vec<i16>>>) {
    let mut buffer = [0; rtp::PACKET_MAX];
    let mut begun = None;
    loop {
        let length = socket.recv(&mut buffer).await.unwrap();
        let Some((header, payload)) = rtp::read(&buffer[..length]) else {
            continue;
        };
        let Some(codec) = Codec::from_payload_type(header.payload_type) else {
            continue;
        };
        let at = header.timestamp.wrapping_sub(*begun.get_or_insert(header.timestamp)) as usize;
        assert!(at < 60 * 8_000, "a time stamp within the call: {at}");
        let mut heard = heard.lock().unwrap();
        let end = heard.len().max(at + payload.len());
        heard.resize(end, 0);
        for (place, octet) in heard[at..].iter_mut().zip(payload) {
            *place = codec.decode(*octet);
        }
    }
}

async fn over_sipp(language: Language) {
    let made = menu(language).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let heard: Arc<Mutex<Vec<i16>>> = Arc::default();
    let listening = tokio::spawn(listens(socket, Arc::clone(&heard)));
    let sipp = Sipp::start("uas-heard", &["-key", "heard", &port]);
    let enough = async {
        let is_heard = || (heard.lock().unwrap().len() >= HEARD).then_some(());
        eventually("12 s of audio", is_heard).await;
    };
    rings(language, sipp.address, enough).await;
    sipp.passed().await;
    listening.abort();
    let heard = heard.lock().unwrap().clone();
    is_as_made(&format!("SIPp, {language:?}"), &made, &heard, LEAD);
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_hears_the_prompt_as_it_was_made() {
    tokio::join!(over_sipp(Language::En), over_sipp(Language::ZhCn));
}

async fn over_baresip(language: Language) {
    let made = menu(language).await;
    let phone = Baresip::start("+8613800008412");
    let enough = async {
        let is_heard = || {
            let length = std::fs::metadata(phone.recording()?).ok()?.len();
            (length >= 2 * HEARD as u64 + 44).then_some(())
        };
        eventually("12 s of audio", is_heard).await;
    };
    rings(language, phone.address, enough).await;
    // The length is written into the file at its end.
    let heard = eventually("a recording that is closed", || {
        let mut file = hound::WavReader::open(phone.recording()?).ok()?;
        assert_eq!((file.spec().sample_rate, file.spec().channels), (8_000, 1));
        let samples: Vec<i16> = file.samples::<i16>().collect::<Result<_, _>>().ok()?;
        (samples.len() >= HEARD).then_some(samples)
    })
    .await;
    // A telephone begins to listen some packets after it has answered.
    is_as_made(&format!("baresip, {language:?}"), &made, &heard, LEAD - 1_600);
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_hears_the_prompt_as_it_was_made() {
    tokio::join!(over_baresip(Language::En), over_baresip(Language::ZhCn));
}
