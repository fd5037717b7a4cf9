//! What nobody here wrote, behind functions for C: minimq, an MQTT 5 client, and embedded-tls. They are linked to see what they
//! cost, and never run.
#![no_std]

mod mqtt;
mod tls;

use core::ffi::c_void;
use core::future::{poll_fn, Future};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
// What may not be interrupted, on one processor.
use cortex_m as _;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
pub use mqtt::{minimq_run, minimq_tick};
pub use tls::tls_run;

/// What the program supplies.
#[repr(C)]
pub struct Transport {
    /// Handed to the functions.
    pub context: *mut c_void,
    /// Reads; 0 while there is nothing, less than 0 at the end.
    pub read: extern "C" fn(*mut c_void, *mut u8, usize) -> isize,
    /// Writes; how many bytes, 0 while there is no room, less than 0 at the end.
    pub write: extern "C" fn(*mut c_void, *const u8, usize) -> isize,
    /// Fills with random bytes.
    pub random: extern "C" fn(*mut c_void, *mut u8, usize),
}

fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

struct Pipe<'t>(&'t Transport);

impl ErrorType for Pipe<'_> {
    type Error = ErrorKind;
}

impl Read for Pipe<'_> {
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| passed((self.0.read)(self.0.context, room.as_mut_ptr(), room.len()))).await
    }
}

impl Write for Pipe<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| passed((self.0.write)(self.0.context, bytes.as_ptr(), bytes.len()))).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// How many bytes were passed, from what a function of the program gives.
fn passed(count: isize) -> Poll<Result<usize, ErrorKind>> {
    match usize::try_from(count) {
        Ok(0) => Poll::Pending,
        Ok(count) => Poll::Ready(Ok(count)),
        Err(_) => Poll::Ready(Err(ErrorKind::ConnectionReset)),
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
