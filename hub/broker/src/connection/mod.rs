//! One task for each connection: moves bytes between socket, codec and session core, and the core's events to the store's
//! side. Reading goes on while publishes wait for their commit, so that pings are answered. What a device says between two
//! looks at the network goes to ingest as one parcel, and what is due to it leaves in one write.

mod ask;
mod client;
mod command;
mod device;
mod device_side;
mod finish;
mod integrator;
mod integrator_side;
mod keep;
mod login;
mod question;

use crate::counters::add;
use crate::mailbox::{Cut, Letters, Mailbox};
use crate::quotas::Greeting;
use crate::registry::Identity;
use crate::session::{CloseReason, Event, Incoming, Outgoing, Session, Version};
use crate::socket::{Opened, Ready};
use crate::wire::Wire;
use crate::work::Shared;
use ask::Answered;
use client::{Client, Side};
use device_side::{ClockAnswer, DeviceSide};
use hub_core::id::TraceId;
use hub_store::session::SUBSCRIPTIONS_MAX;
use integrator::Changed;
use login::LoggedIn;
pub(crate) use login::identity;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a connection asks of others while it goes on.
type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

/// One connection.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    wire: Wire,
    peer: SocketAddr,
    number: u64,
    session: Session,
    mailbox: Arc<Mailbox>,
    /// Set to the soonest due or before: it is only ever moved when it fires, or when something is due sooner.
    timer: Pin<Box<Sleep>>,
    /// A few at most: one for each kind of question.
    running: Vec<Running>,
    /// Once it is let in.
    client: Option<Box<Client>>,
    /// Tenant and device as shown with a credential that is wrong.
    shown: Option<Box<(String, String)>>,
    /// Whose place it has.
    claimed: Option<Identity>,
    /// Until it is let in.
    greeting: Option<Greeting>,
    /// The next one counts up from it.
    last_trace: TraceId,
    /// Set at the hub's end.
    drain_by: Option<Instant>,
    closed: Option<CloseReason>,
}

/// What a question to others came to.
enum Done {
    LoggedIn(LoggedIn),
    /// Whether the session was kept or dropped as it should be, which the session core has asked so often.
    Kept {
        kept: bool,
        answers: u8,
    },
    /// Ingest has the parcel, or is gone.
    Sent(bool),
    /// Where uptime stands.
    Clock(ClockAnswer),
    Asked(Answered),
    /// The store was told about commands.
    Passed,
    Changed(Changed),
}

enum Wake {
    Wire(Ready),
    Mail(Letters),
    Done(Done),
    Message(Option<crate::router::Delivery>),
    Time,
}

impl Connection {
    /// A connection whose handshakes are done. Its trace ids count up from `trace`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        opened: Opened,
        peer: SocketAddr,
        number: u64,
        mailbox: Arc<Mailbox>,
        greeting: Greeting,
        trace: TraceId,
    ) -> Box<Self> {
        let Opened { socket, certified } = opened;
        let now = Instant::now();
        let limits = shared.config.session_limits();
        let session = Session::new(limits, certified, number, now.into_std());
        // Boxed: the task holds more than one copy of what it is given by value.
        Box::new(Self {
            wire: Wire::new(socket, shared.config.write_patience),
            timer: Box::pin(sleep_until(now + shared.config.connect_patience)),
            shared,
            peer,
            number,
            session,
            mailbox,
            running: Vec::new(),
            client: None,
            shown: None,
            claimed: None,
            greeting: Some(greeting),
            last_trace: trace,
            drain_by: None,
            closed: None,
        })
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(mut self: Box<Self>) {
        let way = self.wire.way();
        let shared = Arc::clone(&self.shared);
        add(shared.counters.way(way), 1);
        loop {
            self.pump();
            if self.session.is_closed() {
                break;
            }
            let wake = poll_fn(|cx| self.poll_wake(cx)).await;
            self.handle(wake);
        }
        // Boxed, since it would make the task of every idle connection larger.
        Box::pin(self.finish()).await;
        crate::counters::subtract(shared.counters.way(way), 1);
    }

    fn poll_wake(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        if let Poll::Ready(letters) = self.mailbox.poll(cx) {
            return Poll::Ready(Wake::Mail(letters));
        }
        for index in 0..self.running.len() {
            let Some(running) = self.running.get_mut(index) else {
                break;
            };
            if let Poll::Ready(done) = running.as_mut().poll(cx) {
                // Dropped, with the list where it is the last.
                drop(self.running.swap_remove(index));
                if self.running.is_empty() {
                    self.running = Vec::new();
                }
                return Poll::Ready(Wake::Done(done));
            }
        }
        if let Poll::Ready(message) = self.poll_message(cx) {
            return Poll::Ready(Wake::Message(message));
        }
        let reading = self.reads();
        if let Poll::Ready(ready) = self.wire.poll_ready(cx, reading) {
            return Poll::Ready(Wake::Wire(ready));
        }
        let due = self.next_due();
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                self.timer
                    .as_mut()
                    .reset(Instant::now() + self.shared.config.keep_alive_cap);
                return Poll::Ready(Wake::Time);
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn reads(&self) -> bool {
        self.session.wants_packet() && self.wire.keeps_up() && self.drain_by.is_none()
    }

    fn next_due(&self) -> Instant {
        let session = self.session.poll_timeout().map(Instant::from_std);
        let dues = [session, self.wire.write_by(), self.drain_by];
        let soonest = dues.into_iter().flatten().min();
        soonest.unwrap_or_else(|| Instant::now() + self.shared.config.keep_alive_cap)
    }

    fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Wire(Ready::Read) => match self.wire.read() {
                Ok(count) => add(&self.shared.counters.bytes_in, count as u64),
                Err(reason) => self.lost(reason),
            },
            // Sending is what happens next in any case.
            Wake::Wire(Ready::Write) => {}
            Wake::Mail(letters) => self.letters(letters),
            Wake::Done(done) => self.done(done),
            Wake::Message(message) => self.message(message),
            Wake::Time => self.time(),
        }
        if self.drain_by.is_some() && self.session.in_flight() == 0 {
            self.pump();
            self.session.handle_close(CloseReason::Stopping);
        }
    }

    /// The network ended, after everything that came before was taken in.
    fn lost(&mut self, reason: CloseReason) {
        self.packets();
        self.session.handle_close(reason);
    }

    fn letters(&mut self, letters: Letters) {
        let Letters {
            settled,
            commands,
            attributes_changed,
            cut,
            stopping,
        } = letters;
        self.settled(settled);
        if let Some(commands) = commands {
            self.commands(commands);
        }
        if attributes_changed {
            self.attributes_changed();
        }
        match cut {
            Some(Cut::TakenOver) => self.session.handle_close(CloseReason::TakenOver),
            Some(Cut::Revoked) => self.session.handle_close(CloseReason::Revoked),
            Some(Cut::CommitFailed) => self.session.handle_close(CloseReason::CommitFailed),
            None => {}
        }
        if stopping {
            self.drain_by = Some(Instant::now() + self.shared.config.drain_patience);
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::LoggedIn(logged_in) => self.logged_in(logged_in),
            Done::Kept { kept, answers } => self.kept(kept, answers),
            Done::Sent(sent) => self.sent(sent),
            Done::Clock(answer) => self.clock_answered(answer),
            Done::Asked(answered) => self.answered(answered),
            Done::Passed => self.passed(),
            Done::Changed(changed) => self.changed(changed),
        }
    }

    fn time(&mut self) {
        let now = Instant::now();
        self.session.handle_timeout(now.into_std());
        if self.wire.write_by().is_some_and(|due| now >= due) {
            self.session.handle_close(CloseReason::WriteStalled);
        }
        if self.drain_by.is_some_and(|due| now >= due) {
            self.session.handle_close(CloseReason::Stopping);
        }
    }

    /// Moves everything that can move without waiting.
    fn pump(&mut self) {
        self.packets();
        self.deliver();
        self.send_parcel();
        if let Err(reason) = self.wire.flush() {
            self.session.handle_close(reason);
        }
    }

    /// Takes in what was read, and puts out what is due.
    fn packets(&mut self) {
        let now = Instant::now().into_std();
        loop {
            while let Some(event) = self.session.poll_event() {
                self.event(event);
            }
            self.keep_next();
            self.transmit();
            if !self.reads() || !self.next_packet(now) {
                break;
            }
        }
    }

    /// Puts out what is due.
    fn transmit(&mut self) {
        while let Some(packet) = self.session.poll_transmit() {
            self.write(packet);
        }
    }

    /// Hands the next complete packet to the session; false where there is none.
    fn next_packet(&mut self, now: std::time::Instant) -> bool {
        let greeting = self.session.awaits_connect();
        match self.wire.next_packet(self.session.packet_bytes_max(), greeting) {
            Ok(Some(packet)) => match self.charge(&packet) {
                Ok(()) => self.session.handle_packet(packet, now),
                Err(reason) => self.session.handle_close(reason),
            },
            Ok(None) => return false,
            Err(reason) => self.session.handle_close(reason),
        }
        true
    }

    /// Subscriptions cost like publishes, which are counted when they have passed the session's rules.
    fn charge(&self, packet: &Incoming) -> Result<(), CloseReason> {
        let filters = match packet {
            Incoming::Subscribe(subscribe) => subscribe.filters.len(),
            Incoming::Unsubscribe { filters, .. } => filters.len(),
            _ => return Ok(()),
        };
        let Some(client) = &self.client else { return Ok(()) };
        // What is refused for its number costs next to nothing.
        let units = filters.clamp(1, SUBSCRIPTIONS_MAX) as u64;
        let charged = client.allowance.ask(units, &self.shared.config);
        charged.map_err(|_| CloseReason::Quota("messages a second, subscriptions included"))
    }

    fn write(&mut self, packet: Outgoing) {
        let counters = &self.shared.counters;
        match &packet {
            Outgoing::PubAck(ack) | Outgoing::PubRec(ack) if !ack.reason.is_error() => add(&counters.acknowledged, 1),
            Outgoing::Publish(publish) => {
                let by_qos = counters.messages_out.get(self.version());
                if let Some(count) = by_qos.and_then(|by_qos| by_qos.get(usize::from(publish.qos))) {
                    add(count, 1);
                }
            }
            _ => {}
        }
        match self.wire.write(packet) {
            Ok(count) => add(&self.shared.counters.bytes_out, count as u64),
            Err(reason) => self.session.handle_close(reason),
        }
    }

    /// Place in counts by version.
    fn version(&self) -> usize {
        usize::from(self.session.version() == Some(Version::V5))
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Authenticate(credential) => self.log_in(credential),
            Event::DropSession => self.keep(None),
            Event::KeepSession(session) => self.keep(Some(session)),
            Event::Opened { .. } => self.opened(),
            Event::Received(received) => self.received(received),
            Event::Released { number, packet_id } => self.released(number, packet_id),
            Event::Will { received, delay_s } => self.will(received, delay_s),
            Event::Dropped => self.dropped(),
            Event::Refused(reason) => self.note_refused(reason.label(), &reason),
            Event::CommandsWanted => self.look_for_commands(),
            Event::CommandTaken(request) => self.command_taken(request),
            Event::Subscribed {
                filter,
                qos,
                retained,
                retain_as_published,
            } => self.subscribed(filter, qos, retained, retain_as_published),
            Event::Unsubscribed { filter } => self.unsubscribed(filter),
            Event::Closed(reason) => self.closed = Some(reason),
        }
    }

    /// Counts and logs a refusal after which the connection goes on.
    fn note_refused(&self, label: &'static str, reason: &dyn std::fmt::Display) {
        self.shared.counters.count_refused(label);
        self.shared.refusals.note(label, self.about(), reason);
    }

    fn about(&self) -> crate::refusals::About<'_> {
        let client = self
            .client
            .as_ref()
            .map(|client| (client.tenant.as_str(), client.name.as_str()));
        let shown = self.shown.as_ref().map(|shown| (shown.0.as_str(), shown.1.as_str()));
        let (tenant, name) = client.or(shown).unzip();
        crate::refusals::About {
            tenant,
            name,
            peer: Some(self.peer),
        }
    }

    fn device(&mut self) -> Option<&mut DeviceSide> {
        match self.client.as_mut().map(|client| &mut client.side) {
            Some(Side::Device(device)) => Some(device),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ten thousand idle devices cost is mostly this.
    #[test]
    fn an_idle_connection_is_small() {
        let parts = [
            ("connection", size_of::<Connection>(), 900),
            ("session", size_of::<Session>(), 400),
            ("client", size_of::<Client>(), 900),
            ("mailbox", size_of::<Mailbox>(), 200),
        ];
        for (name, size, bound) in parts {
            println!("{name}: {size} bytes");
            assert!(size <= bound, "{name}: {size}");
        }
    }
}
