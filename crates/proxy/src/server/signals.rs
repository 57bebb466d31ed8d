//! Signals: those that end the process, and those that must not.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a process handles, if it is to handle any.
#[derive(Debug, Default)]
pub(super) struct Signals {
    term: Option<Signal>,
    int: Option<Signal>,
    /// Ignored, as in Envoy: the default would end the process.
    hup: Option<Signal>,
    /// Log files are opened anew.
    usr1: Option<Signal>,
    /// One that came too early to be acted upon.
    pending: Option<SignalEvent>,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalEvent {
    /// The end; the signal's name.
    End(&'static str),
    /// Log files to be opened anew.
    ReopenLogs,
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
            pending: None,
        }
    }

    /// Makes this the next one.
    pub(super) fn put_back(&mut self, event: SignalEvent) {
        self.pending = Some(event);
    }

    /// The next one that means something; never, if none are wanted.
    pub(super) async fn next(&mut self) -> SignalEvent {
        if let Some(event) = self.pending.take() {
            return event;
        }
        loop {
            tokio::select! {
                () = received(&mut self.term) => return SignalEvent::End("SIGTERM"),
                () = received(&mut self.int) => return SignalEvent::End("SIGINT"),
                () = received(&mut self.usr1) => return SignalEvent::ReopenLogs,
                () = received(&mut self.hup) => log::warn!(target: "main", "caught and eating SIGHUP"),
            }
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
