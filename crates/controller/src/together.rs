//! Several futures at once, in one task.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Runs all of them to their end; the results stand in the order of the futures.
pub(crate) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures
        .into_iter()
        .map(|future| Running::At(Box::pin(future)))
        .collect();
    poll_fn(|context| {
        let mut all_ended = true;
        for one in &mut running {
            if let Running::At(future) = one {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *one = Running::Ended(output),
                    Poll::Pending => all_ended = false,
                }
            }
        }
        if all_ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|one| match one {
            Running::Ended(output) => Some(output),
            Running::At(_) => None,
        })
        .collect()
}

enum Running<F: Future> {
    At(Pin<Box<F>>),
    Ended(F::Output),
}

#[cfg(test)]
mod tests {
    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn all_run_at_once_and_keep_their_order() {
        let barrier = Barrier::new(3);
        let futures = (0..3).map(|number| {
            let barrier = &barrier;
            async move {
                // Nobody passes before all three are there.
                barrier.wait().await;
                number
            }
        });
        assert_eq!(together(futures).await, [0, 1, 2]);
    }

    #[tokio::test]
    async fn none_at_all_end_at_once() {
        let none: [std::future::Ready<u8>; 0] = [];
        assert!(together(none).await.is_empty());
    }
}
