use super::*;
use std::time::Duration;

/// A walk under test, its time by hand.
struct Owner {
    flow: Walk,
    now: Instant,
}

fn say(node: &str) -> FlowAction {
    FlowAction::Say(node.to_owned())
}

impl Owner {
    fn new(has_slot: bool) -> Self {
        let present = has_slot.then(|| "slot".to_owned());
        Self {
            flow: Walk::new(Flow::owner_call(), present.into_iter().collect()),
            now: Instant::now(),
        }
    }

    fn answered(has_slot: bool) -> Self {
        let mut walk = Self::new(has_slot);
        walk.flow.handle_answered();
        walk.expect(&[say("menu")]);
        walk
    }

    fn expect(&mut self, actions: &[FlowAction]) {
        let got: Vec<_> = std::iter::from_fn(|| self.flow.poll_action()).collect();
        assert_eq!(got, actions);
    }

    fn press(&mut self, key: char, actions: &[FlowAction]) {
        self.flow.handle_digit(key, self.now);
        self.expect(actions);
    }

    fn finish(&mut self, actions: &[FlowAction]) {
        self.flow.handle_prompt_finished(self.now);
        self.expect(actions);
    }

    fn silence(&mut self, actions: &[FlowAction]) {
        let due = self.flow.poll_timeout().expect("a key is waited for");
        assert_eq!(due - self.now, Duration::from_secs(8));
        self.flow.handle_timeout(due - Duration::from_millis(1));
        self.expect(&[]);
        self.now = due;
        self.flow.handle_timeout(due);
        self.expect(actions);
    }
}

fn commit(disposition: Disposition) -> [FlowAction; 2] {
    [FlowAction::Hush, FlowAction::Commit(disposition)]
}

#[test]
fn each_key_is_saved_before_it_is_confirmed() {
    for (key, disposition, prompt) in [
        ('1', Disposition::AppointmentBooked, "booked"),
        ('2', Disposition::AnotherTime, "another-time"),
        ('3', Disposition::PersonWanted, "person"),
        ('9', Disposition::DoNotCall, "do-not-call"),
    ] {
        let mut walk = Owner::answered(true);
        walk.press(key, &commit(disposition));
        assert_eq!(walk.flow.saved(), None);
        walk.flow.handle_commit(true);
        walk.expect(&[say(prompt)]);
        assert_eq!(walk.flow.saved(), Some(disposition));
        walk.press('2', &[]);
        walk.finish(&[FlowAction::HangUp]);
    }
}

#[test]
fn what_cannot_be_saved_is_said_honestly() {
    let mut walk = Owner::answered(true);
    walk.press('9', &commit(Disposition::DoNotCall));
    walk.flow.handle_commit(false);
    walk.expect(&[say("not-saved")]);
    assert_eq!(
        (walk.flow.saved(), walk.flow.refused()),
        (None, Some(Disposition::DoNotCall))
    );
    walk.finish(&[FlowAction::HangUp]);
}

#[test]
fn without_a_slot_key_1_is_a_wrong_key() {
    let mut walk = Owner::answered(false);
    walk.press('1', &[say("wrong-key")]);
    walk.press('2', &commit(Disposition::AnotherTime));
}

#[test]
fn silence_repeats_once_and_ends() {
    let mut walk = Owner::answered(true);
    walk.finish(&[]);
    walk.silence(&[say("no-key")]);
    walk.finish(&[]);
    walk.silence(&[say("goodbye")]);
    walk.finish(&[FlowAction::HangUp]);
    assert_eq!(walk.flow.saved(), None);
}

#[test]
fn repeats_and_wrong_keys_do_not_earn_a_second_repeat_after_silence() {
    let mut walk = Owner::answered(true);
    walk.finish(&[]);
    walk.silence(&[say("no-key")]);
    walk.press('0', &[say("menu-again")]);
    walk.finish(&[]);
    walk.silence(&[say("goodbye")]);
}

#[test]
fn a_call_that_lasts_too_long_says_goodbye() {
    let mut says = Owner::answered(true);
    assert!(says.flow.handle_time_up());
    says.expect(&[say("goodbye")]);
    assert!(!says.flow.handle_time_up());
    says.finish(&[FlowAction::HangUp]);

    let mut listens = Owner::answered(false);
    listens.finish(&[]);
    assert!(listens.flow.handle_time_up());
    listens.expect(&[say("goodbye")]);
    assert_eq!(listens.flow.poll_timeout(), None);
}

#[test]
fn a_choice_is_saved_and_confirmed_though_the_time_is_up() {
    let mut walk = Owner::answered(true);
    walk.press('1', &commit(Disposition::AppointmentBooked));
    assert!(!walk.flow.handle_time_up());
    walk.flow.handle_commit(true);
    walk.expect(&[say("booked")]);
    assert!(!walk.flow.handle_time_up());
    walk.finish(&[FlowAction::HangUp]);
}

#[test]
fn three_wrong_keys_bring_a_person() {
    let mut walk = Owner::answered(true);
    walk.press('5', &[say("wrong-key")]);
    walk.press('*', &[say("wrong-key")]);
    walk.press('7', &commit(Disposition::PersonWanted));
}

#[test]
fn a_key_counts_even_if_the_owner_hangs_up_while_it_is_saved() {
    let mut walk = Owner::answered(true);
    walk.flow.handle_digit('9', walk.now);
    walk.flow.handle_hang_up();
    walk.expect(&[FlowAction::Commit(Disposition::DoNotCall)]);
    assert!(walk.flow.is_saving());
    walk.flow.handle_commit(true);
    walk.expect(&[]);
    assert_eq!(walk.flow.saved(), Some(Disposition::DoNotCall));
    assert!(!walk.flow.is_saving());
}

#[test]
fn keys_before_the_answer_and_after_the_end_do_nothing() {
    let mut walk = Owner::new(true);
    walk.press('1', &[]);
    walk.flow.handle_answered();
    walk.flow.handle_hang_up();
    walk.press('1', &[]);
    walk.finish(&[]);
    assert_eq!(walk.flow.poll_timeout(), None);
}

/// A walk of a caller whom nobody knows.
fn stranger() -> Owner {
    let mut walk = Owner {
        flow: Walk::new(Flow::unknown_caller(), Present::new()),
        now: Instant::now(),
    };
    walk.flow.handle_answered();
    walk.expect(&[say("which")]);
    walk
}

fn find(figures: &str) -> FlowAction {
    FlowAction::Find(figures.to_owned())
}

#[test]
fn figures_are_taken_until_the_hash_key_or_a_pause() {
    let mut walk = stranger();
    walk.press('1', &[FlowAction::Hush]);
    walk.press('*', &[]);
    walk.press('2', &[]);
    walk.press('0', &[]);
    walk.press('#', &[FlowAction::Hush, find("20")]);
    walk.press('5', &[]);
    walk.flow.handle_commit(false);
    walk.expect(&[say("second")]);
    walk.finish(&[]);
    walk.press('7', &[]);
    walk.silence(&[FlowAction::Hush, find("7")]);
    walk.flow.handle_commit(true);
    walk.expect(&[say("named")]);
    walk.finish(&[FlowAction::HangUp]);
    assert_eq!((walk.flow.saved(), walk.flow.refused()), (None, None));
}

#[test]
fn a_caller_has_three_tries_and_silence_ends_the_call() {
    let mut walk = stranger();
    for next in ["second", "third", "unnamed"] {
        walk.press('#', &[FlowAction::Hush, find("")]);
        walk.flow.handle_commit(false);
        walk.expect(&[say(next)]);
    }
    walk.press('1', &[]);
    walk.finish(&[FlowAction::HangUp]);

    let mut walk = stranger();
    walk.finish(&[]);
    walk.silence(&[say("goodbye")]);
    walk.finish(&[FlowAction::HangUp]);

    // More figures than anything has, and a caller who hangs up before they are looked at.
    let mut walk = stranger();
    walk.press('1', &[FlowAction::Hush]);
    for _ in 0..100 {
        walk.press('1', &[]);
    }
    walk.flow.handle_digit('#', walk.now);
    walk.flow.handle_hang_up();
    walk.expect(&[find(&"1".repeat(FIGURES_MAX + 1))]);
    assert!(walk.flow.is_saving());
    walk.flow.handle_commit(true);
    walk.expect(&[]);
    assert!(!walk.flow.is_saving());
}
