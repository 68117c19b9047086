//! A panic in one piece of work must not take others along, nor end silently.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What was said at a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked(pub(crate) String);

/// Runs `work` to its end, be it a panic. What the work shared is safe to use afterwards: locks are
/// taken in spite of poison, and a record is changed in the store by whole commits only.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(payload) => Poll::Ready(Err(Panicked(words(payload.as_ref())))),
        },
    )
    .await
}

fn words(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_with_its_words() {
        let work = caught(async {
            tokio::task::yield_now().await;
            panic!("the roof is on fire {}", 1 + 1)
        });
        let ended: Result<(), Panicked> = work.await;
        assert_eq!(ended, Err(Panicked("the roof is on fire 2".to_owned())));
    }

    #[tokio::test]
    async fn work_that_does_not_panic_gives_its_result() {
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
