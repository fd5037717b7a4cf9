use super::*;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const EVENTS_MAX: usize = 64;

fn agreed(remote: SocketAddr) -> Negotiated {
    Negotiated {
        remote,
        codec: Codec::Pcma,
        event_type: Some(101),
        hold: false,
        mute: false,
    }
}

fn nonblocking() -> UdpSocket {
    let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// A packet of audio, or of a key's end.
fn packet(ssrc: u32, sequence: u16, key: Option<char>) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: if key.is_some() { 101 } else { 8 },
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc,
    };
    let event = key.map(|key| {
        let event = Event {
            code: rtp::code_of(key).unwrap(),
            end: true,
            duration: 800,
        };
        event.to_bytes()
    });
    let mut packet = Vec::new();
    let audio = [0x55; 160];
    rtp::write(
        &mut packet,
        header,
        event.as_ref().map_or(audio.as_slice(), <[u8; 4]>::as_slice),
    );
    packet
}

#[test]
fn what_came_before_the_answer_is_thrown_away() {
    let socket = nonblocking();
    let here = socket.local_addr().unwrap();
    let (events, _told) = mpsc::channel(EVENTS_MAX);
    let mut stream = Stream::new(socket, None, events, [7; RANDOM], false, 8_000, None);
    let far = nonblocking();
    let now = Instant::now();
    for sequence in 0..20 {
        far.send_to(&packet(1, sequence, None), here).unwrap();
    }
    stream.connect(agreed(far.local_addr().unwrap()), now);
    stream.tick(now);
    let counts = stream.counts();
    assert_eq!((counts.packets_received, counts.dropped), (0, 20));
    assert!(stream.captured().is_empty());
    far.send_to(&packet(1, 20, None), here).unwrap();
    stream.tick(now);
    assert_eq!(stream.counts().packets_received, 1);
    assert_eq!(stream.captured().len(), 160);
}

#[test]
fn a_stranger_presses_nothing_and_is_sent_nothing() {
    let socket = nonblocking();
    let here = socket.local_addr().unwrap();
    let (events, mut told) = mpsc::channel(EVENTS_MAX);
    let mut stream = Stream::new(socket, None, events, [7; RANDOM], false, 0, None);
    let (far, stranger) = (nonblocking(), nonblocking());
    let elsewhere = UdpSocket::bind(("127.0.0.2", 0)).unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let start = Instant::now();
    stream.connect(agreed(far.local_addr().unwrap()), start);
    for n in 0..200u16 {
        // A foreign SSRC from elsewhere and from another port, and the right one from both; audio of the far side from 300 ms on.
        for (ssrc, key) in [(9, None), (9, Some('9')), (1, Some('9'))] {
            elsewhere.send_to(&packet(ssrc, n, key), here).unwrap();
            if key.is_some() || n > 15 {
                stranger.send_to(&packet(ssrc, n, key), here).unwrap();
            }
        }
        if n >= 15 {
            far.send_to(&packet(1, n, (n == 100).then_some('1')), here).unwrap();
        }
        stream.tick(start + Duration::from_millis(20 * u64::from(n)));
    }
    assert_eq!(told.try_recv(), Ok(MediaEvent::Digit('1')));
    assert!(told.try_recv().is_err(), "one key in all");
    let counts = stream.counts();
    assert_eq!((counts.packets_received, counts.packets_sent), (185, 200));
    // Two of each stranger's packets at each tick were keys.
    assert_eq!(counts.events_unbelieved, 800);
    let mut heard = [0u8; 200];
    assert!(stranger.recv_from(&mut heard).is_err());
    assert!(elsewhere.recv_from(&mut heard).is_err());
    assert!(far.recv_from(&mut heard).is_ok());
}

#[test]
fn keys_with_numbers_of_their_own_are_counted_and_those_that_are_believed_late_are_not() {
    // Beside audio the keys are not believed; alone they are after a second.
    for (speaks, keys, unbelieved) in [(true, 0, 8), (false, 1, 0)] {
        let socket = nonblocking();
        let here = socket.local_addr().unwrap();
        let (events, mut told) = mpsc::channel(EVENTS_MAX);
        let mut stream = Stream::new(socket, None, events, [7; RANDOM], false, 0, None);
        let far = nonblocking();
        let start = Instant::now();
        stream.connect(agreed(far.local_addr().unwrap()), start);
        for n in 0..100u16 {
            if speaks {
                far.send_to(&packet(1, n, None), here).unwrap();
            }
            if (20..28).contains(&n) {
                far.send_to(&packet(2, 9_000 + n, Some('1')), here).unwrap();
            }
            stream.tick(start + Duration::from_millis(20 * u64::from(n)));
            if n == 27 {
                assert_eq!(stream.counts().events_unbelieved, 8, "speaks: {speaks}");
            }
        }
        let pressed = std::iter::from_fn(|| told.try_recv().ok()).count();
        assert_eq!(
            (pressed, stream.counts().events_unbelieved),
            (keys, unbelieved),
            "speaks: {speaks}"
        );
    }
}

#[test]
fn time_goes_on_while_nothing_is_sent() {
    let socket = nonblocking();
    let (events, _told) = mpsc::channel(EVENTS_MAX);
    let mut stream = Stream::new(socket, None, events, [7; RANDOM], false, 0, None);
    let far = nonblocking();
    let start = Instant::now();
    let talking = agreed(far.local_addr().unwrap());
    let on_hold = Negotiated { hold: true, ..talking };
    let mut ticks = 0_u32;
    let mut tick = |agreed: Negotiated, count: u32| {
        stream.connect(agreed, start);
        for _ in 0..count {
            ticks += 1;
            stream.tick(start + Duration::from_millis(20) * ticks);
        }
    };
    tick(talking, 3);
    tick(on_hold, 150);
    tick(talking, 2);
    let mut buffer = [0u8; PACKET_MAX];
    let sent: Vec<Header> = std::iter::from_fn(|| {
        let (len, _) = far.recv_from(&mut buffer).ok()?;
        Some(rtp::read(&buffer[..len]).unwrap().0)
    })
    .collect();
    let first = sent[0];
    let numbers: Vec<u16> = sent
        .iter()
        .map(|header| header.sequence.wrapping_sub(first.sequence))
        .collect();
    let ticks: Vec<u32> = sent
        .iter()
        .map(|header| header.timestamp.wrapping_sub(first.timestamp) / 160)
        .collect();
    let marks: Vec<bool> = sent.iter().map(|header| header.marker).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4], "none is missing");
    assert_eq!(ticks, [0, 1, 2, 153, 154], "three seconds on hold");
    assert_eq!(marks, [true, false, false, true, false]);
}

#[test]
fn packets_of_other_lengths_are_heard_whole_and_ours_stay() {
    let socket = nonblocking();
    let here = socket.local_addr().unwrap();
    let (events, _told) = mpsc::channel(EVENTS_MAX);
    let mut stream = Stream::new(socket, None, events, [7; RANDOM], false, 8_000, None);
    let far = nonblocking();
    let start = Instant::now();
    stream.connect(agreed(far.local_addr().unwrap()), start);
    let mut packet = Vec::new();
    let mut timestamp = 0;
    for (sequence, samples) in [(0, 80), (1, 240), (2, 320), (3, 240)] {
        let header = Header {
            marker: false,
            payload_type: 8,
            sequence,
            timestamp,
            ssrc: 1,
        };
        rtp::write(&mut packet, header, &[0x55; 320][..samples]);
        far.send_to(&packet, here).unwrap();
        timestamp += samples as u32;
    }
    stream.tick(start);
    assert_eq!(stream.captured().len(), 880);
    assert_eq!((stream.counts().packets_received, stream.counts().lost), (4, 0));
    let mut sent = [0u8; PACKET_MAX];
    assert_eq!(
        far.recv_from(&mut sent).unwrap().0,
        12 + 160,
        "20 ms, which our description says"
    );
}

/// A port and the one above it.
fn pair() -> (UdpSocket, UdpSocket) {
    let mut pairs = (0..200).filter_map(|_| {
        let first = UdpSocket::bind((LOCAL, 0)).unwrap();
        let above = first.local_addr().unwrap().port().checked_add(1)?;
        Some((first, UdpSocket::bind((LOCAL, above)).ok()?))
    });
    let pair = pairs.next().expect("two free ports side by side");
    for socket in [&pair.0, &pair.1] {
        socket.set_nonblocking(true).unwrap();
    }
    pair
}

#[test]
fn reports_go_to_the_port_above_and_come_from_it() {
    let ((socket, control), (far, far_control)) = (pair(), pair());
    let ours = control.local_addr().unwrap();
    let (events, mut told) = mpsc::channel(EVENTS_MAX);
    let silence = Some(Duration::from_secs(20));
    let mut stream = Stream::new(socket, Some(control), events, [7; RANDOM], false, 0, silence);
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    stream.connect(agreed(far.local_addr().unwrap()), start);
    stream.tick(at(4_999));
    let mut report = [0u8; 200];
    assert!(far_control.recv_from(&mut report).is_err(), "too early");
    stream.tick(at(5_000));
    let (len, from) = far_control.recv_from(&mut report).unwrap();
    assert_eq!((len, from, report[1]), (28 + 36, ours, 200));
    // Reports are a sign of life, but a stranger's are none.
    for ms in [15_000, 34_000] {
        far_control.send_to(&report[..len], ours).unwrap();
        stream.tick(at(ms));
    }
    assert!(told.try_recv().is_err(), "it lives");
    let stranger = UdpSocket::bind(("127.0.0.2", 0)).unwrap();
    stranger.send_to(&report[..len], ours).unwrap();
    stream.tick(at(53_980));
    assert!(told.try_recv().is_err(), "not yet dead");
    stream.tick(at(54_000));
    assert_eq!(told.try_recv(), Ok(MediaEvent::Silent));
    stream.tick(at(90_000));
    assert!(told.try_recv().is_err(), "told once");
}
