//! The same pump with minimq, an MQTT 5 client that nobody here wrote, at QoS 2: what the hub says to the device agent, it says to
//! others too. One reading is under way at a time; a command is answered with `{"status":"done"}`.
#![no_std]
#![no_main]

use agent_sdk_wire::{BatchEncoder, Header, TimeBase, GONE};
use core::future::{poll_fn, Future};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use cortex_m_rt::{entry, exception, ExceptionFrame};
use embassy_time::{with_timeout, Duration, Timer};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use minimq::{
    Buffers, ConfigBuilder, ConfigError, ConnectEvent, Connection, Error, Op, PubError, Publication, QoS, Session,
    SubscriptionOptions, TopicFilter, Will,
};
use qemu_mps2::args::Args;
use qemu_mps2::net::{Link, Net, NetMemory};
use qemu_mps2::plan::Plan;
use qemu_mps2::{clock, crash, ethernet, give_up, say, semihosting, text};

/// Bytes of the longest packet either way, and of all that is under way up.
const PACKET_BYTES: usize = 1_024;
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(500);
/// For as long the hub keeps the session after a link was lost.
const SESSION_S: u32 = 3_600;
/// The longest request id of the hub's commands, with `d/{device}/r/` before it.
const TOPIC_BYTES: usize = 160;
const REQUEST_BYTES: usize = 64;

type Failed = Error<ErrorKind>;

#[entry]
fn main() -> ! {
    static mut NET: NetMemory = NetMemory::new();
    static mut LINE: [u8; 512] = [0; 512];
    static mut RECEIVE: [u8; PACKET_BYTES] = [0; PACKET_BYTES];
    static mut TRANSMIT: [u8; 2 * PACKET_BYTES] = [0; 2 * PACKET_BYTES];

    let Some(plan) = Plan::read(Args(semihosting::command_line(LINE))) else {
        give_up("arguments are missing, or are no numbers")
    };
    if let Some(mut core) = cortex_m::Peripherals::take() {
        clock::start(&mut core.SYST);
    }
    let net = Net::new(ethernet(), NET, plan.port, plan.seed);
    let Some(secret) = plan.secret else {
        give_up("there is no secret")
    };
    let Ok(session) = session(&plan, secret, Buffers::new(RECEIVE, TRANSMIT)) else {
        give_up("the device's name is too long")
    };
    run(serve(net, session, plan))
}

#[exception]
fn SysTick() {
    clock::tick();
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    crash::restart(frame.pc())
}

/// The board's clock, for minimq. Nobody is woken: [`run`] looks each millisecond.
struct Millis;

impl embassy_time_driver::Driver for Millis {
    fn now(&self) -> u64 {
        clock::ms()
    }

    fn schedule_wake(&self, _at: u64, _waker: &Waker) {}
}

embassy_time_driver::time_driver_impl!(static MILLIS: Millis = Millis);

fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        cortex_m::asm::wfi();
    }
}

fn session(
    plan: &Plan<'static>,
    secret: &'static str,
    buffers: Buffers<'static>,
) -> Result<Session<'static>, ConfigError> {
    let mut topic = [0; TOPIC_BYTES];
    let topic = text::format(&mut topic, format_args!("d/{}/s", plan.device));
    let will = Will::new(topic, GONE, &[])?.retained().qos(QoS::AtLeastOnce);
    let config = ConfigBuilder::new(buffers)
        .auth(plan.user, secret.as_bytes())?
        .client_id(plan.device)?
        .keepalive_interval(30)
        .session_expiry_interval(SESSION_S)
        .will(will)?;
    Ok(Session::new(config))
}

/// Where the pump is in its readings.
struct Progress {
    /// Number of the reading that is next, or under way.
    next: u64,
    under_way: Option<Op>,
}

async fn serve(mut net: Net, mut session: Session<'static>, plan: Plan<'static>) -> ! {
    let mut progress = Progress {
        next: 0,
        under_way: None,
    };
    loop {
        if open(&mut net).await {
            match session.connect(Socket(&mut net)).await {
                Ok(mut connection) => {
                    say!("connected: {:?}", connection.connect_event());
                    let Err(why) = talk(&mut connection, &plan, &mut progress).await;
                    say!("disconnected: {why:?}");
                }
                Err(why) => say!("refused: {why:?}"),
            }
        }
        net.abort();
        net.poll(clock::ms());
        Timer::after(AGAIN).await;
    }
}

/// Opens a connection; whether it is open.
async fn open(net: &mut Net) -> bool {
    if !net.connect() {
        return false;
    }
    poll_fn(|_| {
        net.poll(clock::ms());
        match net.link() {
            Link::Opening => Poll::Pending,
            Link::Up => Poll::Ready(true),
            Link::Down => Poll::Ready(false),
        }
    })
    .await
}

async fn talk(
    connection: &mut Connection<'_, '_, Socket<'_>>,
    plan: &Plan<'_>,
    progress: &mut Progress,
) -> Result<core::convert::Infallible, Failed> {
    if connection.connect_event() == ConnectEvent::Connected {
        let mut filter = [0; TOPIC_BYTES];
        let filter = text::format(&mut filter, format_args!("d/{}/c/+", plan.device));
        let options = SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
        connection
            .subscribe(&[TopicFilter::new(filter).options(options)], &[])
            .await?;
    }
    loop {
        measure(connection, plan, progress).await?;
        let mut request = [0; REQUEST_BYTES];
        let mut request_len = 0;
        // Until the next reading may be due.
        let wait = Duration::from_millis(plan.period_ms.clamp(1, 50));
        if let Ok(polled) = with_timeout(wait, connection.poll()).await {
            if let Some(message) = polled? {
                let id = message.topic().rsplit('/').next().unwrap_or_default();
                request_len = text::format(&mut request, format_args!("{id}")).len();
            }
        }
        if request_len > 0 {
            let id = core::str::from_utf8(&request[..request_len]).unwrap_or_default();
            answer(connection, plan, id).await?;
        }
    }
}

/// Publishes the next reading once it is due and the one before has arrived.
async fn measure(
    connection: &mut Connection<'_, '_, Socket<'_>>,
    plan: &Plan<'_>,
    progress: &mut Progress,
) -> Result<(), Failed> {
    if let Some(op) = progress.under_way {
        if connection.is_pending(&op) {
            return Ok(());
        }
        progress.under_way = None;
        if connection.is_complete(&op) {
            progress.next += 1;
            if progress.next == plan.count {
                say!("delivered {}", progress.next);
            }
        }
    }
    if progress.next >= plan.count || clock::ms() < progress.next * plan.period_ms {
        return Ok(());
    }
    let mut buffer = [0; PACKET_BYTES / 2];
    let Some(payload) = payload(&mut buffer, plan, progress.next) else {
        return Ok(());
    };
    let mut topic = [0; TOPIC_BYTES];
    let topic = text::format(&mut topic, format_args!("d/{}/t", plan.device));
    let reading = Publication::bytes(topic, payload).qos(QoS::ExactlyOnce);
    match connection.publish(reading).await {
        Ok(op) => progress.under_way = op,
        // Too much is under way: later, with the same bytes.
        Err(PubError::Session(Error::NotReady | Error::Resource(_)) | PubError::Payload(())) => {}
        Err(PubError::Session(why)) => return Err(why),
    }
    Ok(())
}

async fn answer(connection: &mut Connection<'_, '_, Socket<'_>>, plan: &Plan<'_>, request: &str) -> Result<(), Failed> {
    let mut topic = [0; TOPIC_BYTES];
    let topic = text::format(&mut topic, format_args!("d/{}/r/{request}", plan.device));
    let done = Publication::bytes(topic, br#"{"status":"done"}"#).qos(QoS::AtLeastOnce);
    match connection.publish(done).await {
        Ok(_) => Ok(()),
        Err(PubError::Session(why)) => Err(why),
        Err(PubError::Payload(())) => Ok(()),
    }
}

/// A reading as a batch of one sample.
fn payload<'b>(buffer: &'b mut [u8], plan: &Plan<'_>, number: u64) -> Option<&'b [u8]> {
    let header = Header {
        time_base: TimeBase::Uptime,
        boot_id: plan.boot,
        seq: number,
        t0_ms: i64::try_from(number * plan.period_ms).ok()?,
    };
    let mut batch = BatchEncoder::new(buffer, &header, core::iter::once(0)).ok()?;
    for (channel, value) in (1..).zip(plan.pump.read(number)) {
        batch.column(channel, core::iter::once(Some(value))).ok()?;
    }
    batch.finish().ok()
}

/// The board's connection as minimq wants it.
struct Socket<'n>(&'n mut Net);

impl ErrorType for Socket<'_> {
    type Error = ErrorKind;
}

impl Read for Socket<'_> {
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| {
            self.0.poll(clock::ms());
            let taken = self.0.receive(|bytes| {
                let len = bytes.len().min(room.len());
                room[..len].copy_from_slice(&bytes[..len]);
                len
            });
            match (taken, self.0.link()) {
                (0, Link::Up) => Poll::Pending,
                // 0 is the end.
                (taken, _) => Poll::Ready(Ok(taken)),
            }
        })
        .await
    }
}

impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| {
            self.0.poll(clock::ms());
            match (self.0.send(bytes), self.0.link()) {
                (0, Link::Up) => Poll::Pending,
                (0, Link::Down | Link::Opening) => Poll::Ready(Err(ErrorKind::ConnectionReset)),
                (sent, _) => Poll::Ready(Ok(sent)),
            }
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.poll(clock::ms());
        Ok(())
    }
}
