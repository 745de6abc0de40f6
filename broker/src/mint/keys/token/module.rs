//! A PKCS#11 library, on a thread of its own: it may hang, and nobody who revokes may hang with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Pkcs11Error;
use super::worker::Worker;

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// One library. A process may initialize each only once, so there is one of it for all keys.
pub(super) struct Module {
    jobs: SyncSender<Job>,
    /// Somebody waited in vain, and the thread has not come back since.
    is_silent: Arc<AtomicBool>,
}

static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

impl Module {
    /// The library at `path`, which is loaded when it is first asked for something.
    pub(super) fn of(path: &Path) -> Result<Arc<Self>, Pkcs11Error> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(path) {
            return Ok(Arc::clone(module));
        }
        let module = Arc::new(Self::start(path)?);
        modules.insert(path.to_owned(), Arc::clone(&module));
        Ok(module)
    }

    fn start(path: &Path) -> Result<Self, Pkcs11Error> {
        let (jobs, waiting) = sync_channel::<Job>(WAITING_MAX);
        let is_silent = Arc::new(AtomicBool::new(false));
        let (answers, path) = (Arc::clone(&is_silent), path.to_owned());
        std::thread::Builder::new()
            .name("pkcs11".into())
            .spawn(move || {
                let mut worker = Worker::new(path);
                for job in waiting {
                    job(&mut worker);
                    answers.store(false, Ordering::SeqCst);
                }
            })
            .map_err(|_| Pkcs11Error::Silent)?;
        Ok(Self { jobs, is_silent })
    }

    /// Has `work` done on the library's thread, and waits for it, but not for ever.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> Result<T, Pkcs11Error> + Send + 'static,
    ) -> Result<T, Pkcs11Error> {
        if self.is_silent.load(Ordering::SeqCst) {
            return Err(Pkcs11Error::Silent);
        }
        let (reply, answer) = sync_channel(1);
        // Whoever asked may be gone by the time that there is an answer.
        let job: Job = Box::new(move |worker| drop(reply.try_send(work(worker))));
        self.jobs.try_send(job).map_err(|_| Pkcs11Error::Silent)?;
        answer.recv_timeout(ANSWER_MAX).unwrap_or_else(|_| {
            self.is_silent.store(true, Ordering::SeqCst);
            Err(Pkcs11Error::Silent)
        })
    }
}

/// Longest wait for an answer. Deadlines are met and lists signed only after it.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Most that wait for one library: each of them holds a thread.
const WAITING_MAX: usize = 16;
