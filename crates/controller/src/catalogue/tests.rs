use std::future::ready;

use reprise_model::machine::Architecture;
use tokio::sync::oneshot;

use super::*;

type Told = Result<Vec<MachineType>, PortError>;

fn told(names: &[&str]) -> Told {
    let types = names.iter().map(|name| MachineType {
        name: (*name).to_owned(),
        cpu: 2,
        ram_mib: 4096,
        architecture: Architecture::X64,
        spot: true,
        bare_metal: false,
        accelerated: false,
        burstable: false,
        current: true,
    });
    Ok(types.collect())
}

fn failed() -> Told {
    Err(PortError {
        operation: "describe instance types",
        kind: PortErrorKind::Passing,
        retry_after: None,
        source: "RequestLimitExceeded".into(),
    })
}

/// A read that nobody may begin.
async fn forbidden() -> Told {
    panic!("EC2 was asked although nothing was due");
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn region() -> Region {
    Region::new("eu-west-1")
}

fn names(types: &[MachineType]) -> Vec<&str> {
    types.iter().map(|one| one.name.as_str()).collect()
}

const DAY: i64 = 86_400;

#[tokio::test]
async fn types_are_read_once_and_again_after_a_day() {
    let catalogue = Catalogue::default();
    let first = catalogue
        .types(&region(), at(0), ready(told(&["c7a.large"])))
        .await;
    assert_eq!(names(&first.expect("types")), ["c7a.large"]);
    let kept = catalogue.types(&region(), at(DAY - 1), forbidden()).await;
    assert_eq!(names(&kept.expect("types")), ["c7a.large"]);
    let newer = ready(told(&["c9z.large"]));
    let newer = catalogue.types(&region(), at(DAY), newer).await;
    assert_eq!(names(&newer.expect("types")), ["c9z.large"]);
}

#[tokio::test]
async fn each_region_has_types_of_its_own() {
    let catalogue = Catalogue::default();
    let here = catalogue
        .types(&region(), at(0), ready(told(&["c7a.large"])))
        .await;
    let elsewhere = Region::new("us-east-1");
    let there = catalogue
        .types(&elsewhere, at(0), ready(told(&["c7i.large"])))
        .await;
    assert_eq!(names(&here.expect("types")), ["c7a.large"]);
    assert_eq!(names(&there.expect("types")), ["c7i.large"]);
}

#[tokio::test]
async fn what_is_known_serves_while_ec2_fails_and_it_is_asked_again_every_five_minutes() {
    let catalogue = Catalogue::default();
    let first = catalogue
        .types(&region(), at(0), ready(told(&["c7a.large"])))
        .await;
    assert!(first.is_ok());
    let stale = catalogue.types(&region(), at(DAY), ready(failed())).await;
    assert_eq!(names(&stale.expect("types")), ["c7a.large"]);
    let still = catalogue.types(&region(), at(DAY + 299), forbidden()).await;
    assert_eq!(names(&still.expect("types")), ["c7a.large"]);
    let newer = ready(told(&["c9z.large"]));
    let newer = catalogue.types(&region(), at(DAY + 300), newer).await;
    assert_eq!(names(&newer.expect("types")), ["c9z.large"]);
}

#[tokio::test]
async fn where_nothing_is_known_a_failure_is_told_and_ec2_is_left_alone_for_a_moment() {
    let catalogue = Catalogue::default();
    assert!(
        catalogue
            .types(&region(), at(0), ready(failed()))
            .await
            .is_err()
    );
    assert!(
        catalogue
            .types(&region(), at(9), forbidden())
            .await
            .is_err()
    );
    let read = catalogue
        .types(&region(), at(10), ready(told(&["c7a.large"])))
        .await;
    assert_eq!(names(&read.expect("types")), ["c7a.large"]);
}

#[tokio::test]
async fn callers_at_once_share_the_first_read() {
    let catalogue = Catalogue::default();
    let (tell, answer) = oneshot::channel::<Told>();
    let here = region();
    let first = catalogue.types(&here, at(0), async { answer.await.expect("an answer") });
    let second = catalogue.types(&here, at(0), forbidden());
    let answered = async {
        tokio::task::yield_now().await;
        assert!(tell.send(told(&["c7a.large"])).is_ok());
    };
    let (first, second, ()) = tokio::join!(first, second, answered);
    assert_eq!(names(&first.expect("types")), ["c7a.large"]);
    assert_eq!(names(&second.expect("types")), ["c7a.large"]);
}

#[tokio::test]
async fn nobody_waits_for_a_read_where_types_are_known() {
    let catalogue = Catalogue::default();
    let here = region();
    let first = catalogue
        .types(&here, at(0), ready(told(&["c7a.large"])))
        .await;
    assert!(first.is_ok());
    let (tell, answer) = oneshot::channel::<Told>();
    let reader = catalogue.types(&here, at(DAY), async { answer.await.expect("an answer") });
    let other = async {
        let kept = catalogue.types(&here, at(DAY), forbidden()).await;
        assert_eq!(names(&kept.expect("types")), ["c7a.large"]);
        assert!(tell.send(told(&["c9z.large"])).is_ok());
    };
    let (read, ()) = tokio::join!(reader, other);
    assert_eq!(names(&read.expect("types")), ["c9z.large"]);
}
