//! Prompts once spoken are kept on disk, up to a bound; the oldest go first.

use super::tts::{Tts, TtsError, read_wav, write_wav};
use hub_core::language::Language;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The folder of kept prompts.
#[derive(Debug, Clone)]
pub struct PromptCache {
    folder: PathBuf,
    bytes_max: u64,
    /// Bytes in the folder, as far as they are known: it is looked through only when this is beyond the bound.
    bytes: Arc<Mutex<u64>>,
}

impl PromptCache {
    /// Opens or makes the folder.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, TtsError> {
        let failed = |source| TtsError::Cache {
            path: folder.display().to_string(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self {
            folder: folder.to_owned(),
            bytes_max,
            // Nobody has looked yet: the first one that is kept does.
            bytes: Arc::new(Mutex::new(bytes_max)),
        })
    }

    /// The audio of `text`, from the folder or newly spoken and kept.
    pub async fn speak(&self, tts: &dyn Tts, language: Language, text: &str) -> Result<Vec<i16>, TtsError> {
        let path = self.path(&tts.name(), language, text);
        let kept = path.clone();
        // What cannot be read (cut off by a crash) is spoken again.
        let found = tokio::task::spawn_blocking(move || read_wav(&kept).ok())
            .await
            .ok()
            .flatten();
        if let Some(samples) = found {
            return Ok(samples);
        }
        let samples = tts.speak(language, text).await?;
        let (cache, written) = (self.clone(), samples.clone());
        let keep = tokio::task::spawn_blocking(move || cache.keep(&path, &written)).await;
        if let Ok(Err(error)) = keep {
            tracing::warn!(%error, folder = %self.folder.display(), "a prompt could not be kept");
        }
        Ok(samples)
    }

    fn path(&self, voice: &str, language: Language, text: &str) -> PathBuf {
        let digest = Sha256::digest(format!("{voice}\n{}\n{text}", language.tag()));
        self.folder.join(format!("{}.wav", hex::encode(digest)))
    }

    fn keep(&self, path: &Path, samples: &[i16]) -> Result<(), hound::Error> {
        let file = tempfile::Builder::new()
            .prefix("new-")
            .tempfile_in(&self.folder)
            .map_err(hound::Error::IoError)?;
        write_wav(file.path(), samples)?;
        let written = file.as_file().metadata().map_err(hound::Error::IoError)?.len();
        file.persist(path).map_err(|error| hound::Error::IoError(error.error))?;
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *bytes = bytes.saturating_add(written);
        if *bytes > self.bytes_max {
            *bytes = self.make_room().map_err(hound::Error::IoError)?;
        }
        Ok(())
    }

    /// Removes the oldest until the rest is within the bound, and leaves a tenth of it free; answers with what is left.
    fn make_room(&self) -> std::io::Result<u64> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            files.push((meta.modified()?, meta.len(), entry.path()));
        }
        let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
        files.sort();
        for (_, len, path) in files {
            if total <= self.bytes_max - self.bytes_max / 10 {
                break;
            }
            std::fs::remove_file(path)?;
            total -= len;
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counting(AtomicUsize);

    #[async_trait::async_trait]
    impl Tts for Counting {
        fn name(&self) -> String {
            "counting".into()
        }
        async fn speak(&self, _: Language, text: &str) -> Result<Vec<i16>, TtsError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(vec![i16::try_from(text.len()).unwrap(); 1_000])
        }
    }

    #[tokio::test]
    async fn a_text_is_spoken_once_and_the_folder_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PromptCache::open(folder.path(), 7_000).unwrap();
        let tts = Counting(AtomicUsize::new(0));
        for _ in 0..3 {
            assert_eq!(cache.speak(&tts, Language::En, "one").await.unwrap(), vec![3; 1_000]);
        }
        assert_eq!(tts.0.load(Ordering::Relaxed), 1);
        for n in 0..10 {
            cache.speak(&tts, Language::En, &format!("text {n}")).await.unwrap();
        }
        let bytes: u64 = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|f| f.unwrap().metadata().unwrap().len())
            .sum();
        assert!(bytes <= 7_000, "{bytes}");
    }

    #[tokio::test]
    async fn a_damaged_file_is_spoken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PromptCache::open(folder.path(), 1 << 20).unwrap();
        let tts = Counting(AtomicUsize::new(0));
        std::fs::write(cache.path("counting", Language::En, "x"), b"RIFF").unwrap();
        assert_eq!(cache.speak(&tts, Language::En, "x").await.unwrap().len(), 1_000);
    }
}
