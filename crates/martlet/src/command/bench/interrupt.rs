//! Ctrl-C and SIGTERM: they end a run at its next turn, so that the servers it started are ended
//! with it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Listens to the signals from now on, on a thread of its own.
pub fn watch() -> Result<(), Failure> {
    let unheard = |error| Failure::failed(format!("cannot listen to signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(unheard)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
        (interrupt, signal(SignalKind::terminate()).map_err(unheard)?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            STOPPED.store(true, Ordering::Relaxed);
        });
    });
    Ok(())
}

/// Whether the run goes on.
pub fn check() -> Result<(), Failure> {
    match STOPPED.load(Ordering::Relaxed) {
        true => Err(Failure::failed("interrupted: nothing is reported")),
        false => Ok(()),
    }
}
