//! What a connection sees of this device: its clock, its socket, and its turn.

use crate::input::Sample;
use agent_sdk_blocking::Device;
use agent_sdk_core::{Event, Lane, Overflow, Publish, Qos, Session};
use agent_sdk_wire::{Header, MAX_MESSAGE_BYTES, MAX_NUMBER, TelemetryEncoder, TimeBase, Value};
use embedded_io_adapters::std::FromStd;
use std::io::{Error, ErrorKind};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// How often the input is looked at.
const LOOK_MS: u64 = 100;

/// See the module.
pub struct LinuxDevice {
    started: Instant,
    input: Receiver<Sample>,
    has_input: bool,
    boot_id: u64,
    /// Number of the next sample.
    next: u64,
    /// Request id and answer of the last command, until it is the device's turn.
    answer: Option<(String, &'static str)>,
}

impl LinuxDevice {
    /// A device that has just started; `entropy` makes this start different from all others.
    pub fn new(input: Receiver<Sample>, entropy: u64) -> Self {
        Self {
            started: Instant::now(),
            input,
            has_input: true,
            boot_id: entropy & MAX_NUMBER,
            next: 0,
            answer: None,
        }
    }

    /// Milliseconds since the start.
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits without a connection; samples go on coming.
    pub fn wait_until(&mut self, at_ms: u64, session: &mut Session<'_>) {
        while self.uptime_ms() < at_ms {
            self.take_samples(session);
            let left_ms = at_ms.saturating_sub(self.uptime_ms());
            std::thread::sleep(Duration::from_millis(left_ms.min(LOOK_MS)));
        }
    }

    fn take_samples(&mut self, session: &mut Session<'_>) {
        loop {
            match self.input.try_recv() {
                Ok(sample) => self.report(&sample, session),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.has_input = false;
                    return;
                }
            }
        }
    }

    fn report(&mut self, sample: &Sample, session: &mut Session<'_>) {
        let header = Header {
            time_base: TimeBase::Utc,
            boot_id: self.boot_id,
            seq: self.next,
            t0_ms: sample.at_ms,
        };
        let values: Vec<(u8, Value)> = sample
            .values
            .iter()
            .map(|(channel, value)| (*channel, Value::F64(*value)))
            .collect();
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let encoded = TelemetryEncoder::new(&mut buffer, &header).and_then(|mut message| {
            message.push(0, &values)?;
            message.finish()
        });
        self.next += 1;
        let payload = match encoded {
            Ok(payload) => payload,
            Err(error) => return eprintln!("a sample is lost: {error}"),
        };
        let message = Publish {
            lane: Lane::Telemetry,
            topic: "t",
            payload,
            qos: Qos::AtLeastOnce,
            retain: false,
            overflow: Overflow::DropOldest,
        };
        if let Err(refused) = session.publish(&message) {
            eprintln!("a sample is lost: {refused:?}");
        }
    }

    fn obey(&mut self, topic: &[u8], payload: &[u8]) {
        let topic = String::from_utf8_lossy(topic);
        let Some((_, request)) = topic.rsplit_once('/') else {
            return;
        };
        let is_status = String::from_utf8_lossy(payload).contains("\"status\"");
        let answer = if is_status {
            r#"{"status":"done"}"#
        } else {
            r#"{"status":"refused","reason":"not allowed"}"#
        };
        self.answer = Some((request.to_owned(), answer));
    }
}

impl Device<Session<'_>, FromStd<TcpStream>> for LinuxDevice {
    fn now_ms(&mut self) -> u64 {
        self.uptime_ms()
    }

    fn wait_readable(&mut self, transport: &mut FromStd<TcpStream>, limit_ms: u64) -> Result<bool, Error> {
        let stream = transport.inner();
        // Zero would be without a limit.
        stream.set_read_timeout(Some(Duration::from_millis(limit_ms.clamp(1, LOOK_MS))))?;
        match stream.peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn turn(&mut self, session: &mut Session<'_>, now_ms: u64) -> u64 {
        self.take_samples(session);
        if let Some((request, answer)) = self.answer.take() {
            let reply = Publish {
                lane: Lane::Event,
                topic: &format!("r/{request}"),
                payload: answer.as_bytes(),
                qos: Qos::AtLeastOnce,
                retain: false,
                overflow: Overflow::DropNewest,
            };
            if let Err(refused) = session.publish(&reply) {
                eprintln!("an answer is lost: {refused:?}");
            }
        }
        if !self.has_input && session.is_outbox_empty() {
            session.close();
        }
        now_ms + LOOK_MS
    }

    fn event(&mut self, event: Event<'_>, _now_ms: u64) {
        match event {
            Event::Message { topic, payload } => self.obey(topic, payload),
            Event::Delivered(_) => {}
            Event::Connected { .. } | Event::Subscribed { .. } | Event::Dropped { .. } | Event::Disconnected(_) => {
                eprintln!("{event:?}");
            }
        }
    }
}
