//! What the installations show.

use reprise_model::run::RunStatus;
use serde_json::json;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

#[tokio::test]
async fn repositories_of_all_installations_are_found_but_for_those_where_nothing_can_run() {
    let server = MockServer::start().await;
    let installations = json!([
        { "id": 7, "suspended_at": null },
        { "id": 8, "suspended_at": "2026-01-01T00:00:00Z" },
        { "id": 9 },
    ]);
    let answer = ResponseTemplate::new(200).set_body_json(installations);
    serve(&server, "GET", "/app/installations", answer).await;
    for (id, token) in [(7, "ghs_fake_seven"), (9, "ghs_fake_nine")] {
        let at = format!("/app/installations/{id}/access_tokens");
        serve(&server, "POST", &at, token_answer(token, FAR)).await;
    }
    for (token, body) in [
        (
            "ghs_fake_seven",
            json!({ "total_count": 3, "repositories": [
                { "full_name": "acme/shop", "archived": false, "disabled": false },
                { "full_name": "acme/attic", "archived": true, "disabled": false },
                { "full_name": "acme/closed", "archived": false, "disabled": true },
            ]}),
        ),
        (
            "ghs_fake_nine",
            json!({ "total_count": 1, "repositories": [{ "full_name": "other/site" }] }),
        ),
    ] {
        let bearer = format!("Bearer {token}");
        Mock::given(method("GET"))
            .and(path("/installation/repositories"))
            .and(wiremock::matchers::header("authorization", bearer.as_str()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    let found = github(&server).repositories().await.unwrap();
    let names: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["acme/shop", "other/site"]);
}

#[tokio::test]
async fn runs_that_wait_or_go_on_are_listed_to_the_last_page() {
    const RUNS: &str = "/repos/acme/shop/actions/runs";
    let server = installed().await;
    let run = |id: u64, status: &str| {
        let mut run = run_json();
        run["id"] = json!(id);
        run["status"] = json!(status);
        run
    };
    let page = |runs: Vec<serde_json::Value>| {
        ResponseTemplate::new(200)
            .set_body_json(json!({ "total_count": 101, "workflow_runs": runs }))
    };
    let queued = (1..=100).map(|id| run(id, "queued")).collect();
    for (status, number, answer) in [
        ("queued", "1", page(queued)),
        ("queued", "2", page(vec![run(101, "queued")])),
        ("in_progress", "1", page(vec![run(200, "in_progress")])),
    ] {
        Mock::given(method("GET"))
            .and(path(RUNS))
            .and(query_param("status", status))
            .and(query_param("per_page", "100"))
            .and(query_param("page", number))
            .respond_with(answer)
            .mount(&server)
            .await;
    }
    let runs = github(&server).active_runs(&repository()).await.unwrap();
    assert_eq!(runs.len(), 102);
    assert_eq!(runs[100].id, RunId(101));
    assert_eq!(runs[101].status, RunStatus::InProgress);
    assert_eq!(received(&server, "GET", RUNS).await.len(), 3);
}
