//! Pages from hand-made tickets, in both languages.

use super::appliance::{self, device_agent};
use super::ticket::{self, acts, story};
use super::{claim, model, quarantine};
use crate::reader::Reader;
use crate::washing_machine;
use expect_test::expect;
use hub_api::quarantine_list::QuarantineQuery;
use hub_core::actor::Actor;
use hub_core::call_rules::HoldReason;
use hub_core::consent::Consent;
use hub_core::contact::breaker::Pause;
use hub_core::contact::ways_out::PausedWay;
use hub_core::contact::{ContactPhase, ContactThread};
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::language::Language;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::ticket::{Promise, TicketCategory, TicketEvent, TicketKind};
use hub_store::device::{CommandState, CommandView, Unplaced};
use hub_store::page::Page;
use hub_store::quarantine::QuarantineEntry;
use hub_store::reading::{Latest, Point};
use hub_store::site::OwnerView;
use hub_store::telemetry::Quarantined;
use hub_store::ticket::{TicketSummary, TicketView};
use jiff::tz::TimeZone;
use std::sync::Arc;

mod baseline;
mod events;
mod models;
mod normal;
mod ready;
mod ticket_page;
mod waiting;
mod watching;

#[path = "../../../api/tests/support/sample.rs"]
mod sample;

/// What the newest samples hold that the profile does not know.
fn unplaced() -> Unplaced {
    Unplaced {
        unknown: vec!["door".into(), "drum_<b>".into()],
        out_of_range: vec![],
    }
}

/// What the newest values are.
fn latest() -> Vec<Latest> {
    let newest = |(channel, unit, value): &(&str, &str, f64)| Latest {
        channel: (*channel).to_owned(),
        unit: (*unit).to_owned(),
        point: Point {
            at: sample::at("09:04"),
            value: *value,
        },
    };
    [("drain_pump_current_a", "A", 0.42), ("water_temp_cel", "Cel", -3.5)]
        .iter()
        .map(newest)
        .collect()
}

fn reader(language: Language) -> Reader {
    Reader {
        language,
        zone: TimeZone::get("Asia/Shanghai").unwrap(),
        families: Arc::new(washing_machine::families()),
        actor: Some(Actor::administrator("admin")),
    }
}

fn samples() -> Vec<TicketView> {
    let mut closed = sample::unsure();
    closed.ticket.status.category = TicketCategory::Resolved;
    closed.ticket.contact.phase = ContactPhase::Done;
    closed.ticket.outcome = Some(Outcome {
        resolution: Resolution::NoFaultFound,
        verdict: Verdict::Wrong,
        note: "<script>alert(1)</script>".into(),
        part: None,
    });
    let mut calling = sample::booked();
    calling.ticket.contact.phase = ContactPhase::InCall;
    calling.attempts[0].detail = None;
    let mut bare = sample::withdrawn();
    (bare.owner, bare.service_point, bare.next_slot) = (None, None, None);
    bare.finding.as_mut().unwrap().evidence.points.clear();
    let mut reported = sample::booked();
    (reported.ticket.kind, reported.ticket.fault, reported.finding) = (TicketKind::Repair, None, None);
    (reported.ticket.appointment, reported.attempts, reported.timeline) = (None, vec![], vec![]);
    reported.ticket.status.category = TicketCategory::Open;
    reported.ticket.status.label = "open".into();
    reported.ticket.contact = ContactThread::held(HoldReason::NothingToSay);
    reported.ticket.promise = Some(Promise {
        what: "a new <b> hose".into(),
        to: "Li Wei <b>".into(),
        by: sample::at("18:00"),
        made_by: "admin".into(),
        made_at: sample::at("09:30"),
    });
    vec![
        sample::booked(),
        sample::withdrawn(),
        sample::unsure(),
        closed,
        calling,
        bare,
        reported,
    ]
}

fn summary(view: TicketView) -> TicketSummary {
    TicketSummary {
        label: view.labels.name(&view.ticket.status.label),
        probability: view.finding.map(|finding| finding.prediction.probability),
        ticket: view.ticket,
        appliance: view.appliance,
    }
}

/// A page of a list in which nothing is.
fn nothing() -> Page<TicketSummary> {
    Page {
        items: Vec::new(),
        next: None,
    }
}

/// The words of a page, one line for each piece.
fn words(page: &str) -> String {
    let pieces = page
        .split('<')
        .filter_map(|piece| piece.split_once('>').map(|(_, text)| text.trim()));
    let lines: Vec<&str> = pieces.filter(|text| !text.is_empty()).collect();
    lines.join("\n").replace('\u{a0}', " ")
}

/// One command of each state.
fn commands() -> Vec<CommandView> {
    use CommandState as S;
    let command = |state| CommandView {
        appliance: ApplianceId(2),
        request: "r".into(),
        body: r#"{"method":"<b>"}"#.into(),
        state,
        queued_at: sample::at("08:00"),
        sent_at: None,
        taken_at: None,
        replied_at: None,
        expires_at: sample::at("10:00"),
        reply: None,
    };
    [S::Queued, S::Sent, S::Taken, S::Replied, S::Expired]
        .map(command)
        .into()
}

fn held() -> QuarantineEntry {
    QuarantineEntry {
        number: 7,
        tenant: TenantId::new("acme").unwrap(),
        device: DeviceId::new("WM-1").unwrap(),
        profile: "washing-machine".into(),
        kept: Quarantined {
            appliance: ApplianceId(1),
            topic: "d/WM-1/j".into(),
            payload: b"<script>".to_vec(),
            reason: "not JSON: <script>".into(),
            received_at: sample::at("08:30"),
        },
    }
}

/// A trunk and the house are paused.
fn paused() -> [PausedWay; 2] {
    let pause = Pause {
        since: sample::at("08:30"),
        until: sample::at("08:35"),
        why: "no answer".into(),
    };
    [Some(TenantId::new("acme").unwrap()), None].map(|trunk_of| PausedWay {
        trunk_of,
        pause: pause.clone(),
    })
}

/// Every page there is, in a language.
fn all(language: Language) -> Vec<String> {
    let reader = reader(language);
    let mut pages: Vec<String> = samples()
        .iter()
        .map(|view| ticket::page::render(&reader, view).into_string())
        .collect();
    let page = Page {
        items: samples().into_iter().map(summary).collect(),
        next: Some("abc".into()),
    };
    pages.push(ticket::list::render(&reader, TicketCategory::Open, false, &page).into_string());
    pages.push(ticket::list::paused_calls(&reader, &paused()).into_string());
    pages
        .push(ticket::ready::render(&reader, Some(&sample::unsure()), &page, "/ready-to-ring?after=abc").into_string());
    pages.push(ticket::ready::render(&reader, None, &nothing(), "/ready-to-ring").into_string());
    let appliance = sample::withdrawn().appliance;
    pages.push(
        appliance::page::render(
            &reader,
            &appliance,
            &unplaced(),
            Some((&sample::birth(), Some(8))),
            &latest(),
            &commands(),
            &page.items,
        )
        .into_string(),
    );
    let told = quarantine::Told {
        stored: Some(2),
        refused: Some(1),
    };
    pages.extend([vec![held()], Vec::new()].map(|items| {
        let page = Page {
            items,
            next: Some("7".into()),
        };
        quarantine::render(&reader, &QuarantineQuery::default(), told, &page).into_string()
    }));
    pages.extend(models::pages(&reader));
    pages.push(claim::render(&reader, &claim::Typed::default(), Some("claim-refused")).into_string());
    pages.extend(
        [Consent::Given, Consent::Withdrawn, Consent::NeverGiven]
            .map(|consent| claim::done(&reader, consent, "+86*******5678").into_string()),
    );
    pages
}

#[test]
fn no_page_shows_a_number_a_missing_text_an_inline_style_or_foreign_markup() {
    for language in Language::ALL {
        for page in all(language) {
            let digits = &sample::NUMBER[4..];
            assert!(!page.contains(digits), "a clear number");
            assert!(
                !page.contains('\u{27e6}'),
                "missing: {:?}",
                page.split('\u{27e6}').nth(1).map(|s| &s[..40])
            );
            assert!(!page.contains("{$"), "a text without its value");
            assert!(!page.contains("style=") && !page.contains("onclick") && !page.contains("<script"));
            assert!(!page.contains("http://") && !page.contains("https://"));
            assert!(!page.contains("Li Wei <b>"));
        }
    }
}

#[test]
fn the_page_says_who_is_masked_and_why() {
    let page = ticket::page::render(&reader(Language::En), &sample::booked()).into_string();
    let text = words(&page);
    for piece in [
        "Li Wei &lt;b&gt;",
        "+86*******5678",
        "Visit agreed: Tuesday 24 Nov, 09:00–12:00, Pudong service point.",
        "drain-pump current 0.42 A, 38 % above this unit's own baseline",
        "not estimated",
        "high, 94 %",
        "washing-machine/1",
        "3265 sent, 3251 received, 2 lost",
        "1 min 5 s",
    ] {
        assert!(text.contains(piece), "{piece} is not in\n{text}");
    }
    let text = words(&ticket::page::render(&reader(Language::ZhCn), &sample::booked()).into_string());
    for piece in [
        "已约上门：11月24日星期二 09:00–12:00，浦东服务网点。",
        "排水泵电流 0.42 A，比本机自身基线高 38 %",
        "未估计",
    ] {
        assert!(text.contains(piece), "{piece} is not in\n{text}");
    }
}

#[test]
fn the_page_says_what_the_device_agent_says_of_itself() {
    let page = |language, told| {
        words(&device_agent::render(&reader(language), &sample::birth(), told, "appliance:1").into_string())
    };
    expect![[r#"
        Device agent
        Model
        WM-2207 &lt;b&gt;
        Firmware
        1.4.2
        Version of the agent
        0.1.0
        Why it last started
        supply voltage too low
        Settings for reporting
        version 7 in force
        ▲
        version 8 sent, not yet in force
        Event messages discarded for lack of room
        0
        Messages of readings discarded for lack of room
        12
        (262 in all)
        Reported at
        22 Nov 08:13"#]]
    .assert_eq(&page(Language::En, Some(8)));
    let same = page(Language::En, Some(7));
    assert!(
        same.contains("version 7 in force") && !same.contains("not yet"),
        "{same}"
    );
    assert_eq!(page(Language::En, None), same);
    let page = page(Language::ZhCn, Some(8));
    for piece in [
        "供电电压过低",
        "第 7 版已生效",
        "第 8 版已下发，尚未生效",
        "（累计 262）",
    ] {
        assert!(page.contains(piece), "{piece} is not in\n{page}");
    }
}

#[test]
fn the_page_says_why_nobody_was_rung() {
    let page = |language| words(&ticket::page::render(&reader(language), &sample::withdrawn()).into_string());
    assert!(page(Language::En).contains("Not called: the owner withdrew consent on 3 Nov 2026."));
    assert!(page(Language::ZhCn).contains("未呼叫：用户已于2026年11月3日撤回对来电的同意。"));
}

#[test]
fn a_call_that_cannot_be_placed_has_no_button_that_works() {
    let acts = |view: &TicketView| acts::render(&reader(Language::En), view).into_string();
    let refused = |view: &TicketView, why: &str| {
        let page = acts(view);
        assert!(page.contains("<button class=\"primary\" disabled aria-describedby=\"call-refusal\">"));
        assert!(
            page.contains(&format!(
                "<p class=\"muted\" id=\"call-refusal\">Not possible: {why}.</p>"
            )),
            "{page}"
        );
    };
    refused(&sample::withdrawn(), "the owner withdrew consent on 3 Nov 2026");
    let owner = |change: fn(&mut OwnerView)| {
        let mut view = sample::booked();
        view.owner.as_mut().map(change);
        view
    };
    refused(
        &owner(|owner| owner.consent = Consent::NeverGiven),
        "the owner never gave consent",
    );
    refused(
        &owner(|owner| owner.do_not_call = true),
        "the owner wants no more calls",
    );
    refused(&owner(|owner| owner.phone = None), "no owner or no number is known");
    let mut nobodys = sample::booked();
    nobodys.owner = None;
    refused(&nobodys, "no owner or no number is known");
    assert!(!acts(&sample::booked()).contains("disabled"));
    let closed = &samples()[3];
    let forms = acts(closed);
    assert_eq!(forms.matches("<form").count(), 1, "{forms}");
    assert!(forms.contains("/correction\""));
}

#[test]
fn the_story_in_english() {
    let told = words(&story::render(&reader(Language::En), &sample::booked()).into_string());
    expect![[r#"
        What happened
        22 Nov 09:01
        · hub
        Call over: answered.
        22 Nov 09:01
        · hub
        The owner pressed 1: visit on Tuesday 24 Nov, 09:00–12:00.
        22 Nov 09:00
        · hub
        Ringing the owner.
        22 Nov 09:00
        · hub
        Ticket opened.
    "#]]
    .assert_eq(told.split("Calls in detail").next().unwrap());
}

#[test]
fn the_story_in_chinese() {
    let told = words(&story::render(&reader(Language::ZhCn), &sample::withdrawn()).into_string());
    expect![[r#"
        经过
        11月22日 09:00
        · 系统
        未呼叫：用户已于2026年11月3日撤回对来电的同意。
        11月22日 09:00
        · 系统
        开立工单。"#]]
    .assert_eq(&told);
}

#[test]
fn a_row_of_the_list() {
    let page = Page {
        items: vec![summary(sample::withdrawn())],
        next: None,
    };
    let list = ticket::list::render(&reader(Language::En), TicketCategory::Open, true, &page).into_string();
    let body = list.split("<tbody>").nth(1).unwrap();
    expect![[r#"
        #2
        Door seal leaking
        Washing machine
        WM-2207-00588
        To do
        Person needed
        consent withdrawn
        ⬢
        critical
        high, 96 %
        22 Nov 09:00
        –"#]]
    .assert_eq(&words(body));
}
