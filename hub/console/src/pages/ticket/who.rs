//! Who: the person who is rung, their household and what each of it allows, and how often it was rung.

use crate::pages::parts::attempt::line;
use crate::pages::parts::fact::fact;
use crate::pages::parts::visit::point;
use crate::reader::Reader;
use crate::words::closed;
use hub_core::consent::{Consent, Standing};
use hub_core::household::Person;
use hub_core::ticket::TicketEvent;
use hub_store::site::OwnerView;
use hub_store::ticket::TicketView;
use jiff::Timestamp;
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
        // Who may not read calls is shown none of them, and not that there are none.
        @if view.attempts.is_empty() && !was_called(view) {
            h3 { (reader.t("contacts")) }
            p.muted { (reader.t("contacts-none")) }
        } @else if !view.attempts.is_empty() {
            h3 { (reader.t("contacts")) }
            ol.plain { @for attempt in view.attempts.iter().rev() { li { (line(reader, attempt)) } } }
        }
    }
}

fn was_called(view: &TicketView) -> bool {
    let mut events = view.timeline.iter().map(|entry| &entry.event);
    events.any(|event| matches!(event, TicketEvent::AttemptStarted { .. }))
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
            @if let Some(address) = &owner.household.address {
                (fact(&reader.t("owner-address"), &html! { (address.reveal()) }))
            }
            (fact(&reader.t("owner-consent"), &said(reader, owner.consent, owner.consent_at)))
            (fact(&reader.t("owner-do-not-call"), &html! {
                (reader.t(if owner.do_not_call { "do-not-call-yes" } else { "do-not-call-no" }))
            }))
            (fact(&reader.t("owner-id"), &html! { (owner.name_in_tenant) }))
        }
        h3 { (reader.t("household")) }
        ol.plain { @for one in &owner.household.persons { li { (person(reader, one)) } } }
    }
}

/// A person with all their numbers, and what they allow by purpose and channel.
fn person(reader: &Reader, person: &Person) -> Markup {
    html! {
        p.name { (person.name) " " span.muted { (closed(reader, "language-name", &person.language)) } }
        ul.plain {
            @for own in &person.numbers {
                li {
                    span.number { (own.number.masked()) }
                    @if own.do_not_call { " " span.bad { (reader.t("do-not-call-yes")) } }
                }
            }
            @if person.numbers.is_empty() { li.muted { (reader.t("owner-no-phone")) } }
            @for standing in &person.consents { li { (allows(reader, standing)) } }
            @if person.consents.is_empty() { li.muted { (closed(reader, "consent", &Consent::NeverGiven)) } }
        }
    }
}

fn allows(reader: &Reader, standing: &Standing) -> Markup {
    html! {
        (closed(reader, "consent-purpose", &standing.subject.purpose)) " · " (closed(reader, "consent-channel", &standing.subject.channel)) " "
        (said(reader, standing.consent, Some(standing.at)))
    }
}

/// A person's word, with the day on which it was given.
fn said(reader: &Reader, consent: Consent, at: Option<Timestamp>) -> Markup {
    let (sign, kind) = match consent {
        Consent::Given => ("✓", "good"),
        Consent::Withdrawn | Consent::NeverGiven => ("✕", "bad"),
    };
    html! {
        span class=(kind) { span aria-hidden="true" { (sign) } " " (closed(reader, "consent", &consent)) }
        @if let Some(at) = at {
            " " time.muted datetime=(at) { (reader.date(at)) }
        }
    }
}
