//! A device that runs our agent comes to a secret of its own at the real hub, with an answer lost and the hub killed, and
//! exchanges it.

use agent_sdk_core::{Enrolment, EnrolmentMem, Factory, Origin, Reason, Settings};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tests_hub::hub::Lab;

/// One answer of the hub.
const PATIENCE: Duration = Duration::from_secs(20);
/// A way to a secret takes no more connections, with some that a change of access cuts.
const CONNECTIONS_MAX: usize = 20;
/// Of the device's back-off no more is waited for.
const PAUSE_MAX_MS: u64 = 300;
/// First byte of a question.
const PUBLISH: u8 = 0x30;

/// A device, and what is left of it when its power is cut.
struct Device {
    factory: Factory<'static>,
    flash: Option<Vec<u8>>,
    /// Stands in for its generator.
    draws: u8,
}

impl Device {
    fn new(user_name: &'static str, origin: Origin<'static>) -> Self {
        Self {
            factory: Factory { user_name, origin },
            flash: None,
            draws: 0,
        }
    }

    fn begin<'m>(&self, memory: &'m mut EnrolmentMem) -> Enrolment<'m> {
        Enrolment::new(memory, self.factory, self.flash.as_deref(), Settings::DEFAULT, 7).unwrap()
    }

    fn renew(&mut self, enrolment: &mut Enrolment<'_>) {
        self.draws += 1;
        let draws = self.draws;
        assert!(enrolment.renew(&std::array::from_fn(|at| draws.wrapping_add(at as u8 * 7))));
    }

    /// From a start to its power being cut behind its first question: whatever the hub answers is lost.
    fn cut_behind_its_question(&mut self, hub: SocketAddr) {
        let mut memory = EnrolmentMem::new();
        let mut enrolment = self.begin(&mut memory);
        self.renew(&mut enrolment);
        self.keep(&mut enrolment);
        assert_eq!(connect(&mut enrolment, hub, true), None, "its answer was not lost");
    }

    /// From a start until it has a secret of its own; with another one than it has, if it is to exchange that. Its password.
    fn boot(&mut self, hub: SocketAddr, exchanges: bool) -> String {
        let mut memory = EnrolmentMem::new();
        let mut enrolment = self.begin(&mut memory);
        if exchanges || enrolment.needs_secret() {
            self.renew(&mut enrolment);
        }
        for _ in 0..CONNECTIONS_MAX {
            self.keep(&mut enrolment);
            if enrolment.is_done() {
                return String::from_utf8(enrolment.password().unwrap().to_vec()).unwrap();
            }
            connect(&mut enrolment, hub, false);
        }
        panic!("it does not come to an end, refused: {}", enrolment.is_refused());
    }

    fn keep(&mut self, enrolment: &mut Enrolment<'_>) {
        if let Some(record) = enrolment.to_keep() {
            self.flash = Some(record.to_vec());
            enrolment.handle_kept();
        }
    }
}

/// One connection; why it ended, unless the hub or the test cut it.
fn connect(enrolment: &mut Enrolment<'_>, hub: SocketAddr, is_cut: bool) -> Option<Reason> {
    let now = enrolment.next_connect_at().unwrap();
    let mut link = TcpStream::connect(hub).unwrap();
    link.set_read_timeout(Some(PATIENCE)).unwrap();
    enrolment.handle_connected(now, 0);
    let over = talk(enrolment, &mut link, now, is_cut);
    drop(link);
    enrolment.handle_disconnected(now);
    while enrolment.poll_event(now).is_some() {}
    let pause_ms = enrolment.next_connect_at().map_or(0, |at| at - now);
    std::thread::sleep(Duration::from_millis(pause_ms.min(PAUSE_MAX_MS)));
    over
}

fn talk(enrolment: &mut Enrolment<'_>, link: &mut TcpStream, now: u64, is_cut: bool) -> Option<Reason> {
    let mut bytes = [0; 512];
    let mut received = Vec::new();
    loop {
        if let Some(reason) = enrolment.poll_event(now) {
            return Some(reason);
        }
        let count = enrolment.poll_transmit(&mut bytes, now);
        if count > 0 {
            link.write_all(&bytes[..count]).ok()?;
            if is_cut && bytes[0] == PUBLISH {
                // The hub has answered, and so has committed; nobody hears it.
                assert!(link.read(&mut bytes).unwrap() > 0);
                return None;
            }
            continue;
        }
        if received.is_empty() {
            let count = link.read(&mut bytes).ok().filter(|count| *count > 0)?;
            received.extend(&bytes[..count]);
        }
        let taken = enrolment.handle_bytes(&received, now);
        received.drain(..taken);
    }
}

/// Whether the hub lets a device in by a password; a change of access may cut it once or twice.
pub async fn comes_in(lab: &Lab, device: &str, password: &str) -> bool {
    let (host, port) = (lab.mqtt.ip(), lab.mqtt.port());
    let publish = format!(
        "for n in 1 2 3; do mosquitto_pub -h {host} -p {port} -u acme/{device} -P {password} -q 1 \
           -t d/{device}/j -m '{{\"motor_current_a\": 1.25}}' && exit 0; sleep 1; done; exit 1"
    );
    lab.script(&publish).await.is_ok()
}

/// The last line of what a script says, for as long as the test runs.
pub async fn told(lab: &Lab, script: &str) -> &'static str {
    let said = lab.script(script).await.unwrap();
    said.lines().last().unwrap().to_owned().leak()
}

pub const MADE: &str = "forecall claim credential add --tenant acme --name line --profile washing-machine --uses 1 --days 1 \
     | awk '/^user name/ { print $3 }'";

pub const DERIVED: &str = "key=$(forecall key group add --tenant acme --group line-1 --profile washing-machine --enrol \
     | awk '/^key/ { print $2 }'); \
     echo \"$key\" | forecall key group secret --tenant acme --group line-1 --device wm-2 --key-stdin";

pub const SITE: &str = r#"[[tenant]]
id = "acme"
brand = { zh-CN = "安居电器", en = "Acme Appliances" }
visit_price = { currency = "CNY", amount = 80 }
"#;

#[tokio::test]
async fn a_device_comes_to_a_secret_of_its_own_whatever_is_lost() {
    let lab = Lab::new().unwrap();
    lab.apply(SITE).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let token = told(&lab, MADE).await;
    let secret = told(&lab, DERIVED).await;

    // By a claim whose only use is gone with the answer that was lost, at a hub that was killed since.
    let mut claimed = Device::new("acme/wm-1", Origin::Claim { token });
    claimed.cut_behind_its_question(lab.mqtt);
    // By a group's key, cut at the same place.
    let group = Origin::Group {
        secret: secret.as_bytes(),
    };
    let mut grouped = Device::new("acme/wm-2", group);
    grouped.cut_behind_its_question(lab.mqtt);
    hub.kill().await.unwrap();
    let hub = lab.serve().await.unwrap();

    let first = claimed.boot(lab.mqtt, false);
    assert!(comes_in(&lab, "wm-1", &first).await);
    let own = grouped.boot(lab.mqtt, false);
    assert!(comes_in(&lab, "wm-2", &own).await);
    assert!(
        !comes_in(&lab, "wm-2", secret).await,
        "the group's key has ended for it"
    );
    assert_eq!(claimed.boot(lab.mqtt, false), first, "it is done");

    // Exchanged, from one start to the next.
    let second = claimed.boot(lab.mqtt, true);
    assert_ne!(second, first);
    assert!(comes_in(&lab, "wm-1", &second).await);
    assert!(!comes_in(&lab, "wm-1", &first).await, "the old one has ended");
    hub.stop().await.unwrap();
}
