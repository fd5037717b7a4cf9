//! Three simulated homes: one is rung, one is not because its owner withdrew consent, one is healthy.

use crate::clock::TimeLapse;
use crate::database::Opened;
use crate::models::profiles;
use crate::random;
use anyhow::{Context, Result};
use hub_core::appointment::{Day, WeeklySlot};
use hub_core::call_rules::CallRules;
use hub_core::id::{DeviceId, TenantId};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::profile::ApplianceProfile;
use hub_core::site::{Device, Localised, Owner, Price, ServicePoint, Site, Tenant, Trunk};
use hub_core::ticket::TicketLabels;
use hub_lab::home::{Board, Delivered, DeviceError, Home, HomeCounters, Machine};
use hub_lab::phone::{PhoneAnswer, PhoneScript, Phones};
use hub_store::site::SiteStore;
use hub_voice::Secret;
use hub_voice::signaling::rsip::Digest;
use jiff::{SignedDuration, Timestamp, civil::time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tests_world::{FaultKind, FaultPlan, Unit, WashingMachine};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The demo's tenant.
pub const TENANT: &str = "qinglan";
/// The home that is rung.
pub const RUNG: &str = "WM-2608-8412";
/// The home that is not rung.
pub const NOT_RUNG: &str = "WM-2608-3307";
/// The healthy home.
pub const HEALTHY: &str = "WM-2608-5150";
/// Time zone of the homes.
pub const ZONE: &str = "Asia/Shanghai";
const SHANGHAI_OFFSET_S: i64 = 8 * 3_600;
/// Sound until then: long enough for each unit's own baseline.
const ONSET: SignedDuration = SignedDuration::from_hours(24 * 24);
const DAYS_TO_FAILURE: f64 = 24.0;

/// Rings so long before the phone is answered.
const ANSWERS_AFTER: Duration = Duration::from_secs(2);
/// Listens so long before a key is pressed.
const LISTENS: Duration = Duration::from_secs(10);

const TRUNK_USER: &str = "qinglan";
const TRUNK_PASSWORD: &str = "only-in-the-demo";

/// What the simulated carrier demands of the hub before it lets a phone ring.
pub fn trunk_digest() -> Digest {
    Digest {
        user: TRUNK_USER.into(),
        password: Secret::new(TRUNK_PASSWORD),
    }
}

/// A simulated owner.
struct Person {
    id: &'static str,
    name: &'static str,
    phone: &'static str,
}

/// Owners of the homes, in the same order.
const OWNERS: [Person; 3] = [
    Person {
        id: "c-1001",
        name: "Li Na",
        phone: "+8613800005678",
    },
    Person {
        id: "c-1002",
        name: "Wang Wei",
        phone: "+8613900001234",
    },
    Person {
        id: "c-1003",
        name: "Chen Jie",
        phone: "+8613700009876",
    },
];

/// The homes before they live.
pub struct Homes {
    site: Site,
    secrets: Vec<(DeviceId, String)>,
    start: Timestamp,
    profile: ApplianceProfile,
}

/// The homes while they live.
pub struct Living {
    /// What they sent and what was acknowledged.
    pub counters: Arc<HomeCounters>,
    machines: Vec<(DeviceId, Machine)>,
    tasks: std::sync::Mutex<JoinSet<Result<Delivered, DeviceError>>>,
}

/// The first home's owner answers after a moment, listens, and presses 1. The others would answer too.
pub fn set_phones(phones: &Phones) -> Result<()> {
    for owner in OWNERS {
        let keys = vec![(LISTENS, '1')];
        let script = PhoneScript {
            answer: PhoneAnswer::After(ANSWERS_AFTER),
            keys,
            hang_up: None,
        };
        phones.set(PhoneNumber::new(owner.phone)?, script);
    }
    Ok(())
}

impl Homes {
    /// The homes' owners and devices; `trunk` is where the phone listens.
    pub fn new(start: Timestamp, language: Language, trunk: SocketAddr) -> Result<Self> {
        let secrets = [RUNG, NOT_RUNG, HEALTHY].map(|name| Ok((DeviceId::new(name)?, random::secret())));
        let secrets = secrets.into_iter().collect::<Result<Vec<_>>>()?;
        let other = if language == Language::En {
            Language::ZhCn
        } else {
            Language::En
        };
        let tenant = Tenant {
            id: TenantId::new(TENANT)?,
            brand: Localised {
                zh_cn: "清澜电器".into(),
                en: "Clearwave Appliances".into(),
            },
            call_rules: CallRules::default(),
            ticket_labels: TicketLabels::default(),
            visit_price: Price {
                currency: "CNY".into(),
                amount: 80,
            },
            trunk: Some(Trunk {
                proxy: trunk.into(),
                domain: trunk.ip().to_string(),
                username: Some(TRUNK_USER.into()),
                password: Some(TRUNK_PASSWORD.into()),
                caller_number: PhoneNumber::new("+862155500100")?,
                // The demo's phone asserts nobody; nobody but it can ring the hub.
                believe_from: true,
                addresses: Vec::new(),
                inbound_channels: None,
                post_dial_limit_s: 6,
                trying_limit_s: 20,
                number_plan: None,
            }),
            service_points: vec![service_point()],
            budgets: Vec::new(),
            retentions: Vec::new(),
            households: Vec::new(),
            owners: OWNERS
                .iter()
                .zip([language, other, language])
                .map(|(o, l)| owner(o, l))
                .collect::<Result<_>>()?,
            devices: secrets
                .iter()
                .zip(&OWNERS)
                .map(|((id, _), owner)| device(id, owner.id))
                .collect(),
        };
        let profile = tests_world::profiles::washing_machine();
        Ok(Self {
            site: Site { tenants: vec![tenant] },
            secrets,
            start,
            profile,
        })
    }

    /// Declares them to the hub as `forecall apply` would, and withdraws the second owner's consent.
    pub async fn declare(&self, opened: &Opened, now: Timestamp) -> Result<()> {
        self.site.check(&profiles(&opened.families).into_keys().collect())?;
        opened.store.apply_site(&self.site, now, false).await?;
        for ((_, secret), device) in self.secrets.iter().zip(&self.site.tenants[0].devices) {
            opened
                .store
                .add_device(&self.site.tenants[0].id, device, secret, now)
                .await?;
        }
        let later = now.checked_add(SignedDuration::from_mins(1))?;
        opened
            .store
            .set_consent(&self.site.tenants[0].id, OWNERS[1].id, false, "letter", later)
            .await
            .context("consent")?;
        Ok(())
    }

    /// Lets the homes live on real MQTT; the first one on a board, if there is one.
    pub fn live(
        self,
        mqtt: SocketAddr,
        clock: Arc<TimeLapse>,
        stop: CancellationToken,
        mut board: Option<Board>,
    ) -> Living {
        let counters = Arc::new(HomeCounters::default());
        let mut tasks = JoinSet::new();
        let mut machines = Vec::new();
        let profile = Arc::new(self.profile);
        for (n, (device, secret)) in self.secrets.into_iter().enumerate() {
            let unit = Unit::draw(2_608 + n as u64, SHANGHAI_OFFSET_S);
            let mut machine = WashingMachine::new(unit, self.start);
            if n < 2 {
                let onset = self.start.checked_add(ONSET).unwrap_or(self.start);
                machine = machine.with_fault(FaultPlan {
                    kind: FaultKind::DrainPumpWear,
                    onset,
                    days_to_failure: DAYS_TO_FAILURE,
                });
            }
            let machine = Machine::new(machine);
            let is_foreign = device.as_str() == HEALTHY;
            let own_board = board.take_if(|_| device.as_str() == RUNG);
            let home = Home {
                tenant: TENANT.into(),
                device: device.to_string(),
                secret,
                machine: machine.clone(),
                profile: profile.clone(),
                boot_id: crate::random::boot_id(),
            };
            machines.push((device, machine));
            let (clock, stop, counters) = (clock.clone(), stop.clone(), counters.clone());
            // Most devices have another MQTT client than our agent, and so has one of the homes.
            if let Some(board) = own_board {
                tasks.spawn(hub_lab::home::run_on_board(home, board, mqtt, clock, stop, counters));
            } else if is_foreign {
                tasks.spawn(hub_lab::home::run_foreign(home, mqtt, clock, stop, counters));
            } else {
                tasks.spawn(hub_lab::home::run(home, mqtt, clock, stop, counters));
            }
        }
        Living {
            counters,
            machines,
            tasks: std::sync::Mutex::new(tasks),
        }
    }
}

impl Living {
    /// The technician changes the worn part.
    pub fn repair(&self, device: &str, at: Timestamp) {
        for (_, machine) in self.machines.iter().filter(|(id, _)| id.as_str() == device) {
            machine.repair(at);
        }
    }

    /// Stops the homes and waits until what they sent is acknowledged.
    pub async fn stop(&self, stop: &CancellationToken) {
        stop.cancel();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        while let Some(ended) = tasks.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::error!(error = &error as &dyn std::error::Error, "a simulated home gave up");
            }
        }
    }
}

fn service_point() -> ServicePoint {
    let slot = |day, from, to| WeeklySlot {
        day,
        from,
        to,
        capacity: 4,
    };
    ServicePoint {
        id: "pudong".into(),
        name: Localised {
            zh_cn: "上海浦东服务网点".into(),
            en: "Shanghai Pudong".into(),
        },
        zone: ZONE.into(),
        slots: vec![
            slot(Day::Tuesday, time(9, 0, 0, 0), time(12, 0, 0, 0)),
            slot(Day::Thursday, time(14, 0, 0, 0), time(17, 0, 0, 0)),
            slot(Day::Saturday, time(9, 0, 0, 0), time(12, 0, 0, 0)),
        ],
    }
}

fn owner(person: &Person, language: Language) -> Result<Owner> {
    Ok(Owner {
        id: person.id.into(),
        name: person.name.into(),
        phone: Some(PhoneNumber::new(person.phone)?),
        language,
        zone: ZONE.into(),
        consent_to_calls: true,
    })
}

fn device(id: &DeviceId, owner: &str) -> Device {
    Device {
        id: id.clone(),
        profile: "washing-machine".into(),
        model: None,
        owner: Some(owner.into()),
        service_point: Some("pudong".into()),
        secret_sha256: None,
    }
}
