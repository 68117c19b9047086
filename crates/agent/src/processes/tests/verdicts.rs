//! What is done to a step by what its Worker's log says: it is frozen meanwhile.

use std::sync::mpsc;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use super::super::step;
use super::super::worker_log::{LOG_LIMIT, Unclear};
use super::*;
use crate::host::StepEnd;

/// A Worker that holds that log open, with one step.
fn worker_with(log: &std::path::Path) -> Tree {
    let mut command = Command::new("sh");
    let script = "exec 3>>\"$LOG\"; sh -c 'echo $$; echo ready; exec sleep 1000' & wait";
    command.args(["-c", script]).env("LOG", log);
    Tree::of(command)
}

/// Ends what the test started.
fn finish(worker: &Tree) {
    let processes = ProcFolder::default();
    let step = found(worker.members[0]).expect("it was not ended");
    wait_for_state(step, "S");
    let handle = Handle::open(&processes, step).expect("it lives");
    assert_eq!(handle.signal(&processes, Signal::KILL), Ok(true));
}

/// Nothing of a step that is left alone ends.
async fn never() {
    panic!("it is not sure that the job fails");
}

/// A job of one step, as its Worker writes it.
const JOB: &str = "[2026-01-01 00:00:00Z INFO Worker] Job message:\n \
    { \"steps\": [ { \"displayNameToken\": \"Build\" } ] }\n\
    [2026-01-01 00:00:01Z INFO Worker] Listening for cancel message from the channel.\n\
    [2026-01-01 00:00:02Z INFO StepsRunner] Processing step: DisplayName='Build'\n";

#[tokio::test]
async fn it_is_told_that_a_step_will_end_while_that_is_frozen_and_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("Worker_20260101-000000-utc.log");
    std::fs::write(&log, JOB).expect("written");
    let worker = worker_with(&log);
    let process = found(worker.members[0]).expect("it lives");
    let told = std::cell::Cell::new(false);
    let sure = async {
        wait_for_state(process, "T");
        told.set(true);
    };
    let clock = SystemClock::start();
    let grace = SignedDuration::ZERO;
    let end = step::fail(
        &ProcFolder::default(),
        worker.process(),
        grace,
        &clock,
        sure,
    )
    .await;
    assert!(matches!(end, StepEnd::Ended(_)), "{end:?}");
    assert!(told.get(), "nobody could write it down");
    assert_eq!(worker.living(), [] as [u32; 0]);
}

#[tokio::test]
async fn a_step_goes_on_whose_log_is_too_long_to_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("Worker_20260101-000000-utc.log");
    let file = std::fs::File::create(&log).expect("made");
    // Holes: it takes no room.
    file.set_len(LOG_LIMIT + 1).expect("long");
    let worker = worker_with(&log);
    let clock = SystemClock::start();
    let grace = SignedDuration::ZERO;
    let end = step::fail(
        &ProcFolder::default(),
        worker.process(),
        grace,
        &clock,
        never(),
    )
    .await;
    assert_eq!(end, StepEnd::Unclear(Unclear::TooLong));
    finish(&worker);
}

/// A clock by which every wait is over at once.
struct Hurry;

impl Clock for Hurry {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    async fn sleep(&self, _: SignedDuration) {}
}

#[test]
fn a_step_goes_on_whose_log_takes_too_long_to_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let worker = worker_with(&folder.path().join("Worker_20260101-000000-utc.log"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    let (release, released) = mpsc::channel::<()>();
    let end = runtime.block_on(async {
        // The only thread that could read waits for something else, as for a disk that hangs.
        let _busy = tokio::task::spawn_blocking(move || released.recv());
        let grace = SignedDuration::ZERO;
        step::fail(
            &ProcFolder::default(),
            worker.process(),
            grace,
            &Hurry,
            never(),
        )
        .await
    });
    assert_eq!(end, StepEnd::Unclear(Unclear::TooLong));
    drop(release);
    finish(&worker);
}
