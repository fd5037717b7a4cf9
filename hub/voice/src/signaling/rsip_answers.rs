//! Answers to carriers' challenges, in place of the SIP library's. It shows the library one plain challenge that only numbers an
//! answer of ours, so that the library sends the request again, and puts the answer into what the library sends
//! (docs/adr/0021). What cannot be answered is kept in words for the call's record.

use super::digest::{Challenge, Digest, Name, Use, read};
use rand::TryRngCore;
use rsipstack::sip::headers::untyped::{Authorization, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
use rsipstack::sip::{Header, Headers, HeadersExt, Method, Request, Response, SipMessage};
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Nonces whose uses are counted: carriers with one nonce for many calls want the next count each time.
const NONCES_MAX: usize = 64;
/// What numbers an answer, in the place of a nonce.
const MARK: &str = "forecall-answer-";
/// 407; the other one is 401.
const PROXY_STATUS: u16 = 407;

/// Why a call's password was not asked for, or not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// The status of the challenge.
    pub status: u16,
    /// In words, without numbers of persons.
    pub reason: String,
}

/// The answers of all calls.
#[derive(Default)]
pub(super) struct Answers(Mutex<State>);

#[derive(Default)]
struct State {
    /// By Call-ID.
    calls: HashMap<String, Call>,
    nonces: Nonces,
}

/// Newest last.
#[derive(Default)]
struct Nonces(VecDeque<(String, u32)>);

impl Nonces {
    /// How often this one has been used, this time included.
    fn count(&mut self, nonce: &str) -> u32 {
        let known = self.0.iter().position(|(known, _)| known == nonce);
        let before = known.and_then(|at| self.0.remove(at)).map_or(0, |(_, count)| count);
        if self.0.len() >= NONCES_MAX {
            self.0.pop_front();
        }
        let count = before.saturating_add(1);
        self.0.push_back((nonce.to_owned(), count));
        count
    }
}

struct Call {
    digest: Option<Digest>,
    answers: Vec<Answer>,
    refused: Option<Refused>,
}

struct Answer {
    /// Of the request that was challenged.
    method: Method,
    seq: u32,
    challenge: Challenge,
    count: u32,
    cnonce: String,
    /// As it was sent: an ACK and what is sent again carry the same.
    header: Option<String>,
}

/// The answers of one call, for as long as it lives.
pub(super) struct CallAnswers {
    answers: Arc<Answers>,
    call_id: String,
}

impl CallAnswers {
    /// Why the INVITE's challenge was not answered, if it was not.
    pub fn refused(&self) -> Option<Refused> {
        self.answers.state().calls.get(&self.call_id)?.refused.clone()
    }
}

impl Drop for CallAnswers {
    fn drop(&mut self) {
        self.answers.state().calls.remove(&self.call_id);
    }
}

impl Answers {
    /// From now on challenges of this call are answered, with `digest`.
    pub fn of_call(self: &Arc<Self>, call_id: String, digest: Option<Digest>) -> CallAnswers {
        let call = Call {
            digest,
            answers: Vec::new(),
            refused: None,
        };
        self.state().calls.insert(call_id.clone(), call);
        CallAnswers {
            answers: Arc::clone(self),
            call_id,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a challenge; the library finds in it what makes it send the request again, or nothing.
    fn take(&self, response: &mut Response) -> Option<()> {
        let call_id = response.call_id_header().ok()?.value().to_owned();
        let cseq = response.cseq_header().ok()?;
        let (seq, method) = (cseq.seq().ok()?, cseq.method().ok()?);
        let status = response.status_code.code();
        let mut state = self.state();
        let State { calls, nonces } = &mut *state;
        let call = calls.get_mut(&call_id)?;
        let (values, is_proxy) = challenges(&response.headers, status == PROXY_STATUS);
        let answered = call.answer((method, seq), &values, nonces);
        match answered {
            Ok(number) => {
                let stale = call
                    .answers
                    .get(number)
                    .is_some_and(|answer| answer.challenge.is_stale());
                replace(&mut response.headers, is_proxy, Some(&marked(number, stale)));
            }
            Err(reason) => {
                tracing::debug!(%method, status, reason, "a challenge was not answered");
                if method == Method::Invite {
                    call.refused = Some(Refused { status, reason });
                }
                replace(&mut response.headers, is_proxy, None);
            }
        }
        Some(())
    }

    /// Puts our answer in the place of the library's.
    fn fill(&self, request: &mut Request) -> Option<()> {
        let call_id = request.call_id_header().ok()?.value().to_owned();
        let Request {
            method, uri, headers, ..
        } = request;
        let (method, uri) = (*method, &*uri);
        for header in headers.iter_mut() {
            let number = match header {
                Header::Authorization(value) => number_of(value.value()),
                Header::ProxyAuthorization(value) => number_of(value.value()),
                _ => None,
            };
            let Some(number) = number else { continue };
            let mut state = self.state();
            let Call { digest, answers, .. } = state.calls.get_mut(&call_id)?;
            let (answer, digest) = (answers.get_mut(number)?, digest.as_ref()?);
            let name = Name {
                user: &digest.user,
                password: digest.password.reveal(),
            };
            let used = Use {
                method,
                uri,
                count: answer.count,
                cnonce: &answer.cnonce,
            };
            let text = answer
                .header
                .take()
                .unwrap_or_else(|| answer.challenge.answer(name, used));
            match header {
                Header::ProxyAuthorization(value) => *value = ProxyAuthorization::new(text.as_str()),
                Header::Authorization(value) => *value = Authorization::new(text.as_str()),
                _ => {}
            }
            answer.header = Some(text);
        }
        Some(())
    }
}

impl Call {
    /// The number of the answer to a challenge of the request with this method and number.
    fn answer(
        &mut self,
        (method, seq): (Method, u32),
        challenges: &[&str],
        nonces: &mut Nonces,
    ) -> Result<usize, String> {
        let is_same = |answer: &Answer| answer.method == method && answer.seq == seq;
        // The carrier repeats it until our ACK arrives.
        if let Some(number) = self.answers.iter().position(is_same) {
            return Ok(number);
        }
        if self.digest.is_none() {
            return Err("the trunk asks for a user name and a password, and its settings have none".to_owned());
        }
        let challenge = Challenge::strongest(challenges)?;
        let mut before = self.answers.iter().filter(|answer| answer.method == method);
        match (before.next(), before.next()) {
            (None, _) => {}
            (Some(first), None) if challenge.is_stale() && challenge.nonce() != first.challenge.nonce() => {}
            (Some(_), _) if challenge.is_stale() => {
                return Err("the trunk calls our answer stale, also with its new nonce".to_owned());
            }
            (Some(_), _) => return Err("the trunk did not take our user name and password".to_owned()),
        }
        let random = rand::rngs::OsRng.try_next_u64();
        let random = random.map_err(|_| "the system gives no random numbers".to_owned())?;
        self.answers.push(Answer {
            method,
            seq,
            count: nonces.count(challenge.nonce()),
            challenge,
            cnonce: format!("{random:016x}"),
            header: None,
        });
        Ok(self.answers.len() - 1)
    }
}

/// The challenges of the header that belongs to the status, and whether that is Proxy-Authenticate; where there is none, those
/// of the other one.
fn challenges(headers: &Headers, is_proxy: bool) -> (Vec<&str>, bool) {
    let own = values(headers, is_proxy);
    if own.is_empty() {
        (values(headers, !is_proxy), !is_proxy)
    } else {
        (own, is_proxy)
    }
}

fn values(headers: &Headers, is_proxy: bool) -> Vec<&str> {
    let all = headers.iter().filter_map(|header| match header {
        Header::ProxyAuthenticate(value) if is_proxy => Some(value.value()),
        Header::WwwAuthenticate(value) if !is_proxy => Some(value.value()),
        _ => None,
    });
    all.collect()
}

/// What the library sees of challenges.
fn replace(headers: &mut Headers, is_proxy: bool, value: Option<&str>) {
    headers.retain(|header| !matches!(header, Header::ProxyAuthenticate(_) | Header::WwwAuthenticate(_)));
    headers.extend(match value {
        Some(value) if is_proxy => vec![Header::ProxyAuthenticate(ProxyAuthenticate::new(value))],
        Some(value) => vec![Header::WwwAuthenticate(WwwAuthenticate::new(value))],
        None => vec![],
    });
}

/// A challenge that the library can read; without `stale` it answers one of a request only.
fn marked(number: usize, stale: bool) -> String {
    format!("Digest realm=\"forecall\", nonce=\"{MARK}{number}\", stale={stale}, algorithm=MD5")
}

/// Which answer the library's header stands for.
fn number_of(value: &str) -> Option<usize> {
    let credentials = read(value).ok()?;
    credentials.first()?.param("nonce")?.strip_prefix(MARK)?.parse().ok()
}

/// Stands between the library and the wire.
pub(super) struct OurDigest(pub Arc<Answers>);

impl MessageInspector for OurDigest {
    fn before_send(&self, mut message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        if let SipMessage::Request(request) = &mut message {
            self.0.fill(request);
        }
        message
    }

    fn after_received(&self, mut message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        if let SipMessage::Response(response) = &mut message
            && matches!(response.status_code.code(), 401 | PROXY_STATUS)
        {
            self.0.take(response);
        }
        message
    }
}

#[cfg(test)]
#[path = "rsip_answers_tests.rs"]
mod tests;
