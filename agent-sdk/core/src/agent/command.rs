//! Commands in both of their forms, and their replies. What a command does is the caller's; whether it may be done is
//! decided here.

use crate::json;
use crate::writer::Writer;
use agent_sdk_wire::topic::MAX_LEVEL_BYTES;
use agent_sdk_wire::{Command, Outcome, Reply, decode_command, encode_reply};

/// How many commands are remembered, so that none is done twice.
pub const COMMANDS_REMEMBERED: usize = 8;

/// Names a command until it is answered. The hub knows it by the last level of its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandId {
    bytes: [u8; MAX_LEVEL_BYTES],
    len: u8,
    form: Form,
}

/// How a command came, and its reply has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{"method": …, "params": …, "deadline_ms": …}`
    Json,
    /// `[7, deadline_ms, method, args]`
    Cbor,
}

/// What a method is given. How it reads it is its own affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Args<'a> {
    /// The arguments of a command in CBOR; empty where it has none.
    Cbor(&'a [u8]),
    /// `params` of a command in JSON, as it was written there; empty where it has none.
    Json(&'a [u8]),
}

/// A [`CommandId`] that lies elsewhere, as in the receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandName<'a> {
    bytes: &'a [u8],
    form: Form,
}

impl CommandId {
    /// The id that [`Self::as_bytes`] and [`Self::is_json`] gave, for a program that has kept it in a form of its own. `None`
    /// if it has not 1 to 64 bytes.
    pub fn new(id: &[u8], is_json: bool) -> Option<Self> {
        CommandName::new(id, is_json).map(CommandName::keep)
    }

    /// The id as the hub knows it: 1 to 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether the reply has to be JSON, because the command was.
    pub fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// The same, lent.
    pub fn name(&self) -> CommandName<'_> {
        CommandName {
            bytes: self.as_bytes(),
            form: self.form,
        }
    }
}

impl<'a> CommandName<'a> {
    /// As [`CommandId::new`].
    #[inline(always)]
    pub fn new(id: &'a [u8], is_json: bool) -> Option<Self> {
        let form = if is_json { Form::Json } else { Form::Cbor };
        is_id(id).then_some(Self { bytes: id, form })
    }

    /// The name of the command that came with this topic and payload. `None` if it is none.
    pub(super) fn of(topic: &'a [u8], payload: &[u8]) -> Option<Self> {
        let bytes = id_in(topic)?;
        let form = form_of(payload);
        Some(Self { bytes, form })
    }

    /// As [`CommandId::as_bytes`].
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// As [`CommandId::is_json`].
    pub fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// Copies it, for a reply that is given later.
    pub fn keep(self) -> CommandId {
        CommandId {
            bytes: core::array::from_fn(|at| self.bytes.get(at).copied().unwrap_or_default()),
            len: self.bytes.len() as u8,
            form: self.form,
        }
    }

    pub(super) fn form(self) -> Form {
        self.form
    }

    /// The topic of its reply in two parts, without the prefix.
    pub(super) fn reply_topic(self) -> [&'a [u8]; 2] {
        [REPLIES, self.bytes]
    }
}

/// What comes before a command's id in the topic of its reply.
const REPLIES: &[u8] = b"r/";

/// Writes a reply in the form of its command. `None` if it does not fit, or is longer than the contract allows.
pub(super) fn write_reply<'s>(form: Form, outcome: Outcome, detail: &[u8], buffer: &'s mut [u8]) -> Option<&'s [u8]> {
    if form == Form::Cbor {
        return encode_reply(buffer, &Reply { outcome, detail }).ok();
    }
    // What was done or tried may have a result; a refusal has a reason.
    let (status, result): (&[u8], &[u8]) = match outcome {
        Outcome::Done => (b"done", detail),
        Outcome::Failed => (b"failed", detail),
        Outcome::Expired => (br#"refused","reason":"expired"#, b""),
        Outcome::NotAllowed => (br#"refused","reason":"not allowed"#, b""),
        Outcome::Malformed => (br#"refused","reason":"malformed"#, b""),
    };
    let mut writer = Writer::new(&mut *buffer, 0);
    writer.bytes(br#"{"status":""#);
    writer.bytes(status);
    if result.is_empty() {
        writer.bytes(br#""}"#);
    } else {
        writer.bytes(br#"","result":"#);
        writer.bytes(result);
        writer.bytes(b"}");
    }
    let (len, is_whole) = writer.finish();
    let fits = is_whole && len <= agent_sdk_wire::MAX_REPLY_BYTES;
    buffer.get(..len).filter(|_| fits)
}

fn is_id(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= MAX_LEVEL_BYTES
}

/// The id in the last level of a command's topic, `…/c/{id}`.
fn id_in(topic: &[u8]) -> Option<&[u8]> {
    let at = topic.iter().rposition(|byte| *byte == b'/')?;
    let (before, last) = topic.split_at_checked(at)?;
    let id = last.get(1..)?;
    (matches!(before, [.., b'/', b'c']) && is_id(id)).then_some(id)
}

/// Tells ids apart: FNV-1a, of 64 bits. 0 is none's.
fn digest(id: &[u8]) -> u64 {
    let digest = id.iter().fold(0xCBF2_9CE4_8422_2325_u64, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    digest.max(1)
}

/// How a payload has to be read: CBOR's arrays begin with none of JSON's characters.
#[inline(never)]
pub(super) fn form_of(payload: &[u8]) -> Form {
    match payload {
        [0x80..=0xFF, ..] => Form::Cbor,
        [_, ..] | [] => Form::Json,
    }
}

/// Reads a command in its form.
pub(super) fn read(form: Form, payload: &[u8]) -> Option<Command<'_>> {
    match form {
        Form::Cbor => decode_command(payload).ok(),
        Form::Json => Some(Command {
            deadline_ms: match json::member(payload, b"deadline_ms") {
                Some(value) => Some(json::number(value)?),
                None => None,
            },
            method: json::text(json::member(payload, b"method")?)?,
            args: json::member(payload, b"params").unwrap_or_default(),
        }),
    }
}

/// The commands that came last.
pub(super) struct Recent {
    digests: [u64; COMMANDS_REMEMBERED],
}

impl Recent {
    pub(super) const fn new() -> Self {
        Self {
            digests: [0; COMMANDS_REMEMBERED],
        }
    }

    #[expect(clippy::manual_contains, reason = "it is unrolled: 44 bytes more flash")]
    pub(super) fn knows(&self, id: &[u8]) -> bool {
        let wanted = digest(id);
        self.digests.iter().any(|digest| *digest == wanted)
    }

    /// Forgets the oldest for it.
    pub(super) fn note(&mut self, id: &[u8]) {
        let mut next = digest(id);
        for digest in &mut self.digests {
            core::mem::swap(digest, &mut next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS_REMEMBERED, CommandId, CommandName, Form, Recent, form_of, id_in, read, write_reply};
    use agent_sdk_wire::{Command, Outcome, encode_command};

    fn of_topic(topic: &[u8], form: Form) -> Option<CommandId> {
        CommandId::new(id_in(topic)?, form == Form::Json)
    }

    fn id(name: &str, form: Form) -> CommandId {
        of_topic(format!("d/wm/c/{name}").as_bytes(), form).expect("it is a command")
    }

    #[test]
    fn the_last_level_is_the_id() {
        assert_eq!(id("a-1", Form::Json).as_bytes(), b"a-1");
        let longest = "x".repeat(64);
        assert_eq!(id(&longest, Form::Json).as_bytes(), longest.as_bytes());
        for topic in ["", "c/1", "d/wm/c/", "d/wm/f/1", "d/wm/c", "d/wm/c/1/2", "d/wm/xc/1"] {
            assert_eq!(of_topic(topic.as_bytes(), Form::Json), None, "{topic}");
        }
        let too_long = format!("d/wm/c/{longest}x");
        assert_eq!(of_topic(too_long.as_bytes(), Form::Json), None);
        let topic = id(&longest, Form::Cbor).name().reply_topic().concat();
        assert_eq!(topic, format!("r/{longest}").as_bytes());
    }

    #[test]
    fn an_id_that_was_kept_in_another_form_is_the_same() {
        for form in [Form::Json, Form::Cbor] {
            let told = id("a-1", form);
            assert_eq!(CommandId::new(told.as_bytes(), told.is_json()), Some(told));
            assert_eq!(CommandName::new(told.as_bytes(), told.is_json()), Some(told.name()));
            assert_eq!(told.name().keep(), told);
        }
        assert_eq!(CommandId::new(b"", true), None);
        assert_eq!(CommandId::new(&[b'x'; 65], false), None);
    }

    #[test]
    fn both_forms_say_the_same() {
        let expected = Command {
            deadline_ms: Some(1_000),
            method: b"spin",
            args: b"5",
        };
        let mut buffer = [0; 64];
        let cbor = encode_command(&mut buffer, &expected).unwrap();
        assert_eq!(form_of(cbor), Form::Cbor);
        assert_eq!(read(Form::Cbor, cbor), Some(expected));
        let json = br#"{"method": "spin", "params": 5, "deadline_ms": 1000}"#;
        assert_eq!(form_of(json), Form::Json);
        assert_eq!(read(Form::Json, json), Some(expected));
        let bare = Command {
            deadline_ms: None,
            method: b"spin",
            args: b"",
        };
        assert_eq!(read(Form::Json, br#"{"method":"spin"}"#), Some(bare));
    }

    #[test]
    fn what_is_no_command_is_not_read() {
        let cases: [&[u8]; 7] = [
            b"",
            b"spin",
            b"\"spin\"",
            br#"{"method":1}"#,
            br#"{"params":1}"#,
            br#"{"method":"spin","deadline_ms":"soon"}"#,
            b"\x84\x07\x00\x61m",
        ];
        for payload in cases {
            assert_eq!(read(form_of(payload), payload), None, "{payload:02X?}");
        }
    }

    #[test]
    fn a_reply_has_the_form_of_its_command() {
        let cases: [(Outcome, &[u8], &str); 5] = [
            (Outcome::Done, b"", r#"{"status":"done"}"#),
            (Outcome::Done, b"[1]", r#"{"status":"done","result":[1]}"#),
            (Outcome::Failed, b"7", r#"{"status":"failed","result":7}"#),
            (Outcome::Expired, b"", r#"{"status":"refused","reason":"expired"}"#),
            (
                Outcome::NotAllowed,
                b"",
                r#"{"status":"refused","reason":"not allowed"}"#,
            ),
        ];
        for (outcome, detail, expected) in cases {
            let mut buffer = [0; 64];
            let written = write_reply(Form::Json, outcome, detail, &mut buffer);
            assert_eq!(written, Some(expected.as_bytes()));
            let mut short = vec![0; expected.len() - 1];
            assert_eq!(write_reply(Form::Json, outcome, detail, &mut short), None);
        }
        let mut buffer = [0; 8];
        let written = write_reply(Form::Cbor, Outcome::Expired, &[9], &mut buffer);
        assert_eq!(written, Some(&[0x83, 8, 2, 0x41, 9][..]));
    }

    #[test]
    fn eight_are_remembered() {
        let mut recent = Recent::new();
        let names: Vec<CommandId> = (0..=COMMANDS_REMEMBERED)
            .map(|n| id(&n.to_string(), Form::Json))
            .collect();
        for name in &names {
            assert!(!recent.knows(name.as_bytes()));
            recent.note(name.as_bytes());
        }
        assert!(!recent.knows(names[0].as_bytes()), "the oldest made room");
        assert!(names[1..].iter().all(|name| recent.knows(name.as_bytes())));
        assert!(recent.knows(id("8", Form::Cbor).as_bytes()), "whatever its form");
    }
}
