//! What the call says: words from translation files, a recording where there is one, else the voice.

pub mod cache;
mod facts;
pub mod level;
pub mod resample;
mod shared;
#[cfg(test)]
mod shipped;
pub mod tts;

use crate::flow::{Flow, Present};
use crate::media::{Piece, Sound};
use crate::texts;
use crate::value::Values;
use cache::PromptCache;
use facts::{Facts, Segment};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use hub_core::language::Language;
use hub_words::{TextError, Texts};
use level::level;
use shared::{Key, Shared};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tts::{Tts, TtsError};

/// Silence before a prompt that begins a call, in samples: 400 ms. Networks connect the audio that much after the answer.
pub const LEAD: usize = 3_200;
/// Silence after a prompt, so that hanging up does not cut its last sound off on the way: 300 ms.
const TAIL: usize = 2_400;
/// Segments kept in memory, in bytes of samples: 35 minutes.
const SHARED_BYTES: usize = 32 << 20;
/// Sentences prepared at the same time.
const AT_ONCE: usize = 4;
/// Silence between two segments, in samples: 250 ms.
const PAUSE: usize = 2_000;

/// Why a call has nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A translation file is broken.
    #[error("the words of a prompt cannot be found")]
    Text(#[from] TextError),
    /// A sentence could not be spoken.
    #[error("the voice failed")]
    Voice(#[from] TtsError),
}

impl PromptError {
    /// Whether it is what was to be said that failed, so that another call may be spoken; else program or folder are missing.
    pub(crate) fn is_of_the_text(&self) -> bool {
        match self {
            Self::Voice(TtsError::Start(_) | TtsError::Cache { .. }) => false,
            Self::Text(_)
            | Self::Voice(
                TtsError::Slow
                | TtsError::Failed(_)
                | TtsError::Audio(_)
                | TtsError::NotMandarin { .. }
                | TtsError::TooLong,
            ) => true,
        }
    }
}

/// A prompt, ready to be sent.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What it says, for the transcript.
    pub text: String,
    /// What is sent; its segments are shared with all calls that say them.
    pub sound: Sound,
}

/// All prompts of one call.
#[derive(Debug)]
pub struct Prompts {
    /// What each node says, by the node's name.
    pub of_nodes: HashMap<String, Prompt>,
    /// The values that the call has.
    pub present: Present,
}

/// Where prompts come from.
pub struct PromptMaker {
    texts: Texts,
    tts: Arc<dyn Tts>,
    cache: PromptCache,
    shared: Shared,
    recordings: Option<PathBuf>,
}

impl PromptMaker {
    /// `recordings` holds `{language}/{message}.wav` for messages without values, e.g. `zh-CN/keys-slot.wav`.
    pub fn new(tts: Arc<dyn Tts>, cache: PromptCache, recordings: Option<PathBuf>) -> Result<Self, PromptError> {
        Ok(Self {
            texts: texts::load()?,
            tts,
            cache,
            shared: Shared::new(SHARED_BYTES),
            recordings,
        })
    }

    /// Prepares everything that a call may have to say that walks `flow` with these values. They are those that it declares.
    pub async fn prepare(&self, language: Language, flow: &Flow, values: &Values) -> Result<Prompts, PromptError> {
        let facts = Facts::new(&self.texts, language, flow, values)?;
        let mut plan = Vec::new();
        for (at, node) in flow.nodes.iter().enumerate().filter(|(_, node)| !node.say().is_empty()) {
            plan.push((node, at == flow.start, facts.segments(node.say())?));
        }
        // Many prompts share their sentences: each is spoken once.
        let wanted: HashMap<&str, &Segment> = plan
            .iter()
            .flat_map(|(.., s)| s)
            .map(|s| (s.text.as_str(), s))
            .collect();
        let speak: Vec<BoxFuture<'_, _>> = wanted
            .values()
            .map(|segment| self.speak(language, segment).boxed())
            .collect();
        let spoken: HashMap<String, Arc<[i16]>> = stream::iter(speak).buffer_unordered(AT_ONCE).try_collect().await?;
        let joined = plan.iter().map(|(node, begins_call, segments)| {
            let prompt = join(*begins_call, language, segments, &spoken);
            (node.name.clone(), prompt)
        });
        Ok(Prompts {
            of_nodes: joined.collect(),
            present: facts.present,
        })
    }

    async fn speak(&self, language: Language, segment: &Segment) -> Result<(String, Arc<[i16]>), PromptError> {
        Ok((segment.text.clone(), self.audio(language, segment).await?))
    }

    async fn audio(&self, language: Language, segment: &Segment) -> Result<Arc<[i16]>, PromptError> {
        if let (true, Some(folder)) = (segment.fixed, &self.recordings) {
            let path = folder.join(language.tag()).join(format!("{}.wav", segment.message));
            if let Some(changed) = changed(&path).await {
                let key = Key::Recorded(path.clone(), changed);
                return self.shared.get(key, recording(path)).await;
            }
        }
        let key = Key::Spoken(language, segment.text.clone());
        let speak = async {
            let samples = self.cache.speak(&*self.tts, language, &segment.text).await?;
            at_level(move || Ok(samples)).await
        };
        self.shared.get(key, speak).await
    }
}

/// One that begins a call starts with the silence that a network may swallow while it connects.
fn join(begins_call: bool, language: Language, segments: &[Segment], spoken: &HashMap<String, Arc<[i16]>>) -> Prompt {
    let mut pieces = Vec::with_capacity(2 * segments.len() + 2);
    if begins_call {
        pieces.push(Piece::Silence(LEAD));
    }
    let mut is_first = true;
    for segment in segments {
        let Some(audio) = spoken.get(&segment.text) else {
            continue;
        };
        // The voice leaves a pause of its own at a comma.
        if !(is_first || segment.goes_on) {
            pieces.push(Piece::Silence(PAUSE));
        }
        is_first = false;
        pieces.push(Piece::Samples(Arc::clone(audio)));
    }
    pieces.push(Piece::Silence(TAIL));
    let gap = if language == Language::ZhCn { "" } else { " " };
    let text = segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(gap);
    Prompt {
        text,
        sound: Sound::new(pieces),
    }
}

/// When the recording was last changed; none if there is none.
async fn changed(path: &Path) -> Option<SystemTime> {
    let found = tokio::fs::metadata(path).await.ok()?;
    found.is_file().then(|| found.modified().ok()).flatten()
}

/// A recording. A broken one is an error, since somebody meant it to be heard.
async fn recording(path: PathBuf) -> Result<Vec<i16>, PromptError> {
    at_level(move || tts::read_wav(&path)).await
}

/// The samples at one level, on a thread that no call waits for: it takes some milliseconds.
async fn at_level(
    samples: impl FnOnce() -> Result<Vec<i16>, TtsError> + Send + 'static,
) -> Result<Vec<i16>, PromptError> {
    let made = tokio::task::spawn_blocking(move || samples().map(|samples| level(&samples))).await;
    Ok(made.map_err(|_| TtsError::Slow)??)
}

#[cfg(test)]
#[path = "heard_tests.rs"]
mod tests;
