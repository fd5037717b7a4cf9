use super::super::owner_call;
use super::*;
use std::time::Duration;

/// A flow under test: its actions as short words, its time by hand.
struct Walk {
    flow: Flow,
    now: Instant,
}

impl Walk {
    fn new(has_slot: bool) -> Self {
        Self {
            flow: Flow::new(owner_call(has_slot)),
            now: Instant::now(),
        }
    }

    fn answered(has_slot: bool) -> Self {
        let mut walk = Self::new(has_slot);
        walk.flow.handle_answered();
        walk.expect(&[FlowAction::Say(PromptId::Menu)]);
        walk
    }

    fn expect(&mut self, actions: &[FlowAction]) {
        let got: Vec<_> = std::iter::from_fn(|| self.flow.poll_action()).collect();
        assert_eq!(got, actions);
    }

    fn press(&mut self, key: char, actions: &[FlowAction]) {
        self.flow.handle_digit(key);
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
        ('1', Disposition::AppointmentBooked, PromptId::Booked),
        ('2', Disposition::AnotherTime, PromptId::AnotherTime),
        ('3', Disposition::PersonWanted, PromptId::Person),
        ('9', Disposition::DoNotCall, PromptId::DoNotCall),
    ] {
        let mut walk = Walk::answered(true);
        walk.press(key, &commit(disposition));
        assert_eq!(walk.flow.saved(), None);
        walk.flow.handle_commit(true);
        walk.expect(&[FlowAction::Say(prompt)]);
        assert_eq!(walk.flow.saved(), Some(disposition));
        walk.press('2', &[]);
        walk.finish(&[FlowAction::HangUp]);
    }
}

#[test]
fn what_cannot_be_saved_is_said_honestly() {
    let mut walk = Walk::answered(true);
    walk.press('9', &commit(Disposition::DoNotCall));
    walk.flow.handle_commit(false);
    walk.expect(&[FlowAction::Say(PromptId::NotSaved)]);
    assert_eq!(
        (walk.flow.saved(), walk.flow.refused()),
        (None, Some(Disposition::DoNotCall))
    );
    walk.finish(&[FlowAction::HangUp]);
}

#[test]
fn without_a_slot_key_1_is_a_wrong_key() {
    let mut walk = Walk::answered(false);
    walk.press('1', &[FlowAction::Say(PromptId::WrongKey)]);
    walk.press('2', &commit(Disposition::AnotherTime));
}

#[test]
fn silence_repeats_once_and_ends() {
    let mut walk = Walk::answered(true);
    walk.finish(&[]);
    walk.silence(&[FlowAction::Say(PromptId::NoKey)]);
    walk.finish(&[]);
    walk.silence(&[FlowAction::Say(PromptId::Goodbye)]);
    walk.finish(&[FlowAction::HangUp]);
    assert_eq!(walk.flow.saved(), None);
}

#[test]
fn repeats_and_wrong_keys_do_not_earn_a_second_repeat_after_silence() {
    let mut walk = Walk::answered(true);
    walk.finish(&[]);
    walk.silence(&[FlowAction::Say(PromptId::NoKey)]);
    walk.press('0', &[FlowAction::Say(PromptId::MenuAgain)]);
    walk.finish(&[]);
    walk.silence(&[FlowAction::Say(PromptId::Goodbye)]);
}

#[test]
fn a_call_that_lasts_too_long_says_goodbye() {
    let mut says = Walk::answered(true);
    assert!(says.flow.handle_time_up());
    says.expect(&[FlowAction::Say(PromptId::Goodbye)]);
    assert!(!says.flow.handle_time_up());
    says.finish(&[FlowAction::HangUp]);

    let mut listens = Walk::answered(false);
    listens.finish(&[]);
    assert!(listens.flow.handle_time_up());
    listens.expect(&[FlowAction::Say(PromptId::Goodbye)]);
    assert_eq!(listens.flow.poll_timeout(), None);
}

#[test]
fn a_choice_is_saved_and_confirmed_though_the_time_is_up() {
    let mut walk = Walk::answered(true);
    walk.press('1', &commit(Disposition::AppointmentBooked));
    assert!(!walk.flow.handle_time_up());
    walk.flow.handle_commit(true);
    walk.expect(&[FlowAction::Say(PromptId::Booked)]);
    assert!(!walk.flow.handle_time_up());
    walk.finish(&[FlowAction::HangUp]);
}

#[test]
fn three_wrong_keys_bring_a_person() {
    let mut walk = Walk::answered(true);
    walk.press('5', &[FlowAction::Say(PromptId::WrongKey)]);
    walk.press('*', &[FlowAction::Say(PromptId::WrongKey)]);
    walk.press('7', &commit(Disposition::PersonWanted));
}

#[test]
fn a_key_counts_even_if_the_owner_hangs_up_while_it_is_saved() {
    let mut walk = Walk::answered(true);
    walk.flow.handle_digit('9');
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
    let mut walk = Walk::new(true);
    walk.press('1', &[]);
    walk.flow.handle_answered();
    walk.flow.handle_hang_up();
    walk.press('1', &[]);
    walk.finish(&[]);
    assert_eq!(walk.flow.poll_timeout(), None);
}
