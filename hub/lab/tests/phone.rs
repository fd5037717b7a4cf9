//! The hub's telephone side and the lab's phones, over real SIP and RTP on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

use async_trait::async_trait;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::host::HostPort;
use hub_core::id::AttemptId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_lab::handset::{Act, Habits, Handset, Shown};
use hub_lab::phone::{PhoneAnswer, PhoneReport, PhoneScript, Phones};
use hub_voice::signaling::rsip::Digest;
use hub_voice::*;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests_world::owner::{Answer, OwnerScript};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Host {
    details: Mutex<Vec<CallDetail>>,
    steps: Mutex<Vec<CallProgress>>,
}

impl Host {
    /// A key of the owner has come through.
    fn heard_a_key(&self) -> bool {
        let steps = self.steps.lock().unwrap();
        steps.iter().any(|step| matches!(step, CallProgress::Pressed { .. }))
    }
}

#[async_trait]
impl CallHost for Host {
    async fn progress(&self, _: AttemptId, step: CallProgress) {
        self.steps.lock().unwrap().push(step);
    }
    async fn commit(&self, _: AttemptId, _: Disposition) -> Result<(), CommitRefused> {
        Ok(())
    }
}

#[async_trait]
impl InboundHost for Host {
    async fn answer(&self, trunk: &str, caller: Option<PhoneNumber>, _: Option<PhoneNumber>) -> InboundDecision {
        assert_eq!(trunk, "lab");
        caller.map_or(InboundDecision::Decline, |caller| {
            InboundDecision::Flow(Box::new(order(caller)))
        })
    }
    async fn finished(&self, detail: CallDetail) {
        self.details.lock().unwrap().push(detail);
    }
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).unwrap()
}

fn order(to: PhoneNumber) -> CallOrder {
    let at = |hour| {
        jiff::civil::date(2026, 11, 24)
            .at(hour, 0, 0, 0)
            .in_tz("Asia/Shanghai")
            .unwrap()
    };
    let (start, end) = (at(9), at(12));
    let price = Value::Money {
        currency: "CNY".into(),
        minor_units: 12_000,
    };
    CallOrder {
        attempt: AttemptId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
        trunk: "lab".into(),
        to,
        language: Language::ZhCn,
        flow: Flow::owner_call(),
        values: Values::from(
            [
                ("brand", Value::Text("海尔".into())),
                ("appliance", Value::Term(Some("洗衣机".into()))),
                ("serial", Value::Digits("8412".into())),
                ("fault", Value::Term(Some("排水泵可能快要坏了。".into()))),
                ("safe", Value::YesNo(true)),
                ("price", price),
                ("slot", Value::TimeWindow { start, end }),
                ("by", Value::DateTime(at(17))),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        ),
    }
}

struct Lab {
    phones: Phones,
    reports: mpsc::Receiver<PhoneReport>,
    voice: Arc<Voice>,
}

async fn lab() -> Lab {
    lab_with(None, None).await
}

fn digest(password: &str) -> Digest {
    Digest {
        user: "hub".into(),
        password: Secret::new(password),
    }
}

/// Phones that demand one password of a hub that knows another.
async fn lab_with(demanded: Option<Digest>, known: Option<Digest>) -> Lab {
    lab_by(demanded, known, HostPort::from).await
}

/// The same, with the phones as a trunk by what `proxy` makes of their address.
async fn lab_by(demanded: Option<Digest>, known: Option<Digest>, proxy: impl FnOnce(SocketAddr) -> HostPort) -> Lab {
    let (phones, reports) = Phones::start_with("127.0.0.1:0".parse().unwrap(), demanded)
        .await
        .unwrap();
    let trunk = TrunkConfig {
        name: "lab".into(),
        proxy: proxy(phones.local()),
        addresses: Vec::new(),
        domain: "lab.test".into(),
        username: known.as_ref().map(|known| known.user.clone()),
        password: known.map(|known| known.password),
        caller_number: number("+864008000001"),
        channels: 4,
        inbound_channels: Some(0),
        // The phones assert nobody.
        believe_from: true,
        post_dial_limit_s: None,
        trying_limit_s: None,
        number_plan: None,
    };
    let limits = Limits {
        ring: Duration::from_secs(2),
        ..Limits::default()
    };
    let config = VoiceConfig {
        bind: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        media_ports: None,
        trunks: vec![trunk],
        prompt_cache: std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("prompts"),
        prompt_cache_bytes: 64 << 20,
        recordings: None,
        limits,
    };
    Lab {
        phones,
        reports,
        voice: Arc::new(Voice::start(config).await.unwrap()),
    }
}

/// Waits until it holds, 30 s at most.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < until, "{what} within 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn report(lab: &mut Lab) -> PhoneReport {
    tokio::time::timeout(Duration::from_secs(30), lab.reports.recv())
        .await
        .expect("a report within 30 s")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_owner_is_reached_as_the_script_says() {
    let mut lab = lab().await;
    for (script, result, disposition) in [
        (
            OwnerScript::answers(SOON, "1", SOON),
            CallResult::Answered,
            Some(Disposition::AppointmentBooked),
        ),
        (
            OwnerScript::answers(SOON, "09", SOON),
            CallResult::Answered,
            Some(Disposition::DoNotCall),
        ),
        (OwnerScript::not_reached(Answer::Busy), CallResult::Busy, None),
        (
            OwnerScript::not_reached(Answer::DeclinesAfter(SOON)),
            CallResult::Declined,
            None,
        ),
        (OwnerScript::not_reached(Answer::Never), CallResult::NoAnswer, None),
    ] {
        let to = number("+8613800008412");
        lab.phones.set(to.clone(), (&script).into());
        let detail = lab.voice.ring(order(to.clone()), Arc::new(Host::default())).await;
        assert_eq!(
            (detail.result, detail.disposition),
            (result, disposition),
            "{script:?} {detail:?}"
        );
        let report = report(&mut lab).await;
        assert_eq!((report.number, report.other), (to, Some(number("+864008000001"))));
        assert_eq!(
            (report.answered, report.pressed.as_str()),
            (disposition.is_some(), detail.digits.as_str())
        );
        if report.answered {
            assert!(
                report.audio.packets_received > 50 && report.audio.packets_sent > 50,
                "{:?}",
                report.audio
            );
            let loud = report.heard.iter().filter(|sample| sample.abs() > 1_000).count();
            assert!(loud > 4_000, "half a second of speech at least: {loud}");
        }
    }
    let nobody = lab
        .voice
        .ring(order(number("+8613900000000")), Arc::new(Host::default()))
        .await;
    assert_eq!(nobody.result, CallResult::InvalidNumber);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_rings_back() {
    let lab = lab().await;
    let host = Arc::new(Host::default());
    let (voice, served, stop) = (Arc::clone(&lab.voice), host.clone(), CancellationToken::new());
    let stopped = stop.clone();
    let serving = tokio::spawn(async move { voice.serve_inbound(served, stopped).await });
    let script = (&OwnerScript::answers(Duration::ZERO, "2", SOON)).into();
    let from = number("+8613800008412");
    let report = lab
        .phones
        .ring_hub(lab.voice.local(), from, number("+864008000001"), &script)
        .await
        .unwrap();
    assert!(
        report.answered && report.pressed == "2" && report.audio.packets_received > 50,
        "{:?}",
        report.audio
    );
    stop.cancel();
    serving.await.unwrap();
    eventually("the call's record", || !host.details.lock().unwrap().is_empty()).await;
    assert_eq!(
        host.details.lock().unwrap()[0].disposition,
        Some(Disposition::AnotherTime)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_is_reached_and_known_by_its_name() {
    let named = |local: SocketAddr| format!("localhost:{}", local.port()).parse().unwrap();
    let mut lab = lab_by(None, None, named).await;
    let owner = number("+8613800008412");
    lab.phones
        .set(owner.clone(), (&OwnerScript::answers(SOON, "3", SOON)).into());
    let detail = lab.voice.ring(order(owner.clone()), Arc::new(Host::default())).await;
    assert_eq!(detail.disposition, Some(Disposition::PersonWanted), "{detail:?}");
    assert!(report(&mut lab).await.answered);

    let host = Arc::new(Host::default());
    let (voice, served, stop) = (Arc::clone(&lab.voice), host.clone(), CancellationToken::new());
    let stopped = stop.clone();
    tokio::spawn(async move { voice.serve_inbound(served, stopped).await });
    let script = (&OwnerScript::answers(Duration::ZERO, "2", SOON)).into();
    let back = lab
        .phones
        .ring_hub(lab.voice.local(), owner, number("+864008000001"), &script)
        .await
        .unwrap();
    assert!(back.answered && back.pressed == "2", "{:?}", back.audio);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_whose_name_has_no_address_rings_nobody_and_says_so() {
    let nowhere = |_: SocketAddr| "nowhere.invalid:5060".parse().unwrap();
    let lab = lab_by(None, None, nowhere).await;
    let owner = number("+8613800008412");
    let detail = lab.voice.ring(order(owner), Arc::new(Host::default())).await;
    assert_eq!((detail.result, detail.post_dial_ms), (CallResult::NetworkFailure, 0));
    assert!(
        detail.reason.contains("nowhere.invalid:5060, could not be resolved"),
        "{}",
        detail.reason
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_behind_a_password_are_reached_with_it_only() {
    let to = number("+8613800008412");
    let script = PhoneScript::from(&OwnerScript::answers(SOON, "1", SOON));
    for (known, result, rung) in [
        (Some("secret"), CallResult::Answered, 1),
        (Some("wrong"), CallResult::TrunkRefused, 0),
        (None, CallResult::TrunkRefused, 0),
    ] {
        let lab = lab_with(Some(digest("secret")), known.map(digest)).await;
        lab.phones.set(to.clone(), script.clone());
        let detail = lab.voice.ring(order(to.clone()), Arc::new(Host::default())).await;
        assert_eq!(
            (detail.result, lab.phones.rung()),
            (result, rung),
            "{known:?} {detail:?}"
        );
        if rung == 0 {
            assert_eq!(detail.sip_status, Some(407), "{known:?}");
        } else {
            assert_eq!(
                detail.disposition,
                Some(Disposition::AppointmentBooked),
                "the call is as any other"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_have_to_end_get_their_bye() {
    let mut lab = lab().await;
    // A key without a meaning, after a second of audio, tells that the call is up.
    let patient = PhoneScript {
        answer: PhoneAnswer::After(Duration::ZERO),
        keys: vec![(Duration::from_secs(1), '7')],
        hang_up: None,
    };
    let (to, from) = (number("+8613800008412"), number("+8613800005678"));
    lab.phones.set(to.clone(), patient.clone());
    let host = Arc::new(Host::default());
    let (voice, served) = (Arc::clone(&lab.voice), host.clone());
    tokio::spawn(async move { voice.serve_inbound(served, CancellationToken::new()).await });
    let ringing = Arc::new(Host::default());
    let ends = async {
        eventually("both calls are up", || ringing.heard_a_key() && host.heard_a_key()).await;
        // Also ends what `hang_up_all` would, and waits for it.
        lab.voice.shutdown().await;
        host.details.lock().unwrap().clone()
    };
    let hub = lab.voice.local();
    // Nobody else ends them for minutes.
    let (rung, back, records) = tokio::join!(
        lab.voice.ring(order(to.clone()), ringing.clone()),
        lab.phones.ring_hub(hub, from, number("+864008000001"), &patient),
        ends
    );
    assert_eq!(
        (rung.result, rung.reason.as_str()),
        (CallResult::Answered, "the hub is stopping")
    );
    assert_eq!(records.len(), 1, "the caller's record is delivered before the end");
    assert_eq!(
        (records[0].result, records[0].reason.as_str()),
        (CallResult::Answered, "the hub is stopping")
    );
    // A phone reports when it hears the BYE; without one it would talk on for minutes.
    let heard = report(&mut lab).await;
    assert!(heard.answered && heard.audio.packets_received > 20, "{:?}", heard.audio);
    assert!(back.unwrap().answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_handset_answers_and_presses_a_key_after_the_menu() {
    let handset = Handset::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let lab = lab_by(None, None, |_| handset.local().into()).await;
    let (person, mut acts) = mpsc::channel(8);
    let shown = Mutex::new(Vec::new());
    // Picks up when it rings; the key is pressed by habit.
    let show = |what: Shown| {
        if matches!(what, Shown::Rings { .. }) {
            person.try_send(Act::PickUp).unwrap();
        }
        shown.lock().unwrap().push(what);
    };
    let habits = Habits {
        pick_up: None,
        keys: "1".into(),
    };
    let to = number("+8613800008412");
    let host = Arc::new(Host::default());
    let (detail, talked) = tokio::join!(
        lab.voice.ring(order(to.clone()), host.clone()),
        handset.take_call(&habits, &mut acts, show)
    );
    let talked = talked.unwrap().expect("the call was answered");
    assert_eq!(detail.disposition, Some(Disposition::AppointmentBooked), "{detail:?}");
    assert_eq!(detail.digits, "1");
    assert!(
        !talked.we_ended && talked.lasted > SOON,
        "the hub says goodbye: {:?}",
        talked.lasted
    );
    let loud = talked.heard.iter().filter(|sample| sample.abs() > 1_000).count();
    assert!(loud > 8_000, "seconds of speech are kept: {loud}");
    let (from, to) = (Some(number("+864008000001")), Some(to));
    let story = [
        Shown::Rings { from, to },
        Shown::Talking,
        Shown::Waits,
        Shown::Pressed('1'),
    ];
    assert_eq!(shown.lock().unwrap()[..4], story);
    let steps = host.steps.lock().unwrap();
    let said_before = steps
        .iter()
        .take_while(|step| !matches!(step, CallProgress::Pressed { .. }));
    assert!(
        said_before
            .filter(|step| matches!(step, CallProgress::Saying { .. }))
            .count()
            > 0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handset_declines_hangs_up_and_is_busy() {
    let handset = Handset::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let lab = lab_by(None, None, |_| handset.local().into()).await;
    let to = number("+8613800008412");
    let ring = || lab.voice.ring(order(to.clone()), Arc::new(Host::default()));

    let (person, mut acts) = mpsc::channel(8);
    let declines = |what: Shown| {
        if matches!(what, Shown::Rings { .. }) {
            person.try_send(Act::HangUp).unwrap();
        }
    };
    let habits = Habits::default();
    let (detail, talked) = tokio::join!(ring(), handset.take_call(&habits, &mut acts, declines));
    assert_eq!((detail.result, talked.unwrap().is_none()), (CallResult::Declined, true));

    // Answers by itself; the person hangs up once a second caller has heard that it is busy.
    let (up, talking) = tokio::sync::oneshot::channel();
    let up = Mutex::new(Some(up));
    let tells = |what: Shown| {
        if what == Shown::Talking {
            up.lock().unwrap().take().unwrap().send(()).unwrap();
        }
    };
    let habits = Habits {
        pick_up: Some(Duration::from_millis(100)),
        keys: String::new(),
    };
    let second = async {
        talking.await.unwrap();
        let busy = ring().await;
        person.try_send(Act::HangUp).unwrap();
        busy
    };
    let (first, talked, busy) = tokio::join!(ring(), handset.take_call(&habits, &mut acts, tells), second);
    assert_eq!((first.result, busy.result), (CallResult::HungUpEarly, CallResult::Busy));
    assert!(talked.unwrap().unwrap().we_ended);
    assert_eq!(first.reason, "the owner hung up");
}

#[tokio::test]
async fn a_handset_is_for_this_machine_alone() {
    for address in ["0.0.0.0:0", "192.0.2.7:5070", "[::]:0"] {
        let refused = Handset::start(address.parse().unwrap()).await.err().unwrap();
        assert!(refused.to_string().contains("loopback"), "{address}: {refused}");
    }
}
