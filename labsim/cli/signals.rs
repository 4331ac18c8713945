//! Turns SIGINT, SIGTERM and SIGHUP into an orderly end, and a late end into a quick one.

use crate::exit::Exit;
use labsim_runner::Canceller;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long an interrupted run may take to tell its result. Everything that it built goes with
/// the process, so leaving early leaves nothing behind.
const GRACE: Duration = Duration::from_millis(800);

/// Interrupts a run when a signal comes, and ends the process if the run does not end by itself,
/// or at the second signal.
///
/// # Errors
/// If the handlers cannot be installed.
pub(crate) fn interrupt(canceller: Canceller) -> std::io::Result<()> {
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
            canceller.cancel();
            let _ = tokio::time::timeout(GRACE, any()).await;
            std::process::exit(Exit::Interrupted as i32);
        });
    })?;
    Ok(())
}
