//! Who rings us over the fake trunk: an owner whom we ring at this moment, and somebody whom nobody knows; and trunks that change.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use async_trait::async_trait;
use common::sipp::Sipp;
use common::{TestHost, TestVoice, config, eventually, limits, main_number, number, order, trunk};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::id::AttemptId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_voice::signaling::CallStack;
use hub_voice::signaling::fake::FakePhone;
use hub_voice::{
    CallDetail, CallHost, CallOrder, CallProgress, CommitRefused, Direction, Flow, InboundDecision, InboundHost,
    Stranger, TrunkConfig, Values, Voice,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_millis(300);
const OWNER: &str = "+8613800008412";

fn rings() -> FakePhone {
    FakePhone::Rings {
        after_cancel: Some(487),
    }
}

fn keys(keys: &str) -> Vec<(Duration, char)> {
    keys.chars().map(|key| (SOON, key)).collect()
}

#[tokio::test]
async fn an_owner_who_rings_back_while_we_ring_is_connected_in_the_same_attempt() {
    let voice = TestVoice::fake([rings()], limits());
    let host = Arc::new(TestHost::default());
    voice.serve(host.clone());
    let back = async {
        eventually("ringing", || {
            host.steps().contains(&CallProgress::Ringing).then_some(())
        })
        .await;
        let caller = Some(number(OWNER));
        voice.stack.call_in(caller, main_number(), keys("2")).await.unwrap();
    };
    let (detail, ()) = tokio::join!(voice.ring(order(Language::En), host.clone()), back);
    assert_eq!(
        (detail.result, detail.disposition, detail.direction),
        (
            CallResult::Answered,
            Some(Disposition::AnotherTime),
            Direction::Outbound
        ),
        "{detail:?}"
    );
    assert!(detail.rang_back && detail.digits == "2", "{detail:?}");
    assert!(host.callers().is_empty(), "no other attempt is asked for");
    assert_eq!(host.commits(), [Disposition::AnotherTime]);
    let seen = eventually("both calls are over", || {
        Some(voice.stack.seen()).filter(|seen| seen.len() == 2)
    })
    .await;
    let ours = seen.iter().find(|seen| seen.trunk == "test").unwrap();
    assert!(ours.ended_by_hub || ours.cancelled, "our call rings no more");
    assert_eq!(voice.voice.free_channels(), 4, "every channel is free again");
    // Nobody is rung now: the next call is asked about as any other.
    voice
        .stack
        .call_in(Some(number(OWNER)), main_number(), vec![])
        .await
        .unwrap();
    eventually("a question", || (!host.callers().is_empty()).then_some(())).await;
}

#[tokio::test]
async fn an_owner_who_rings_before_we_ring_them_is_connected_in_the_same_attempt() {
    let busy = FakePhone::Unreached {
        status: 486,
        retry_after_s: None,
    };
    let voice = TestVoice::fake([busy], limits());
    let host = Arc::new(TestHost::default());
    voice.serve(host.clone());
    let one_each_way = TrunkConfig {
        inbound_channels: Some(1),
        ..trunk(voice.stack.local())
    };
    voice.voice.set_trunks(vec![one_each_way]).await.unwrap();
    let held = voice.voice.channel("test").unwrap();
    assert_eq!(voice.voice.full_trunks(), ["test"]);
    let back = async {
        let caller = Some(number(OWNER));
        voice.stack.call_in(caller, main_number(), keys("2")).await.unwrap();
        eventually("the call that comes in", || {
            (voice.voice.free_channels() == 0).then_some(())
        })
        .await;
        drop(held);
    };
    let (detail, ()) = tokio::join!(voice.ring(order(Language::En), host.clone()), back);
    assert!(detail.rang_back && detail.digits == "2", "{detail:?}");
    assert!(host.callers().is_empty(), "no other attempt is asked for");
    assert_eq!(voice.voice.free_channels(), 2, "every channel is free again");
}

#[tokio::test]
async fn somebody_else_who_rings_meanwhile_takes_nobodys_call() {
    let voice = TestVoice::fake([rings()], limits());
    let host = Arc::new(TestHost::default());
    voice.serve(host.clone());
    let other = number("+8613800008413");
    let back = async {
        eventually("ringing", || {
            host.steps().contains(&CallProgress::Ringing).then_some(())
        })
        .await;
        // The owner rings another company.
        let others = Some(number("+864008000002"));
        let calls = [
            (Some(other.clone()), main_number()),
            (None, main_number()),
            (Some(number(OWNER)), others),
        ];
        for (caller, called) in calls {
            let asked = host.callers().len();
            voice.stack.call_in(caller, called, vec![]).await.unwrap();
            eventually("a question, and its channel back", || {
                (host.callers().len() > asked && voice.voice.free_channels() == 3).then_some(())
            })
            .await;
        }
        voice.voice.hang_up_all();
    };
    let (detail, ()) = tokio::join!(voice.ring(order(Language::En), host.clone()), back);
    assert!(!detail.rang_back, "{detail:?}");
    assert_eq!(host.callers(), [Some(other), None, Some(number(OWNER))]);
}

/// Takes everybody for a stranger; one serial number is known.
#[derive(Default)]
struct Unknown {
    asked: Mutex<Vec<String>>,
    finished: Mutex<usize>,
}

struct Finds(Arc<Unknown>);

#[async_trait]
impl CallHost for Finds {
    async fn progress(&self, _: AttemptId, _: CallProgress) {}
    async fn commit(&self, _: AttemptId, _: Disposition) -> Result<(), CommitRefused> {
        Err(CommitRefused)
    }
    async fn find(&self, _: AttemptId, figures: &str) -> bool {
        self.0.asked.lock().unwrap().push(figures.to_owned());
        figures == "20418412"
    }
}

struct Desk(Arc<Unknown>);

#[async_trait]
impl CallHost for Desk {
    async fn progress(&self, _: AttemptId, _: CallProgress) {}
    async fn commit(&self, _: AttemptId, _: Disposition) -> Result<(), CommitRefused> {
        Err(CommitRefused)
    }
}

#[async_trait]
impl InboundHost for Desk {
    async fn answer(&self, _: &str, _: Option<PhoneNumber>, called: Option<PhoneNumber>) -> InboundDecision {
        let known = order(Language::En).values;
        let wanted = ["brand", "by"].map(|name| (name.to_owned(), known[name].clone()));
        InboundDecision::Stranger(Box::new(Stranger {
            order: CallOrder {
                to: called.unwrap(),
                flow: Flow::unknown_caller(),
                values: Values::from(wanted),
                ..order(Language::En)
            },
            host: Arc::new(Finds(self.0.clone())),
        }))
    }
    async fn finished(&self, _: CallDetail) {
        *self.finished.lock().unwrap() += 1;
    }
}

impl std::ops::Deref for Desk {
    type Target = Unknown;
    fn deref(&self) -> &Unknown {
        &self.0
    }
}

#[tokio::test]
async fn a_stranger_keys_a_number_in_and_hears_by_when_a_person_rings() {
    let voice = TestVoice::fake([], limits());
    let unknown = Arc::new(Unknown::default());
    let (serving, desk) = (Arc::clone(&voice.voice), Arc::new(Desk(unknown.clone())));
    tokio::spawn(async move { serving.serve_inbound(desk, CancellationToken::new()).await });
    voice
        .stack
        .call_in(None, main_number(), keys("77#20418412#"))
        .await
        .unwrap();
    let seen = voice.seen_once().await;
    assert!(seen.ended_by_hub, "the call ends by itself");
    assert_eq!(*unknown.asked.lock().unwrap(), ["77", "20418412"]);
    assert_eq!(*unknown.finished.lock().unwrap(), 0, "there is no attempt to end");
    assert_eq!(voice.voice.free_channels(), 4);
}

#[tokio::test]
async fn changed_and_new_trunks_are_used_by_the_calls_that_follow() {
    let waits = |hangs_up| FakePhone::Answers {
        after: SOON,
        keys: vec![],
        hangs_up,
    };
    let voice = TestVoice::fake([waits(None), waits(Some(SOON)), waits(Some(SOON))], limits());
    let over = |trunk: &str| CallOrder {
        trunk: trunk.into(),
        ..order(Language::En)
    };
    let host = Arc::new(TestHost::default());
    let up = voice.ring(over("test"), host.clone());
    let change = async {
        eventually("an answer", || {
            host.steps().contains(&CallProgress::Answered).then_some(())
        })
        .await;
        let stands = voice.stack.local();
        let changed = TrunkConfig {
            caller_number: number("+864008000009"),
            ..trunk(stands)
        };
        let new = TrunkConfig {
            name: "new".into(),
            caller_number: number("+864008000003"),
            ..trunk(stands)
        };
        voice.voice.set_trunks(vec![changed, new]).await.unwrap();
        assert!(voice.voice.has_trunk("new") && !voice.voice.has_trunk("other"));
        let mut results = Vec::new();
        for name in ["new", "test", "other"] {
            results.push(voice.ring(over(name), Arc::new(TestHost::default())).await.result);
        }
        assert_eq!(
            results,
            [
                CallResult::HungUpEarly,
                CallResult::HungUpEarly,
                CallResult::TrunkRefused
            ]
        );
        // Its number rings us too now, and the one of before nobody's.
        let served = Arc::new(TestHost::default());
        voice.serve(served.clone());
        voice.stack.call_in(None, main_number(), vec![]).await.unwrap();
        voice
            .stack
            .call_in(None, Some(number("+864008000003")), vec![])
            .await
            .unwrap();
        eventually("a question", || (!served.callers().is_empty()).then_some(())).await;
        assert_eq!(*served.trunks.lock().unwrap(), ["new"]);
        voice.voice.hang_up_all();
    };
    let (detail, ()) = tokio::join!(up, change);
    assert_eq!(
        detail.result,
        CallResult::Answered,
        "the call that was up went on: {detail:?}"
    );
}

/// A trunk whose callers are known by From.
async fn real(proxy: std::net::SocketAddr) -> Arc<Voice> {
    let believing = TrunkConfig {
        believe_from: true,
        ..trunk(proxy)
    };
    Arc::new(Voice::start(config(believing, limits())).await.unwrap())
}

fn sipp_rings(voice: &Voice, caller: &str, digits: &str) -> Sipp {
    let hub = voice.local().to_string();
    let keys = [
        "-key",
        "caller",
        caller,
        "-key",
        "digits",
        digits,
        "-d",
        "800",
        "-rtp_echo",
        &hub,
    ];
    Sipp::start("uac-digits", &keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_rings_back_while_it_is_rung() {
    let rung = Sipp::start("uas-no-answer", &[]);
    let voice = real(rung.address).await;
    let host = Arc::new(TestHost::default());
    let (serving, served) = (Arc::clone(&voice), host.clone());
    tokio::spawn(async move { serving.serve_inbound(served, CancellationToken::new()).await });
    let back = async {
        eventually("ringing", || {
            host.steps().contains(&CallProgress::Ringing).then_some(())
        })
        .await;
        sipp_rings(&voice, OWNER, "2")
    };
    let (detail, back) = tokio::join!(voice.ring(order(Language::En), host.clone()), back);
    assert!(detail.rang_back && host.callers().is_empty(), "{detail:?}");
    assert_eq!(detail.disposition, Some(Disposition::AnotherTime), "{detail:?}");
    back.passed().await;
    rung.passed().await;
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_a_stranger_who_keys_a_serial_number_in() {
    let voice = real("127.0.0.1:9".parse().unwrap()).await;
    let unknown = Arc::new(Unknown::default());
    let (serving, desk) = (Arc::clone(&voice), Arc::new(Desk(unknown.clone())));
    tokio::spawn(async move { serving.serve_inbound(desk, CancellationToken::new()).await });
    sipp_rings(&voice, "anonymous", "20418412").passed().await;
    assert_eq!(*unknown.asked.lock().unwrap(), ["20418412"]);
    voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_rung_over_a_trunk_that_has_changed() {
    let [before, after] = [Sipp::start("uas-486", &[]), Sipp::start("uas-603", &[])];
    let voice = real(before.address).await;
    let ring = || voice.ring(order(Language::En), Arc::new(TestHost::default()));
    assert_eq!(ring().await.result, CallResult::Busy);
    before.passed().await;
    voice.set_trunks(vec![trunk(after.address)]).await.unwrap();
    assert_eq!(ring().await.result, CallResult::Declined);
    after.passed().await;
    voice.shutdown().await;
}
