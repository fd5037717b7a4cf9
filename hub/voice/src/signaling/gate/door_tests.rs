//! Tables of what passes the gate, and of what every kind of flood leaves to the others.

use super::*;

const NEW: &str = "<sip:hub@h>";
const KNOWN: &str = "<sip:hub@h>;tag=2";

/// Acme's trunk has three addresses, Beta's one of its own and one that is also Acme's.
fn door() -> Door {
    let of = |ips: &[&str]| ips.iter().map(|text| ip(text)).collect();
    Door::new(vec![
        of(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        of(&["198.51.100.1", "192.0.2.2"]),
    ])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn text(start: &str, to: &str, call_id: &str, cseq: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nFrom: <sip:a@t>;tag=1\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq}\r\n\r\n"
    )
}

impl Door {
    /// A request from `source`.
    fn asked(&mut self, source: &str, to: &str, call_id: &str, cseq: &str, now: Instant) -> Verdict {
        let method = cseq.split(' ').nth(1).unwrap();
        let text = text(&format!("{method} sip:h SIP/2.0"), to, call_id, cseq);
        self.incoming(ip(source), &Message::read(text.as_bytes()).unwrap(), now)
    }

    /// An answer from `source`.
    fn answered(&mut self, source: &str, call_id: &str, now: Instant) -> Verdict {
        let text = text("SIP/2.0 200 OK", KNOWN, call_id, "1 INVITE");
        self.incoming(ip(source), &Message::read(text.as_bytes()).unwrap(), now)
    }

    /// We answer.
    fn answers(&mut self, status: u16, call_id: &str, cseq: &str, now: Instant) {
        let text = text(&format!("SIP/2.0 {status} x"), KNOWN, call_id, cseq);
        self.outgoing(&Message::read(text.as_bytes()).unwrap(), now);
    }

    /// How many of `count` new calls pass, all at once.
    fn calls(&mut self, source: &str, prefix: &str, count: usize, now: Instant) -> usize {
        let ids = (0..count).map(|n| format!("{prefix}{n}"));
        ids.filter(|id| self.asked(source, NEW, id, "1 INVITE", now) == Verdict::Pass)
            .count()
    }
}

const FOREIGN: Verdict = Verdict::Refuse(Refusal::NoCall, Reason::ThirdParty);
const UNKNOWN: Verdict = Verdict::Refuse(Refusal::NoCall, Reason::NoCall);
const TOO_FAST: Verdict = Verdict::Refuse(Refusal::Busy, Reason::Rate);
const TOO_MANY: Verdict = Verdict::Refuse(Refusal::Busy, Reason::Busy);
const STRANGE: Verdict = Verdict::Drop(Reason::Stranger);

#[test]
fn who_may_begin_a_call() {
    let now = Instant::now();
    for (source, verdict) in [
        ("192.0.2.1", Verdict::Pass),
        ("192.0.2.2", Verdict::Pass),
        ("198.51.100.1", Verdict::Pass),
        ("2001:db8::1", Verdict::Pass),
        ("192.0.2.3", STRANGE),
        ("2001:db8::2", STRANGE),
        ("127.0.0.1", STRANGE),
    ] {
        let mut door = door();
        assert_eq!(door.knows(ip(source)), verdict == Verdict::Pass, "{source}");
        for (n, method) in ["INVITE", "OPTIONS", "REGISTER"].into_iter().enumerate() {
            let cseq = format!("1 {method}");
            assert_eq!(
                door.asked(source, NEW, &format!("c{n}"), &cseq, now),
                verdict,
                "{source} {method}"
            );
        }
    }
}

/// A call that we placed to 192.0.2.1, and one that came from 198.51.100.1: what each address may do in them.
#[test]
fn a_calls_messages_come_from_its_own_trunk() {
    let now = Instant::now();
    for (source, out, back) in [
        ("192.0.2.1", Verdict::Pass, FOREIGN),
        // Beta's too.
        ("192.0.2.2", Verdict::Pass, Verdict::Pass),
        ("2001:db8::1", Verdict::Pass, FOREIGN),
        ("198.51.100.1", FOREIGN, Verdict::Pass),
        ("203.0.113.9", STRANGE, STRANGE),
    ] {
        let mut door = door();
        door.hold("out", ip("192.0.2.1"), now);
        assert_eq!(door.asked("198.51.100.1", NEW, "back", "1 INVITE", now), Verdict::Pass);
        for (call_id, verdict) in [("out", out), ("back", back)] {
            for cseq in ["2 BYE", "3 INVITE", "4 UPDATE", "5 INFO", "6 OPTIONS"] {
                assert_eq!(
                    door.asked(source, KNOWN, call_id, cseq, now),
                    verdict,
                    "{source} {call_id} {cseq}"
                );
            }
            assert_eq!(
                door.asked(source, NEW, call_id, "1 CANCEL", now),
                verdict,
                "{source} {call_id}"
            );
            // What wants no answer gets none.
            let silent = match verdict {
                FOREIGN => Verdict::Drop(Reason::ThirdParty),
                other => other,
            };
            assert_eq!(
                door.asked(source, KNOWN, call_id, "1 ACK", now),
                silent,
                "{source} {call_id}"
            );
            assert_eq!(door.answered(source, call_id, now), silent, "{source} {call_id}");
        }
    }
}

#[test]
fn nobodys_calls_are_no_calls() {
    let (now, mut door) = (Instant::now(), door());
    for cseq in ["2 BYE", "2 INVITE", "2 INFO", "1 CANCEL"] {
        assert_eq!(door.asked("192.0.2.1", KNOWN, "x", cseq, now), UNKNOWN, "{cseq}");
    }
    assert_eq!(
        door.asked("192.0.2.1", KNOWN, "x", "1 ACK", now),
        Verdict::Drop(Reason::NoCall)
    );
    assert_eq!(door.answered("192.0.2.1", "x", now), Verdict::Drop(Reason::NoCall));
}

#[test]
fn a_call_is_known_for_a_while_after_its_end() {
    let start = Instant::now();
    let after = |s| start + Duration::from_secs(s);
    let mut door = door();
    door.hold("held", ip("192.0.2.1"), start);
    door.asked("192.0.2.1", NEW, "refused", "1 INVITE", start);
    door.answers(603, "refused", "1 INVITE", after(1));
    let bye = |door: &mut Door, id: &str, s| {
        door.sweep(after(s));
        door.asked("192.0.2.1", KNOWN, id, "2 BYE", after(s)) == Verdict::Pass
    };
    for (s, held, refused) in [
        (0, true, true),
        (33, true, true),
        (40, true, true),
        (41, true, false),
        (900, true, false),
    ] {
        assert_eq!(
            (bye(&mut door, "held", s), bye(&mut door, "refused", s)),
            (held, refused),
            "after {s} s"
        );
    }
    door.asked("192.0.2.1", NEW, "came in", "1 INVITE", after(890));
    door.hold("came in", ip("192.0.2.1"), after(890));
    door.let_go("came in", after(900));
    door.let_go("held", after(900));
    for (s, held, came_in) in [
        (939, true, true),
        (940, true, false),
        (999, true, false),
        (1_000, false, false),
    ] {
        assert_eq!(
            (bye(&mut door, "held", s), bye(&mut door, "came in", s)),
            (held, came_in),
            "after {s} s"
        );
    }
}

/// As long as our ACK and BYE find their way: an answer that comes after our CANCEL, say.
#[test]
fn a_late_answer_to_a_call_of_ours_passes() {
    let (start, mut door) = (Instant::now(), door());
    let after = |s| start + Duration::from_secs(s);
    door.hold("out", ip("192.0.2.1"), start);
    door.let_go("out", start);
    // A carrier that sends it back to us makes it no call of others.
    assert_eq!(door.asked("192.0.2.1", NEW, "out", "1 INVITE", start), Verdict::Pass);
    door.hold("out", ip("192.0.2.1"), start);
    door.let_go("out", start);
    for (s, verdict) in [
        (41, Verdict::Pass),
        (99, Verdict::Pass),
        (100, Verdict::Drop(Reason::NoCall)),
    ] {
        door.sweep(after(s));
        assert_eq!(door.answered("192.0.2.1", "out", after(s)), verdict, "after {s} s");
    }
}

/// Each flood from the trunk's own (forged) address, then what has to pass all the same.
#[test]
fn a_flood_of_one_kind_stops_no_other() {
    for flood in ["INVITE", "OPTIONS", "MESSAGE", "BYE", "CANCEL", "ACK"] {
        let (now, mut door) = (Instant::now(), door());
        door.hold("up", ip("192.0.2.1"), now);
        door.asked("192.0.2.1", NEW, "ringing", "1 INVITE", now);
        let to = if matches!(flood, "BYE" | "ACK") { KNOWN } else { NEW };
        let passed = (0..10_000)
            .filter(|n| door.asked("192.0.2.1", to, &format!("f{n}"), &format!("1 {flood}"), now) == Verdict::Pass)
            .count();
        let most = match flood {
            "INVITE" => 127,
            "OPTIONS" => 8,
            "MESSAGE" => 4,
            _ => 0,
        };
        assert_eq!(passed, most, "{flood}");
        assert_eq!(
            door.asked("192.0.2.1", KNOWN, "up", "2 BYE", now),
            Verdict::Pass,
            "{flood}"
        );
        assert_eq!(
            door.asked("192.0.2.1", NEW, "ringing", "1 CANCEL", now),
            Verdict::Pass,
            "{flood}"
        );
        assert_eq!(door.answered("192.0.2.1", "up", now), Verdict::Pass, "{flood}");
        let options = door.asked("192.0.2.1", NEW, "alive", "1 OPTIONS", now) == Verdict::Pass;
        assert_eq!(options, flood != "OPTIONS", "{flood}");
        // The other trunk has lost nothing.
        for cseq in ["1 INVITE", "2 OPTIONS"] {
            assert_eq!(
                door.asked("198.51.100.1", NEW, "other", cseq, now),
                Verdict::Pass,
                "{flood} {cseq}"
            );
        }
    }
}

#[test]
fn a_permit_is_given_back_by_the_final_answer_only() {
    let (now, mut door) = (Instant::now(), door());
    assert_eq!(door.calls("192.0.2.1", "a", 200, now), 128);
    assert_eq!(
        door.asked("192.0.2.1", NEW, "late", "1 INVITE", now + Duration::from_secs(1)),
        TOO_MANY
    );
    // What is sent again has its permit.
    assert_eq!(door.asked("192.0.2.1", NEW, "a0", "1 INVITE", now), Verdict::Pass);
    let later = now + Duration::from_secs(2);
    door.answers(180, "a0", "1 INVITE", later);
    door.answers(200, "a0", "1 CANCEL", later);
    door.answers(603, "a0", "2 INVITE", later);
    assert_eq!(door.asked("192.0.2.1", NEW, "late", "1 INVITE", later), TOO_MANY);
    door.answers(603, "a0", "1 INVITE", later);
    assert_eq!(door.asked("192.0.2.1", NEW, "late", "1 INVITE", later), Verdict::Pass);
    assert_eq!(door.asked("192.0.2.1", NEW, "later", "1 INVITE", later), TOO_MANY);
    // Nothing answers: a minute later there is room again.
    let long = later + PERMIT_KEPT;
    door.sweep(long);
    assert_eq!(door.asked("192.0.2.1", NEW, "later", "1 INVITE", long), Verdict::Pass);
}

#[test]
fn requests_of_one_call_use_up_their_own_allowance() {
    let (now, mut door) = (Instant::now(), door());
    door.hold("loud", ip("192.0.2.1"), now);
    door.hold("quiet", ip("192.0.2.1"), now);
    let mut passed = 0;
    for n in 0..1_000 {
        let cseq = format!("{n} INFO");
        match door.asked("192.0.2.1", KNOWN, "loud", &cseq, now) {
            Verdict::Pass => {
                passed += 1;
                door.answers(200, "loud", &cseq, now);
            }
            verdict => assert!(
                [TOO_FAST, Verdict::Drop(Reason::Rate)].contains(&verdict),
                "{n}: {verdict:?}"
            ),
        }
    }
    assert_eq!(passed, 60);
    assert_eq!(door.asked("192.0.2.1", KNOWN, "quiet", "2 BYE", now), Verdict::Pass);
    assert_eq!(
        door.asked("192.0.2.1", KNOWN, "loud", "2 BYE", now + Duration::from_secs(1)),
        Verdict::Pass
    );
    let answers = (0..1_000).filter(|_| door.answered("192.0.2.1", "quiet", now) == Verdict::Pass);
    assert_eq!(answers.count(), 200);
}

/// Who forges the trunk's address opens calls that are refused, and goes on in them: 20 a second in each would be as many as he
/// likes. Of a thousand messages in each of fifty such calls, the library gets what one rate lets through.
#[test]
fn calls_that_were_refused_are_no_way_around_the_rates() {
    let floods: [(&str, &str, usize); 4] = [
        // Each a transaction of its own, under a known Call-ID: of the allowance for new calls, 200, 50 are used up.
        ("INVITE", NEW, 150),
        ("BYE", KNOWN, IN_CALL_MAX),
        ("CANCEL", NEW, 50),
        ("ACK", KNOWN, 800),
    ];
    for (method, to, most) in floods {
        let (now, mut door) = (Instant::now(), door());
        door.hold("up", ip("192.0.2.1"), now);
        for n in 0..50 {
            let id = format!("refused{n}");
            assert_eq!(door.asked("192.0.2.1", NEW, &id, "1 INVITE", now), Verdict::Pass);
            door.answers(404, &id, "1 INVITE", now);
        }
        let mut passed = 0;
        for n in 0..50 {
            for number in 2..1_000 {
                let (id, cseq) = (format!("refused{n}"), format!("{number} {method}"));
                if door.asked("192.0.2.1", to, &id, &cseq, now) == Verdict::Pass {
                    passed += 1;
                    // New calls are refused at once.
                    if method == "INVITE" {
                        door.answers(404, &id, &cseq, now);
                    }
                }
            }
        }
        assert_eq!(passed, most, "{method}");
        assert_eq!(door.answered("192.0.2.1", "up", now), Verdict::Pass, "{method}");
        // Another address of the trunk: what waits for its answer is counted for each.
        assert_eq!(
            door.asked("192.0.2.2", KNOWN, "up", "2 BYE", now),
            Verdict::Pass,
            "{method}"
        );
    }
}

/// Where those requests are answered as fast as they come, a call that is up finds its place under the same address too.
#[test]
fn what_goes_on_in_refused_calls_leaves_room_for_the_calls_that_are_up() {
    let (start, mut door) = (Instant::now(), door());
    door.hold("up", ip("192.0.2.1"), start);
    for n in 0..50 {
        let id = format!("refused{n}");
        door.asked("192.0.2.1", NEW, &id, "1 INVITE", start);
        door.answers(404, &id, "1 INVITE", start);
    }
    let mut open = std::collections::VecDeque::<(u64, String, String)>::new();
    let mut passed = 0;
    for ms in 0..10_000u64 {
        let now = start + Duration::from_millis(ms);
        // The library looks for a call 400 ms long before it says that there is none.
        while open.front().is_some_and(|(until, _, _)| *until <= ms) {
            if let Some((_, id, cseq)) = open.pop_front() {
                door.answers(481, &id, &cseq, now);
            }
        }
        let (id, cseq) = (format!("refused{}", ms % 50), format!("{} BYE", ms + 2));
        if door.asked("192.0.2.1", KNOWN, &id, &cseq, now) == Verdict::Pass {
            passed += 1;
            open.push_back((ms + 400, id, cseq));
        }
        if ms % 3_000 == 100 {
            let cseq = format!("{ms} INFO");
            assert_eq!(door.asked("192.0.2.1", KNOWN, "up", &cseq, now), Verdict::Pass, "{ms}");
        }
    }
    assert!((530..=560).contains(&passed), "50 a second and a burst, not {passed}");
}

#[test]
fn an_invite_that_is_sent_again_is_no_new_call() {
    let (now, mut door) = (Instant::now(), door());
    assert_eq!(door.asked("192.0.2.1", NEW, "slow", "1 INVITE", now), Verdict::Pass);
    // The allowance for new calls is used up, and all of them are refused.
    for n in 0..250 {
        let id = format!("c{n}");
        door.asked("192.0.2.1", NEW, &id, "1 INVITE", now);
        door.answers(404, &id, "1 INVITE", now);
    }
    assert_eq!(door.asked("192.0.2.1", NEW, "slow", "1 INVITE", now), Verdict::Pass);
    // The same Call-ID with another number: with an answer to a challenge, say.
    assert_eq!(door.asked("192.0.2.1", NEW, "slow", "2 INVITE", now), TOO_FAST);
}

#[test]
fn one_call_does_not_take_the_places_of_the_others() {
    let (now, mut door) = (Instant::now(), door());
    door.hold("loud", ip("192.0.2.1"), now);
    door.hold("quiet", ip("192.0.2.1"), now);
    let infos = (0..50).map(|n| format!("{n} INFO"));
    let passed = infos.filter(|cseq| door.asked("192.0.2.1", KNOWN, "loud", cseq, now) == Verdict::Pass);
    assert_eq!(passed.count(), IN_CALL_MAX);
    assert_eq!(door.asked("192.0.2.1", KNOWN, "loud", "51 BYE", now), TOO_MANY);
    assert_eq!(door.asked("192.0.2.1", KNOWN, "quiet", "2 BYE", now), Verdict::Pass);
    door.answers(200, "loud", "0 INFO", now);
    assert_eq!(door.asked("192.0.2.1", KNOWN, "loud", "51 BYE", now), Verdict::Pass);
}

#[test]
fn the_rate_of_new_calls_is_each_trunks_and_alls() {
    let (start, mut door) = (Instant::now(), door());
    let mut passed = 0;
    for ms in 0..10_000 {
        let now = start + Duration::from_millis(ms);
        let id = format!("c{ms}");
        if door.asked("192.0.2.1", NEW, &id, "1 INVITE", now) == Verdict::Pass {
            passed += 1;
            door.answers(603, &id, "1 INVITE", now);
        }
    }
    assert!(
        (690..=710).contains(&passed),
        "200 at once and 50 a second, not {passed}"
    );
}

#[test]
fn refusals_are_bounded_too() {
    let (now, mut door) = (Instant::now(), door());
    let verdicts: Vec<_> = (0..6_000)
        .map(|n| door.asked("192.0.2.1", KNOWN, &format!("x{n}"), "2 BYE", now))
        .collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == UNKNOWN).count(), 100);
    assert!(
        verdicts[100..]
            .iter()
            .all(|verdict| *verdict == Verdict::Drop(Reason::NoCall))
    );
    assert_eq!((0..1_000).filter(|_| door.tells_strangers(now)).count(), 20);
}

#[test]
fn calls_that_are_known_are_bounded() {
    let (start, mut door) = (Instant::now(), door());
    for n in 0..CALLS_MAX {
        door.hold(&format!("h{n}"), ip("192.0.2.1"), start);
    }
    assert_eq!(door.asked("192.0.2.1", NEW, "one more", "1 INVITE", start), TOO_MANY);
    assert_eq!(door.asked("192.0.2.1", KNOWN, "h7", "2 BYE", start), Verdict::Pass);
    for n in 0..CALLS_MAX {
        door.let_go(&format!("h{n}"), start);
    }
    let later = start + LINGER;
    door.sweep(later);
    assert_eq!(
        door.asked("192.0.2.1", NEW, "one more", "1 INVITE", later),
        Verdict::Pass
    );
}

#[test]
fn calls_of_ours_that_are_over_leave_room_for_those_that_come_in() {
    let (start, mut door) = (Instant::now(), door());
    for n in 0..CALLS_MAX {
        door.hold(&format!("h{n}"), ip("192.0.2.1"), start);
        door.let_go(&format!("h{n}"), start);
    }
    for (later, verdict) in [
        (CALL_KEPT - Duration::from_secs(1), TOO_MANY),
        (CALL_KEPT, Verdict::Pass),
    ] {
        let now = start + later;
        door.sweep(now);
        assert_eq!(door.asked("192.0.2.1", NEW, "one more", "1 INVITE", now), verdict);
    }
}

#[test]
fn a_trunk_that_moves_takes_its_new_calls_along() {
    let (now, mut door) = (Instant::now(), door());
    door.hold("up", ip("192.0.2.1"), now);
    let moved = vec![vec![ip("192.0.2.7")], vec![ip("198.51.100.1")]];
    door.set_trunks(moved.clone());
    assert_eq!(door.asked("192.0.2.7", NEW, "c", "1 INVITE", now), Verdict::Pass);
    assert_eq!(door.asked("192.0.2.7", KNOWN, "up", "2 BYE", now), FOREIGN);
    // The call that is up is ended by whom it is with.
    assert_eq!(door.asked("192.0.2.1", KNOWN, "up", "2 BYE", now), Verdict::Pass);
    door.let_go("up", now);
    door.set_trunks(Vec::new());
    door.set_trunks(moved);
    assert!(!door.knows(ip("192.0.2.1")) && door.knows(ip("192.0.2.7")));
}
