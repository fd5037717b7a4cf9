//! One task for each connection: moves bytes between socket, codec and session core, and the core's events to the store's
//! side. Reading goes on while publishes wait for their commit, so that pings are answered.

use crate::counters::add;
use crate::decode::Work;
use crate::registry::{Address, MAIL_SPARE, Mail};
use crate::session::{CloseReason, Delivery, Event, Kind, Outgoing, Received, Session, Verdict};
use crate::wire::{Ready, Wire};
use crate::work::{Done, Shared, Task, Unanswered, What, Worker};
use agent_sdk_wire::topic::is_level;
use bytes::Bytes;
use hub_store::telemetry::{Command, Device};
use std::collections::VecDeque;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

type Running<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// One connection.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    wire: Wire,
    peer: SocketAddr,
    number: u64,
    session: Session,
    login: Running<Result<Option<Device>, Unanswered>>,
    device: Option<Device>,
    mailbox: (mpsc::Sender<Mail>, mpsc::Receiver<Mail>),
    taken_over: CancellationToken,
    /// At most `in_flight_max` and a will.
    tasks: VecDeque<Task>,
    running: Running<Done>,
    /// UTC less uptime of the newest boot, where it is known whether the device has told it.
    offset: Option<(u64, Option<i64>)>,
    /// Set at the hub's end.
    drain_by: Option<Instant>,
    quarantined: u64,
    closed: Option<CloseReason>,
}

enum Wake {
    Wire(Ready),
    Mail(Mail),
    Ran(Done),
    LoggedIn(Result<Option<Device>, Unanswered>),
    Time,
    TakenOver,
    Stop,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, number: u64) -> Self {
        let session = Session::new(shared.config.session_limits(), Instant::now().into_std());
        let mailbox = mpsc::channel(shared.config.in_flight_max + MAIL_SPARE);
        Self {
            wire: Wire::new(stream, shared.config.write_patience),
            shared,
            peer,
            number,
            session,
            login: None,
            device: None,
            mailbox,
            taken_over: CancellationToken::new(),
            tasks: VecDeque::new(),
            running: None,
            offset: None,
            drain_by: None,
            quarantined: 0,
            closed: None,
        }
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(mut self) {
        loop {
            self.pump();
            if self.session.is_closed() {
                break;
            }
            let wake = self.wake().await;
            self.handle(wake);
        }
        self.finish().await;
    }

    async fn wake(&mut self) -> Wake {
        let reading = self.reads();
        let due = self.next_due();
        tokio::select! {
            ready = self.wire.ready(reading) => Wake::Wire(ready),
            // The channel stays open: this connection holds a sender itself.
            Some(mail) = self.mailbox.1.recv() => Wake::Mail(mail),
            done = outcome(&mut self.running) => Wake::Ran(done),
            answer = outcome(&mut self.login) => Wake::LoggedIn(answer),
            () = sleep_until(due) => Wake::Time,
            () = self.taken_over.cancelled() => Wake::TakenOver,
            () = self.shared.stop.cancelled(), if self.drain_by.is_none() => Wake::Stop,
        }
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
            Wake::Wire(Ready::Read) => {
                let read = self.wire.read();
                self.check(read);
            }
            // Sending is what happens next in any case.
            Wake::Wire(Ready::Write) => {}
            Wake::Mail(Mail::Committed(number)) => self.session.handle_committed(number),
            Wake::Mail(Mail::Failed) => self.session.handle_close(CloseReason::CommitFailed),
            Wake::Mail(Mail::Commands(commands)) => commands.into_iter().for_each(|c| self.command(c)),
            Wake::Ran(done) => {
                self.running = None;
                self.ran(done);
            }
            Wake::LoggedIn(answer) => {
                self.login = None;
                self.logged_in(answer);
            }
            Wake::Time => self.time(),
            Wake::TakenOver => self.session.handle_close(CloseReason::TakenOver),
            Wake::Stop => self.drain_by = Some(Instant::now() + self.shared.config.drain_patience),
        }
        if self.drain_by.is_some() && self.session.in_flight() == 0 {
            self.pump();
            self.session.handle_close(CloseReason::Stopping);
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

    /// Ends the session where the wire says so.
    fn check(&mut self, outcome: Result<(), CloseReason>) {
        if let Err(reason) = outcome {
            self.session.handle_close(reason);
        }
    }

    /// Moves everything that can move without waiting.
    fn pump(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                self.event(event);
            }
            while let Some(packet) = self.session.poll_transmit() {
                self.write(packet);
            }
            if !self.reads() || !self.next_packet() {
                break;
            }
        }
        let sent = self.wire.flush();
        self.check(sent);
    }

    /// Hands the next complete packet to the session; false where there is none.
    fn next_packet(&mut self) -> bool {
        let greeting = self.session.awaits_connect();
        match self.wire.next_packet(self.shared.config.packet_bytes_max, greeting) {
            Ok(Some(packet)) => self.session.handle_packet(packet, Instant::now().into_std()),
            Ok(None) => return false,
            Err(reason) => self.session.handle_close(reason),
        }
        true
    }

    fn write(&mut self, packet: Outgoing) {
        let counters = &self.shared.counters;
        match &packet {
            Outgoing::PubAck(_) => add(&counters.acknowledged, 1),
            Outgoing::Publish { .. } => add(&counters.commands_sent, 1),
            Outgoing::ConnAck(_) | Outgoing::SubAck { .. } | Outgoing::UnsubAck(_) | Outgoing::PingResp => {}
        }
        let written = self.wire.write(packet);
        self.check(written);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Authenticate(credential) => {
                self.login = Some(Box::pin(Arc::clone(&self.shared).log_in(credential)));
            }
            Event::Received(received) => self.received(received),
            Event::Dropped => add(&self.shared.counters.dropped, 1),
            Event::CommandsWanted => {
                if let Some(device) = &self.device {
                    self.shared.desk.look(device.appliance);
                }
            }
            Event::Closed(reason) => self.closed = Some(reason),
        }
    }

    fn logged_in(&mut self, answer: Result<Option<Device>, Unanswered>) {
        let now = Instant::now().into_std();
        let device = match answer {
            Ok(Some(device)) => device,
            Ok(None) => return self.session.handle_verdict(Verdict::Refused, now),
            Err(Unanswered) => return self.session.handle_verdict(Verdict::Unavailable, now),
        };
        self.session
            .handle_verdict(Verdict::Accepted(device.device.clone()), now);
        if !self.session.is_closed() {
            let address = Address {
                number: self.number,
                taken_over: self.taken_over.clone(),
                mailbox: self.mailbox.0.clone(),
            };
            let at = self.shared.clock.now();
            self.shared.registry.enter(device.appliance, address, at);
            add(&self.shared.counters.accepted, 1);
            tracing::debug!(tenant = %device.tenant, device = %device.device, peer = %self.peer, "connected");
        }
        self.device = Some(device);
    }

    fn received(&mut self, received: Received) {
        let Some(device) = &self.device else { return };
        add(&self.shared.counters.publishes, 1);
        let now = self.shared.clock.now();
        let deadline = Instant::now() + self.shared.config.commit_patience;
        let number = received.number;
        let what = match received.kind {
            // Presence comes from the session itself; what the device says of it is taken note of by nobody yet.
            Kind::State => return number.into_iter().for_each(|n| self.session.handle_committed(n)),
            Kind::Reply(request) => What::Reply {
                request,
                payload: received.payload,
                at: now,
            },
            Kind::Telemetry | Kind::TelemetryJson | Kind::Event => {
                let profile = self.shared.profiles.get(&device.profile);
                let profile = profile.ok_or(device.profile.as_str());
                let trace = self.shared.trace(now);
                tracing::debug!(%trace, appliance = %device.appliance, topic = received.topic, "publish received");
                let work = Work::decode(received, device.appliance, profile, now, trace);
                self.note_quarantine(&work);
                What::Ingest(work)
            }
        };
        self.tasks.push_back(Task { number, deadline, what });
        self.start_tasks();
    }

    /// One line for the first bad payload of a connection; the number of the others comes when it ends.
    fn note_quarantine(&mut self, work: &Work) {
        let (Some(reason), Some(device)) = (work.refusal(), &self.device) else {
            return;
        };
        self.quarantined += 1;
        if self.quarantined == 1 {
            tracing::warn!(tenant = %device.tenant, device = %device.device, reason, "payload goes to quarantine");
        }
    }

    /// Starts the next tasks: what needs nothing of the store goes to ingest at once, the first that does is run.
    fn start_tasks(&mut self) {
        let Some(worker) = self.worker() else { return };
        while self.running.is_none() {
            let Some(Task { number, deadline, what }) = self.tasks.pop_front() else {
                return;
            };
            let work = match what {
                What::Ingest(work) => work,
                What::Reply { .. } => {
                    let task = Task { number, deadline, what };
                    self.running = Some(Box::pin(worker.clone().carry_out(task, None)));
                    return;
                }
            };
            if let Some((boot, offset)) = work.clock() {
                self.offset = Some((boot, Some(offset)));
            }
            let known = self
                .offset
                .filter(|(boot, _)| work.boot().is_none_or(|wanted| wanted == *boot));
            let ready = work.boot().is_none() || known.is_some();
            match self.shared.ingest.try_reserve() {
                Ok(place) if ready => {
                    let offset_ms = known.and_then(|(_, offset)| offset);
                    place.send(worker.item(work, offset_ms, number, deadline));
                }
                Ok(_) | Err(_) => {
                    let what = What::Ingest(work);
                    let task = Task { number, deadline, what };
                    self.running = Some(Box::pin(worker.clone().carry_out(task, self.offset)));
                }
            }
        }
    }

    fn worker(&self) -> Option<Worker> {
        self.device.as_ref().map(|device| Worker {
            shared: Arc::clone(&self.shared),
            appliance: device.appliance,
            mailbox: self.mailbox.0.clone(),
        })
    }

    fn ran(&mut self, done: Done) {
        match done {
            Done::Queued(offset) => self.offset = offset.or(self.offset),
            Done::Stored(number) => number.into_iter().for_each(|n| self.session.handle_committed(n)),
            Done::Failed => self.session.handle_close(CloseReason::CommitFailed),
        }
        self.start_tasks();
    }

    fn command(&mut self, command: Command) {
        if command.expires_at <= self.shared.clock.now() {
            return;
        }
        if !is_level(&command.request) {
            tracing::warn!(request = ?command.request, "command has a request id that is no topic level");
            return;
        }
        match self.session.handle_command(&command.request, Bytes::from(command.body)) {
            Delivery::Taken | Delivery::Repeated | Delivery::NotSubscribed => {}
            // It stays in the store, and is looked for again when the device has replied to an earlier one.
            Delivery::Full => {}
        }
    }

    /// The end: says so, brings what was received into the store, sends what is left.
    async fn finish(mut self) {
        // The last flush may have found the connection lost.
        while let Some(event) = self.session.poll_event() {
            self.event(event);
        }
        let reason = self.closed.take().unwrap_or(CloseReason::Lost);
        self.shared.counters.count_closed(&reason);
        self.log(&reason);
        if let Some(device) = &self.device {
            let at = self.shared.clock.now();
            let registry = &self.shared.registry;
            registry.leave(device.appliance, self.number, &reason.to_string(), at);
        }
        let rest = timeout(self.shared.config.store_patience, self.finish_tasks());
        if rest.await.is_err() {
            add(&self.shared.counters.dropped, self.tasks.len() as u64 + 1);
        }
        if reason != CloseReason::Lost && reason != CloseReason::WriteStalled {
            self.wire.say_goodbye().await;
        }
    }

    /// What a device sent before it left may have been its last word; none of it is acknowledged any more.
    async fn finish_tasks(&mut self) {
        while self.running.is_some() {
            let done = outcome(&mut self.running).await;
            self.running = None;
            self.ran(done);
        }
    }

    fn log(&self, reason: &CloseReason) {
        let tenant = self.device.as_ref().map(|device| device.tenant.as_str());
        let device = self.device.as_ref().map(|device| device.device.as_str());
        let (peer, quarantined) = (self.peer, self.quarantined);
        if reason.is_refusal() {
            tracing::warn!(tenant, device, %peer, %reason, quarantined, "connection cut");
        } else {
            tracing::info!(tenant, device, %peer, %reason, quarantined, "connection closed");
        }
    }
}

/// The outcome of what runs, or never where nothing runs.
async fn outcome<T>(running: &mut Running<T>) -> T {
    match running {
        Some(running) => running.await,
        None => pending().await,
    }
}
