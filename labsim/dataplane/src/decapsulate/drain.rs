//! How asking a decapsulator to finish can fail.

/// Why [`super::Decapsulator::drain`] cannot promise that the queue was emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DrainError {
    /// The thread has ended: its device was deleted, or the decapsulator was stopped.
    #[error("the decapsulator has ended; was its device deleted?")]
    Ended,
    /// It took longer than was allowed.
    #[error("the decapsulator did not empty its queue in time")]
    Deadline,
}
