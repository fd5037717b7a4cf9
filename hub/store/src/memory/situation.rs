//! What is open on appliances: taken out of the maps, and what has become of it put back.

use super::not_found;
use super::state::State;
use crate::error::Result;
use crate::ticket::TimelineEntry;
use hub_core::baseline::RestartReason;
use hub_core::consent::{KEY_9, Subject};
use hub_core::finding::{Finding, FindingState};
use hub_core::id::{ApplianceId, AttemptId, TicketId};
use hub_core::situation::{Changes, Ids, Refusal, Situation};
use jiff::Timestamp;

impl State {
    /// The situation of an appliance.
    pub(super) fn situation(&self, appliance: ApplianceId, now: Timestamp) -> Result<Situation> {
        let home = self.appliance(appliance)?;
        let own = || self.findings.values().filter(|finding| finding.appliance == appliance);
        let mut open: Vec<Finding> = own()
            .filter(|finding| finding.state == FindingState::Open)
            .cloned()
            .collect();
        open.sort_by_key(|finding| (finding.first_seen, finding.id));
        let quiet = own().filter_map(|finding| Some((finding.fault_class.clone(), finding.suppressed_until?)));
        let tickets = self.tickets.values().filter(|ticket| ticket.appliance == appliance);
        let tenant = self.tenant(&home.tenant)?;
        Ok(Situation {
            appliance,
            tenant: home.tenant.clone(),
            site: home.service_point.clone(),
            rules: tenant.call_rules.clone(),
            gates: self.gates_of(appliance)?,
            labels: tenant.labels.clone(),
            restarted: self.is_restarted(appliance),
            findings: open,
            quiet: quiet.filter(|(_, until)| *until > now).collect(),
            tickets: tickets.filter(|ticket| !ticket.is_closed()).cloned().collect(),
            attempts: Vec::new(),
        })
    }

    /// The one that a ticket belongs to, with the ticket, its findings whatever their state, and what a false alarm keeps quiet.
    pub(super) fn situation_of(&self, id: TicketId, now: Timestamp) -> Result<Situation> {
        let ticket = self.ticket(id)?;
        let mut situation = self.situation(ticket.appliance, now)?;
        let own = self
            .findings
            .values()
            .filter(|finding| finding.appliance == ticket.appliance);
        let about = ticket.fault.as_ref().map(|fault| fault.finding);
        let kept_quiet =
            |finding: &Finding| finding.ticket.is_none() && finding.suppressed_until.is_some_and(|until| until > now);
        let is_own = |finding: &Finding| Some(finding.id) == about || finding.ticket == Some(id) || kept_quiet(finding);
        for finding in own.filter(|finding| is_own(finding)) {
            if situation.finding(finding.id).is_err() {
                situation.findings.push(finding.clone());
            }
        }
        if situation.ticket(id).is_err() {
            situation.tickets.push(ticket);
        }
        Ok(situation)
    }

    /// The one that an attempt belongs to, with the attempt and its ticket.
    pub(super) fn situation_in(&self, id: AttemptId, now: Timestamp) -> Result<Situation> {
        let running = self.attempts.get(&id).ok_or_else(|| not_found("attempt", id))?;
        let mut situation = self.situation_of(running.attempt.ticket, now)?;
        situation.attempts.push(running.clone());
        Ok(situation)
    }

    /// Draws ids for what is made meanwhile.
    pub(super) fn with_ids<T>(&mut self, make: impl FnOnce(&mut Ids<'_>) -> T) -> T {
        make(&mut Ids(&mut || self.random()))
    }

    /// Saves what has become of situations.
    pub(super) fn save(&mut self, changes: Changes) -> Result<()> {
        for (id, mut ticket) in changes.tickets {
            if ticket.is_new {
                let tenant = self.tenants.get_mut(&ticket.now.tenant);
                let tenant = tenant.ok_or_else(|| not_found("tenant", &ticket.now.tenant))?;
                tenant.tickets += 1;
                ticket.now.number = tenant.tickets;
            }
            self.tickets.insert(id, ticket.now);
        }
        let findings = changes.findings.into_iter().map(|(id, finding)| (id, finding.now));
        self.findings.extend(findings);
        let visits = changes.appointments.into_iter().map(|(id, visit)| (id, visit.now));
        self.appointments.extend(visits);
        let attempts = changes.attempts.into_iter().map(|(id, attempt)| (id, attempt.now));
        self.attempts.extend(attempts);
        for line in changes.lines {
            self.timelines.entry(line.ticket).or_default().push(TimelineEntry {
                at: line.at,
                actor: line.actor,
                event: line.event,
            });
        }
        for (of, added) in changes.tallies {
            *self.tallies.entry(of).or_default() += added;
        }
        for refusal in changes.refusals {
            self.refuse(&refusal);
        }
        self.firmware.extend(changes.firmware);
        for (appliance, restart) in changes.restarted {
            self.note_restart(appliance, restart);
        }
        for told in changes.told {
            self.tell(&told.tenant, &told.kind, told.ticket, told.appliance, told.at);
        }
        Ok(())
    }

    /// Another unit, or one that serves somebody else.
    pub(super) fn restart_baseline(
        &mut self,
        appliance: ApplianceId,
        reason: RestartReason,
        now: Timestamp,
    ) -> Result<()> {
        let mut changes = Changes::default();
        let mut situation = self.situation(appliance, now)?;
        situation.restart_baseline(reason, now, &mut changes)?;
        self.save(changes)
    }

    /// Key 9: the ledger and the list.
    fn refuse(&mut self, refusal: &Refusal) {
        for subject in Subject::calls() {
            self.write_consent(refusal.person, subject, false, KEY_9, refusal.at);
        }
        let numbers = self.person(refusal.person).map_or(&[][..], |person| &person.numbers);
        let listed = numbers
            .iter()
            .map(|number| (refusal.tenant.clone(), number.reveal().to_owned()));
        self.do_not_call.extend(listed.collect::<Vec<_>>());
    }
}
