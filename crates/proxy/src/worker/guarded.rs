//! A panic in one task must not take others with it, nor go unnoticed.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs `future`; a panic in it ends it, with a log line.
pub(crate) async fn guarded(what: &'static str, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(payload) => {
            log::error!(target: "main", "a {what} panicked: {}", panic_message(&*payload));
            Poll::Ready(())
        }
    })
    .await;
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "the point of the test")]

    use super::guarded;

    #[tokio::test]
    async fn a_panic_ends_only_its_task() {
        guarded("test", async { panic!("on purpose") }).await;
    }
}
