//! One loaded model per backend, bytes and options, for all sessions of the process.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use anira_scheduler::{GENERATIONS, Origin};
use anira_traits::{Backend, LoadRequest, ModelSource, Result};

/// What makes two models the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    backend: TypeId,
    /// Two hashes under random keys, which nobody can aim at, and the length.
    bytes: ([u64; 2], usize),
    options: BTreeMap<String, String>,
    /// What else the backend depends on.
    more: String,
}

enum Entry {
    /// Somebody loads it at this moment.
    Loading,
    Loaded(Weak<dyn Any + Send + Sync>),
}

#[derive(Default)]
struct Models {
    entries: Mutex<HashMap<Key, Entry>>,
    changed: Condvar,
}

impl Models {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model if it is loaded; else the right, and the duty, to load it. Waits while another thread loads this very model.
    fn find<M: Any + Send + Sync>(&'static self, key: &Key) -> std::result::Result<Arc<M>, Loader> {
        let mut entries = self.lock();
        loop {
            match entries.get(key) {
                Some(Entry::Loading) => {
                    entries = self.changed.wait(entries).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Entry::Loaded(model)) if model.strong_count() > 0 => {
                    if let Some(model) = model.upgrade().and_then(|m| m.downcast().ok()) {
                        return Ok(model);
                    }
                    entries.remove(key);
                }
                _ => {
                    entries.insert(key.clone(), Entry::Loading);
                    return Err(Loader { models: self, key: key.clone() });
                }
            }
        }
    }
}

/// The right to load a model. Dropped, also by a panic, it is the next one's turn.
struct Loader {
    models: &'static Models,
    key: Key,
}

impl Loader {
    fn loaded<M: Any + Send + Sync>(self, model: &Arc<M>) {
        let model: Arc<dyn Any + Send + Sync> = model.clone();
        let mut entries = self.models.lock();
        entries.retain(|_, entry| !matches!(entry, Entry::Loaded(model) if model.strong_count() == 0));
        entries.insert(self.key.clone(), Entry::Loaded(Arc::downgrade(&model)));
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        let mut entries = self.models.lock();
        if matches!(entries.get(&self.key), Some(Entry::Loading)) {
            entries.remove(&self.key);
        }
        self.models.changed.notify_all();
    }
}

/// Loads a model, or finds the one that another session loaded. No lock is held while the backend loads. Control thread; blocks.
///
/// # Errors
/// The backend's, with the file's path; those of reading the file.
pub(crate) fn load<B: Backend>(
    backend: &B,
    source: &ModelSource,
    request: &LoadRequest,
) -> Result<Arc<B::Model>> {
    // A fork loads its own: engines' threads are not there, and a model that a thread left behind was loading never comes.
    static MODELS: [OnceLock<Models>; GENERATIONS] = [const { OnceLock::new() }; GENERATIONS];
    let (Some(more), false) = (backend.sharing(request), matches!(source, ModelSource::None)) else {
        return backend.load(source, request).map(Arc::new);
    };
    let bytes = source.bytes()?;
    let key = Key {
        backend: TypeId::of::<B>(),
        bytes: (hashes(&bytes), bytes.len()),
        options: request.options.clone(),
        more,
    };
    let loader = match Origin::here().of(&MODELS).get_or_init(Models::default).find(&key) {
        Ok(model) => return Ok(model),
        Err(loader) => loader,
    };
    // From these very bytes: the file may be another by now.
    let model = backend.load(&ModelSource::memory(bytes.into_owned()), request);
    let model = Arc::new(model.map_err(|error| match source.path() {
        Some(path) => error.at(path.display().to_string()),
        None => error,
    })?);
    loader.loaded(&model);
    Ok(model)
}

fn hashes(bytes: &[u8]) -> [u64; 2] {
    static KEYS: [OnceLock<[RandomState; 2]>; GENERATIONS] = [const { OnceLock::new() }; GENERATIONS];
    Origin::here().of(&KEYS).get_or_init(Default::default).each_ref().map(|key| key.hash_one(bytes))
}
