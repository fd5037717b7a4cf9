use super::*;
use crate::media::g711::Codec;
use std::net::Ipv4Addr;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn options(echo: bool, capture_max: usize) -> MediaOptions {
    MediaOptions {
        ip: LOCAL,
        ports: None,
        echo,
        capture_max,
        silence_max: None,
    }
}

fn agreed(remote: SocketAddr) -> Negotiated {
    Negotiated {
        remote,
        codec: Codec::Pcma,
        event_type: Some(101),
        hold: false,
        mute: false,
    }
}

/// A tone that no G.711 step hides: 440 Hz at a third of full scale.
fn tone(samples: usize) -> Arc<[i16]> {
    (0..samples)
        .map(|n| ((n as f64 * 440.0 * std::f64::consts::TAU / 8_000.0).sin() * 10_000.0) as i16)
        .collect()
}

async fn event(session: &mut MediaSession) -> MediaEvent {
    tokio::time::timeout(Duration::from_secs(20), session.event())
        .await
        .expect("an event within 20 s")
        .unwrap()
}

#[tokio::test]
async fn a_clip_arrives_and_keys_are_read_once_each() {
    let engine = MediaEngine::start().unwrap();
    let mut here = engine.open(&options(false, 0)).unwrap();
    let there = engine.open(&options(false, 80_000)).unwrap();
    here.connect(agreed(there.local()));
    there.connect(agreed(here.local()));
    let clip = tone(4_000);
    here.play(
        7,
        &Sound::new(vec![super::super::sound::Piece::Samples(Arc::clone(&clip))]),
    );
    assert_eq!(event(&mut here).await, MediaEvent::PlayFinished(7));
    for key in ['1', '1', '#'] {
        assert!(there.press(key));
    }
    for key in ['1', '1', '#'] {
        assert_eq!(event(&mut here).await, MediaEvent::Digit(key));
    }
    let heard = there.captured();
    let start = heard.iter().position(|s| s.abs() > 500).unwrap();
    let exact = clip.iter().position(|s| s.abs() > 500).unwrap();
    let whole = clip[exact..]
        .iter()
        .zip(&heard[start..])
        .all(|(a, b)| (i32::from(*a) - i32::from(*b)).abs() < 700);
    assert!(whole, "the tone comes back within a quantisation step");
    assert!(there.counts().packets_received > 25);
    assert_eq!(there.counts().lost, 0);
}

#[tokio::test]
async fn packets_of_a_stranger_are_dropped_and_counted() {
    let engine = MediaEngine::start().unwrap();
    let here = engine.open(&options(false, 8_000)).unwrap();
    let friend = UdpSocket::bind((LOCAL, 0)).unwrap();
    let stranger = UdpSocket::bind((LOCAL, 0)).unwrap();
    here.connect(agreed(friend.local_addr().unwrap()));
    let mut packet = Vec::new();
    let header = super::super::rtp::Header {
        marker: false,
        payload_type: 8,
        sequence: 1,
        timestamp: 0,
        ssrc: 1,
    };
    super::super::rtp::write(&mut packet, header, &[0x55; 160]);
    friend.send_to(&packet, here.local()).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while here.counts().packets_received == 0 {
        assert!(Instant::now() < until, "the friend's packet arrives");
        tokio::time::sleep(FRAME).await;
    }
    stranger.send_to(&packet, here.local()).unwrap();
    stranger.send_to(b"not rtp", here.local()).unwrap();
    while here.counts().dropped < 2 {
        assert!(Instant::now() < until, "two packets are dropped");
        tokio::time::sleep(FRAME).await;
    }
    assert_eq!(here.counts().packets_received, 1);
}

/// Waits until `packet` has been read, so that the next one comes a tick later.
async fn deliver(here: &MediaSession, from: &UdpSocket, packet: &[u8]) {
    let before = here.counts().packets_received;
    from.send_to(packet, here.local()).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while here.counts().packets_received == before {
        assert!(Instant::now() < until, "the packet is taken");
        tokio::time::sleep(FRAME).await;
    }
}

/// The far side sends from a port of its own from now on: audio, then one packet of a key.
async fn speaks_and_presses(here: &MediaSession, ssrc: u32, timestamp: u32, key: char, end: bool) -> UdpSocket {
    let from = UdpSocket::bind((LOCAL, 0)).unwrap();
    here.connect(agreed(from.local_addr().unwrap()));
    let mut header = super::super::rtp::Header {
        marker: true,
        payload_type: 8,
        sequence: 40_000,
        timestamp,
        ssrc,
    };
    let mut packet = Vec::new();
    for _ in 0..12 {
        super::super::rtp::write(&mut packet, header, &[0x55; 160]);
        deliver(here, &from, &packet).await;
        header.sequence += 1;
        header.timestamp += 160;
    }
    let code = super::super::rtp::code_of(key).unwrap();
    let payload = super::super::rtp::Event {
        code,
        end,
        duration: 160,
    }
    .to_bytes();
    header.payload_type = 101;
    super::super::rtp::write(&mut packet, header, &payload);
    deliver(here, &from, &packet).await;
    from
}

#[tokio::test]
async fn keys_are_read_on_when_the_far_side_moves_its_audio() {
    let engine = MediaEngine::start().unwrap();
    let mut here = engine.open(&options(false, 0)).unwrap();
    let _first = speaks_and_presses(&here, 1, 4_000_000_000, '1', false).await;
    let _second = speaks_and_presses(&here, 2, 3_000_000_000, '9', true).await;
    assert_eq!(
        event(&mut here).await,
        MediaEvent::Digit('1'),
        "its end was lost in the move"
    );
    assert_eq!(event(&mut here).await, MediaEvent::Digit('9'));
    assert_eq!(here.counts().lost, 0);
}

#[tokio::test]
async fn audio_has_even_ports_whoever_chooses_them() {
    let engine = MediaEngine::start().unwrap();
    let ranged = MediaOptions {
        ports: Some(19_001..=19_400),
        ..options(false, 0)
    };
    for options in [options(false, 0), ranged] {
        let calls: Vec<_> = (0..20).map(|_| engine.open(&options).unwrap()).collect();
        for call in &calls {
            let port = call.local().port();
            assert_eq!(port % 2, 0, "{port}");
            assert!(
                options.ports.as_ref().is_none_or(|ports| ports.contains(&port)),
                "{port}"
            );
        }
    }
}

#[tokio::test]
async fn a_port_range_is_held_to() {
    let engine = MediaEngine::start().unwrap();
    let taken = UdpSocket::bind((LOCAL, 0)).unwrap();
    let port = taken.local_addr().unwrap().port() & !1;
    let options = MediaOptions {
        ports: Some(port..=port + 1),
        ..options(false, 0)
    };
    let first = engine.open(&options);
    let second = engine.open(&options);
    assert!(second.is_err(), "one even port cannot serve two calls");
    drop(first);
}
