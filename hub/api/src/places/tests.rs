use super::*;

fn places(connections_max: usize, address_connections_max: usize) -> Arc<Places> {
    places_that(Full::OldestGivesWay, connections_max, address_connections_max)
}

fn places_that(full: Full, connections_max: usize, address_connections_max: usize) -> Arc<Places> {
    let limits = Limits {
        connections_max,
        address_connections_max,
        person_connections_max: 2,
        ..Limits::default()
    };
    Places::new(limits, full)
}

fn address(n: u8) -> Lot {
    Lot::of(IpAddr::from([192, 0, 2, n]))
}

fn is_gone(place: &Place) -> bool {
    place.gone().is_cancelled()
}

#[test]
fn the_oldest_of_an_address_gives_way_to_its_newest() {
    let places = places(16, 3);
    let mut mine: Vec<Place> = (0..5).map(|_| places.enter(address(1)).unwrap()).collect();
    let other = places.enter(address(2)).unwrap();
    assert_eq!(
        mine.iter().map(is_gone).collect::<Vec<_>>(),
        [true, true, false, false, false]
    );
    assert!(!is_gone(&other));
    assert_eq!((places.counted().strangers, places.counted().gave_way), (4, 2));
    // What has given way leaves no hole when it ends at last.
    mine.truncate(2);
    assert_eq!(places.counted().strangers, 1);
    mine.clear();
    assert_eq!(places.counted().strangers, 1);
    drop(other);
    assert_eq!(places.counted().strangers, 0);
    assert!(places.lock().lots.is_empty() && places.lock().entries.is_empty());
}

#[test]
fn a_crowd_of_addresses_leaves_room_for_one_more() {
    let places = places(8, 4);
    let crowd: Vec<Place> = (0..7).map(|n| places.enter(address(n % 3)).unwrap()).collect();
    let quiet = places.enter(address(9)).unwrap();
    let newest = places.enter(address(10)).unwrap();
    assert!(is_gone(&crowd[0]), "the address with most is the first, with three");
    assert!(!is_gone(&quiet) && !is_gone(&newest));
    assert_eq!(places.counted().strangers, 8);
}

#[test]
fn a_64_is_one_address_and_a_mapped_address_is_its_own() {
    let of = |text: &str| Lot::of(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::2:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
}

#[test]
fn people_have_an_allowance_of_their_own_and_leave_room() {
    let places = places(8, 2);
    let first = places.enter(address(1)).unwrap();
    first.person([1; 32]);
    let second = places.enter(address(1)).unwrap();
    second.person([1; 32]);
    let third = places.enter(address(1)).unwrap();
    third.person([1; 32]);
    assert_eq!((places.counted().people, places.counted().strangers), (2, 1));
    let strangers: Vec<Place> = (0..9).map(|_| places.enter(address(1)).unwrap()).collect();
    assert!(!is_gone(&first) && !is_gone(&second), "they are not strangers");
    assert!(is_gone(&third), "what is beyond the allowance counts for the address");
    drop(strangers);

    let people: Vec<Place> = (2..10_u8)
        .map(|n| {
            let place = places.enter(address(n)).unwrap();
            place.person([n; 32]);
            place
        })
        .collect();
    assert_eq!(places.counted().people, 7, "one place in eight is left");
    assert!(
        people.iter().any(is_gone),
        "who found no place of a person's stayed a stranger"
    );
    let newest = places.enter(address(200)).unwrap();
    assert!(!is_gone(&newest));
    assert_eq!(places.lock().entries.len(), 8);
}

#[test]
fn where_nobody_gives_way_the_new_one_is_refused() {
    let places = places(2, 2);
    let person = places.enter(address(1)).unwrap();
    person.person([1; 32]);
    let other = places.enter(address(2)).unwrap();
    other.person([2; 32]);
    assert_eq!(places.counted().people, 1, "half is left");
    // As if it had been let in before the bound was known.
    places.lock().move_to(other.number, Lot::Person([2; 32]));
    assert!(places.enter(address(3)).is_none());
}

#[test]
fn monitoring_gives_way_to_no_stranger_but_to_newer_monitoring() {
    let places = places(64, 2);
    let asked: Vec<Place> = (0..=MONITORING_MAX)
        .map(|_| {
            let place = places.enter(address(1)).unwrap();
            place.monitoring();
            place
        })
        .collect();
    assert_eq!(places.counted().monitoring, MONITORING_MAX as u64);
    let strangers: Vec<Place> = (0..9).map(|_| places.enter(address(1)).unwrap()).collect();
    let gone: Vec<usize> = (0..asked.len()).filter(|n| is_gone(&asked[*n])).collect();
    assert_eq!(gone, [0], "the oldest had become a stranger's");
    asked[1].other();
    assert_eq!(places.counted().monitoring, MONITORING_MAX as u64 - 1);
    let _one_more = places.enter(address(1)).unwrap();
    assert!(is_gone(&asked[1]), "it asks for something else now");
    drop(strangers);
}

#[test]
fn a_proxy_is_bounded_by_what_people_hold_and_not_by_its_address() {
    let places = places(8, 2);
    let proxy: Vec<Place> = (0..9).filter_map(|_| places.enter(Lot::Proxy)).collect();
    assert_eq!((proxy.len(), places.counted().proxies), (7, 7));
    proxy[0].monitoring();
    proxy[0].person([1; 32]);
    assert_eq!(
        (places.counted().proxies, places.counted().people),
        (7, 0),
        "it stays the proxy's"
    );
    let strangers: Vec<Place> = (1..9).map(|n| places.enter(address(n)).unwrap()).collect();
    assert!(!proxy.iter().any(is_gone) && !is_gone(&strangers[7]));
}

#[test]
fn where_the_new_one_is_refused_nobody_gives_way_and_people_find_room() {
    let places = places_that(Full::Refused, 8, 2);
    let strangers: Vec<Place> = (1..9)
        .flat_map(|n| {
            [
                places.enter(address(n)),
                places.enter(address(n)),
                places.enter(address(n)),
            ]
        })
        .flatten()
        .collect();
    assert_eq!(strangers.len(), 4, "two of an address, half in all");
    assert!(!strangers.iter().any(is_gone));
    let person: Vec<Place> = (0..3).filter_map(|_| places.enter(Lot::Person([1; 32]))).collect();
    assert_eq!(person.len(), 2);
    strangers[0].person([2; 32]);
    assert!(
        places.enter(address(7)).is_some(),
        "who is known leaves a stranger's place"
    );
    drop(strangers);
    assert!(places.enter(address(1)).is_some());
}
