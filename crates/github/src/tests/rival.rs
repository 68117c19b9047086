//! Whether a newer run took the place of one.

use reprise_model::run::Run;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const GROUPS_PATH: &str = "/repos/acme/shop/actions/runs/5/concurrency_groups";
const RUNS_PATH: &str = "/repos/acme/shop/actions/workflows/3/runs";

#[tokio::test]
async fn the_newest_run_of_the_same_workflow_branch_and_event_is_found() {
    let later = with(json!({ "id": 8, "created_at": "2026-01-01T12:00:00Z" }));
    let latest = with(json!({ "id": 9, "created_at": "2026-01-01T13:00:00Z" }));
    assert_eq!(
        newer_among([latest, later, run_json()]).await,
        Some(RunId(9))
    );
}

#[tokio::test]
async fn a_run_alone_on_its_branch_has_no_newer_one() {
    assert_eq!(newer_among([run_json()]).await, None);
    assert_eq!(newer_among([]).await, None);
}

#[tokio::test]
async fn of_two_runs_of_the_same_second_the_higher_id_is_newer() {
    assert_eq!(
        newer_among([with(json!({ "id": 6 })), run_json()]).await,
        Some(RunId(6))
    );
    assert_eq!(
        newer_among([run_json(), with(json!({ "id": 4 }))]).await,
        None
    );
}

#[tokio::test]
async fn runs_that_a_server_lists_against_the_query_do_not_count() {
    let at = "2026-01-01T12:00:00Z";
    for other in [
        json!({ "id": 8, "created_at": at, "head_branch": "feature" }),
        json!({ "id": 8, "created_at": at, "head_branch": null }),
        json!({ "id": 8, "created_at": at, "event": "schedule" }),
        json!({ "id": 8, "created_at": at, "workflow_id": 4 }),
        json!({ "id": 8, "created_at": "2026-01-01T09:59:59Z" }),
    ] {
        assert_eq!(newer_among([with(other), run_json()]).await, None);
    }
}

#[tokio::test]
async fn a_branch_of_that_name_in_another_fork_is_another_branch() {
    let fork = |name: &str| json!({ "full_name": name });
    let own = with(json!({ "head_repository": fork("ann/shop") }));
    let at = "2026-01-01T12:00:00Z";
    let other = with(json!({ "id": 8, "created_at": at, "head_repository": fork("bob/shop") }));
    let same = with(json!({ "id": 7, "created_at": at, "head_repository": fork("ann/shop") }));
    assert_eq!(newer_among([other.clone(), own.clone()]).await, None);
    assert_eq!(newer_among([other, same, own]).await, Some(RunId(7)));
}

#[tokio::test]
async fn a_run_that_has_the_concurrency_group_is_found_and_names_are_written_for_a_path() {
    let server = installed().await;
    let run = read(&server).await;
    serve_runs(&server, 1, vec![run_json()]).await;
    serve_groups(&server, &["ci-refs/heads/main", "deploy now"]).await;
    let idle = "ci-refs%2Fheads%2Fmain";
    serve_group(&server, idle, vec![member(RUN.0, None)]).await;
    let members = vec![member(8, Some(3)), member(RUN.0, None), member(9, None)];
    serve_group(&server, "deploy%20now", members).await;
    assert_eq!(
        github(&server).rival_run(&run).await.unwrap(),
        Some(RunId(9))
    );
}

#[tokio::test]
async fn a_job_of_another_run_that_has_the_group_takes_no_place() {
    let server = installed().await;
    let run = read(&server).await;
    serve_runs(&server, 1, vec![run_json()]).await;
    serve_groups(&server, &["lock", "idle"]).await;
    serve_group(&server, "lock", vec![member(8, Some(3))]).await;
    assert_eq!(github(&server).rival_run(&run).await.unwrap(), None);
}

#[tokio::test]
async fn a_group_that_cannot_be_read_is_an_error_and_no_leave() {
    let server = installed().await;
    let run = read(&server).await;
    serve_runs(&server, 1, vec![run_json()]).await;
    Mock::given(path(GROUPS_PATH))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    github(&server).rival_run(&run).await.unwrap_err();
}

#[tokio::test]
async fn a_run_without_a_branch_has_no_successor_and_nothing_is_asked() {
    let server = installed().await;
    let run = Run {
        head_branch: None,
        ..read(&server).await
    };
    assert_eq!(github(&server).rival_run(&run).await.unwrap(), None);
    assert!(received(&server, "GET", RUNS_PATH).await.is_empty());
}

#[tokio::test]
async fn pages_are_read_until_the_run_itself_was_seen() {
    let server = installed().await;
    let run = read(&server).await;
    let others = (200..300).map(|id| {
        let head = json!({ "full_name": "bob/shop" });
        with(json!({ "id": id, "created_at": "2026-01-01T12:00:00Z", "head_repository": head }))
    });
    let own = with(json!({ "head_repository": { "full_name": "acme/shop" } }));
    serve_runs(&server, 1, others.collect()).await;
    serve_runs(&server, 2, vec![own]).await;
    assert_eq!(github(&server).rival_run(&run).await.unwrap(), None);
}

async fn newer_among(listed: impl IntoIterator<Item = Value>) -> Option<RunId> {
    let server = installed().await;
    let run = read(&server).await;
    serve_runs(&server, 1, listed.into_iter().collect()).await;
    github(&server).rival_run(&run).await.unwrap()
}

async fn serve_groups(server: &MockServer, names: &[&str]) {
    let group = |name: &&str| json!({ "group_name": name, "group_url": "", "group_members": [] });
    let groups: Vec<Value> = names.iter().map(group).collect();
    let body = json!({ "total_count": groups.len(), "concurrency_groups": groups });
    Mock::given(path(GROUPS_PATH))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

async fn serve_group(server: &MockServer, quoted: &str, members: Vec<Value>) {
    let body = json!({ "group_name": "", "total_count": members.len(), "group_members": members });
    let group = format!("/repos/acme/shop/actions/concurrency_groups/{quoted}");
    Mock::given(path(group))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

fn member(run: u64, job: Option<u64>) -> Value {
    let mut member = json!({ "run_id": run, "status": "in_progress" });
    if let Some(job) = job {
        member["job_id"] = json!(job);
    }
    member
}

async fn read(server: &MockServer) -> Run {
    serve_run(server, run_json()).await;
    github(server).run(&repository(), RUN).await.unwrap()
}

async fn serve_runs(server: &MockServer, page: usize, runs: Vec<Value>) {
    let body = json!({ "total_count": runs.len(), "workflow_runs": runs });
    Mock::given(method("GET"))
        .and(path(RUNS_PATH))
        .and(query_param("branch", "main"))
        .and(query_param("event", "push"))
        .and(query_param("created", ">=2026-01-01T10:00:00Z"))
        .and(query_param("page", page.to_string()))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

/// The run of the tests, with some fields changed.
fn with(changes: Value) -> Value {
    let mut run = run_json();
    for (name, value) in changes.as_object().unwrap() {
        run[name] = value.clone();
    }
    run
}
