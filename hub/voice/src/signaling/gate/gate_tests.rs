//! What a gate answers by itself, what it counts, and how it notices a library that does not read.

use super::*;

const TRUNK: &str = "192.0.2.1";

fn gate(start: Instant) -> Arc<Gate> {
    Gate::new(Box::new(|| vec![vec![TRUNK.parse().unwrap()]]), start)
}

fn invite(call_id: &str) -> String {
    format!(
        "INVITE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@t>;tag=1\r\nTo: <sip:h>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n"
    )
}

impl Gate {
    fn sent(&self, from: &str, text: &str, now: Instant) -> Judged {
        self.judge(text.as_bytes(), from.parse().unwrap(), now)
    }

    fn count(&self, reason: Reason) -> u64 {
        let at = Reason::ALL.iter().position(|of| *of == reason).unwrap();
        self.dropped[at].load(Ordering::Relaxed)
    }
}

fn status(judged: Judged) -> Option<u16> {
    match judged {
        Judged::Answer(text) => text.split(' ').nth(1)?.parse().ok(),
        Judged::Pass | Judged::Drop => None,
    }
}

#[test]
fn strangers_are_refused_a_few_times_and_counted_always() {
    let start = Instant::now();
    let gate = gate(start);
    let refused = (0..16_000)
        .filter(|n| status(gate.sent("203.0.113.9", &invite(&format!("c{n}")), start)) == Some(403))
        .count();
    assert_eq!(refused, 20);
    assert_eq!(gate.count(Reason::Stranger), 16_000);
    assert_eq!(gate.waiting(), 0, "the library got none of them");
    // What is no request is never answered, nor is what is no SIP.
    let later = start + Duration::from_secs(60);
    for text in [
        invite("c")
            .replacen("INVITE sip:h SIP/2.0", "SIP/2.0 200 OK", 1)
            .as_str(),
        invite("c").replace("INVITE", "ACK").as_str(),
        "\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        assert!(matches!(gate.sent("203.0.113.9", text, later), Judged::Drop), "{text}");
    }
}

#[test]
fn a_trunks_messages_pass_and_what_is_none_does_not() {
    let start = Instant::now();
    let gate = gate(start);
    assert!(matches!(gate.sent(TRUNK, &invite("c"), start), Judged::Pass));
    // As an IPv6 socket shows it.
    let mapped = "::ffff:192.0.2.1".parse::<IpAddr>().unwrap().to_canonical();
    assert!(matches!(
        gate.judge(invite("d").as_bytes(), mapped, start),
        Judged::Pass
    ));
    assert!(matches!(gate.sent(TRUNK, "\r\n\r\n", start), Judged::Answer(text) if text == "\r\n"));
    assert!(matches!(gate.sent(TRUNK, "\r\n", start), Judged::Drop));
    assert!(matches!(gate.sent(TRUNK, "hello\r\n\r\n", start), Judged::Drop));
    assert_eq!(gate.count(Reason::Unreadable), 1);
}

#[test]
fn a_call_is_its_trunks_as_long_as_its_pass_is_held() {
    let gate = gate(now());
    let bye = invite("out")
        .replace("INVITE", "BYE")
        .replace("To: <sip:h>", "To: <sip:h>;tag=2");
    assert_eq!(status(gate.sent(TRUNK, &bye, now())), Some(481));
    let pass = gate.hold("out".to_owned(), TRUNK.parse().unwrap());
    let long = now() + Duration::from_secs(300);
    assert!(gate.begins_pulse(long));
    assert!(matches!(gate.sent(TRUNK, &bye, now()), Judged::Pass));
    drop(pass);
    gate.ends_pulse(long);
    assert!(gate.begins_pulse(long), "what is over is forgotten");
    assert_eq!(status(gate.sent(TRUNK, &bye, now())), Some(481));
}

#[test]
fn a_library_that_does_not_read_is_told_and_gets_no_more() {
    let start = Instant::now();
    let after = |s| start + Duration::from_secs(s);
    let gate = gate(start);
    assert!(gate.begins_pulse(start));
    assert!(!gate.begins_pulse(after(1)), "one at a time");
    gate.ends_pulse(after(1));
    assert_eq!(gate.problem(after(5)), None);
    // Six seconds without one that began: nobody reads the socket.
    assert!(gate.problem(after(7)).unwrap().contains("has stopped"));
    assert!(gate.begins_pulse(after(7)));
    assert!(gate.problem(after(7)).unwrap().contains("spins or hangs"));
    let _held = gate.hold("c".to_owned(), TRUNK.parse().unwrap());
    let ack = invite("c").replace("INVITE", "ACK");
    let passed = (0..2_000)
        .filter(|n| matches!(gate.sent(TRUNK, &ack, after(8 + n / 10)), Judged::Pass))
        .count();
    assert_eq!(passed as u64, WAITING_MAX);
    assert_eq!(gate.count(Reason::Behind), 2_000 - WAITING_MAX);
    // The pulse stood before them: it says nothing about them. The next one does.
    gate.ends_pulse(after(300));
    assert_eq!(gate.waiting(), WAITING_MAX);
    assert_eq!(gate.problem(after(300)), None);
    assert!(gate.begins_pulse(after(300)));
    gate.ends_pulse(after(301));
    assert_eq!(gate.waiting(), 0);
    assert!(matches!(gate.sent(TRUNK, &ack, after(301)), Judged::Pass));
}

#[test]
fn what_is_counted_is_in_the_figures() {
    let start = Instant::now();
    let gate = gate(start);
    gate.sent("203.0.113.9", &invite("c"), start);
    gate.sent(TRUNK, &invite("c"), start);
    let metrics = gate.metrics();
    let names: Vec<_> = metrics.iter().map(|metric| metric.name).collect();
    assert_eq!(
        names,
        [
            "voice_sip_dropped_total",
            "voice_sip_passed_total",
            "voice_sip_read_errors_total",
            "voice_sip_waiting"
        ]
    );
    assert_eq!(metrics[0].samples.len(), Reason::ALL.len());
    for (metric, sample) in [(0, 0), (1, 0), (3, 0)] {
        let value = &metrics[metric].samples[sample].value;
        assert_eq!(*value, hub_core::metric::MetricValue::Number(1.0), "{}", names[metric]);
    }
}
