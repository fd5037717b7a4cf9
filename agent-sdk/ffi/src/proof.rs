//! What the link shows: that nothing panics, and how large the state is. Nothing here is in the header.

use crate::machine::FcAgentMachine;

/// Refers to what nobody defines: a program into which this is linked does not link.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn fc_agent_can_panic() -> !;
    }
    fc_agent_can_panic()
}

/// As large as the state of an agent with metrics, and in a program only when a link asks for it.
#[unsafe(no_mangle)]
pub static FC_AGENT_PROOF_STATE: [u8; size_of::<FcAgentMachine>()] = [0; size_of::<FcAgentMachine>()];

/// Panics on an empty slice.
#[cfg(feature = "planted-panic")]
pub(crate) fn planted(payload: &[u8]) {
    core::hint::black_box(payload[0]);
}
