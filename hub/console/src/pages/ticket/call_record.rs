//! The record of a call: how long, which keys, how much audio, and what was said.

use crate::pages::parts::fact::fact;
use crate::reader::Reader;
use hub_core::contact::ContactAttempt;
use maud::{Markup, html};
use serde::Deserialize;

/// The call-detail record as the voice part writes it. What an older record lacks is shown as nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CallRecord {
    sip_status: Option<u16>,
    reason: String,
    ended_by: Option<String>,
    refused: Option<String>,
    digits: String,
    no_key_way: bool,
    post_dial_ms: u64,
    ring_ms: u64,
    talk_ms: u64,
    transcript: Vec<Line>,
    audio: Audio,
}

/// A line of the transcript.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    at_ms: u64,
    speaker: String,
    text: String,
}

/// Packets both ways.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Audio {
    packets_sent: u64,
    packets_received: u64,
    lost: u64,
}

pub(super) fn render(reader: &Reader, attempt: &ContactAttempt) -> Markup {
    let record = attempt.detail.as_ref().map(CallRecord::deserialize);
    html! {
        @if let Some(person) = &attempt.requested_by {
            p.muted { (reader.with("call-requested-by", &[("name", person)])) }
        }
        @match record {
            None => p.muted { (reader.t("call-no-record")) },
            Some(Ok(record)) => { (facts(reader, &record)) (transcript(reader, &record)) },
            Some(Err(_)) => p.problem { (reader.t("call-record-unreadable")) },
        }
    }
}

fn facts(reader: &Reader, record: &CallRecord) -> Markup {
    let status = record.sip_status.map(|status| status.to_string()).unwrap_or_default();
    let audio = [
        ("sent", record.audio.packets_sent.to_string()),
        ("received", record.audio.packets_received.to_string()),
        ("lost", record.audio.lost.to_string()),
    ];
    html! {
        @if let Some(refused) = &record.refused {
            p.problem { (reader.with("call-refused", &[("choice", &reader.word("disposition", refused))])) }
        }
        @if record.no_key_way {
            p.problem { (reader.t("call-no-key-way")) }
        }
        dl.facts {
            (fact(&reader.t("call-network"), &html! { (status) " " (record.reason) }))
            @if let Some(by) = &record.ended_by {
                (fact(&reader.t("call-ended-by"), &html! { (reader.word("ended-by", by)) }))
            }
            (fact(&reader.t("call-post-dial"), &html! { (reader.span(record.post_dial_ms)) }))
            (fact(&reader.t("call-ring"), &html! { (reader.span(record.ring_ms)) }))
            (fact(&reader.t("call-talk"), &html! { (reader.span(record.talk_ms)) }))
            (fact(&reader.t("call-digits"), &html! {
                @if record.digits.is_empty() { "–" } @else { (record.digits) }
            }))
            (fact(&reader.t("call-audio"), &html! {
                (reader.with("call-packets", &audio.each_ref().map(|(name, value)| (*name, value.as_str()))))
            }))
        }
    }
}

fn transcript(reader: &Reader, record: &CallRecord) -> Markup {
    html! {
        @if !record.transcript.is_empty() {
            h4 { (reader.t("transcript")) }
            ol.transcript {
                @for line in &record.transcript {
                    li class={ "speaker-" (if line.speaker == "owner" { "owner" } else { "hub" }) } {
                        span.muted { (reader.span(line.at_ms)) " " (reader.word("speaker", &line.speaker)) }
                        p { (line.text) }
                    }
                }
            }
        }
    }
}
