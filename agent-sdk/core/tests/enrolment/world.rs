//! A device with its flash, a link and a hub, and what goes wrong between them, counted in steps.

use crate::hub::{BY_GROUP, Hub, TOKEN, USER_NAME};
use agent_sdk_core::{Enrolment, EnrolmentMem, Factory, Origin, Reason, Settings};

pub const SETTINGS: Settings = Settings {
    keep_alive_s: 60,
    connack_limit_ms: 5_000,
    answer_limit_ms: 10_000,
    window: 3,
    backoff_base_ms: 1_000,
    backoff_cap_ms: 60_000,
};

/// A way to a secret that takes more connections than this is taken for one without end; each fault may cost it two more.
const CONNECTIONS_MAX: u32 = 56;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device starts again, with what is in its flash.
    Power,
    /// The link is cut.
    Link,
    /// The link stays, and nothing of the hub arrives any more.
    Silence,
    /// The hub is killed, and refuses the next two connections.
    Restart,
}

pub const FAULTS: [Fault; 4] = [Fault::Power, Fault::Link, Fault::Silence, Fault::Restart];

/// The power was cut.
#[derive(Debug)]
pub struct PowerCut;

pub struct World {
    pub hub: Hub,
    pub flash: Option<Vec<u8>>,
    pub origin: Origin<'static>,
    /// By step.
    pub faults: Vec<(u64, Fault)>,
    /// While this is the device's secret, it exchanges it.
    pub unwanted: Option<Vec<u8>>,
    pub steps: u64,
    /// What lets the device in at last.
    pub password: Vec<u8>,
    now: u64,
    connections: u32,
    draws: u8,
}

impl World {
    fn new(hub: Hub, origin: Origin<'static>) -> Self {
        Self {
            hub,
            flash: None,
            origin,
            faults: Vec::new(),
            unwanted: None,
            steps: 0,
            password: Vec::new(),
            now: 1_000,
            connections: 0,
            draws: 0,
        }
    }

    pub fn claim(uses_left: u32) -> Self {
        let hub = Hub {
            uses_left,
            ..Hub::default()
        };
        Self::new(hub, Origin::Claim { token: TOKEN })
    }

    pub fn group() -> Self {
        let hub = Hub {
            is_in_group: true,
            ..Hub::default()
        };
        let secret = BY_GROUP.as_bytes();
        Self::new(hub, Origin::Group { secret })
    }

    /// A device that came in by a claim and now exchanges its secret.
    pub fn exchange() -> Self {
        let mut world = Self::claim(1);
        world.run();
        world.unwanted = Some(world.password.clone());
        (world.steps, world.connections) = (0, 0);
        world
    }

    /// Until the device is done, however often it has to start.
    pub fn run(&mut self) {
        let lives = self.faults.len() + 1;
        for _ in 0..lives {
            if self.life().is_ok() {
                return;
            }
            self.hub.cut();
            self.now += 3_000;
        }
        panic!("more power cuts than there were faults");
    }

    /// From a start to the end of the enrolment, or of the power.
    fn life(&mut self) -> Result<(), PowerCut> {
        let factory = Factory {
            user_name: USER_NAME,
            origin: self.origin,
        };
        let mut memory = EnrolmentMem::new();
        let kept = self.flash.clone();
        let mut device = Enrolment::new(&mut memory, factory, kept.as_deref(), SETTINGS, 1).expect("what was kept");
        loop {
            let is_unwanted = device.is_done() && device.password() == self.unwanted.as_deref();
            if device.needs_secret() || is_unwanted {
                self.draws += 1;
                let draws = self.draws;
                assert!(device.renew(&std::array::from_fn(|at| draws.wrapping_add(at as u8 * 7))));
            }
            if let Some(record) = device.to_keep().map(<[u8]>::to_vec) {
                assert_eq!(device.next_connect_at(), None, "a connection before all is kept");
                self.step()?;
                self.flash = Some(record);
                self.step()?;
                device.handle_kept();
                continue;
            }
            if device.is_done() {
                assert_eq!((device.next_connect_at(), device.next_deadline()), (None, None));
                self.password = device.password().expect("it has a secret of its own").to_vec();
                return Ok(());
            }
            let at = device.next_connect_at().expect("it has to connect");
            self.now = self.now.max(at);
            self.connections += 1;
            let most = CONNECTIONS_MAX + 2 * self.faults.len() as u32;
            assert!(self.connections <= most, "it never comes to an end");
            device.handle_connected(self.now, 7);
            self.connection(&mut device)?;
        }
    }

    fn connection(&mut self, device: &mut Enrolment<'_>) -> Result<(), PowerCut> {
        self.hub.cut();
        let mut to_device: Vec<u8> = Vec::new();
        let mut is_silent = false;
        loop {
            if device.poll_event(self.now).is_some() {
                device.handle_disconnected(self.now);
                return Ok(());
            }
            let mut out = [0; 64];
            let count = device.poll_transmit(&mut out, self.now);
            if count > 0 {
                // Before the bytes are on their way, and after the hub has had them.
                if self.fault(&mut is_silent)? {
                    return lost(device, self.now);
                }
                let answers = self.hub.handle(&out[..count]);
                self.check_shown();
                if self.fault(&mut is_silent)? {
                    return lost(device, self.now);
                }
                if !is_silent {
                    to_device.extend(answers);
                }
                continue;
            }
            if !to_device.is_empty() {
                let taken = device.handle_bytes(&to_device, self.now);
                to_device.drain(..taken);
                continue;
            }
            let deadline = device.next_deadline().expect("it would wait without end");
            assert!(deadline > self.now, "it is due and does nothing");
            self.now = deadline;
            device.handle_timeout(self.now);
        }
    }

    /// Whether the link is gone.
    fn fault(&mut self, is_silent: &mut bool) -> Result<bool, PowerCut> {
        Ok(match self.step()? {
            None | Some(Fault::Power) => false,
            Some(Fault::Silence) => {
                *is_silent = true;
                false
            }
            Some(Fault::Link) => true,
            Some(Fault::Restart) => {
                self.hub.unavailable = 2;
                true
            }
        })
    }

    fn step(&mut self) -> Result<Option<Fault>, PowerCut> {
        let step = self.steps;
        self.steps += 1;
        let fault = self.faults.iter().find(|(at, _)| *at == step).map(|(_, fault)| *fault);
        if fault == Some(Fault::Power) {
            return Err(PowerCut);
        }
        Ok(fault)
    }

    /// Whatever the device comes in by is from the factory, or is in its flash.
    fn check_shown(&self) {
        let Some((user_name, password)) = self.hub.shown.last() else {
            return;
        };
        let is_from_factory = match (self.origin, password) {
            (Origin::Claim { .. }, None) => user_name == TOKEN,
            (Origin::Group { .. }, Some(password)) => password == BY_GROUP,
            (Origin::Claim { .. }, Some(_)) | (Origin::Group { .. }, None) => false,
        };
        let flash = self.flash.as_deref().unwrap_or_default();
        let is_kept = password.as_deref().is_some_and(|password| {
            let password = password.as_bytes();
            flash.windows(password.len()).any(|window| window == password)
        });
        assert!(is_from_factory || is_kept, "a secret was used that was not kept");
        assert!(is_from_factory || user_name == USER_NAME);
    }
}

fn lost(device: &mut Enrolment<'_>, now: u64) -> Result<(), PowerCut> {
    device.handle_disconnected(now);
    while let Some(reason) = device.poll_event(now) {
        assert!(matches!(reason, Reason::LinkLost | Reason::Closed), "{reason:?}");
    }
    Ok(())
}
