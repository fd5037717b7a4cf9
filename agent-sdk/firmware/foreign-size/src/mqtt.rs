//! minimq: it connects with a name, a password and a will, subscribes, publishes at QoS 1 and takes in what comes.

use crate::{run, Pipe, Transport};
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;
use embedded_io_async::ErrorKind;
use minimq::{
    Buffers, ConfigBuilder, ConfigError, Connection, Error, PubError, Publication, QoS, Session, SubscriptionOptions,
    TopicFilter, Will,
};

static NOW_MS: AtomicU32 = AtomicU32::new(0);

/// The program's clock, for minimq.
struct Millis;

impl embassy_time_driver::Driver for Millis {
    fn now(&self) -> u64 {
        NOW_MS.load(Ordering::Relaxed).into()
    }

    fn schedule_wake(&self, _at: u64, _waker: &Waker) {}
}

embassy_time_driver::time_driver_impl!(static MILLIS: Millis = Millis);

/// Sets the clock.
#[no_mangle]
pub extern "C" fn minimq_tick(now_ms: u32) {
    NOW_MS.store(now_ms, Ordering::Relaxed);
}

/// One connection, until the transport ends; says why it could not be made, or ended.
///
/// # Safety
///
/// `transport` is one. `receive` and `transmit` have `len` bytes each that nobody else uses.
#[no_mangle]
pub unsafe extern "C" fn minimq_run(
    transport: *const Transport,
    receive: *mut u8,
    transmit: *mut u8,
    len: usize,
) -> u32 {
    // SAFETY: says the caller.
    let transport = unsafe { &*transport };
    // SAFETY: says the caller.
    let receive = unsafe { core::slice::from_raw_parts_mut(receive, len) };
    // SAFETY: says the caller.
    let transmit = unsafe { core::slice::from_raw_parts_mut(transmit, len) };
    match session(Buffers::new(receive, transmit)) {
        Ok(session) => run(serve(session, transport)),
        Err(_) => 1,
    }
}

fn session(buffers: Buffers<'_>) -> Result<Session<'_>, ConfigError> {
    let will = Will::new("d/wm-001/s", &[0x81, 0x06], &[])?
        .retained()
        .qos(QoS::AtLeastOnce);
    let config = ConfigBuilder::new(buffers)
        .auth("acme/wm-001", b"secret")?
        .client_id("wm-001")?
        .session_expiry_interval(3_600)
        .will(will)?;
    Ok(Session::new(config))
}

async fn serve(mut session: Session<'_>, transport: &Transport) -> u32 {
    let connected = session.connect(Pipe(transport)).await;
    match connected {
        Ok(mut connection) => match talk(&mut connection).await {
            Ok(()) => 0,
            Err(_) => 3,
        },
        Err(_) => 2,
    }
}

async fn talk(connection: &mut Connection<'_, '_, Pipe<'_>>) -> Result<(), Error<ErrorKind>> {
    let options = SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
    connection
        .subscribe(&[TopicFilter::new("d/wm-001/c/+").options(options)], &[])
        .await?;
    loop {
        let payload = black_box(&[0_u8; 64][..]);
        let reading = Publication::bytes("d/wm-001/t", payload).qos(QoS::AtLeastOnce);
        match connection.publish(reading).await {
            Ok(_) | Err(PubError::Payload(()) | PubError::Session(Error::NotReady | Error::Resource(_))) => {}
            Err(PubError::Session(why)) => return Err(why),
        }
        if let Some(message) = connection.poll().await? {
            black_box((message.topic(), message.payload()));
        }
    }
}
