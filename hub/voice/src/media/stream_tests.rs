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
        quiet: false,
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
    let mut heard = [0u8; 200];
    assert!(stranger.recv_from(&mut heard).is_err());
    assert!(elsewhere.recv_from(&mut heard).is_err());
    assert!(far.recv_from(&mut heard).is_ok());
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
