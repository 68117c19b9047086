//! The boot under virtual time, with a table and a runner that follow a script.

use std::sync::{Arc, Mutex};

use super::*;
use crate::agent::tests::cloud::{Cloud, Imds, logged};
use crate::runner::StartFailure;
use crate::settings::LogLevel;

/// What the table answers from which second on, and how often it was asked.
#[derive(Clone)]
struct Table {
    clock: crate::SystemClock,
    begun: Timestamp,
    row_from: i64,
    until_then: Option<RowFailure>,
    looks: Arc<Mutex<usize>>,
}

impl Table {
    fn with_row_from(cloud: &Cloud, second: i64) -> Self {
        Self {
            clock: cloud.clock(),
            begun: cloud.clock().now(),
            row_from: second,
            until_then: None,
            looks: Arc::default(),
        }
    }

    fn looks(&self) -> usize {
        *self.looks.lock().expect("not poisoned")
    }

    fn seconds(&self) -> i64 {
        self.clock.now().duration_since(self.begun).as_secs()
    }
}

impl RunnerTable for Table {
    async fn read(&self, request: &RowRequest) -> Result<Option<JitConfig>, RowFailure> {
        assert_eq!(request.instance.id.as_str(), "i-0123456789abcdef0");
        *self.looks.lock().expect("not poisoned") += 1;
        match &self.until_then {
            _ if self.seconds() >= self.row_from => Ok(Some(JitConfig {
                runner: Some("one".to_owned()),
                encoded: "c2VjcmV0LWNvbmZpZw==".to_owned(),
            })),
            Some(failure) => Err(failure.clone()),
            None => Ok(None),
        }
    }
}

/// A runner that starts, or does not.
#[derive(Clone, Default)]
struct FakeRunner {
    started_before: bool,
    fails: bool,
    started: Arc<Mutex<Vec<String>>>,
}

impl FakeRunner {
    fn started(&self) -> Vec<String> {
        self.started.lock().expect("not poisoned").clone()
    }
}

impl Runner for FakeRunner {
    fn was_started(&self) -> bool {
        self.started_before
    }

    async fn start(&self, config: &JitConfig) -> Result<(), StartFailure> {
        let mut started = self.started.lock().expect("not poisoned");
        started.push(config.encoded.clone());
        match self.fails {
            true => Err(StartFailure::NoUser("runner".to_owned())),
            false => Ok(()),
        }
    }
}

async fn boot(cloud: &Cloud, table: &Table, runner: &FakeRunner) -> Booted {
    bring_up(BootPorts {
        metadata: cloud,
        clock: &cloud.clock(),
        table: table.clone(),
        runner: runner.clone(),
        jitter: fastrand::Rng::with_seed(7),
    })
    .await
}

fn cloud() -> Cloud {
    Cloud::new(&[(0, Imds::Clear)])
}

#[tokio::test(start_paused = true)]
async fn the_runner_starts_with_the_configuration_of_one_look() {
    let cloud = cloud();
    let (table, runner) = (Table::with_row_from(&cloud, 0), FakeRunner::default());
    assert_eq!(boot(&cloud, &table, &runner).await, Booted::Started);
    assert_eq!(runner.started(), ["c2VjcmV0LWNvbmZpZw=="]);
    assert_eq!(table.looks(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_comes_later_is_found_within_seconds() {
    let cloud = cloud();
    let (table, runner) = (Table::with_row_from(&cloud, 300), FakeRunner::default());
    assert_eq!(boot(&cloud, &table, &runner).await, Booted::Started);
    assert!(
        (300..=305).contains(&table.seconds()),
        "{}",
        table.seconds()
    );
    assert!(table.looks() < 250, "{}", table.looks());
}

#[tokio::test(start_paused = true)]
async fn a_role_whose_policy_does_not_hold_yet_is_waited_for() {
    let cloud = cloud();
    cloud.credentials_from(20);
    let denied = RowFailure::Denied {
        code: "AccessDeniedException".to_owned(),
        message: "not yet".to_owned(),
    };
    for failure in [denied, RowFailure::TimedOut] {
        let table = Table {
            until_then: Some(failure),
            ..Table::with_row_from(&cloud, 60)
        };
        let runner = FakeRunner::default();
        assert_eq!(boot(&cloud, &table, &runner).await, Booted::Started);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_row_it_says_so_after_ten_minutes_and_asks_no_more() {
    let cloud = cloud();
    let (table, runner) = (Table::with_row_from(&cloud, 3_600), FakeRunner::default());
    let (booted, said) = logged(LogLevel::Info, boot(&cloud, &table, &runner)).await;
    assert_eq!(booted, Booted::NoConfig);
    assert!(
        (594..=600).contains(&table.seconds()),
        "{}",
        table.seconds()
    );
    assert!(said.contains("no configuration came"), "{said}");
    assert!(said.contains("no row for this instance"), "{said}");
    assert!(runner.started().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lasting_failure_is_said_once_a_minute_and_at_the_end() {
    let cloud = cloud();
    let table = Table {
        until_then: Some(RowFailure::NoTable {
            table: "runners".to_owned(),
            region: "eu-west-1".to_owned(),
        }),
        ..Table::with_row_from(&cloud, 3_600)
    };
    let runner = FakeRunner::default();
    let (booted, said) = logged(LogLevel::Info, boot(&cloud, &table, &runner)).await;
    assert_eq!(booted, Booted::NoConfig);
    let lines = said.matches("there is no table runners").count();
    assert!((10..=11).contains(&lines), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_cannot_be_started_is_said_and_its_secret_is_not() {
    let cloud = cloud();
    let table = Table::with_row_from(&cloud, 0);
    let runner = FakeRunner {
        fails: true,
        ..FakeRunner::default()
    };
    let (booted, said) = logged(LogLevel::Info, boot(&cloud, &table, &runner)).await;
    assert_eq!(booted, Booted::Failed);
    assert!(said.contains("there is no user runner"), "{said}");
    assert!(!said.contains("c2VjcmV0"), "{said}");
    assert_eq!(runner.started().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_restarted_leaves_the_runner_alone() {
    let cloud = cloud();
    let table = Table::with_row_from(&cloud, 0);
    let runner = FakeRunner {
        started_before: true,
        ..FakeRunner::default()
    };
    assert_eq!(boot(&cloud, &table, &runner).await, Booted::StartedBefore);
    assert_eq!(table.looks(), 0);
}
