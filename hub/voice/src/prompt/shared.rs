//! Segments in memory: each is made once, a call that wants it meanwhile waits for that, and all calls share it. Bounded; what
//! was not wanted for the longest time goes first.

use hub_core::language::Language;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::OnceCell;

/// Segments kept, so that their names are bounded too.
const SEGMENTS_MAX: usize = 4_096;

/// What a segment is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A text that is spoken.
    Spoken(Language, String),
    /// A recording, as it was when it was last changed: a new one is heard without a restart.
    Recorded(PathBuf, SystemTime),
}

struct Entry {
    cell: Arc<OnceCell<Arc<[i16]>>>,
    /// The turn in which it was last wanted.
    used: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.cell.get().map_or(0, |samples| size_of_val(&**samples))
    }
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    turn: u64,
}

/// See the module.
pub struct Shared {
    bytes_max: usize,
    state: Mutex<State>,
}

impl Shared {
    /// Holds up to so many bytes of samples; what calls still say is theirs.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: Mutex::default(),
        }
    }

    /// The samples of `key`, from memory or made by `make`. What could not be made is tried again by the next who wants it.
    pub async fn get<E>(&self, key: Key, make: impl Future<Output = Result<Vec<i16>, E>>) -> Result<Arc<[i16]>, E> {
        let cell = self.cell(key.clone());
        let is_there = cell.initialized();
        let made = cell.get_or_try_init(|| async move { make.await.map(Arc::from) }).await;
        match made {
            Ok(samples) => {
                if !is_there {
                    self.make_room();
                }
                Ok(Arc::clone(samples))
            }
            Err(error) => {
                self.lock()
                    .entries
                    .retain(|of, entry| *of != key || entry.cell.initialized());
                Err(error)
            }
        }
    }

    fn cell(&self, key: Key) -> Arc<OnceCell<Arc<[i16]>>> {
        let mut state = self.lock();
        state.turn += 1;
        let used = state.turn;
        let entry = state.entries.entry(key).or_insert_with(|| Entry {
            cell: Arc::default(),
            used,
        });
        entry.used = used;
        Arc::clone(&entry.cell)
    }

    /// Forgets the oldest beyond the bounds, and a tenth more, so that it need not look again soon.
    fn make_room(&self) {
        let mut state = self.lock();
        let mut bytes: usize = state.entries.values().map(Entry::bytes).sum();
        if bytes <= self.bytes_max && state.entries.len() <= SEGMENTS_MAX {
            return;
        }
        let mut oldest: Vec<(u64, Key)> = state
            .entries
            .iter()
            .map(|(key, entry)| (entry.used, key.clone()))
            .collect();
        oldest.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in oldest {
            if bytes <= self.bytes_max / 10 * 9 && state.entries.len() <= SEGMENTS_MAX / 10 * 9 {
                break;
            }
            if let Some(entry) = state.entries.remove(&key) {
                bytes = bytes.saturating_sub(entry.bytes());
            }
        }
    }

    /// A panic of another holder leaves at worst a segment too many, so its poison is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn spoken(text: &str) -> Key {
        Key::Spoken(Language::En, text.to_owned())
    }

    #[tokio::test]
    async fn a_segment_is_made_once_though_many_want_it_at_the_same_time() {
        let (shared, made) = (Shared::new(1 << 20), AtomicUsize::new(0));
        let make = || async {
            made.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, ()>(vec![7; 100])
        };
        let all = futures::future::join_all((0..20).map(|_| shared.get(spoken("x"), make()))).await;
        assert_eq!(made.load(Ordering::Relaxed), 1);
        let first = all[0].clone().unwrap();
        assert!(all.into_iter().all(|samples| Arc::ptr_eq(&samples.unwrap(), &first)));
    }

    #[tokio::test]
    async fn what_failed_is_made_by_the_next() {
        let shared = Shared::new(1 << 20);
        assert_eq!(
            shared.get(spoken("x"), async { Err("no voice") }).await,
            Err("no voice")
        );
        assert!(shared.lock().entries.is_empty());
        let samples = shared.get(spoken("x"), async { Ok::<_, ()>(vec![1, 2]) }).await;
        assert_eq!(samples.as_deref(), Ok(&[1, 2][..]));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_oldest_goes_first() {
        // Room for ten of 100 samples.
        let shared = Shared::new(2_000);
        let make = |n: i16| async move { Ok::<_, ()>(vec![n; 100]) };
        for n in 0..30 {
            shared.get(spoken("wanted always"), make(-1)).await.unwrap();
            shared.get(spoken(&format!("text {n}")), make(n)).await.unwrap();
            let bytes: usize = shared.lock().entries.values().map(Entry::bytes).sum();
            assert!(bytes <= 2_000, "{bytes}");
        }
        let kept = |text: &str| shared.lock().entries.contains_key(&spoken(text));
        assert!(kept("wanted always") && kept("text 29") && !kept("text 0"));
    }
}
