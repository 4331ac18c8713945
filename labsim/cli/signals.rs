//! Cancels a run on SIGINT, SIGTERM and SIGHUP, and ends the process if that takes too long.

use crate::exit::Exit;
use crate::progress;
use labsim_runner::Canceller;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long a cancelled run may take to report its result, on a machine with more work than processors too,
/// and less than the 10 s after which container engines kill. What it built ends with the process, so an
/// early exit leaves nothing behind.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Cancels a run at the first signal; exits at the second one, or after [`GRACE`].
///
/// # Errors
/// If the handlers cannot be installed.
pub(crate) fn cancel_on_signal(canceller: Canceller) -> std::io::Result<()> {
    on_signal(move || canceller.cancel())
}

/// Calls `cancel` at the first signal, in place of cancelling a run.
///
/// # Errors
/// If the handlers cannot be installed.
pub(crate) fn on_signal(cancel: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut int, mut term, mut hup) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        )
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async move {
            let mut any = async || {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                    _ = hup.recv() => {}
                }
            };
            any().await;
            tracing::info!("signal received; cancelling the run");
            cancel();
            let _ = tokio::time::timeout(GRACE, any()).await;
            progress::erase();
            std::process::exit(Exit::Interrupted as i32);
        });
    })?;
    Ok(())
}
