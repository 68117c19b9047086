//! The caretaker under virtual time, over premises that follow a script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use std::future::pending;

use super::*;
use crate::agent::tests::cloud::{Cloud, Imds};

const LIMITS: Limits = Limits {
    idle: SignedDuration::from_mins(10),
    linger: SignedDuration::from_mins(3),
};

/// What comes of a power-off.
#[derive(Clone, Copy)]
enum Leaving {
    Works,
    IsCancelled,
    Fails,
}

/// A runner that is seen so from each second on.
struct Script {
    cloud: Cloud,
    begun: Timestamp,
    seen: Vec<(i64, Sight)>,
    leaving: Leaving,
    log: Arc<Mutex<Vec<(i64, &'static str)>>>,
}

impl Script {
    fn second(&self) -> i64 {
        self.cloud
            .clock()
            .now()
            .duration_since(self.begun)
            .as_secs()
    }

    fn sight(&self) -> Sight {
        let past = self
            .seen
            .iter()
            .rev()
            .find(|(from, _)| *from <= self.second());
        past.map_or(Sight::Nothing, |(_, sight)| *sight)
    }

    fn note(&self, what: &'static str) {
        self.log
            .lock()
            .expect("not poisoned")
            .push((self.second(), what));
    }
}

impl Premises for Script {
    fn look(&mut self) -> Result<Sight, String> {
        Ok(self.sight())
    }

    async fn ended(&self) {
        if matches!(self.sight(), Sight::Nothing | Sight::Elsewhere) {
            return pending().await;
        }
        while self.sight() != Sight::Nothing {
            self.cloud.clock().sleep(SignedDuration::from_secs(1)).await;
        }
    }

    fn end(&self, manner: Manner) -> Result<(), String> {
        self.note(match manner {
            Manner::Ask => "asked",
            Manner::Kill => "killed",
        });
        Ok(())
    }

    async fn leave(&self) -> Result<(), String> {
        self.note("left");
        match self.leaving {
            Leaving::Works => pending().await,
            Leaving::IsCancelled => Ok(()),
            Leaving::Fails => Err("it does not go".to_owned()),
        }
    }
}

/// What happened within two hours.
async fn happens(imds: &[(i64, Imds)], seen: &[(i64, Sight)]) -> Vec<(i64, &'static str)> {
    happens_with(imds, seen, true, Leaving::Works).await
}

async fn happens_with(
    imds: &[(i64, Imds)],
    seen: &[(i64, Sight)],
    started: bool,
    leaving: Leaving,
) -> Vec<(i64, &'static str)> {
    let cloud = Cloud::new(imds);
    let log = Arc::new(Mutex::new(Vec::new()));
    let care = Care {
        metadata: &cloud,
        clock: &cloud.clock(),
        premises: Script {
            begun: cloud.clock().now(),
            cloud: cloud.clone(),
            seen: seen.to_vec(),
            leaving,
            log: log.clone(),
        },
    };
    let watch = care.watch(started, LIMITS);
    let _ = tokio::time::timeout(Duration::from_secs(7200), watch).await;
    let log = log.lock().expect("not poisoned");
    log.clone()
}

const CLEAR: &[(i64, Imds)] = &[(0, Imds::Clear)];
const NOTICE: Imds = Imds::Body(r#"{"action":"terminate","time":"2026-01-01T02:00:00Z"}"#);

#[tokio::test(start_paused = true)]
async fn an_instance_without_a_job_goes_after_its_runner() {
    let seen = [(3, Sight::Idle), (603, Sight::Nothing)];
    assert_eq!(happens(CLEAR, &seen).await, [(600, "asked"), (603, "left")]);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_an_hour_is_not_touched_and_its_instance_goes_minutes_after() {
    let seen = [(3, Sight::Idle), (100, Sight::Busy), (3700, Sight::Nothing)];
    assert_eq!(happens(CLEAR, &seen).await, [(3880, "left")]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_never_ends_keeps_its_instance() {
    assert_eq!(happens(CLEAR, &[(100, Sight::Busy)]).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ec2_is_about_to_take_is_left_to_ec2() {
    let seen = [(3, Sight::Busy), (100, Sight::Nothing)];
    let imds = [(0, Imds::Clear), (60, NOTICE)];
    assert_eq!(happens(&imds, &seen).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_the_instance_outlives_does_not_keep_it_for_ever() {
    let seen = [(3, Sight::Busy), (100, Sight::Nothing)];
    let soon = Imds::Body(r#"{"action":"terminate","time":"2026-01-01T00:05:00Z"}"#);
    let happened = happens(&[(0, soon)], &seen).await;
    assert_eq!(happened.len(), 1, "{happened:?}");
    // Its time is at 300 s, and it is stale two minutes after.
    assert!((420..550).contains(&happened[0].0), "{happened:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_notice_is_asked_about_again_and_a_stale_one_keeps_nothing() {
    let seen = [(3, Sight::Busy), (100, Sight::Nothing)];
    let imds = [(0, Imds::Body("{}")), (1000, Imds::Clear)];
    let happened = happens(&imds, &seen).await;
    assert_eq!(happened.len(), 1, "{happened:?}");
    assert!((1000..1010).contains(&happened[0].0), "{happened:?}");
    let stale = Imds::Body(r#"{"action":"terminate","time":"2025-12-31T00:00:00Z"}"#);
    assert_eq!(happens(&[(0, stale)], &seen).await, [(280, "left")]);
}

#[tokio::test(start_paused = true)]
async fn beside_another_runner_the_instance_stays_until_that_has_ended() {
    let seen = [(0, Sight::Elsewhere), (500, Sight::Nothing)];
    let happened = happens_with(CLEAR, &seen, false, Leaving::Works).await;
    assert_eq!(happened, [(690, "left")]);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_hears_nothing_is_killed() {
    let seen = [(3, Sight::Idle), (905, Sight::Nothing)];
    let happened = happens(CLEAR, &seen).await;
    let whats: Vec<_> = happened.iter().map(|(_, what)| *what).collect();
    let asked = ["asked"; 5];
    assert_eq!(whats[..5], asked);
    assert_eq!(whats[5..], ["killed", "left"], "{happened:?}");
}

#[tokio::test(start_paused = true)]
async fn while_nobody_knows_of_a_notice_nothing_goes() {
    let seen = [(3, Sight::Busy), (100, Sight::Nothing)];
    let imds = [(0, Imds::Refused), (1000, Imds::Clear)];
    let happened = happens(&imds, &seen).await;
    assert_eq!(happened.len(), 1);
    assert!((1000..1010).contains(&happened[0].0), "{happened:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_began_while_nobody_knew_of_a_notice_keeps_its_instance() {
    let seen = [(3, Sight::Busy), (100, Sight::Nothing), (900, Sight::Busy)];
    let imds = [(0, Imds::Refused), (1000, Imds::Clear)];
    assert_eq!(happens(&imds, &seen).await, []);
}

#[tokio::test(start_paused = true)]
async fn without_a_runner_the_instance_goes_at_once() {
    let happened = happens_with(CLEAR, &[], false, Leaving::Works).await;
    assert_eq!(happened, [(0, "left")]);
}

#[tokio::test(start_paused = true)]
async fn a_power_off_that_fails_is_tried_on_but_not_over_a_job_that_began() {
    let seen = [(3, Sight::Idle), (10, Sight::Nothing), (210, Sight::Busy)];
    let happened = happens_with(CLEAR, &seen, true, Leaving::Fails).await;
    assert!(happened.len() >= 3, "{happened:?}");
    assert!(
        happened
            .iter()
            .all(|(second, what)| *what == "left" && *second < 216)
    );
}

#[tokio::test(start_paused = true)]
async fn a_power_off_that_somebody_cancels_is_tried_again_minutes_later() {
    let happened = happens_with(CLEAR, &[], false, Leaving::IsCancelled).await;
    assert_eq!(happened[..2], [(0, "left"), (300, "left")]);
}
