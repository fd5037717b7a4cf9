//! What the store says of a life (`life`) once it has ended: asked by the methods that people, devices and programs use.

use super::life::{
    CLAIM_TOKEN, GROUP_KEY, INTEGRATOR_TOKEN, NUMBER_OF_WANG_LATER, PHONES, SAMPLES, appliance, at, day, device, run,
    tail, tenant, ticket_of,
};
use hub_core::access::derived_secret;
use hub_core::actor::Actor;
use hub_core::appointment::AppointmentState;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::consent::Consent;
use hub_core::contact::{AttemptState, ContactPhase};
use hub_core::finding::FindingState;
use hub_core::outcome::{Resolution, Verdict};
use hub_core::ticket::{ServiceTicket, TicketCategory, TicketEvent};
use hub_store::access::{AccessStore, Credential, Principal};
use hub_store::account::AccountStore;
use hub_store::conformance::door::{certificate, secret, who_at};
use hub_store::conformance::scene::{findings, quarantine, tickets};
use hub_store::contact::ContactStore;
use hub_store::credential::{DeviceCredentials, TenantCredentials};
use hub_store::device::{CommandState, DeviceStore};
use hub_store::lease::LeaseStore;
use hub_store::reading::{POINTS_MAX, ReadingStore, Window};
use hub_store::session::{KeptSession, SessionStore};
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use hub_store::ticket::{TicketStore, TicketView};
use hub_store_postgres::PostgresStore;
use std::collections::BTreeMap;

/// Looks, and changes nothing.
pub async fn everything(store: &PostgresStore) {
    site(store).await;
    story(store).await;
    calls(store).await;
    readings(store).await;
    credentials(store).await;
    sessions(store).await;
    console(store).await;
}

/// The whole story of the open ticket of an appliance.
pub async fn story_of(store: &PostgresStore, name: &str) -> TicketView {
    let id = ticket_of(store, name).await;
    store.ticket(&Actor::hub("test"), id, day(42)).await.unwrap()
}

async fn site(store: &PostgresStore) {
    let devices = store.appliances(&Actor::hub("test"), None, 100).await.unwrap().items;
    assert_eq!(devices.len(), 18);
    let acme = store
        .appliances(&Actor::hub("test").within(Some(tenant("acme"))), None, 100)
        .await
        .unwrap();
    assert_eq!(acme.items.len(), 16);
    let wm_1 = acme.items.iter().find(|view| view.device.as_str() == "wm-1").unwrap();
    assert_eq!(
        (wm_1.samples, wm_1.gaps, wm_1.repeated, wm_1.skew_ms),
        (105, 6, 5, Some(120))
    );
    assert_eq!(wm_1.service_point.as_deref(), Some("pudong"));
    let trunks = store.trunks().await.unwrap();
    let of_acme = &trunks[0].1;
    assert_eq!(of_acme.caller_number.reveal(), "+862155550000");
    assert_eq!(of_acme.password.as_deref(), Some("trunk-password-of-acme"));
    assert_eq!(trunks[1].1.caller_number.reveal(), "+862155550001");

    // What the first key sealed, and what the ledger and the list say.
    let (dw_1, wm_4) = (story_of(store, "acme/dw-1").await, story_of(store, "acme/wm-4").await);
    let (lin, sun) = (dw_1.owner.unwrap(), wm_4.owner.unwrap());
    assert_eq!(lin.phone.unwrap().reveal(), PHONES[0].1);
    assert_eq!((lin.consent, lin.do_not_call), (Consent::Given, false));
    assert_eq!((sun.consent, sun.do_not_call), (Consent::Withdrawn, true));
    let slots = dw_1.service_point.unwrap().slots;
    assert_eq!(slots.iter().map(|slot| slot.capacity).collect::<Vec<_>>(), [1, 2]);
}

/// Category, label and phase that each word of before has become.
type Stands<'a> = (TicketCategory, &'a str, ContactPhase);
const PLANNED: Stands<'_> = (TicketCategory::Open, "open", ContactPhase::Planned);
const IN_CALL: Stands<'_> = (TicketCategory::Open, "open", ContactPhase::InCall);
const HELD: Stands<'_> = (TicketCategory::Open, "open", ContactPhase::Held);
const VISIT: Stands<'_> = (TicketCategory::Paused, "waiting", ContactPhase::Done);
const CLOSED: Stands<'_> = (TicketCategory::Resolved, "closed", ContactPhase::Done);

fn stands(ticket: &ServiceTicket) -> Stands<'_> {
    (ticket.status.category, &ticket.status.label, ticket.contact.phase)
}

fn fault_class(ticket: &ServiceTicket) -> &str {
    &ticket.fault.as_ref().unwrap().fault_class
}

async fn story(store: &PostgresStore) {
    let all = tickets(store).await;
    let mut of: BTreeMap<String, ServiceTicket> = BTreeMap::new();
    for ticket in &all {
        let view = store.appliance(&Actor::hub("test"), ticket.appliance).await.unwrap();
        of.insert(
            format!("{}/{} {}", view.tenant, view.device, fault_class(ticket)),
            ticket.clone(),
        );
    }
    let states: Vec<_> = of
        .iter()
        .map(|(name, ticket)| (name.as_str(), stands(ticket), ticket.number))
        .collect();
    let wanted = [
        ("acme/dw-1 circulation_pump_wear", VISIT, 5),
        ("acme/wm-1 drain_pump_wear", CLOSED, 1),
        ("acme/wm-1 inlet_valve_leak", HELD, 6),
        ("acme/wm-2 heater_scale", CLOSED, 3),
        ("acme/wm-3 bearing_wear", CLOSED, 2),
        ("acme/wm-4 drain_pump_wear", HELD, 4),
        ("acme/wm-5 drain_pump_wear", PLANNED, 8),
        ("acme/wm-6 bearing_wear", CLOSED, 7),
        ("beta/hp-1 compressor_wear", CLOSED, 1),
        ("beta/wm-1 drain_pump_wear", IN_CALL, 2),
    ];
    assert_eq!(states, wanted);
    // It was below the gate, and has gone: nobody is asked about a call.
    let gone = &of["acme/wm-1 inlet_valve_leak"].contact;
    assert_eq!(gone.reason, Some(HoldReason::FindingCleared));
    let outcome = |name: &str| {
        of[name]
            .outcome
            .as_ref()
            .map(|outcome| (outcome.resolution, outcome.verdict))
    };
    let fixed = outcome("acme/wm-2 heater_scale");
    assert_eq!(fixed, Some((Resolution::ConfirmedFixed, Verdict::OtherFault)));
    assert!(
        of["acme/wm-6 bearing_wear"]
            .outcome
            .as_ref()
            .unwrap()
            .note
            .contains("已更换\n\t")
    );

    let dw_1 = store
        .ticket(&Actor::hub("test"), of["acme/dw-1 circulation_pump_wear"].id, day(42))
        .await
        .unwrap();
    let visit = dw_1.ticket.appointment.unwrap();
    assert_eq!((visit.slot.start, visit.slot.end), (at(45, 240), at(45, 420)));
    assert_eq!(
        (visit.service_point.as_str(), visit.agreed_by.as_str()),
        ("pudong", "agent@acme")
    );
    assert_eq!(
        (visit.state, visit.made_at, visit.changed_at),
        (AppointmentState::Confirmed, at(22, 90), at(22, 90))
    );
    // A life of today asks for an approval, which older ones did not.
    let is_approval = |event: &TicketEvent| match event {
        TicketEvent::Held { reason } => matches!(reason, HoldReason::ReadyToRing | HoldReason::NoCallLevel),
        event => *event == TicketEvent::CallApproved,
    };
    let lines = dw_1.timeline.iter().filter(|line| !is_approval(&line.event));
    assert_eq!((dw_1.attempts.len(), lines.count()), (3, 12));
    assert!(matches!(dw_1.timeline[0].event, TicketEvent::Opened { .. }));
    let finding = dw_1.finding.unwrap();
    assert_eq!((finding.count, finding.evidence.points.len()), (2, 3));

    let wm_2 = store
        .ticket(&Actor::hub("test"), of["acme/wm-2 heater_scale"].id, day(42))
        .await
        .unwrap();
    assert_eq!(wm_2.owner.unwrap().phone.unwrap().reveal(), NUMBER_OF_WANG_LATER);

    let mut states = BTreeMap::new();
    let every = findings(store).await;
    for finding in &every {
        *states
            .entry((finding.state == FindingState::Open, finding.ticket.is_some()))
            .or_insert(0) += 1;
    }
    // Open with a ticket, open and held back after a false alarm, cleared.
    assert_eq!(
        states,
        [((true, true), 6), ((true, false), 1), ((false, true), 4)].into()
    );
}

async fn calls(store: &PostgresStore) {
    let attempts = store.contacts(&Actor::hub("test"), None, 100).await.unwrap().items;
    let mut ends = BTreeMap::new();
    for attempt in &attempts {
        let end = (
            attempt.result.map(CallResult::as_str),
            attempt.disposition.map(Disposition::as_str),
        );
        *ends.entry(end).or_insert(0) += 1;
    }
    let wanted = [
        (None, None, 1),
        (Some("answered"), Some("another_time"), 1),
        (Some("answered"), Some("appointment_booked"), 1),
        (Some("answered"), Some("do_not_call"), 1),
        (Some("answered"), Some("person_wanted"), 1),
        (Some("busy"), None, 1),
        (Some("declined"), None, 1),
        (Some("no_answer"), None, 2),
        (Some("unknown"), None, 1),
    ];
    let ends: Vec<_> = ends
        .into_iter()
        .map(|((result, chosen), count)| (result, chosen, count))
        .collect();
    assert_eq!(ends, wanted);
    assert!(attempts.iter().filter(|attempt| attempt.detail.is_some()).count() == 8);
    let rings = attempts
        .iter()
        .filter(|attempt| attempt.state == AttemptState::Dialling);
    assert_eq!(rings.map(|attempt| attempt.started_at).collect::<Vec<_>>(), [day(42)]);
    let night = ticket_of(store, "acme/wm-5").await;
    let due = store.contacts_due(&[], day(42), 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.ticket).collect::<Vec<_>>(), [night]);
    assert_eq!(store.contacts_due(&[], at(41, 60), 10).await.unwrap(), []);
}

async fn readings(store: &PostgresStore) {
    let wm_1 = appliance(store, "acme/wm-1").await;
    // The newest values are of the newest profile, and the oldest rows are read by the one they were written by.
    let newest = store.latest(&Actor::hub("test"), wm_1).await.unwrap();
    let names: Vec<&str> = newest.iter().map(|latest| latest.channel.as_str()).collect();
    assert_eq!(names, ["phase", "current_a", "inlet_cel", "vibration_m_s2"]);
    let last = tail(0, wm_1, 41, 0);
    let last = last.samples.last().unwrap();
    assert_eq!(newest[1].point.at, last.at);
    assert_eq!(newest[1].point.value, f64::from(last.values[1].unwrap()) / 1_000.0);
    let all = Window {
        channels: vec!["current_a".to_owned()],
        from: day(0),
        to: day(60),
        points: POINTS_MAX,
    };
    let series = store.window(&Actor::hub("test"), wm_1, &all).await.unwrap();
    assert_eq!(series[0].points.len(), 110);
    let first = run(0, wm_1, 0).unwrap();
    for (point, sample) in series[0].points.iter().zip(&first.samples) {
        let value = f64::from(sample.values[1].unwrap()) / 1_000.0;
        assert_eq!((point.at, point.value), (sample.at, value));
    }
    let window = Window {
        channels: vec!["current_a".to_owned()],
        from: day(14),
        to: day(28),
        points: 100,
    };
    let series = store.window(&Actor::hub("test"), wm_1, &window).await.unwrap();
    assert_eq!(series[0].points.len(), 7 * usize::try_from(SAMPLES).unwrap());
    let hp_1 = appliance(store, "beta/hp-1").await;
    let coils = store.latest(&Actor::hub("test"), hp_1).await.unwrap();
    let names: Vec<&str> = coils.iter().map(|latest| latest.channel.as_str()).collect();
    assert_eq!(names, ["coil_1_cel", "coil_32_cel", "coil_34_cel"]);
    let json = appliance(store, "beta/wm-1").await;
    let unplaced = store.unplaced(&Actor::hub("test"), json).await.unwrap();
    assert_eq!(
        (&unplaced.unknown[..], &unplaced.out_of_range[..]),
        (&["door \"open\"".to_owned()][..], &["current_a".to_owned()][..])
    );

    // Aggregates of both versions, and the numbers of all that was ever stored.
    let days = store
        .device_daily(&Actor::hub("test"), wm_1, "current_a", at(0, -120), day(60))
        .await
        .unwrap();
    assert_eq!(days.iter().map(|day| day.count).collect::<Vec<_>>(), [5; 21]);
    let beta = tenant("beta");
    let hours = store
        .fleet_hourly(&Actor::hub("test"), &beta, "washing-machine", "phase", day(0), day(60))
        .await
        .unwrap();
    assert_eq!((hours.len(), hours[0].count, hours[0].max), (21, 5, 4.0));
    let wm_4 = appliance(store, "acme/wm-4").await;
    let offsets = store.clock_offsets(&[(wm_4, 41)]).await.unwrap();
    assert_eq!(offsets, [Some(day(0).as_millisecond() - 5_000)]);
}

async fn credentials(store: &PostgresStore) {
    let by_group = derived_secret(&GROUP_KEY, &device("wm-32"));
    let token = |text: &str| Credential::Token(text.to_owned());
    let shown = [
        secret("acme", "wm-1", "secret-wm-1"),
        secret("acme", "wm-2", "secret-wm-2"),
        secret("acme", "wm-2", "second-wm-2"),
        token("secret-wm-8"),
        secret("acme", "wm-32", &by_group),
        secret("beta", "wm-1", "secret-beta"),
        secret("beta", "wm-1", "secret-wm-1"),
        certificate("acme", "wm-21"),
        certificate("acme", "wm-22"),
        certificate("acme", "wm-30"),
        token(INTEGRATOR_TOKEN),
        token(CLAIM_TOKEN),
        token("int_ffffffffffffffffffffffffffffffff"),
    ];
    let wanted = [
        "acme/wm-1",
        "acme/wm-2",
        "acme/wm-2",
        "acme/wm-8",
        "acme/wm-32",
        "beta/wm-1",
        "",
        "acme/wm-21",
        "",
        "acme/wm-30",
        "integrator acme/erp",
        "claimant acme/line-3",
        "",
    ];
    assert_eq!(who_at(store, &shown, day(42)).await, wanted);
    let group = &store.groups(&Actor::hub("test")).await.unwrap()[0];
    assert_eq!(
        (group.name.as_str(), group.previous, group.devices),
        ("line-7", true, 2)
    );
    let opened = store.group_secret(&tenant("acme"), "line-7", &device("wm-32")).await;
    assert_eq!(opened.unwrap(), by_group);
    let authorities = store.authority_views(&Actor::hub("test")).await.unwrap();
    let authorities: Vec<_> = authorities
        .iter()
        .map(|view| (view.name.as_str(), view.revoked, view.issues))
        .collect();
    assert_eq!(authorities, [("hub", Some(1), true), ("maker", Some(1), false)]);
    let claims = store.claim_credentials(&Actor::hub("test")).await.unwrap();
    let claims: Vec<_> = claims.iter().map(|claim| (claim.uses_left, claim.revoked)).collect();
    assert_eq!(claims, [(100, true), (97, false)]);
}

async fn sessions(store: &PostgresStore) {
    let shown = [secret("acme", "wm-1", "secret-wm-1")];
    let principal = store.identify(&shown, day(42)).await.unwrap().remove(0);
    let Some(Principal::Device(_, Some(session))) = principal else {
        panic!("{principal:?}");
    };
    let wanted = KeptSession {
        expiry_s: 30 * 24 * 3600,
        subscriptions: vec![("d/wm-1/c/+".to_owned(), 1), ("d/wm-1/a".to_owned(), 0)],
        unreleased: vec![9],
    };
    assert_eq!(session, wanted);
    let acme = tenant("acme");
    let states = store.retained_states(&acme, None, 10).await.unwrap();
    assert_eq!(
        (states.len(), &states[0].payload[..]),
        (1, &[0xa1, 0x61, 0x73, 0x00, 0xff][..])
    );
    let wm_1 = appliance(store, "acme/wm-1").await;
    let attributes = store.attributes(wm_1, None, None).await.unwrap();
    assert_eq!(attributes.client["firmware"], "1.4.2");
    assert_eq!(attributes.shared["label"]["zh-CN"], "洗衣机");
    let scope = Actor::hub("test").within(Some(acme));
    let commands = store.commands(&scope, wm_1, None, 10, day(42)).await.unwrap().items;
    let states: Vec<_> = commands
        .iter()
        .map(|command| (command.request.as_str(), command.state))
        .collect();
    let wanted = [
        ("queued", CommandState::Queued),
        ("sent", CommandState::Sent),
        ("taken", CommandState::Taken),
        ("replied", CommandState::Replied),
        ("expired", CommandState::Expired),
    ];
    assert_eq!(states, wanted);
    assert_eq!(commands[3].reply.as_deref(), Some(&b"{\"ok\":true}"[..]));
    let held = quarantine(store).await;
    let held: Vec<_> = held
        .iter()
        .map(|held| (held.device.as_str(), &held.kept.payload[..], held.kept.reason.as_str()))
        .collect();
    let wanted = [
        ("wm-1", &b"{\"ts\": "[..], "it ends too early\n\\."),
        ("wm-3", &b"\xff\x00not CBOR"[..], "still not CBOR"),
    ];
    assert_eq!(held, wanted);
}

async fn console(store: &PostgresStore) {
    let admin = store.account("admin").await.unwrap().unwrap();
    let by_token = store.session([1; 32], day(42)).await.unwrap();
    assert!(by_token.is_some_and(|account| account == admin && account.actor == Actor::administrator("admin")));
    assert!(store.session([2; 32], day(42)).await.unwrap().is_none(), "it has ended");
    let lease = store.lease_state().await.unwrap();
    assert_eq!((lease.held, lease.token, lease.taken_at), (false, 3, Some(day(21))));
    let tallies = store.tallies().await.unwrap();
    let tallies: Vec<_> = tallies
        .iter()
        .map(|tally| (tally.tenant.as_str(), tally.appliances, tally.quarantined))
        .collect();
    assert_eq!(tallies, [("acme", 16, 1), ("beta", 2, 1)]);
}
