//! embedded-tls: a connection of TLS 1.3 by a key that both sides have. No certificate is looked at.

use crate::{run, Pipe, Transport};
use core::hint::black_box;
use embedded_tls::{Aes128GcmSha256, TlsConfig, TlsConnection, TlsContext, UnsecureProvider};
use rand_core::{CryptoRng, RngCore};

/// One connection, until the transport ends; says why.
///
/// # Safety
///
/// `transport` is one. `receive` and `transmit` have `len` bytes each that nobody else uses.
#[no_mangle]
pub unsafe extern "C" fn tls_run(transport: *const Transport, receive: *mut u8, transmit: *mut u8, len: usize) -> u32 {
    // SAFETY: says the caller.
    let transport = unsafe { &*transport };
    // SAFETY: says the caller.
    let receive = unsafe { core::slice::from_raw_parts_mut(receive, len) };
    // SAFETY: says the caller.
    let transmit = unsafe { core::slice::from_raw_parts_mut(transmit, len) };
    run(serve(transport, receive, transmit))
}

async fn serve(transport: &Transport, receive: &mut [u8], transmit: &mut [u8]) -> u32 {
    let key = black_box([7_u8; 32]);
    let config = TlsConfig::new()
        .with_server_name("hub")
        .with_psk(&key, &[&b"acme/wm-001"[..]]);
    let provider = UnsecureProvider::new::<Aes128GcmSha256>(Generator(transport));
    let mut tls: TlsConnection<'_, Pipe<'_>, Aes128GcmSha256> = TlsConnection::new(Pipe(transport), receive, transmit);
    if tls.open(TlsContext::new(&config, provider)).await.is_err() {
        return 2;
    }
    let mut bytes = [0; 64];
    loop {
        let Ok(count) = tls.read(&mut bytes).await else {
            return 3;
        };
        if tls.write(&bytes[..count]).await.is_err() || tls.flush().await.is_err() {
            return 4;
        }
    }
}

/// The program's random bytes.
struct Generator<'t>(&'t Transport);

impl RngCore for Generator<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        (self.0.random)(self.0.context, bytes.as_mut_ptr(), bytes.len());
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Generator<'_> {}
