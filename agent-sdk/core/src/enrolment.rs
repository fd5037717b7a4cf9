//! How a device comes to a secret of its own: the first one, by what it has from the factory, and each next one, by the one
//! before. Knows nothing of flash, readings and commands; what is to be kept is handed to the caller and not used before.
//!
//! The device makes its secrets itself and keeps them before it tells the hub. So no answer of the hub holds anything that
//! could be lost with it: a device that got none asks again with the same secret, or simply comes in by it.

mod factory;
mod kept;
mod question;

pub use factory::{Factory, Origin};
pub use kept::KEPT_BYTES_MAX;

use crate::identity::Settings;
use crate::publish::{Overflow, Publish, Qos};
use crate::session::{NEVER, Reason, Session, Told, later};
use agent_sdk_wire::Lane;
use factory::{by_claim, device_of, identity};
use kept::Kept;
use question::Asked;

/// Random bytes of a secret. On the wire it is these in lower-case hexadecimal.
pub const SECRET_RANDOM_BYTES: usize = 32;

/// Why there is no enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolmentError {
    /// The user name is not `tenant/device`.
    UserName,
    /// What was kept is nothing that [`Enrolment::to_keep`] gave, or of a later version. The device may begin as it came
    /// from the factory, but a hub that knows it then refuses it.
    Kept,
}

/// Memory that an enrolment works in: 562 bytes. It may be used for something else afterwards.
pub struct EnrolmentMem {
    outbox: [u8; OUTBOX_BYTES],
    receive: [u8; ANSWER_BYTES_MAX],
    kept: [u8; KEPT_BYTES_MAX],
}

/// A question with its topic and head.
const OUTBOX_BYTES: usize = 176;
/// The longest answer with its topic; a refusal says why, for a person who reads along.
const ANSWER_BYTES_MAX: usize = 256;

impl EnrolmentMem {
    /// Empty memory.
    pub const fn new() -> Self {
        Self {
            outbox: [0; OUTBOX_BYTES],
            receive: [0; ANSWER_BYTES_MAX],
            kept: [0; KEPT_BYTES_MAX],
        }
    }
}

impl Default for EnrolmentMem {
    fn default() -> Self {
        Self::new()
    }
}

/// What the next connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// To tell the hub the next secret, by what lets the device in now.
    Ask,
    /// To come in by the next secret.
    Try,
    /// To end what let the device in before.
    End,
}

/// The way to a secret of the device's own, or to the next one. It has connections of its own, before the agent has any,
/// or between two of them.
///
/// 1. Where [`Self::needs_secret`] says so, and to exchange the secret, [`Self::renew`] is given random bytes.
/// 2. What [`Self::to_keep`] gives is kept, in place of what was kept before, and [`Self::handle_kept`] called. Until then
///    there is no connection.
/// 3. Connections are driven as those of a [`Session`], until [`Self::is_done`]; then [`Self::password`] is the device's.
///
/// After each start it goes on with what was kept last. A device that is done is so without any connection.
///
/// ```
/// use agent_sdk_core::{Enrolment, EnrolmentMem, Factory, Origin, Settings};
///
/// let mut memory = EnrolmentMem::new();
/// let factory = Factory {
///     user_name: "acme/wm-001",
///     origin: Origin::Claim { token: "claim_0123" },
/// };
/// let kept = None; // As it lies in flash.
/// let mut enrolment = Enrolment::new(&mut memory, factory, kept, Settings::DEFAULT, 42).expect("a name");
/// if enrolment.needs_secret() {
///     let random = core::array::from_fn(|at| at as u8); // From the board's generator.
///     assert!(enrolment.renew(&random));
/// }
/// assert_eq!(enrolment.next_connect_at(), None, "not before the secret is kept");
/// if let Some(_record) = enrolment.to_keep() {
///     // To flash; then:
///     enrolment.handle_kept();
/// }
/// assert_eq!(enrolment.next_connect_at(), Some(0));
/// ```
pub struct Enrolment<'m> {
    session: Session<'m>,
    factory: Factory<'m>,
    kept: Kept<'m>,
    /// The caller has not kept it yet as it is now.
    is_to_keep: bool,
    /// While there is a next secret: whether it is tried, or asked for.
    is_trying: bool,
    /// The hub has taken neither.
    is_refused: bool,
    /// When the answer to a question is overdue; [`NEVER`] if none is awaited.
    answer_by: u64,
    answer_limit_ms: u32,
}

impl<'m> Enrolment<'m> {
    /// Goes on with what was kept last, or begins. `seed` is entropy for the back-off; two devices must not share it.
    ///
    /// # Errors
    ///
    /// See [`EnrolmentError`].
    pub fn new(
        memory: &'m mut EnrolmentMem,
        factory: Factory<'m>,
        kept: Option<&[u8]>,
        settings: Settings,
        seed: u32,
    ) -> Result<Self, EnrolmentError> {
        let mut enrolment = Self::fresh(memory, factory, settings, seed).ok_or(EnrolmentError::UserName)?;
        if let Some(kept) = kept {
            enrolment.resume(kept)?;
        }
        Ok(enrolment)
    }

    /// As [`Self::new`] where nothing was kept, or where [`Self::resume`] is called next, once the enrolment lies in its
    /// place. For a caller in whose memory it is placed. `None` if the user name is not `tenant/device`.
    pub fn fresh(memory: &'m mut EnrolmentMem, factory: Factory<'m>, settings: Settings, seed: u32) -> Option<Self> {
        device_of(factory.user_name)?;
        // The receive buffer is long enough for it.
        let session = Session::new(&mut memory.outbox, &mut memory.receive, settings, seed)?;
        Some(Self {
            session,
            factory,
            kept: Kept::nothing(&mut memory.kept),
            is_to_keep: false,
            is_trying: false,
            is_refused: false,
            answer_by: NEVER,
            answer_limit_ms: settings.answer_limit_ms,
        })
    }

    /// Goes on with what was kept last, before anything else.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::Kept`]; the enrolment is of no use then.
    pub fn resume(&mut self, kept: &[u8]) -> Result<(), EnrolmentError> {
        if self.kept.take_in(kept) {
            Ok(())
        } else {
            Err(EnrolmentError::Kept)
        }
    }

    /// Whether there is no secret of the device's own yet, neither one that lets it in nor one on its way.
    pub fn needs_secret(&self) -> bool {
        self.kept.current().is_none() && self.kept.next().is_none()
    }

    /// Makes the next secret of random bytes: the first one, or the one to exchange the present one for. It has to be kept
    /// before it is used. False, and nothing is changed, if one is on its way already, if something is still to be kept, or
    /// if the bytes cannot be random.
    pub fn renew(&mut self, random: &[u8; SECRET_RANDOM_BYTES]) -> bool {
        let is_busy = self.is_to_keep || self.step().is_some();
        if is_busy || !kept::may_be_random(random) {
            return false;
        }
        self.kept.draw(random);
        self.is_to_keep = true;
        self.is_trying = false;
        true
    }

    /// What is to be kept now, in place of what was kept before: at most [`KEPT_BYTES_MAX`] bytes, which are secret.
    pub fn to_keep(&self) -> Option<&[u8]> {
        self.is_to_keep.then(|| self.kept.bytes())
    }

    /// What [`Self::to_keep`] gave is kept, and will be there after a power cut.
    pub fn handle_kept(&mut self) {
        self.is_to_keep = false;
    }

    /// Whether the device has a secret of its own, which is kept, and nothing else is on its way.
    pub fn is_done(&self) -> bool {
        !self.is_to_keep && self.step().is_none() && self.kept.current().is_some()
    }

    /// Whether the hub has refused both what lets the device in now and its next secret. It is asked on, ever more
    /// seldom; a person may have to look at the hub's list of devices. Meanwhile a device with a [`Self::password`] may work.
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// What lets the device in now with its user name: its own secret, or that of its group; `None` before a claim is
    /// answered.
    pub fn password(&self) -> Option<&[u8]> {
        match self.factory.origin {
            Origin::Claim { .. } => self.kept.current(),
            Origin::Group { secret } => Some(self.kept.current().unwrap_or(secret)),
        }
    }

    /// The transport is connected; see [`Session::handle_connected`]. It does nothing while no connection is due.
    pub fn handle_connected(&mut self, now: u64, entropy: u32) {
        if self.may_connect() {
            self.session.handle_connected(now, entropy);
            self.session.forget_messages();
            self.answer_by = NEVER;
        }
    }

    /// The transport is closed, or could not be opened; see [`Session::handle_disconnected`].
    pub fn handle_disconnected(&mut self, now: u64) {
        self.session.handle_disconnected(now);
        self.answer_by = NEVER;
    }

    /// Bytes came; see [`Session::handle_bytes`].
    #[must_use = "bytes that were not taken have to be handed in again"]
    pub fn handle_bytes(&mut self, bytes: &[u8], now: u64) -> usize {
        self.session.handle_bytes(bytes, now)
    }

    /// Time has passed: ends a connection whose answers are overdue.
    pub fn handle_timeout(&mut self, now: u64) {
        self.session.handle_timeout(now);
        if now >= self.answer_by {
            self.answer_by = NEVER;
            // The answer was lost, or did not fit: what it would have said shows when the secret is tried.
            self.is_trying = true;
            self.session.give_up();
        }
    }

    /// Why the connection is over, once: the transport is to be closed, and [`Self::handle_disconnected`] called. `None` if
    /// there is nothing to tell. To be called before [`Self::poll_transmit`], and whenever bytes came.
    pub fn poll_event(&mut self, now: u64) -> Option<Reason> {
        loop {
            match self.session.poll_told()? {
                Told::Connected { .. } => self.accepted(),
                Told::Subscribed { refused: 0 } => self.ask(now),
                Told::Subscribed { .. } => self.answered(false),
                Told::Message => self.heard(),
                Told::Delivered(_) | Told::Dropped { .. } => {}
                Told::Disconnected(reason) => {
                    self.answer_by = NEVER;
                    // About the credentials (§3.2.2.3).
                    if matches!(reason, Reason::Refused(4 | 5)) {
                        self.not_let_in();
                    }
                    return Some(reason);
                }
            }
        }
    }

    /// Writes what is due into `out`; see [`Session::poll_transmit`].
    #[must_use = "what was written has to be handed to the transport"]
    pub fn poll_transmit(&mut self, out: &mut [u8], now: u64) -> usize {
        self.handle_timeout(now);
        let step = self.step();
        let identity = identity(&self.factory, &self.kept, step);
        self.session.poll_transmit(&identity, out, now)
    }

    /// When to open the transport; `None` while there is one, and while none is wanted.
    pub fn next_connect_at(&self) -> Option<u64> {
        self.session.next_connect_at().filter(|_| self.may_connect())
    }

    /// When to come back even if nothing happens; see [`Session::next_deadline`].
    pub fn next_deadline(&self) -> Option<u64> {
        if self.session.next_connect_at().is_some() {
            return self.next_connect_at();
        }
        Some(self.session.due().min(self.answer_by)).filter(|due| *due < NEVER)
    }

    fn may_connect(&self) -> bool {
        !self.is_to_keep && self.step().is_some()
    }

    fn step(&self) -> Option<Step> {
        if self.kept.next().is_some() {
            Some(if self.is_trying { Step::Try } else { Step::Ask })
        } else {
            self.kept.has_old().then_some(Step::End)
        }
    }

    /// The hub has let the device in.
    fn accepted(&mut self) {
        if self.step() == Some(Step::Try) {
            self.session.served();
            // The hub has ended all else where the device came in by a claim.
            self.take_over(!by_claim(&self.factory, &self.kept));
            // There is one change to be kept in a connection at most, and the next one waits for it.
            self.session.close();
        }
    }

    /// The next secret is the present one from now on.
    fn take_over(&mut self, has_old: bool) {
        self.kept.take_over(has_old);
        self.is_to_keep = true;
        self.is_trying = false;
        self.is_refused = false;
    }

    /// The hub knows neither the credential nor the device, or the device is revoked.
    fn not_let_in(&mut self) {
        match self.step() {
            Some(Step::Ask) => self.is_trying = true,
            Some(Step::Try) => {
                self.is_trying = false;
                self.is_refused = true;
            }
            Some(Step::End) => self.is_refused = true,
            None => {}
        }
    }

    /// The hub would hear an answer now.
    fn ask(&mut self, now: u64) {
        let asked = match self.step() {
            Some(Step::Ask) if by_claim(&self.factory, &self.kept) => Asked::Claim,
            Some(Step::Ask) => Asked::Propose,
            Some(Step::End) => Asked::End,
            Some(Step::Try) | None => return self.session.close(),
        };
        let secret = match asked {
            Asked::Claim | Asked::Propose => self.kept.next(),
            Asked::End => self.kept.current(),
        };
        let device = device_of(self.factory.user_name).unwrap_or_default();
        let payload = question::parts(asked, device, secret.unwrap_or_default());
        let message = Publish {
            lane: Lane::Event,
            topic: asked.topic(),
            payload: &[],
            // It is asked again on the next connection, in the words that are right then.
            qos: Qos::AtMostOnce,
            retain: false,
            overflow: Overflow::DropNewest,
        };
        match self.session.publish_parts(&payload, &message) {
            Ok(_) => self.answer_by = later(now, self.answer_limit_ms),
            // It fits, since the outbox is made for it.
            Err(_) => self.session.close(),
        }
    }

    fn heard(&mut self) {
        let (topic, payload) = self.session.parts();
        let is_answer = question::is_answer(topic);
        let is_ok = question::is_ok(payload);
        if is_answer && self.answer_by < NEVER {
            self.answered(is_ok);
        }
    }

    fn answered(&mut self, is_ok: bool) {
        self.answer_by = NEVER;
        if is_ok {
            self.session.served();
            self.is_refused = false;
        }
        match self.step() {
            Some(Step::Ask) if is_ok && by_claim(&self.factory, &self.kept) => self.take_over(false),
            // Taken or not, it is tried: it may have been taken before, and that answer lost.
            Some(Step::Ask) => self.is_trying = true,
            // There is nothing to end, or the hub has given the device another one by now. It was let in by this one.
            Some(Step::End) => {
                self.kept.ended();
                self.is_to_keep = true;
            }
            Some(Step::Try) | None => {}
        }
        self.session.close();
    }
}
