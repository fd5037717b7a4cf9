//! The live story: waits for each stage on the stored state and tells it in a line.

use super::homes::{HEALTHY, Living, NOT_RUNG, RUNG, TENANT, ZONE};
use crate::clock::TimeLapse;
use crate::hub::Hub;
use crate::terminal::say;
use anyhow::{Context, Result, bail, ensure};
use hub_core::actor::Actor;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::clock::CivilClock;
use hub_core::contact::ContactPhase;
use hub_core::finding::{Finding, FindingState};
use hub_core::id::{DeviceId, TenantId, TicketId};
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::ticket::{HUB, TicketEvent};
use hub_lab::administrator::Administrator;
use hub_lab::phone::PhoneReport;
use hub_store::contact::ContactStore;
use hub_store::event::EventStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use hub_store::ticket::{TicketFilter, TicketStore, TicketView};
use jiff::tz::TimeZone;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Each stage must come within this time, or the demo says which did not.
const STAGE_MAX: Duration = Duration::from_secs(150);
/// How often the stored state is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Who closes the ticket.
const TECHNICIAN: &str = "technician (simulated)";

/// The story being told.
pub struct Story<'a> {
    hub: &'a Hub,
    homes: &'a Living,
    reports: mpsc::Receiver<PhoneReport>,
    clock: Arc<TimeLapse>,
    administrator: Administrator,
    started: Instant,
}

impl<'a> Story<'a> {
    /// A story about these homes, of which this administrator approves the call; its clock starts now.
    pub fn new(
        hub: &'a Hub,
        homes: &'a Living,
        reports: mpsc::Receiver<PhoneReport>,
        clock: Arc<TimeLapse>,
        administrator: Administrator,
    ) -> Self {
        Self {
            hub,
            homes,
            reports,
            clock,
            administrator,
            started: Instant::now(),
        }
    }

    /// Plays it to the verdict.
    pub async fn play(&mut self) -> Result<()> {
        self.telemetry().await?;
        let (rung, not_rung) = self.prediction().await?;
        self.ticket(rung).await?;
        self.approval(rung).await?;
        self.contact(rung, not_rung).await?;
        self.outcome(rung).await
    }

    async fn telemetry(&self) -> Result<()> {
        let stored = self.until("the first readings are stored", || async {
            let stored = self.hub.store.samples_stored().await?;
            Ok((stored > 0).then_some(stored))
        });
        let stored = stored.await?;
        self.line(
            "telemetry",
            format_args!("three homes report over MQTT; {stored} samples acknowledged and stored so far"),
        );
        Ok(())
    }

    async fn prediction(&self) -> Result<(TicketId, TicketId)> {
        let rung = self.ticket_of(RUNG).await?;
        let view = self.view(rung).await?;
        let prediction = &found(&view)?.prediction;
        let top = prediction.top.first().map(|c| {
            format!(
                "{} {:.2} {} against its own {:.2}",
                c.channel, c.value, c.unit, c.baseline_mean
            )
        });
        self.line(
            "prediction",
            format_args!(
                "{RUNG}: {} with probability {:.2} by {} ({})",
                prediction.fault_class,
                prediction.probability,
                prediction.model,
                top.unwrap_or_default()
            ),
        );
        Ok((rung, self.ticket_of(NOT_RUNG).await?))
    }

    async fn ticket(&self, rung: TicketId) -> Result<()> {
        let view = self.view(rung).await?;
        let number = view.ticket.number;
        let tickets = self.appliance_tickets(RUNG).await?.len();
        ensure!(tickets == 1, "one fault opened {tickets} tickets");
        self.line(
            "ticket",
            format_args!(
                "one ticket for one fault: #{number} with {} points of evidence",
                found(&view)?.evidence.points.len()
            ),
        );
        Ok(())
    }

    /// The model has seen simulated machines alone: nobody is rung by its word until a person approves.
    async fn approval(&mut self, rung: TicketId) -> Result<()> {
        let ready = self.until("the call is ready for an approval", || async {
            let view = self.view(rung).await?;
            Ok(view.ticket.contact.waits_for_approval().then_some(view))
        });
        let view = ready.await?;
        let release = view.release.context("what people made of such predictions")?;
        let verdicts = release.verdicts();
        self.line(
            "contact",
            format_args!(
                "{RUNG}: ready to ring; the model's evidence is {}, {} of {} closed tickets right: a person approves each call",
                release.basis.kind.name(),
                verdicts.right,
                verdicts.right + verdicts.wrong
            ),
        );
        let approved = self.administrator.approve().await?;
        let number = view.ticket.number;
        ensure!(
            approved.iter().any(|call| call.ticket == number),
            "the call of #{number} was not approved: {approved:?}"
        );
        self.line(
            "contact",
            format_args!("{RUNG}: the administrator (simulated) approves the call of #{number}"),
        );
        Ok(())
    }

    async fn contact(&mut self, rung: TicketId, not_rung: TicketId) -> Result<()> {
        let ringing = self.until("the owner's phone rings", || async {
            let view = self.view(rung).await?;
            Ok(view.attempts.first().map(|a| a.started_at))
        });
        ringing.await?;
        let owner = self.view(rung).await?.owner.context("the owner")?;
        let number = owner.phone.map(|n| n.masked()).unwrap_or_default();
        self.line(
            "contact",
            format_args!("{RUNG}: ringing {number} over SIP; civil time stands still during the call"),
        );

        let booked = self.until("the call ends with an appointment", || async {
            let view = self.view(rung).await?;
            match view.ticket.contact.phase {
                ContactPhase::Done => Ok(Some(view)),
                ContactPhase::Held => bail!(
                    "{RUNG}: the call ended without an appointment: {:?}",
                    view.attempts.last()
                ),
                ContactPhase::Planned | ContactPhase::InCall => Ok(None),
            }
        });
        let view = booked.await?;
        let attempt = view.attempts.last().context("the attempt")?;
        ensure!(
            attempt.result == Some(CallResult::Answered),
            "the call was not answered: {:?}",
            attempt.result
        );
        ensure!(
            attempt.disposition == Some(Disposition::AppointmentBooked),
            "nothing was booked: {:?}",
            attempt.disposition
        );
        let slot = view.ticket.appointment.as_ref().context("the appointment")?.slot;
        let heard = timeout(STAGE_MAX, self.reports.recv())
            .await
            .ok()
            .flatten()
            .context("the phone did not report")?;
        let sent = attempt
            .detail
            .as_ref()
            .and_then(|d| d["audio"]["packets_sent"].as_u64())
            .unwrap_or(0);
        let received = attempt
            .detail
            .as_ref()
            .and_then(|d| d["audio"]["packets_received"].as_u64())
            .unwrap_or(0);
        ensure!(
            sent > 0 && received > 0 && heard.audio.packets_received > 0,
            "no audio both ways: sent {sent}, received {received}, heard {}",
            heard.audio.packets_received
        );
        self.line(
            "contact",
            format_args!(
                "{RUNG}: answered, key 1; audio both ways ({sent} packets out, {received} in); visit {}",
                self.civil(slot.start)
            ),
        );

        let held = self.until("the second home is held back", || async {
            Ok(self.view(not_rung).await?.ticket.contact.reason)
        });
        let reason = held.await?;
        ensure!(
            reason == HoldReason::ConsentWithdrawn,
            "{NOT_RUNG} is held for another reason: {reason:?}"
        );
        let contacts = self.hub.store.contacts(&Actor::hub(HUB), None, 10).await?;
        ensure!(
            contacts.items.len() == 1,
            "there was more than one call: {}",
            contacts.items.len()
        );
        self.line(
            "contact",
            format_args!(
                "{NOT_RUNG}: not called, its owner withdrew consent; the ticket says so and waits for a person"
            ),
        );
        Ok(())
    }

    async fn outcome(&self, rung: TicketId) -> Result<()> {
        let slot = self
            .view(rung)
            .await?
            .ticket
            .appointment
            .context("the appointment")?
            .slot;
        let visit = self.until("the technician's visit", || async {
            Ok((self.clock.now() >= slot.start).then_some(()))
        });
        visit.await?;
        self.homes.repair(RUNG, self.clock.now());
        self.line(
            "outcome",
            format_args!("{RUNG}: the technician (simulated) changes the drain pump"),
        );

        let cleared = self.until("the readings come back to the baseline", || async {
            let view = self.view(rung).await?;
            Ok((found(&view)?.state == FindingState::Cleared).then_some(()))
        });
        cleared.await?;
        self.line(
            "outcome",
            format_args!("{RUNG}: live readings are back at the unit's own baseline: the fix is proven"),
        );

        let outcome = Outcome {
            resolution: Resolution::ConfirmedFixed,
            verdict: Verdict::Right,
            note: "Drain pump worn; changed.".into(),
            part: Some("drain pump".into()),
        };
        let event = TicketEvent::Closed { outcome };
        let ticket = self
            .hub
            .store
            .apply_ticket(&Actor::hub(TECHNICIAN), rung, &event, self.clock.now())
            .await?;
        ensure!(ticket.is_closed(), "the ticket did not close");
        let healthy = self.appliance_tickets(HEALTHY).await?;
        ensure!(healthy.is_empty(), "the healthy home {HEALTHY} has a ticket");
        self.line(
            "outcome",
            format_args!(
                "#{} closed: confirmed and fixed; verdict: the prediction was right",
                ticket.number
            ),
        );
        Ok(())
    }

    /// Every acknowledged sample is stored, and nothing else.
    pub async fn account_for_samples(&self) -> Result<()> {
        let acknowledged = self.homes.counters.acknowledged();
        let stored = self.hub.store.samples_stored().await?;
        let equal = i64::try_from(acknowledged).is_ok_and(|a| a == stored);
        say(format_args!(
            "acknowledged {acknowledged} {} stored {stored}",
            if equal { "=" } else { "≠" }
        ));
        ensure!(equal, "acknowledged and stored samples differ");
        Ok(())
    }

    async fn ticket_of(&self, device: &str) -> Result<TicketId> {
        self.until("a ticket is opened", || async {
            Ok(self.appliance_tickets(device).await?.first().copied())
        })
        .await
    }

    async fn appliance_tickets(&self, device: &str) -> Result<Vec<TicketId>> {
        let appliance = self
            .hub
            .store
            .appliance_by_name(&TenantId::new(TENANT)?, &DeviceId::new(device)?)
            .await?;
        let tickets = self
            .hub
            .store
            .tickets(&Actor::hub(HUB), &TicketFilter::default(), None, 100)
            .await?;
        Ok(tickets
            .items
            .iter()
            .filter(|t| t.ticket.appliance == appliance.id)
            .map(|t| t.ticket.id)
            .collect())
    }

    async fn view(&self, ticket: TicketId) -> Result<TicketView> {
        Ok(self
            .hub
            .store
            .ticket(&Actor::hub(HUB), ticket, self.clock.now())
            .await?)
    }

    async fn until<T, F: Future<Output = Result<Option<T>>>>(
        &self,
        what: &str,
        mut look: impl FnMut() -> F,
    ) -> Result<T> {
        let deadline = Instant::now() + STAGE_MAX;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            ensure!(
                Instant::now() < deadline,
                "this did not happen within {STAGE_MAX:?}: {what}"
            );
            self.hub.store.event_arrived(LOOK).await;
        }
    }

    fn line(&self, stage: &str, text: impl std::fmt::Display) {
        let real = self.started.elapsed();
        say(format_args!(
            "{stage:<10} {:>5.1} s  {}  {text}",
            real.as_secs_f64(),
            self.civil(self.clock.now())
        ));
    }

    fn civil(&self, at: jiff::Timestamp) -> String {
        let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
        at.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// The finding that the ticket was opened for.
fn found(view: &TicketView) -> Result<&Finding> {
    view.finding.as_ref().context("the finding")
}
