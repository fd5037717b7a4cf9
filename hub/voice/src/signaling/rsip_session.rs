//! The session timer of one leg on rsipstack: what is agreed in requests and answers, our refreshes, and the end when none came.

use super::REQUEST_DEADLINE;
use super::rsip_extensions::{self, content_type};
use super::session_timer::{Answer, Expires, INTERVAL_MIN_S, Refresher, SessionTimer, answer, pause_when_crossed};
use rand::TryRngCore;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, Headers, HeadersExt, Request, Response};
use rsipstack::transaction::key::TransactionRole;
use std::time::Instant;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A refresh whose interval was too small is sent once more.
const TRIES: usize = 2;
/// A refresh that crosses a request of the far side's again and again is sent so many times more: a request of theirs is over
/// after 64 times T1, 32 s.
const CROSSED_MAX: u32 = 32;

/// What a request wants of the timer, answered.
pub(super) fn asked(request: &Request) -> Answer {
    let knows = ["Supported", "Require"];
    let knows = knows.iter().any(|name| request.header_contains_token(name, "timer"));
    answer(expires(&request.headers), knows)
}

/// The header of a 422, if a request wants too small an interval.
pub(super) fn too_small(request: &Request) -> Option<Header> {
    (asked(request) == Answer::TooSmall).then(|| Header::MinSE(INTERVAL_MIN_S.to_string().into()))
}

/// What a 2xx says of the timer.
pub(super) fn headers(agreed: Answer) -> Vec<Header> {
    match agreed {
        Answer::Untimed | Answer::TooSmall => vec![],
        Answer::Agreed { interval_s, refresher } => {
            let expires = Expires {
                interval_s,
                refresher: Some(refresher),
            };
            let mut headers = vec![Header::SessionExpires(expires.write().into())];
            if refresher == Refresher::Uac {
                // Then the other side has to do something (RFC 4028 §9).
                headers.push(Header::Require("timer".into()));
            }
            headers
        }
    }
}

fn expires(headers: &Headers) -> Option<Expires> {
    headers.iter().find_map(|header| match header {
        Header::SessionExpires(value) => Expires::read(value.value()),
        _ => None,
    })
}

/// The least interval that the far side takes, in seconds.
fn least(headers: &Headers) -> Option<u32> {
    headers.iter().find_map(|header| match header {
        Header::MinSE(value) => Some(Expires::read(value.value())?.interval_s),
        _ => None,
    })
}

/// Whether the far side says that it takes UPDATE.
fn takes_update(headers: &Headers) -> bool {
    headers.iter().any(|header| match header {
        Header::Allow(methods) => methods.value().split(',').any(|method| method.trim() == "UPDATE"),
        _ => false,
    })
}

/// What is to be done for a session.
pub(super) enum Next {
    /// Refresh it.
    Refresh,
    /// Nothing, it was refreshed; what the far side said of its audio thereby, if anything.
    Kept(Vec<u8>),
    /// End it: it was not refreshed.
    End,
}

/// How a refresh of ours ended.
enum Refreshed {
    Kept {
        timer: Option<SessionTimer>,
        description: Vec<u8>,
    },
    Refused,
    /// The far side has a request of its own under way (491): ours is to come again.
    Crossed,
    /// The far side knows nothing of the session any more, or has gone.
    Gone,
}

/// One leg's timer.
pub(super) struct Session {
    dialog: InviteDialog,
    timer: Option<SessionTimer>,
    /// The refresh under way, and the timer that it is for.
    refreshing: Option<(SessionTimer, JoinHandle<Refreshed>)>,
    /// When a refresh that crossed a request of the far side's is sent again.
    again: Option<Instant>,
    /// How often that has happened to this refresh.
    crossed: u32,
    by_update: bool,
}

impl Session {
    /// Without a timer.
    pub fn new(dialog: InviteDialog) -> Self {
        Self {
            dialog,
            timer: None,
            refreshing: None,
            again: None,
            crossed: 0,
            by_update: false,
        }
    }

    /// Our call was answered.
    pub fn answered(&mut self, response: &Response) {
        self.by_update = takes_update(&response.headers);
        self.timer = agreed_in(response);
    }

    /// We took this call.
    pub fn took(&mut self, request: &Request) {
        self.by_update = takes_update(&request.headers);
        self.agree(asked(request));
    }

    /// A request of the far side's was answered so.
    pub fn agree(&mut self, agreed: Answer) {
        self.set(match agreed {
            Answer::Untimed | Answer::TooSmall => None,
            Answer::Agreed { interval_s, refresher } => {
                let ours = refresher == Refresher::Uas;
                Some(SessionTimer::new(interval_s, ours, Instant::now()))
            }
        });
    }

    /// A new timer: no refresh of an earlier one is sent again.
    fn set(&mut self, timer: Option<SessionTimer>) {
        self.timer = timer;
        (self.again, self.crossed) = (None, 0);
    }

    /// The refresh for `timer` crossed a request of the far side's. It is sent again after a pause, as long as that is within
    /// the session's time. Where that request has refreshed the session, ours need not.
    fn put_off(&mut self, timer: SessionTimer, random: u64, now: Instant) {
        if self.timer != Some(timer) {
            return;
        }
        let is_call_id_ours = self.dialog.role() == TransactionRole::Client;
        let again = now + pause_when_crossed(is_call_id_ours, random);
        self.crossed += 1;
        if self.crossed <= CROSSED_MAX && again < timer.refused().due() {
            self.again = Some(again);
        } else {
            self.set(Some(timer.refused()));
        }
    }

    /// Waits for what is next. May be dropped and called again.
    pub async fn next(&mut self) -> Next {
        if let Some((timer, task)) = &mut self.refreshing {
            let (timer, outcome) = (*timer, task.await);
            self.refreshing = None;
            return match outcome {
                Ok(Refreshed::Kept { timer, description }) => {
                    self.set(timer);
                    Next::Kept(description)
                }
                Ok(Refreshed::Refused) => {
                    self.set(self.timer.map(SessionTimer::refused));
                    Next::Kept(Vec::new())
                }
                Ok(Refreshed::Crossed) => {
                    // Without randomness both sides may cross once more, no worse.
                    let random = rand::rngs::OsRng.try_next_u64().unwrap_or_default();
                    self.put_off(timer, random, Instant::now());
                    Next::Kept(Vec::new())
                }
                Ok(Refreshed::Gone) | Err(_) => Next::End,
            };
        }
        let Some(timer) = self.timer else {
            return std::future::pending().await;
        };
        let due = self.again.unwrap_or_else(|| timer.due());
        tokio::time::sleep_until(due.into()).await;
        if timer.is_ours() { Next::Refresh } else { Next::End }
    }

    /// Sends a refresh; its outcome is told by `next`. `description` is what we last said of our audio: it goes along where the far
    /// side takes no UPDATE.
    pub fn refresh(&mut self, description: &[u8]) {
        let Some(timer) = self.timer else { return };
        self.again = None;
        let description = (!self.by_update).then(|| description.to_vec());
        let refresh = refresh(self.dialog.clone(), timer.interval_s(), description);
        self.refreshing = Some((timer, tokio::spawn(refresh)));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.refreshing {
            task.abort();
        }
    }
}

fn agreed_in(response: &Response) -> Option<SessionTimer> {
    let expires = expires(&response.headers)?;
    Some(SessionTimer::answered(expires, Instant::now()))
}

/// By re-INVITE with `description`, else by UPDATE.
async fn refresh(dialog: InviteDialog, mut interval_s: u32, description: Option<Vec<u8>>) -> Refreshed {
    for _ in 0..TRIES {
        let expires = Expires {
            interval_s,
            refresher: Some(Refresher::Uac),
        };
        let mut headers = rsip_extensions::ours();
        headers.push(Header::SessionExpires(expires.write().into()));
        let answer = match description.clone() {
            None => timeout(REQUEST_DEADLINE, dialog.update(Some(headers), None)).await,
            offer => {
                headers.push(content_type());
                timeout(REQUEST_DEADLINE, dialog.reinvite(Some(headers), offer)).await
            }
        };
        let Ok(Ok(Some(response))) = answer else {
            return Refreshed::Gone;
        };
        match response.status_code.code() {
            200..=299 => {
                return Refreshed::Kept {
                    timer: agreed_in(&response),
                    description: response.body,
                };
            }
            422 => interval_s = least(&response.headers).unwrap_or(interval_s).max(interval_s),
            491 => return Refreshed::Crossed,
            // RFC 4028 §10.
            408 | 481 => return Refreshed::Gone,
            _ => return Refreshed::Refused,
        }
    }
    Refreshed::Refused
}
