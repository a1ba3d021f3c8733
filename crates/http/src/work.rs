//! Answers that take a thread: no more at a time than a bound, so that requests leave threads to the rest of the program.

use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

/// Threads that make answers. Work beyond them waits for its turn.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Semaphore>);

impl Default for Workers {
    /// 64: more than there are processors, since some wait for a disk or for another thread.
    fn default() -> Self {
        Workers::new(64)
    }
}

impl Workers {
    /// As many threads, and at least one.
    pub fn new(threads: usize) -> Workers {
        Workers(Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Does work that may block. Work that began goes on to its end, whether its result is waited for or not.
    ///
    /// # Errors
    /// When it panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
        // nobody closes the semaphore
        let place = Arc::clone(&self.0).acquire_owned().await.ok();
        tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        })
        .await
    }
}
