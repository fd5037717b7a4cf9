//! `forecall phone`: a telephone that is played at the terminal.

use crate::terminal::{log, say};
use anyhow::{Context, Result, bail};
use hub_core::phone_number::PhoneNumber;
use hub_lab::handset::{Act, Habits, Handset, RATE, Shown, Talked};
use hub_voice::media::rtp::code_of;
use hub_voice::prompt::tts::write_wav;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What was typed and not looked at yet.
const ACTS_MAX: usize = 32;
/// Keys that are pressed without a person.
const KEYS_MAX: usize = 32;

/// A telephone for trying a hub on this machine: whatever number the hub calls over a trunk whose proxy is this address, it rings
/// here. Takes one call, of five minutes at most, and ends with it; the exit code is 0 if the call was answered.
///
/// At the terminal Enter answers; a key (0 to 9, * or #) and Enter presses it; q and Enter declines or hangs up.
#[derive(Debug, clap::Args)]
pub struct Phone {
    /// Where it is rung (UDP, loopback only): the proxy of a tenant's trunk in the site file.
    #[arg(long, env = "FORECALL_PHONE", default_value = "127.0.0.1:5070")]
    listen: SocketAddr,
    /// Answers by itself after ringing for so many seconds, at most 60.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=60))]
    answer: Option<u64>,
    /// Presses these keys by itself, one each time that the other side has spoken and waits.
    #[arg(long, value_name = "KEYS", value_parser = keys, default_value = "")]
    press: String,
    /// Keeps what is heard as a WAV file, which must not exist yet.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
}

fn keys(text: &str) -> Result<String, String> {
    let are_keys = text.len() <= KEYS_MAX && text.chars().all(|key| code_of(key).is_some());
    are_keys
        .then(|| text.to_owned())
        .ok_or_else(|| format!("at most {KEYS_MAX} keys, each 0 to 9, * or #"))
}

impl Phone {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        let handset = Handset::start(self.listen).await?;
        if let Some(file) = &self.keep {
            reserve(file)?;
        }
        let (sender, mut acts) = mpsc::channel(ACTS_MAX);
        hang_up_on_signals(sender.clone())?;
        read_terminal(sender, self.answer.is_none())?;
        say(format_args!(
            "a telephone for trying, on {}: it rings for every number that a hub calls over a trunk with this proxy",
            handset.local()
        ));
        say("Enter answers; a key and Enter presses it; q and Enter hangs up. Waiting for a call");
        let habits = Habits {
            pick_up: self.answer.map(Duration::from_secs),
            keys: self.press,
        };
        let talked = handset.take_call(&habits, &mut acts, show).await;
        handset.shutdown().await;
        let kept = match (&self.keep, &talked) {
            (Some(file), Ok(Some(talked))) => keep(file, talked),
            // Nothing was heard that the reserved file could hold.
            (Some(file), Ok(None) | Err(_)) => std::fs::remove_file(file).context("an empty file stays behind"),
            (None, _) => Ok(()),
        };
        match talked? {
            Some(talked) => say(over(&talked)),
            None => bail!("no call was answered; without a terminal to press Enter at, give --answer"),
        }
        kept
    }
}

fn show(shown: Shown) {
    let named = |number: Option<PhoneNumber>| number.map_or_else(|| "an unknown number".to_owned(), |n| n.to_string());
    match shown {
        Shown::Rings { from, to } => say(format_args!("ringing: {} calls {}", named(from), named(to))),
        Shown::Missed => say("missed: nobody answered in time; waiting for the next call"),
        Shown::Talking => say("answered: the other side speaks"),
        Shown::Waits => say("the other side has spoken and waits"),
        Shown::Pressed(key) => say(format_args!("pressed {key}")),
        Shown::NotPressed(key) => say(format_args!("{key} was not pressed")),
    }
}

fn over(talked: &Talked) -> String {
    let who = if talked.we_ended { "this side" } else { "the other side" };
    let (audio, lasted) = (&talked.audio, talked.lasted.as_secs());
    let lost = audio.lost;
    let (heard, sent) = (audio.packets_received, audio.packets_sent);
    format!("over: {who} hung up after {lasted} s; packets of 20 ms: {heard} heard, {lost} lost, {sent} sent")
}

/// Makes the file in which the call is kept, before there is one.
fn reserve(file: &Path) -> Result<()> {
    let name = file.display();
    let made = File::create_new(file).map(drop);
    made.with_context(|| format!("cannot make {name}; a file that is there stays as it is"))
}

fn keep(file: &Path, talked: &Talked) -> Result<()> {
    let name = file.display();
    write_wav(file, &talked.heard).with_context(|| format!("cannot write {name}"))?;
    say(format_args!("{} s of it are kept in {name}", talked.heard.len() / RATE));
    Ok(())
}

/// Hands on what is typed. On a thread of its own, which the end of the program does not wait for.
fn read_terminal(acts: mpsc::Sender<Act>, is_needed: bool) -> Result<()> {
    let read = move || {
        let typed = std::io::stdin().lock().bytes().map_while(Result::ok);
        for act in typed.filter_map(|byte| act_of(char::from(byte))) {
            if acts.blocking_send(act).is_err() {
                return;
            }
        }
        // Nobody can answer any more; that the receiver has ended is as good.
        if is_needed {
            let _ = acts.blocking_send(Act::HangUp);
        }
    };
    let thread = std::thread::Builder::new().name("terminal".into());
    thread.spawn(read).map(drop).context("cannot read the terminal")
}

fn act_of(typed: char) -> Option<Act> {
    match typed {
        '\n' => Some(Act::PickUp),
        'q' => Some(Act::HangUp),
        key => code_of(key).map(|_| Act::Press(key)),
    }
}

/// Ctrl-C ends the call politely, and keeps what was heard.
fn hang_up_on_signals(acts: mpsc::Sender<Act>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        let _ = acts.send(Act::HangUp).await;
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_key_enter_or_q() {
        let acts = |text: &str| text.chars().filter_map(act_of).collect::<Vec<_>>();
        assert_eq!(acts("\n"), [Act::PickUp]);
        assert_eq!(acts("1 x\n"), [Act::Press('1'), Act::PickUp]);
        assert_eq!(acts("*#q"), [Act::Press('*'), Act::Press('#'), Act::HangUp]);
    }

    #[test]
    fn keys_are_those_of_a_telephone() {
        assert_eq!(keys("19*#").as_deref(), Ok("19*#"));
        assert_eq!(keys("").as_deref(), Ok(""));
        assert!(keys("1,9").is_err() && keys("x").is_err() && keys(&"1".repeat(KEYS_MAX + 1)).is_err());
    }

    #[test]
    fn a_recording_never_takes_the_place_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("call.wav");
        reserve(&file).unwrap();
        let refused = format!("{:#}", reserve(&file).unwrap_err());
        assert!(refused.contains("call.wav") && refused.contains("stays"), "{refused}");
    }
}
