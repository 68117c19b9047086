//! Many callers, one call: requests are collected for a window or until a batch is full, one call
//! is made for all of them, and each caller gets the answer to its own key.
//!
//! It neither retries nor knows what a key means. Invariants: a key asked for by several callers of
//! a batch is in the call once and answers all of them; a request that was handed in is carried out
//! even if its caller went away, and nobody else notices; at most `in_flight` calls run at once,
//! and what arrives meanwhile makes the next batch fuller.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// The form of one batcher's batches.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many different keys one call takes.
    pub most: usize,
    /// How long the first request of a batch waits for company.
    pub window: Duration,
    /// How many calls run at once.
    pub in_flight: usize,
}

/// The call ended without an answer for this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered;

/// Hands requests to the collecting task; a clone hands them to the same one.
#[derive(Debug)]
pub struct Batcher<K, V> {
    requests: mpsc::UnboundedSender<Request<K, V>>,
}

#[derive(Debug)]
struct Request<K, V> {
    key: K,
    answer: oneshot::Sender<V>,
}

/// The requests of one call, by key.
type Batch<K, V> = BTreeMap<K, Vec<oneshot::Sender<V>>>;

impl<K, V> Clone for Batcher<K, V> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
        }
    }
}

impl<K, V> Batcher<K, V>
where
    K: Ord + Clone + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Starts the collecting task on the current runtime; it ends when the last clone is dropped.
    pub fn new<C, F>(shape: Shape, call: C) -> Self
    where
        C: Fn(Vec<K>) -> F + Send + 'static,
        F: Future<Output = BTreeMap<K, V>> + Send + 'static,
    {
        Self::with_window(shape, move || pause(shape.window), call)
    }

    /// The same, and from the moment that `hurry` says so nothing waits for company.
    pub fn until_hurried<C, F>(shape: Shape, hurry: watch::Receiver<bool>, call: C) -> Self
    where
        C: Fn(Vec<K>) -> F + Send + 'static,
        F: Future<Output = BTreeMap<K, V>> + Send + 'static,
    {
        let window = move || unless_hurried(hurry.clone(), pause(shape.window));
        Self::with_window(shape, window, call)
    }

    /// The same with a window that the caller closes, so that a test needs no clock.
    fn with_window<C, F, W, P>(shape: Shape, window: W, call: C) -> Self
    where
        C: Fn(Vec<K>) -> F + Send + 'static,
        F: Future<Output = BTreeMap<K, V>> + Send + 'static,
        W: Fn() -> P + Send + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        let (requests, inbox) = mpsc::unbounded_channel();
        tokio::spawn(collect(shape, inbox, window, call));
        Self { requests }
    }

    /// Hands in a request at once and answers when its batch does.
    pub fn ask(&self, key: K) -> impl Future<Output = Result<V, Unanswered>> + Send + use<K, V> {
        let (answer, answered) = oneshot::channel();
        // A closed inbox drops the request and with it `answer`, which the caller sees below.
        let _ = self.requests.send(Request { key, answer });
        async { answered.await.map_err(|_| Unanswered) }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a moment in which calls are gathered: part of the transport, as a time-out is, and no decision hangs on it"
)]
async fn pause(window: Duration) {
    tokio::time::sleep(window).await;
}

async fn unless_hurried(mut hurry: watch::Receiver<bool>, window: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        // An error means that the last queue is gone, and with it all who could bring company.
        _ = hurry.wait_for(|hurry| *hurry) => {}
        () = window => {}
    }
}

async fn collect<K, V, C, F, W, P>(
    shape: Shape,
    mut inbox: mpsc::UnboundedReceiver<Request<K, V>>,
    window: W,
    call: C,
) where
    K: Ord + Clone + Send + 'static,
    V: Clone + Send + 'static,
    C: Fn(Vec<K>) -> F,
    F: Future<Output = BTreeMap<K, V>> + Send + 'static,
    W: Fn() -> P,
    P: Future<Output = ()>,
{
    let slots = Arc::new(Semaphore::new(shape.in_flight));
    while let Some(first) = inbox.recv().await {
        // The slot comes before the gathering, so that a backlog fills batches instead of queueing
        // small ones. Nobody closes the semaphore.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let batch = gather(first, &mut inbox, shape.most, window()).await;
        let answers = call(batch.keys().cloned().collect());
        tokio::spawn(async move {
            hand_out(batch, answers.await);
            drop(slot);
        });
    }
}

async fn gather<K: Ord, V>(
    first: Request<K, V>,
    inbox: &mut mpsc::UnboundedReceiver<Request<K, V>>,
    most: usize,
    window: impl Future<Output = ()>,
) -> Batch<K, V> {
    let mut batch = BTreeMap::from([(first.key, vec![first.answer])]);
    tokio::pin!(window);
    while batch.len() < most {
        tokio::select! {
            biased;
            request = inbox.recv() => match request {
                Some(Request { key, answer }) => batch.entry(key).or_default().push(answer),
                None => break,
            },
            () = &mut window => break,
        }
    }
    batch
}

fn hand_out<K: Ord, V: Clone>(batch: Batch<K, V>, mut answers: BTreeMap<K, V>) {
    for (key, callers) in batch {
        // Without an answer the callers' channels close, which they see as `Unanswered`.
        let Some(answer) = answers.remove(&key) else {
            continue;
        };
        for caller in callers {
            // A caller that went away misses nothing.
            let _ = caller.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Notify;

    use super::*;

    type Calls = Arc<Mutex<Vec<Vec<u32>>>>;

    /// A batcher that doubles numbers, notes its calls, and whose window closes on notice.
    fn doubling(most: usize, in_flight: usize) -> (Batcher<u32, u32>, Arc<Notify>, Calls) {
        let close = Arc::new(Notify::new());
        let calls = Calls::default();
        let batcher = Batcher::with_window(
            shape(most, in_flight),
            closed_by(&close),
            noting(&calls, |keys| async move {
                keys.into_iter().map(|key| (key, key * 2)).collect()
            }),
        );
        (batcher, close, calls)
    }

    fn shape(most: usize, in_flight: usize) -> Shape {
        Shape {
            most,
            window: Duration::from_secs(3600),
            in_flight,
        }
    }

    fn closed_by(close: &Arc<Notify>) -> impl Fn() -> futures::Closed + Send + 'static {
        let close = Arc::clone(close);
        move || Box::pin(Arc::clone(&close).notified_owned())
    }

    fn noting<F>(
        calls: &Calls,
        call: impl Fn(Vec<u32>) -> F + Send + 'static,
    ) -> impl Fn(Vec<u32>) -> F + Send + 'static {
        let calls = Arc::clone(calls);
        move |keys| {
            calls.lock().expect("not poisoned").push(keys.clone());
            call(keys)
        }
    }

    fn seen(calls: &Calls) -> Vec<Vec<u32>> {
        calls.lock().expect("not poisoned").clone()
    }

    mod futures {
        use std::pin::Pin;

        use tokio::sync::futures::OwnedNotified;

        pub(super) type Closed = Pin<Box<OwnedNotified>>;
    }

    #[tokio::test]
    async fn callers_within_a_window_share_one_call_and_each_gets_its_own_answer() {
        let (batcher, close, calls) = doubling(10, 1);
        let (one, three, two) = (batcher.ask(1), batcher.ask(3), batcher.ask(2));
        close.notify_one();
        assert_eq!((one.await, three.await, two.await), (Ok(2), Ok(6), Ok(4)));
        assert_eq!(seen(&calls), [vec![1, 2, 3]]);
    }

    #[tokio::test]
    async fn a_full_batch_does_not_wait_for_its_window() {
        let (batcher, _close, calls) = doubling(2, 1);
        let (one, two) = (batcher.ask(1), batcher.ask(2));
        assert_eq!((one.await, two.await), (Ok(2), Ok(4)));
        assert_eq!(seen(&calls), [vec![1, 2]]);
    }

    #[tokio::test]
    async fn a_key_asked_for_twice_is_in_the_call_once_and_answers_both() {
        let (batcher, _close, calls) = doubling(2, 1);
        let (first, again, other) = (batcher.ask(7), batcher.ask(7), batcher.ask(8));
        assert_eq!(
            (first.await, again.await, other.await),
            (Ok(14), Ok(14), Ok(16))
        );
        assert_eq!(seen(&calls), [vec![7, 8]]);
    }

    #[tokio::test]
    async fn a_request_whose_caller_went_away_is_carried_out_and_disturbs_nobody() {
        let (batcher, _close, calls) = doubling(2, 1);
        drop(batcher.ask(1));
        assert_eq!(batcher.ask(2).await, Ok(4));
        assert_eq!(seen(&calls), [vec![1, 2]]);
    }

    #[tokio::test]
    async fn what_arrives_while_all_slots_are_taken_goes_together_in_the_next_call() {
        let (release, calls) = (Arc::new(Semaphore::new(0)), Calls::default());
        let gate = Arc::clone(&release);
        let batcher = Batcher::with_window(
            shape(3, 1),
            || std::future::ready(()),
            noting(&calls, move |keys| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.expect("open").forget();
                    keys.into_iter().map(|key| (key, ())).collect()
                }
            }),
        );
        let first = batcher.ask(1);
        while seen(&calls).is_empty() {
            tokio::task::yield_now().await;
        }
        let later = [batcher.ask(2), batcher.ask(3), batcher.ask(4)];
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen(&calls), [vec![1]], "the only slot is taken");
        release.add_permits(2);
        assert_eq!(first.await, Ok(()));
        for answer in later {
            assert_eq!(answer.await, Ok(()));
        }
        assert_eq!(seen(&calls), [vec![1], vec![2, 3, 4]]);
    }

    #[tokio::test]
    async fn a_key_that_the_call_did_not_answer_is_unanswered_and_the_others_are_not() {
        let batcher = Batcher::with_window(
            shape(2, 1),
            std::future::pending,
            |keys: Vec<u32>| async move {
                let odd = keys.into_iter().filter(|key| key % 2 == 1);
                odd.map(|key| (key, "odd")).collect()
            },
        );
        let (one, two) = (batcher.ask(1), batcher.ask(2));
        assert_eq!((one.await, two.await), (Ok("odd"), Err(Unanswered)));
    }

    #[tokio::test]
    async fn an_error_reaches_every_caller_of_its_batch_and_the_next_batch_is_unharmed() {
        let calls = Calls::default();
        let batcher = Batcher::with_window(
            shape(2, 1),
            std::future::pending,
            noting(&calls, |keys| async move {
                let answer = if keys.contains(&1) {
                    Err("refused")
                } else {
                    Ok(())
                };
                keys.into_iter().map(|key| (key, answer)).collect()
            }),
        );
        let (one, two) = (batcher.ask(1), batcher.ask(2));
        assert_eq!(
            (one.await, two.await),
            (Ok(Err("refused")), Ok(Err("refused")))
        );
        let (three, four) = (batcher.ask(3), batcher.ask(4));
        assert_eq!((three.await, four.await), (Ok(Ok(())), Ok(Ok(()))));
    }

    #[tokio::test]
    async fn whoever_waits_for_company_goes_at_once_when_told_to_hurry_and_so_does_all_that_follows()
     {
        let (hurry, calls) = (watch::Sender::new(false), Calls::default());
        let batcher = Batcher::until_hurried(
            shape(10, 1),
            hurry.subscribe(),
            noting(&calls, |keys| async move {
                keys.into_iter().map(|key| (key, ())).collect()
            }),
        );
        let waiting = batcher.ask(1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen(&calls), Vec::<Vec<u32>>::new(), "it waits for company");
        hurry.send_replace(true);
        assert_eq!(waiting.await, Ok(()));
        assert_eq!(batcher.ask(2).await, Ok(()));
        assert_eq!(seen(&calls), [vec![1], vec![2]]);
    }

    #[tokio::test]
    async fn a_real_window_closes_by_itself() {
        let shape = Shape {
            most: 10,
            window: Duration::from_millis(1),
            in_flight: 1,
        };
        let batcher = Batcher::new(shape, |keys: Vec<u32>| async move {
            keys.into_iter().map(|key| (key, ())).collect()
        });
        assert_eq!(batcher.ask(1).await, Ok(()));
    }
}
