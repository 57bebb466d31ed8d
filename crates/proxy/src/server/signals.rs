//! Signals: those that end the process, and those that must not.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a process handles, if it is to handle any.
#[derive(Debug, Default)]
pub(super) struct Signals {
    term: Option<Signal>,
    int: Option<Signal>,
    /// Ignored, as in Envoy: the default would end the process.
    hup: Option<Signal>,
    /// Envoy reopens its access logs; there are none.
    usr1: Option<Signal>,
}

impl Signals {
    pub(super) fn new(wanted: bool) -> Self {
        if !wanted {
            return Self::default();
        }
        let listen = |kind| match signal(kind) {
            Ok(signal) => Some(signal),
            Err(error) => {
                log::warn!(target: "main", "cannot listen to signals: {error}");
                None
            }
        };
        Self {
            term: listen(SignalKind::terminate()),
            int: listen(SignalKind::interrupt()),
            hup: listen(SignalKind::hangup()),
            usr1: listen(SignalKind::user_defined1()),
        }
    }

    /// The name of the next one that ends the process; never, if none are wanted.
    pub(super) async fn next(&mut self) -> &'static str {
        loop {
            let harmless = tokio::select! {
                () = received(&mut self.term) => return "SIGTERM",
                () = received(&mut self.int) => return "SIGINT",
                () = received(&mut self.hup) => "SIGHUP",
                () = received(&mut self.usr1) => "SIGUSR1",
            };
            log::warn!(target: "main", "caught and eating {harmless}");
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}
