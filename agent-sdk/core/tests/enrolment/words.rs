//! What is said on each of the ways, word by word, and what becomes of a refusal.

use crate::hub::{BY_GROUP, Hub, TOKEN, USER_NAME};
use crate::world::{SETTINGS, World};
use agent_sdk_core::{Enrolment, EnrolmentError, EnrolmentMem, Factory, Origin, Reason};

const CLAIM: Factory<'static> = Factory {
    user_name: USER_NAME,
    origin: Origin::Claim { token: TOKEN },
};

fn random(from: u8) -> [u8; 32] {
    std::array::from_fn(|at| from.wrapping_add(at as u8 * 7))
}

fn new<'m>(memory: &'m mut EnrolmentMem, factory: Factory<'m>, kept: Option<&[u8]>) -> Enrolment<'m> {
    Enrolment::new(memory, factory, kept, SETTINGS, 1).expect("a name, and what was kept")
}

/// A new device whose first secret is kept.
fn begun<'m>(memory: &'m mut EnrolmentMem, factory: Factory<'m>) -> Enrolment<'m> {
    let mut device = new(memory, factory, None);
    assert!(device.renew(&random(1)));
    device.handle_kept();
    device
}

/// One connection to a hub that answers at once, when it is due; why it ended.
fn connect(device: &mut Enrolment<'_>, hub: &mut Hub, now: &mut u64) -> Reason {
    *now = device.next_connect_at().expect("it has to connect").max(*now);
    device.handle_connected(*now, 0);
    hub.cut();
    let mut to_device = Vec::new();
    loop {
        if let Some(reason) = device.poll_event(*now) {
            device.handle_disconnected(*now);
            return reason;
        }
        let mut out = [0; 512];
        let count = device.poll_transmit(&mut out, *now);
        to_device.extend(hub.handle(&out[..count]));
        assert!(count > 0 || !to_device.is_empty(), "both wait");
        let taken = device.handle_bytes(&to_device, *now);
        to_device.drain(..taken);
    }
}

#[test]
fn each_way_has_its_words() {
    let claim = [r#"{"device":"wm-1","secret":"*"}"#];
    let exchange = [
        r#"{"method":"proposeSecret","params":{"secret":"*"}}"#,
        r#"{"method":"endOldSecret","params":{"secret":"*"}}"#,
    ];
    let mut world = World::claim(1);
    world.run();
    assert_eq!(world.hub.asked, claim);
    assert_eq!(world.hub.shown, [(TOKEN.to_owned(), None)]);

    let mut world = World::group();
    world.run();
    assert_eq!(world.hub.asked, exchange);
    let own = String::from_utf8(world.password.clone()).expect("a secret is text");
    let shown = [BY_GROUP.to_owned(), own.clone(), own].map(|secret| (USER_NAME.to_owned(), Some(secret)));
    assert_eq!(world.hub.shown, shown);

    let mut world = World::exchange();
    let old = String::from_utf8(world.unwanted.clone().expect("it has one")).expect("a secret is text");
    world.run();
    assert_eq!(world.hub.asked, [&claim[..], &exchange[..]].concat());
    let own = String::from_utf8(world.password.clone()).expect("a secret is text");
    let shown = [old, own.clone(), own].map(|secret| (USER_NAME.to_owned(), Some(secret)));
    assert_eq!(world.hub.shown[1..], shown);
}

/// The device has a credential that it does not know, and the claim credential may not replace one.
#[test]
fn a_device_that_the_hub_refuses_asks_on_by_turns() {
    let mut hub = Hub {
        uses_left: 5,
        current: Some("another".to_owned()),
        ..Hub::default()
    };
    let (mut memory, mut now) = (EnrolmentMem::new(), 0);
    let mut device = begun(&mut memory, CLAIM);
    for round in 0..4 {
        assert_eq!(device.is_refused(), round > 0, "round {round}");
        assert_eq!(
            connect(&mut device, &mut hub, &mut now),
            Reason::Closed,
            "round {round}"
        );
        assert_eq!(
            connect(&mut device, &mut hub, &mut now),
            Reason::Refused(5),
            "round {round}"
        );
        assert!(device.is_refused());
    }
    assert_eq!(
        (device.password(), device.is_done(), device.to_keep()),
        (None, false, None)
    );
    assert_eq!(hub.uses_left, 5);
    // Somebody helps: the device is let out at the hub and may begin again.
    hub.current = None;
    assert_eq!(connect(&mut device, &mut hub, &mut now), Reason::Closed);
    assert!(!device.is_refused() && device.to_keep().is_some());
    device.handle_kept();
    assert!(device.is_done());
    assert_eq!(device.password(), hub.current.as_deref().map(str::as_bytes));
}

#[test]
fn a_device_of_a_group_may_work_while_its_hub_knows_no_own_secrets() {
    let mut hub = Hub {
        is_in_group: true,
        is_ancient: true,
        ..Hub::default()
    };
    let secret = BY_GROUP.as_bytes();
    let factory = Factory {
        user_name: USER_NAME,
        origin: Origin::Group { secret },
    };
    let (mut memory, mut now) = (EnrolmentMem::new(), 0);
    let mut device = begun(&mut memory, factory);
    for _ in 0..3 {
        assert_eq!(connect(&mut device, &mut hub, &mut now), Reason::Closed);
        assert_eq!(connect(&mut device, &mut hub, &mut now), Reason::Refused(5));
        assert_eq!((device.password(), device.is_refused()), (Some(secret), true));
    }
    hub.is_ancient = false;
    for _ in 0..3 {
        assert_eq!(connect(&mut device, &mut hub, &mut now), Reason::Closed);
        device.handle_kept();
    }
    assert!(device.is_done() && !device.is_refused());
}

/// An administrator rotated meanwhile: the device's own is in the second place, and goes on to let it in.
#[test]
fn what_the_hub_does_not_end_is_no_reason_to_wait() {
    let mut world = World::group();
    world.run();
    let own = String::from_utf8(world.password.clone()).expect("a secret is text");
    let mut record = vec![1, 1 | 4];
    record.extend(own.as_bytes());
    let mut hub = world.hub;
    (hub.old, hub.current) = (Some(own), Some("by an administrator".to_owned()));
    let (mut memory, mut now) = (EnrolmentMem::new(), 0);
    let mut device = new(&mut memory, CLAIM, Some(&record));
    assert!(!device.is_done() && device.password().is_some());
    assert!(!device.renew(&random(9)), "one thing after the other");
    assert_eq!(connect(&mut device, &mut hub, &mut now), Reason::Closed);
    device.handle_kept();
    assert!(device.is_done());
    assert_eq!(hub.current.as_deref(), Some("by an administrator"));
}

#[test]
fn nothing_begins_before_it_is_kept_and_nothing_is_made_of_what_is_not_random() {
    let mut memory = EnrolmentMem::new();
    let mut device = new(&mut memory, CLAIM, None);
    assert!(device.needs_secret() && !device.is_done());
    assert_eq!(
        (device.to_keep(), device.next_connect_at(), device.next_deadline()),
        (None, None, None)
    );
    assert!(!device.renew(&[7; 32]));
    assert!(device.needs_secret());
    assert!(device.renew(&random(1)));
    assert!(!device.renew(&random(2)), "one is on its way");
    let record = device.to_keep().expect("to be kept").to_vec();
    device.handle_connected(0, 0);
    assert_eq!(device.poll_transmit(&mut [0; 512], 0), 0, "it is not kept yet");
    device.handle_kept();
    assert_eq!((device.to_keep(), device.next_connect_at()), (None, Some(0)));
    assert!(!device.needs_secret());
    device.handle_connected(0, 0);
    assert!(device.poll_transmit(&mut [0; 512], 0) > 0);
    // After a start it is the same one.
    let mut memory = EnrolmentMem::new();
    let again = new(&mut memory, CLAIM, Some(&record));
    assert!(!again.needs_secret() && again.to_keep().is_none());
    assert_eq!(again.next_connect_at(), Some(0));
}

#[test]
fn a_device_that_is_done_connects_nowhere() {
    let mut world = World::claim(1);
    world.run();
    let mut memory = EnrolmentMem::new();
    let device = new(&mut memory, CLAIM, world.flash.as_deref());
    assert!(device.is_done());
    assert_eq!(device.password(), Some(world.password.as_slice()));
    assert_eq!((device.next_connect_at(), device.next_deadline()), (None, None));
}

#[test]
fn what_cannot_be_begun_is_told() {
    let why = |user_name: &'static str, kept: Option<&[u8]>| {
        let factory = Factory { user_name, ..CLAIM };
        Enrolment::new(&mut EnrolmentMem::new(), factory, kept, SETTINGS, 1).err()
    };
    assert_eq!(why("acme/wm-1", None), None);
    assert_eq!(why("wm-1", None), Some(EnrolmentError::UserName));
    assert_eq!(why("acme/wm\"1", None), Some(EnrolmentError::UserName));
    assert_eq!(why("acme/wm-1", Some(&[])), Some(EnrolmentError::Kept));
    assert_eq!(why("acme/wm-1", Some(&[9; 66])), Some(EnrolmentError::Kept));
}
