//! The page on which an owner takes an appliance into their name. Anybody may see it; the code on the machine decides.

use crate::layout::Frame;
use crate::reader::Reader;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hub_api::Client;
use hub_api::claim::{Claim, act};
use hub_api::error::carry_over;
use hub_api::extract::{FormBody, Query};
use hub_api::{App, Inner};
use hub_core::consent::Consent;
use maud::{Markup, html};
use serde::Deserialize;

/// What the address on the label may carry, so that nobody has to type it. An address ticks no box.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Label {
    tenant: String,
    device: String,
    code: String,
}

/// The form as it is sent, and as it is shown after an error.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    tenant: String,
    device: String,
    code: String,
    name: String,
    phone: String,
    zone: String,
    /// There if the box was ticked.
    consent: Option<String>,
}

/// Zones that the form offers; programs may name any.
const ZONES: [&str; 6] = [
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Singapore",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
];

/// Shows the form.
pub(crate) async fn form(State(app): State<App>, reader: Reader, Query(label): Query<Label>) -> Markup {
    let typed = Typed {
        tenant: label.tenant,
        device: label.device,
        code: label.code,
        ..Typed::default()
    };
    whole(&app, &reader, &render(&reader, &typed, None))
}

/// Claims, and says what came of it. Whatever is refused, the form comes back as it was sent.
pub(crate) async fn submit(
    State(app): State<App>,
    client: Client,
    reader: Reader,
    FormBody(form): FormBody<Typed>,
) -> Response {
    let agrees = form.consent.is_some();
    let claim = Claim {
        tenant: form.tenant.trim().to_owned(),
        device: form.device.trim().to_owned(),
        code: form.code.trim().to_owned(),
        name: form.name.clone(),
        phone: form.phone.clone(),
        language: reader.language,
        zone: form.zone.clone(),
        consent: agrees,
    };
    match act(&app, client.address, claim).await {
        Ok(claimed) => {
            // Who leaves the box empty says no just now; "once taken off our list" is for somebody else.
            let told = if agrees { claimed.consent } else { Consent::NeverGiven };
            whole(&app, &reader, &done(&reader, told, &claimed.phone)).into_response()
        }
        Err(error) => {
            let (status, kind, _) = error.kind();
            let body = render(&reader, &form, Some(kind));
            let mut page = (status, whole(&app, &reader, &body)).into_response();
            carry_over(&error.into_response(), &mut page);
            page
        }
    }
}

fn whole(app: &Inner, reader: &Reader, body: &Markup) -> Markup {
    Frame {
        demo: app.state.demo.as_ref(),
        reader,
        account: None,
        path: "/claim",
    }
    .page(&reader.t("claim"), body)
}

pub(crate) fn render(reader: &Reader, typed: &Typed, problem: Option<&str>) -> Markup {
    let text = |key: &str| reader.t(key);
    html! {
        section.card.narrow {
            h1 { (text("claim")) }
            p { (text("claim-what")) }
            @if let Some(problem) = problem {
                p.problem role="alert" { (text(&format!("problem-{problem}"))) }
            }
            form method="post" action="/claim" {
                label { (text("claim-tenant")) input name="tenant" required maxlength="64" value=(typed.tenant); }
                label { (text("claim-device")) input name="device" required maxlength="64" value=(typed.device); }
                label { (text("claim-code")) input name="code" required maxlength="128" autocomplete="off" value=(typed.code); }
                label { (text("claim-name")) input name="name" required maxlength="100" autocomplete="name" value=(typed.name); }
                label { (text("claim-phone"))
                    input name="phone" type="tel" required maxlength="24" autocomplete="tel" placeholder="+8613800138000"
                        value=(typed.phone); }
                label { (text("owner-zone"))
                    select name="zone" { @for zone in zones(&typed.zone) { option value=(zone) selected[zone == typed.zone] { (zone) } } } }
                label.check { input type="checkbox" name="consent" value="yes" checked[typed.consent.is_some()]; span { (text("claim-consent")) } }
                p.muted { (text("claim-consent-note")) }
                button.primary { (text("claim-send")) }
            }
        }
    }
}

/// The zones that are offered, and before them one that was sent by another form.
fn zones(typed: &str) -> impl Iterator<Item = &str> {
    let is_other = !typed.is_empty() && !ZONES.contains(&typed);
    is_other.then_some(typed).into_iter().chain(ZONES)
}

/// `phone` is masked.
pub(crate) fn done(reader: &Reader, consent: Consent, phone: &str) -> Markup {
    let key = match consent {
        Consent::Given => "claim-done-given",
        Consent::Withdrawn => "claim-done-withdrawn",
        Consent::NeverGiven => "claim-done-never",
    };
    html! {
        section.card.narrow {
            h1 { (reader.t("claim-done")) }
            p.summary role="status" { (reader.t(key)) }
            p { (reader.with("claim-number", &[("number", phone)])) }
        }
    }
}
