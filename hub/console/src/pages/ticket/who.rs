//! Who: the owner, what they allow, and how often they were rung.

use crate::pages::parts::attempt::line;
use crate::pages::parts::fact::fact;
use crate::pages::parts::visit::point;
use crate::reader::Reader;
use crate::words::closed;
use hub_core::consent::Consent;
use hub_store::site::OwnerView;
use hub_store::ticket::TicketView;
use maud::{Markup, html};

pub(super) fn render(reader: &Reader, view: &TicketView) -> Markup {
    html! {
        h2 #who-title { (reader.t("who")) }
        @match &view.owner {
            Some(owner) => (facts(reader, owner)),
            None => p.muted { (reader.t("owner-none")) },
        }
        @if let Some(service) = &view.service_point {
            h3 { (reader.t("service-point")) }
            p { (point(reader, view, &service.id)) }
        }
        h3 { (reader.t("contacts")) }
        @if view.attempts.is_empty() {
            p.muted { (reader.t("contacts-none")) }
        } @else {
            ol.plain { @for attempt in view.attempts.iter().rev() { li { (line(reader, attempt)) } } }
        }
    }
}

fn facts(reader: &Reader, owner: &OwnerView) -> Markup {
    let phone = owner.phone.as_ref().map(|phone| phone.masked());
    html! {
        p.name { (owner.name) }
        dl.facts {
            (fact(&reader.t("owner-phone"), &html! {
                @match &phone { Some(phone) => span.number { (phone) }, None => (reader.t("owner-no-phone")) }
            }))
            (fact(&reader.t("owner-language"), &html! { (closed(reader, "language-name", &owner.language)) }))
            (fact(&reader.t("owner-zone"), &html! { (owner.zone) }))
            (fact(&reader.t("owner-consent"), &consent(reader, owner)))
            (fact(&reader.t("owner-do-not-call"), &html! {
                (reader.t(if owner.do_not_call { "do-not-call-yes" } else { "do-not-call-no" }))
            }))
            (fact(&reader.t("owner-id"), &html! { (owner.name_in_tenant) }))
        }
    }
}

fn consent(reader: &Reader, owner: &OwnerView) -> Markup {
    let (sign, kind) = match owner.consent {
        Consent::Given => ("✓", "good"),
        Consent::Withdrawn | Consent::NeverGiven => ("✕", "bad"),
    };
    html! {
        span class=(kind) { span aria-hidden="true" { (sign) } " " (closed(reader, "consent", &owner.consent)) }
        @if let Some(at) = owner.consent_at {
            " " time.muted datetime=(at) { (reader.date(at)) }
        }
    }
}
