//! The voice: text to telephone audio.

use super::resample::to_telephone;
use async_trait::async_trait;
use hub_core::language::Language;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// A sentence is spoken within this time or not at all.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest text that is given to a voice, in bytes.
pub const TEXT_MAX: usize = 2_000;
/// Half as loud as the voice likes to be, or its peaks would be cut off at full scale before `level` sees them.
const AMPLITUDE: &str = "50";
/// Voices that may run at the same time.
const CHILDREN: usize = 2;

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub enum TtsError {
    /// The program is not there or does not start.
    #[error("espeak-ng could not be started; install the package espeak-ng")]
    Start(#[source] std::io::Error),
    /// It did not end in time.
    #[error("espeak-ng did not speak a sentence within {} s", DEADLINE.as_secs())]
    Slow,
    /// It ended with an error.
    #[error("espeak-ng failed: {0}")]
    Failed(String),
    /// It wrote no readable audio.
    #[error("the audio of a prompt cannot be read")]
    Audio(#[source] hound::Error),
    /// A Mandarin text that the voice would read in another language.
    #[error("the voice would read part of a Mandarin prompt as another language: {phonemes}")]
    NotMandarin {
        /// What it would say, in the voice's own notation.
        phonemes: String,
    },
    /// Longer than `TEXT_MAX`.
    #[error("a prompt is longer than {TEXT_MAX} bytes")]
    TooLong,
    /// A file of the prompt cache could not be written or read.
    #[error("the prompt cache at {path} cannot be used; check that the hub may write there")]
    Cache {
        /// The folder or file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A voice.
#[async_trait]
pub trait Tts: Send + Sync {
    /// Key of the voice in the prompt cache: a cached prompt is used again only under the same key.
    fn name(&self) -> String;
    /// Speaks `text`: samples at 8,000 a second.
    async fn speak(&self, language: Language, text: &str) -> Result<Vec<i16>, TtsError>;
}

/// espeak-ng as a child process.
pub struct EspeakTts {
    children: Semaphore,
}

impl Default for EspeakTts {
    fn default() -> Self {
        Self {
            children: Semaphore::new(CHILDREN),
        }
    }
}

/// The voice of a language. `zh` and `cmn` read pinyin aloud in English in espeak-ng 1.51; this one speaks Mandarin.
fn voice(language: Language) -> &'static str {
    match language {
        Language::ZhCn => "cmn-latn-pinyin",
        Language::En => "en-gb",
    }
}

/// Words a minute as the voice counts them, so that the first key is named within 25 s. At one figure it speaks Mandarin more slowly.
fn words_a_minute(language: Language) -> &'static str {
    match language {
        Language::ZhCn => "220",
        Language::En => "175",
    }
}

impl EspeakTts {
    /// What would be said, in espeak-ng's phoneme notation, without making audio.
    pub async fn phonemes(&self, language: Language, text: &str) -> Result<String, TtsError> {
        self.run(language, text, &["-x", "-q"]).await
    }

    async fn run(&self, language: Language, text: &str, arguments: &[&str]) -> Result<String, TtsError> {
        if text.len() > TEXT_MAX {
            return Err(TtsError::TooLong);
        }
        let _permit = self.children.acquire().await.map_err(|_| TtsError::Slow)?;
        let mut child = Command::new("espeak-ng")
            .args(["-v", voice(language), "-s", words_a_minute(language)])
            .args(["-a", AMPLITUDE, "-b", "1", "--stdin"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(TtsError::Start)?;
        let mut stdin = child.stdin.take();
        let talk = async {
            if let Some(stdin) = &mut stdin {
                stdin.write_all(text.as_bytes()).await?;
            }
            drop(stdin);
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(DEADLINE, talk)
            .await
            .map_err(|_| TtsError::Slow)?
            .map_err(TtsError::Start)?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(TtsError::Failed(
                String::from_utf8_lossy(&output.stderr).chars().take(200).collect(),
            ))
        }
    }
}

#[async_trait]
impl Tts for EspeakTts {
    fn name(&self) -> String {
        "espeak-ng/2".into()
    }

    async fn speak(&self, language: Language, text: &str) -> Result<Vec<i16>, TtsError> {
        let cache = |source| TtsError::Cache {
            path: std::env::temp_dir().display().to_string(),
            source,
        };
        let file = tempfile::Builder::new().suffix(".wav").tempfile().map_err(cache)?;
        let path = file.path().to_string_lossy().into_owned();
        // One run yields both: the phonemes to check and the audio to send.
        let phonemes = self.run(language, text, &["-x", "-w", &path]).await?;
        check_phonemes(language, &phonemes)?;
        let path = file.path().to_owned();
        let samples = tokio::task::spawn_blocking(move || read_wav(&path))
            .await
            .map_err(|_| TtsError::Slow)??;
        Ok(samples)
    }
}

/// Refuses Mandarin that would be read as another language: espeak-ng marks every switch, as in `(en)`.
pub fn check_phonemes(language: Language, phonemes: &str) -> Result<(), TtsError> {
    let foreign = language == Language::ZhCn
        && phonemes
            .match_indices('(')
            .any(|(at, _)| !phonemes[at..].starts_with("(cmn"));
    if foreign {
        Err(TtsError::NotMandarin {
            phonemes: phonemes.trim().to_owned(),
        })
    } else {
        Ok(())
    }
}

/// Reads a WAV file of one channel and 16 bits as telephone audio.
pub fn read_wav(path: &Path) -> Result<Vec<i16>, TtsError> {
    let mut reader = hound::WavReader::open(path).map_err(TtsError::Audio)?;
    let spec = reader.spec();
    if spec.channels != 1 || spec.bits_per_sample != 16 || !(8_000..=48_000).contains(&spec.sample_rate) {
        return Err(TtsError::Audio(hound::Error::Unsupported));
    }
    let samples = reader
        .samples::<i16>()
        .collect::<Result<Vec<_>, _>>()
        .map_err(TtsError::Audio)?;
    Ok(to_telephone(&samples, spec.sample_rate))
}

/// Writes telephone audio as a WAV file.
pub fn write_wav(path: &Path, samples: &[i16]) -> Result<(), hound::Error> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: super::resample::RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    writer.finalize()
}
