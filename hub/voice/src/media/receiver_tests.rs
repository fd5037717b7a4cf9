use super::*;
use proptest::prelude::*;
use std::time::Duration;

const FAR: &str = "192.0.2.1:4000";
const OTHER_PORT: &str = "192.0.2.1:5000";
const ELSEWHERE: &str = "198.51.100.9:4000";
const OWN_SSRC: u32 = 0x0a0b_0c0d;
const TICK: Duration = Duration::from_millis(20);

fn agreed(remote: &str, event_type: Option<u8>) -> Negotiated {
    Negotiated {
        remote: remote.parse().unwrap(),
        codec: Codec::Pcma,
        event_type,
        hold: remote.starts_with("0.0.0.0"),
        mute: false,
    }
}

/// Somebody who sends RTP.
#[derive(Clone)]
struct Voice {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    event_type: u8,
}

impl Voice {
    /// Its numbers run over on the way.
    fn new(from: &str, ssrc: u32) -> Self {
        Self {
            from: from.parse().unwrap(),
            ssrc,
            sequence: 65_525,
            timestamp: 4_294_966_000,
            event_type: 101,
        }
    }

    fn packet(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let mut packet = Vec::new();
        rtp::write(&mut packet, header, payload);
        packet
    }

    fn audio(&mut self) -> Vec<u8> {
        self.packet(8, self.timestamp, &[0x55; 160])
    }

    /// The packets of one press: five and three last ones.
    fn press(&mut self, key: char) -> Vec<Vec<u8>> {
        let start = self.timestamp;
        let packet = |n: u16| {
            let event = rtp::Event {
                code: rtp::code_of(key).unwrap(),
                end: n > 5,
                duration: n.min(6) * 160,
            };
            self.packet(self.event_type, start, &event.to_bytes())
        };
        (1..=8).map(packet).collect()
    }
}

/// A call whose far side announced `FAR`.
struct Call {
    receiver: Receiver,
    now: Instant,
    keys: String,
}

impl Call {
    fn new() -> Self {
        Self::with(Some(101))
    }

    fn with(event_type: Option<u8>) -> Self {
        let mut receiver = Receiver::new(OWN_SSRC, None);
        let now = Instant::now();
        receiver.connect(&agreed(FAR, event_type), now);
        Self {
            receiver,
            now,
            keys: String::new(),
        }
    }

    fn tick(&mut self) {
        self.receiver.handle_timeout(self.now);
        while let Some(key) = self.receiver.poll_key() {
            self.keys.push(key);
        }
        self.now += TICK;
    }

    fn take(&mut self, voice: &Voice, packet: &[u8]) -> bool {
        self.receiver.handle(packet, voice.from, self.now).is_some()
    }

    fn silence(&mut self, ticks: u32) {
        (0..ticks).for_each(|_| self.tick());
    }

    fn talk(&mut self, voice: &mut Voice, packets: u32) {
        for _ in 0..packets {
            let packet = voice.audio();
            self.take(voice, &packet);
            self.tick();
        }
    }

    fn press(&mut self, voice: &mut Voice, key: char) {
        for packet in voice.press(key) {
            self.take(voice, &packet);
            self.tick();
        }
    }

    /// One presses while another talks.
    fn press_beside(&mut self, presser: &mut Voice, key: char, talker: &mut Voice) {
        for packet in presser.press(key) {
            self.take(presser, &packet);
            let audio = talker.audio();
            self.take(talker, &audio);
            self.tick();
        }
    }

    /// The keys since the last time this was asked.
    fn keys(&mut self) -> String {
        std::mem::take(&mut self.keys)
    }

    #[track_caller]
    fn sends_to(&self, address: &str) {
        assert_eq!(self.receiver.target(), Some(address.parse().unwrap()));
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    BeforeAudio,
    DuringAudio,
    InAPause,
}

#[test]
fn forged_keys_never_count_and_nothing_is_sent_to_their_sender() {
    let far = Voice::new(FAR, 1);
    let forgers = [
        ("another address", Voice::new(ELSEWHERE, 2)),
        (
            "another address, all numbers known",
            Voice {
                from: ELSEWHERE.parse().unwrap(),
                ..far.clone()
            },
        ),
        ("another port", Voice::new(OTHER_PORT, 2)),
        (
            "another port, all numbers known",
            Voice {
                from: OTHER_PORT.parse().unwrap(),
                ..far.clone()
            },
        ),
        ("a foreign SSRC", Voice::new(FAR, 2)),
        (
            "a foreign sequence",
            Voice {
                sequence: 20_000,
                ..far.clone()
            },
        ),
        (
            "a foreign time stamp",
            Voice {
                timestamp: 1_000_000_000,
                ..far.clone()
            },
        ),
    ];
    for (forged, forger) in forgers {
        for when in [When::BeforeAudio, When::DuringAudio, When::InAPause] {
            let (mut call, mut far, mut forger) = (Call::new(), far.clone(), forger.clone());
            match when {
                When::BeforeAudio => {
                    call.press(&mut forger, '9');
                    call.sends_to(FAR);
                    call.silence(5);
                }
                When::DuringAudio => {
                    call.talk(&mut far, 20);
                    call.press_beside(&mut forger, '9', &mut far);
                }
                When::InAPause => {
                    call.talk(&mut far, 20);
                    call.silence(50);
                    call.press(&mut forger, '9');
                    call.silence(50);
                }
            }
            call.sends_to(FAR);
            call.talk(&mut far, 100);
            assert_eq!(call.keys(), "", "{forged}, {when:?}");
            call.press(&mut far, '1');
            assert_eq!(call.keys(), "1", "{forged}, {when:?}: the far side's own key");
            call.sends_to(FAR);
        }
    }
}

#[test]
fn the_end_of_a_key_alone_is_forged_in_vain_too() {
    let (mut call, mut far, mut forger) = (Call::new(), Voice::new(FAR, 1), Voice::new(FAR, 2));
    for packet in forger.press('9').split_off(5) {
        call.take(&forger, &packet);
    }
    call.silence(20);
    call.talk(&mut far, 20);
    for packet in forger.press('9').split_off(5) {
        call.take(&forger, &packet);
    }
    call.talk(&mut far, 100);
    assert_eq!(call.keys(), "");
}

#[test]
fn late_early_media_makes_no_call_silent() {
    // One packet, a few, and two seconds of them from where the audio was before the answer.
    for late in [1, 4, 100] {
        let (mut call, mut early, mut far) = (Call::new(), Voice::new(OTHER_PORT, 7), Voice::new(FAR, 1));
        call.talk(&mut early, late);
        call.talk(&mut far, 20);
        call.sends_to(FAR);
        call.press(&mut far, '1');
        assert_eq!(call.keys(), "1", "{late} packets");
        call.talk(&mut early, 100);
        call.sends_to(FAR);
    }
}

#[test]
fn a_far_side_behind_another_port_is_heard_until_the_announced_one_sends() {
    let (mut call, mut other, mut far) = (Call::new(), Voice::new(OTHER_PORT, 2), Voice::new(FAR, 1));
    call.talk(&mut other, 5);
    call.sends_to(FAR);
    call.talk(&mut other, 5);
    call.sends_to(OTHER_PORT);
    call.press(&mut other, '4');
    call.talk(&mut other, 20);
    assert_eq!(call.keys(), "", "not before a second");
    call.talk(&mut other, 30);
    assert_eq!(call.keys(), "4");
    call.press(&mut other, '5');
    assert_eq!(call.keys(), "5");
    call.talk(&mut far, 1);
    call.sends_to(FAR);
    call.press_beside(&mut other, '9', &mut far);
    call.press(&mut far, '1');
    assert_eq!(call.keys(), "1");
}

#[test]
fn keys_from_another_port_are_forgotten_when_the_announced_one_sends() {
    let (mut call, mut other, mut far) = (Call::new(), Voice::new(OTHER_PORT, 2), Voice::new(FAR, 1));
    call.talk(&mut other, 10);
    call.press(&mut other, '9');
    call.talk(&mut far, 100);
    assert_eq!(call.keys(), "");
}

#[test]
fn a_new_source_is_taken_after_200_ms_of_silence() {
    let (mut call, mut old, mut new) = (Call::new(), Voice::new(FAR, 1), Voice::new(FAR, 2));
    call.talk(&mut old, 20);
    call.talk(&mut new, 20);
    assert_eq!((call.receiver.received(), call.receiver.dropped()), (31, 9));
    assert_eq!(call.receiver.lost(), 0);
    call.press(&mut new, '3');
    assert_eq!(call.keys(), "3");
    call.press_beside(&mut old, '9', &mut new);
    assert_eq!(call.keys(), "");
}

#[test]
fn a_source_goes_on_after_a_pause_whether_its_time_stood_still_or_not() {
    for passed in [0, 30 * 8_000] {
        let (mut call, mut far) = (Call::new(), Voice::new(FAR, 1));
        call.talk(&mut far, 20);
        call.silence(30 * 50);
        far.timestamp = far.timestamp.wrapping_add(passed);
        call.press(&mut far, '1');
        assert_eq!(call.keys(), "1", "{passed} samples on");
    }
}

#[test]
fn events_count_under_any_number() {
    for (agreed, sent) in [
        (Some(101), 101),
        (Some(96), 96),
        (Some(96), 101),
        (Some(101), 96),
        (Some(101), 100),
        (None, 101),
        (None, 110),
    ] {
        let (mut call, mut far) = (Call::with(agreed), Voice::new(FAR, 1));
        far.event_type = sent;
        call.talk(&mut far, 20);
        call.press(&mut far, '7');
        call.talk(&mut far, 50);
        assert_eq!(call.keys(), "7", "agreed {agreed:?}, sent {sent}");
    }
}

#[test]
fn a_far_side_that_sends_keys_only_is_believed_after_a_second() {
    let (mut call, mut far, mut own) = (Call::new(), Voice::new(FAR, 1), Voice::new(FAR, OWN_SSRC));
    // What it sends back of ours is not its voice.
    call.talk(&mut own, 50);
    call.press_beside(&mut far, '1', &mut own);
    assert_eq!(call.keys(), "");
    call.talk(&mut own, 50);
    assert_eq!(call.keys(), "1");
    call.press_beside(&mut far, '2', &mut own);
    assert_eq!(call.keys(), "2");
    assert_eq!(call.receiver.received(), 50 + 50 + 4 * 8);
}

#[test]
fn our_own_keys_sent_back_are_none() {
    let (mut call, mut own) = (Call::new(), Voice::new(FAR, OWN_SSRC));
    call.talk(&mut own, 50);
    call.press(&mut own, '9');
    call.silence(100);
    assert_eq!((call.keys().as_str(), call.receiver.received()), ("", 58));
}

#[test]
fn a_far_side_that_moves_by_signalling_is_heard_at_once_and_its_keys_once() {
    let (mut call, mut old, mut new) = (Call::new(), Voice::new(FAR, 1), Voice::new(ELSEWHERE, 2));
    call.talk(&mut old, 20);
    for packet in &old.press('1')[..3] {
        call.take(&old, packet);
    }
    call.receiver.connect(&agreed(ELSEWHERE, Some(101)), call.now);
    call.sends_to(ELSEWHERE);
    call.talk(&mut new, 20);
    assert_eq!(call.keys(), "1", "its end was lost in the move");
    assert_eq!(call.receiver.dropped(), 0);
    call.press_beside(&mut old, '9', &mut new);
    call.press(&mut new, '2');
    assert_eq!(call.keys(), "2");
}

#[test]
fn a_move_opens_no_door_for_a_foreign_source() {
    let (mut call, mut far, mut forger) = (Call::new(), Voice::new(FAR, 1), Voice::new(ELSEWHERE, 2));
    call.talk(&mut far, 20);
    call.receiver.connect(&agreed(ELSEWHERE, Some(101)), call.now);
    far.from = ELSEWHERE.parse().unwrap();
    call.press_beside(&mut forger, '9', &mut far);
    call.talk(&mut far, 100);
    assert_eq!(call.keys(), "");
    call.press(&mut far, '1');
    assert_eq!(call.keys(), "1");
}

#[test]
fn what_still_comes_from_the_port_just_left_is_not_followed() {
    let (mut call, mut old, mut new) = (Call::new(), Voice::new(FAR, 1), Voice::new(OTHER_PORT, 2));
    call.talk(&mut old, 20);
    call.receiver.connect(&agreed(OTHER_PORT, Some(101)), call.now);
    call.talk(&mut old, 100);
    call.press(&mut old, '9');
    call.sends_to(OTHER_PORT);
    assert_eq!(call.receiver.dropped(), 108);
    call.talk(&mut new, 20);
    call.press(&mut new, '1');
    assert_eq!(call.keys(), "1");
    // Back again, the first port counts.
    call.receiver.connect(&agreed(FAR, Some(101)), call.now);
    call.talk(&mut new, 20);
    call.sends_to(FAR);
    call.talk(&mut old, 20);
    call.press(&mut old, '2');
    assert_eq!(call.keys(), "2");
}

#[test]
fn a_far_side_on_hold_is_heard_where_it_was() {
    let (mut call, mut far) = (Call::new(), Voice::new(FAR, 1));
    call.talk(&mut far, 20);
    call.receiver.connect(&agreed("0.0.0.0:4000", Some(101)), call.now);
    call.press(&mut far, '1');
    assert_eq!(call.keys(), "1");
    call.receiver.connect(&agreed(FAR, Some(101)), call.now);
    call.press_beside(&mut Voice::new(FAR, 2), '9', &mut far);
    call.press(&mut far, '2');
    assert_eq!(call.keys(), "2", "and its source is still the running one");
}

#[test]
fn a_far_side_that_says_that_it_sends_nothing_is_not_watched() {
    let minute = Duration::from_secs(60);
    for (mute, dies) in [(true, false), (false, true)] {
        let mut receiver = Receiver::new(OWN_SSRC, Some(Duration::from_secs(20)));
        let now = Instant::now();
        let says = Negotiated {
            mute,
            ..agreed(FAR, Some(101))
        };
        receiver.connect(&says, now);
        assert_eq!(receiver.handle_timeout(now + minute), dies, "mute: {mute}");
    }
}

#[test]
fn audio_from_elsewhere_is_told_from_none() {
    let (mut call, mut stranger) = (Call::new(), Voice::new(ELSEWHERE, 2));
    call.press(&mut stranger, '1');
    assert!(!call.receiver.is_elsewhere(), "keys are no audio");
    call.talk(&mut stranger, 1);
    assert!(call.receiver.is_elsewhere());
    call.talk(&mut Voice::new(FAR, 1), 1);
    assert!(!call.receiver.is_elsewhere());
}

#[test]
fn a_second_of_audio_from_elsewhere_and_none_of_the_far_sides_is_no_call() {
    let (mut call, mut stranger) = (Call::new(), Voice::new(ELSEWHERE, 2));
    // What is left of early media.
    call.talk(&mut stranger, 49);
    assert!(!call.receiver.is_all_elsewhere());
    call.talk(&mut stranger, 1);
    assert!(call.receiver.is_all_elsewhere());
    call.talk(&mut Voice::new(FAR, 1), 1);
    assert!(!call.receiver.is_all_elsewhere());
    // What was heard once counts, also after the far side has moved.
    call.receiver.connect(&agreed(OTHER_PORT, Some(101)), call.now);
    call.talk(&mut stranger, 60);
    assert!(call.receiver.is_elsewhere() && !call.receiver.is_all_elsewhere());
    // A far side on hold need not send, and who says that it sends nothing does not.
    let (mut held, mut stranger) = (Call::new(), Voice::new(ELSEWHERE, 2));
    held.receiver.connect(&agreed("0.0.0.0:4000", Some(101)), held.now);
    held.talk(&mut stranger, 60);
    assert!(!held.receiver.is_all_elsewhere());
}

#[test]
fn what_is_not_media_is_dropped_and_counted() {
    let (mut call, far) = (Call::new(), Voice::new(FAR, 1));
    let report = [0x80u8, 200, 0, 6, 0, 0, 0, 1];
    let cut_event = [0x80u8, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9];
    for packet in [b"not rtp".as_slice(), &[], &report, &cut_event] {
        assert!(!call.take(&far, packet));
    }
    assert_eq!((call.receiver.received(), call.receiver.dropped()), (0, 4));
    let mut unconnected = Receiver::new(OWN_SSRC, None);
    let packet = Voice::new(FAR, 1).audio();
    assert!(unconnected.handle(&packet, far.from, call.now).is_none());
    assert_eq!((unconnected.target(), unconnected.dropped()), (None, 1));
}

proptest! {
    #[test]
    fn nothing_that_strangers_send_is_heard_or_answered(
        packets in prop::collection::vec((any::<bool>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..40)), 0..60)
    ) {
        let (mut call, mut far) = (Call::new(), Voice::new(FAR, 1));
        call.talk(&mut far, 10);
        for (same_ip, port, bytes) in packets {
            let ip = if same_ip { "192.0.2.1" } else { "198.51.100.9" };
            let port = if port == 4_000 { 4_001 } else { port };
            let stranger = Voice { from: SocketAddr::new(ip.parse().unwrap(), port), ..far.clone() };
            prop_assert!(!call.take(&stranger, &bytes));
            call.talk(&mut far, 1);
        }
        prop_assert_eq!(call.keys(), "");
        prop_assert_eq!(call.receiver.target(), Some(far.from));
    }
}
