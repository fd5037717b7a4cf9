//! Digest challenges and their answers (RFC 3261 §22, RFC 7616, RFC 8760) as they stand in headers. The SIP library hashes;
//! what it reads and writes of them is not what carriers do (docs/adr/0021).

use crate::config::Secret;
use rsipstack::sip::headers::auth;
use rsipstack::sip::{DigestGenerator, Method, Uri};

/// Of a word that a carrier sent, so much is told.
const WORD_MAX: usize = 32;
/// Of challenges that cannot be answered, so many are told.
const TOLD_MAX: usize = 4;

/// User name and password.
#[derive(Debug, Clone)]
pub struct Digest {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A header that is no list of parameters behind a scheme's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a challenge is not readable")]
pub struct Unreadable;

/// A scheme and its parameters, as they came: of a quoted string what stands between the quotes, escapes included, since it
/// goes back and into the hash like that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The scheme, such as `Digest`.
    pub scheme: &'a str,
    params: Vec<(&'a str, &'a str)>,
}

impl<'a> Credentials<'a> {
    /// The first parameter of this name.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        let found = self.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }

    /// Whether it is Digest.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }
}

/// Reads a header of challenges or credentials; several may stand in one, parted by commas as their parameters are.
pub fn read(value: &str) -> Result<Vec<Credentials<'_>>, Unreadable> {
    let mut all: Vec<Credentials<'_>> = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        if rest.is_empty() {
            return Ok(all);
        }
        let (word, after) = word(rest, |c| ",=\"".contains(c));
        if word.is_empty() {
            return Err(Unreadable);
        }
        rest = match after.trim_start().strip_prefix('=') {
            None => {
                all.push(Credentials {
                    scheme: word,
                    params: Vec::new(),
                });
                after
            }
            Some(value) => {
                let (value, after) = param_value(value.trim_start())?;
                all.last_mut().ok_or(Unreadable)?.params.push((word, value));
                after
            }
        };
    }
}

/// Text up to white space or a character that ends it, and the rest.
fn word(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c: char| c.is_whitespace() || ends(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// A token or a quoted string, and what follows.
fn param_value(text: &str) -> Result<(&str, &str), Unreadable> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, after) = word(text, |c| c == ',');
        return if token.contains(['"', '\\']) {
            Err(Unreadable)
        } else {
            Ok((token, after))
        };
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => {
                let (value, after) = quoted.split_at(at);
                return Ok((value, after.get(1..).unwrap_or_default()));
            }
            _ => escaped = c == '\\' && !escaped,
        }
    }
    Err(Unreadable)
}

/// How it is hashed; the later one is the stronger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    /// By its name in RFC 7616, and by the one that older programs write.
    fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("MD5") {
            Some(Hash::Md5)
        } else if is("SHA-256") || is("SHA256") {
            Some(Hash::Sha256)
        } else {
            None
        }
    }
}

/// A challenge that we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    hash: Hash,
    /// As the carrier writes it; none where it names none, which means MD5.
    algorithm: Option<String>,
    /// With `qop=auth`; without, as RFC 2069 has it.
    has_qop: bool,
    is_stale: bool,
}

/// Who answers. Not to be printed.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    /// The user name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

/// What is asked for, how often the nonce has been used with it, and our own random text.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: &'a Uri,
    /// 1 for the first request with the nonce.
    pub count: u32,
    /// The `cnonce`: ASCII letters and digits.
    pub cnonce: &'a str,
}

impl Challenge {
    /// The strongest of these headers' challenges that we can answer; of equals the first. The error says in words why there
    /// is none.
    pub fn strongest(headers: &[&str]) -> Result<Self, String> {
        let (mut found, mut refused): (Vec<Self>, Vec<String>) = (Vec::new(), Vec::new());
        for header in headers {
            match read(header) {
                Ok(all) => {
                    for challenge in &all {
                        match Self::of(challenge) {
                            Ok(challenge) => found.push(challenge),
                            Err(why) => refused.push(why),
                        }
                    }
                }
                Err(error) => refused.push(error.to_string()),
            }
        }
        let is_stale = found.iter().any(|challenge| challenge.is_stale);
        // `max_by_key` takes the last of equals.
        let strongest = found.into_iter().rev().max_by_key(|challenge| challenge.hash);
        if let Some(challenge) = strongest {
            return Ok(Self { is_stale, ..challenge });
        }
        refused.truncate(TOLD_MAX);
        if refused.is_empty() {
            refused.push("there is none".to_owned());
        }
        Err(format!(
            "the trunk asks for a password with a challenge that cannot be answered: {}",
            refused.join("; ")
        ))
    }

    fn of(credentials: &Credentials<'_>) -> Result<Self, String> {
        if !credentials.is_digest() {
            return Err(format!("scheme {}", told(credentials.scheme)));
        }
        let (Some(realm), Some(nonce)) = (credentials.param("realm"), credentials.param("nonce")) else {
            return Err("no realm or no nonce".to_owned());
        };
        let algorithm = credentials.param("algorithm");
        let Some(hash) = algorithm.map_or(Some(Hash::Md5), Hash::named) else {
            return Err(format!("algorithm {}", told(algorithm.unwrap_or_default())));
        };
        let qop = credentials.param("qop").unwrap_or_default();
        let mut ways = qop.split([',', ' ', '\t']).filter(|way| !way.is_empty()).peekable();
        let has_qop = ways.peek().is_some();
        // `auth-int` is left: a proxy that changes the audio's address on the way would break it.
        if has_qop && !ways.any(|way| way.eq_ignore_ascii_case("auth")) {
            return Err(format!("qop {}", told(qop)));
        }
        let stale = credentials.param("stale");
        Ok(Self {
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: credentials.param("opaque").map(str::to_owned),
            hash,
            algorithm: algorithm.map(str::to_owned),
            has_qop,
            is_stale: stale.is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The value of the nonce.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Whether the carrier says that only the nonce was too old (RFC 7616 §3.3).
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The value of our Authorization or Proxy-Authorization.
    pub fn answer(&self, name: Name<'_>, used: Use<'_>) -> String {
        let Self { realm, nonce, .. } = self;
        let user = name.user.replace('\\', "\\\\").replace('"', "\\\"");
        let response = self.response(name, used);
        let mut answer = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{}\", response=\"{response}\"",
            used.uri
        );
        if let Some(algorithm) = &self.algorithm {
            answer.push_str(", algorithm=");
            answer.push_str(algorithm);
        }
        if let Some(opaque) = &self.opaque {
            answer.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if self.has_qop {
            // Bare, and eight hexadecimal digits: RFC 7616 §3.4.
            answer.push_str(&format!(
                ", qop=auth, nc={:08x}, cnonce=\"{}\"",
                used.count, used.cnonce
            ));
        }
        answer
    }

    /// The hash that proves the password.
    fn response(&self, name: Name<'_>, used: Use<'_>) -> String {
        // The library's count has eight bits. H(HA1:nonce:HA2) with all that lies between in the place of the nonce is the same.
        let between = if self.has_qop {
            format!("{}:{:08x}:{}:auth", self.nonce, used.count, used.cnonce)
        } else {
            self.nonce.clone()
        };
        DigestGenerator {
            username: name.user,
            password: name.password,
            nonce: &between,
            uri: used.uri,
            realm: &self.realm,
            method: &used.method,
            qop: None,
            algorithm: match self.hash {
                Hash::Md5 => auth::Algorithm::Md5,
                Hash::Sha256 => auth::Algorithm::Sha256,
            },
        }
        .compute()
    }

    /// Whether an answer to this very challenge proves the password for a request.
    pub fn is_met_by(&self, answer: &Credentials<'_>, name: Name<'_>, method: Method, uri: &Uri) -> bool {
        let says = |param: &str, value: &str| answer.param(param) == Some(value);
        let used = Use {
            method,
            uri,
            count: answer.param("nc").and_then(count).unwrap_or_default(),
            cnonce: answer.param("cnonce").unwrap_or_default(),
        };
        let is_same_way = answer.param("qop").is_some_and(|qop| qop.eq_ignore_ascii_case("auth")) == self.has_qop;
        let is_same_hash = answer.param("algorithm").map_or(Some(Hash::Md5), Hash::named) == Some(self.hash);
        answer.is_digest()
            && says("username", name.user)
            && says("realm", &self.realm)
            && says("nonce", &self.nonce)
            && says("uri", &uri.to_string())
            && is_same_way
            && is_same_hash
            && (!self.has_qop || (used.count > 0 && !used.cnonce.is_empty()))
            && says("response", &self.response(name, used))
    }
}

/// The count of a nonce: eight hexadecimal digits.
fn count(nc: &str) -> Option<u32> {
    let is_hex = nc.len() == 8 && nc.chars().all(|c| c.is_ascii_hexdigit());
    u32::from_str_radix(nc, 16).ok().filter(|_| is_hex)
}

/// A carrier's word as it may stand in a record.
fn told(word: &str) -> String {
    let plain = word.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    plain.take(WORD_MAX).collect()
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
