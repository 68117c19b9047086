//! Check runs, and the cancel of a run.

use reprise_model::check::{CheckRunOrder, CheckState, CheckText};
use reprise_model::ending::ChangeAnswer;
use reprise_model::ids::{CheckRunId, Sha};
use reprise_model::reason::RefusalKind;

use super::*;
use crate::ChangeReply;

const CHECKS: &str = "/repos/acme/shop/check-runs";
const CANCEL: &str = "/repos/acme/shop/actions/runs/5/cancel";

fn order() -> CheckRunOrder {
    CheckRunOrder {
        head: Sha::new("c0ffee"),
        name: "Reprise".to_owned(),
        external_id: "5/build".to_owned(),
        text: CheckText {
            state: CheckState::Failure,
            title: "No machine".to_owned(),
            summary: "EC2 has none.".to_owned(),
        },
    }
}

async fn written(answer: ResponseTemplate) -> (ChangeReply, usize) {
    let server = installed().await;
    serve(&server, "POST", CHECKS, answer).await;
    let github = github(&server);
    let reply = github.write_check_run(&repository(), None, &order()).await;
    (reply, received(&server, "POST", CHECKS).await.len())
}

fn kind(reply: &ChangeReply) -> Option<RefusalKind> {
    match &reply.answer {
        ChangeAnswer::Refused(refusal) => Some(refusal.kind),
        ChangeAnswer::Accepted | ChangeAnswer::NotNow | ChangeAnswer::Unclear => None,
    }
}

#[tokio::test]
async fn a_check_run_is_made_on_its_commit_and_its_number_is_known() {
    let server = installed().await;
    let made = ResponseTemplate::new(201).set_body_json(json!({ "id": 9 }));
    serve(&server, "POST", CHECKS, made).await;
    let github = github(&server);
    let reply = github.write_check_run(&repository(), None, &order()).await;
    assert_eq!(reply.answer, ChangeAnswer::Accepted);
    assert_eq!(reply.check_run, Some(CheckRunId(9)));
    let sent: Value = received(&server, "POST", CHECKS).await[0]
        .body_json()
        .unwrap();
    assert_eq!(
        sent,
        json!({
            "name": "Reprise",
            "head_sha": "c0ffee",
            "external_id": "5/build",
            "status": "completed",
            "conclusion": "failure",
            "output": { "title": "No machine", "summary": "EC2 has none." },
        })
    );
}

#[tokio::test]
async fn one_that_is_there_is_written_over() {
    let server = installed().await;
    let path = format!("{CHECKS}/9");
    let done = ResponseTemplate::new(200).set_body_json(json!({ "id": 9 }));
    serve(&server, "PATCH", &path, done).await;
    let github = github(&server);
    let id = Some(CheckRunId(9));
    let reply = github.write_check_run(&repository(), id, &order()).await;
    assert_eq!(reply.answer, ChangeAnswer::Accepted);
    let sent: Value = received(&server, "PATCH", &path).await[0]
        .body_json()
        .unwrap();
    assert_eq!(sent["head_sha"], Value::Null);
    assert_eq!(sent["output"]["title"], "No machine");
}

#[tokio::test]
async fn what_is_still_to_come_has_no_conclusion() {
    let server = installed().await;
    let made = ResponseTemplate::new(201).set_body_json(json!({ "id": 9 }));
    serve(&server, "POST", CHECKS, made).await;
    let mut order = order();
    order.text.state = CheckState::InProgress;
    order.name = "Reprise merge queue (ci.yml)".to_owned();
    let reply = github(&server)
        .write_check_run(&repository(), None, &order)
        .await;
    assert_eq!(reply.answer, ChangeAnswer::Accepted);
    let sent: Value = received(&server, "POST", CHECKS).await[0]
        .body_json()
        .unwrap();
    assert_eq!(sent["name"], "Reprise merge queue (ci.yml)");
    assert_eq!(sent["status"], "in_progress");
    assert!(sent.get("conclusion").is_none(), "{sent}");
}

#[tokio::test]
async fn our_check_runs_of_a_commit_are_listed_by_name_and_app() {
    let server = installed().await;
    let path = "/repos/acme/shop/commits/c0ffee/check-runs";
    let body = json!({ "total_count": 2, "check_runs": [
        { "id": 9, "external_id": "5/build", "status": "completed", "conclusion": "failure", "output": { "title": "t", "summary": "s" } },
        { "id": 10, "external_id": null, "output": { "title": null, "summary": null } },
    ]});
    serve(
        &server,
        "GET",
        path,
        ResponseTemplate::new(200).set_body_json(body),
    )
    .await;
    let seen = github(&server)
        .check_runs(&repository(), &Sha::new("c0ffee"), "Reprise")
        .await
        .unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].external_id.as_deref(), Some("5/build"));
    assert_eq!((seen[0].id, seen[1].text.as_ref()), (CheckRunId(9), None));
    let state = seen[0].text.as_ref().map(|text| text.state);
    assert_eq!(state, Some(CheckState::Failure));
    let query = received(&server, "GET", path).await[0]
        .url
        .query()
        .unwrap()
        .to_owned();
    assert!(
        query.contains("check_name=Reprise&filter=all&app_id=42"),
        "{query}"
    );
}

#[tokio::test]
async fn a_missing_permission_is_a_final_no() {
    let (reply, posts) = written(no(403, "Resource not accessible by integration")).await;
    assert_eq!(kind(&reply), Some(RefusalKind::MissingPermission));
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_request_that_may_have_been_carried_out_is_unclear_and_not_repeated() {
    for status in [500, 502, 202] {
        let (reply, posts) = written(no(status, "Server Error")).await;
        assert_eq!(
            (reply.answer, posts),
            (ChangeAnswer::Unclear, 1),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_rate_limit_passes() {
    let limited = no(403, "You have exceeded a secondary rate limit.");
    let (reply, _) = written(limited.insert_header("retry-after", "7")).await;
    assert_eq!(reply.answer, ChangeAnswer::NotNow);
    assert_eq!(reply.retry_after, Some(jiff::SignedDuration::from_secs(7)));
}

#[tokio::test]
async fn a_run_is_cancelled_and_one_that_has_completed_is_not() {
    let server = installed().await;
    let accepted = ResponseTemplate::new(202).set_body_json(json!({}));
    serve(&server, "POST", CANCEL, accepted).await;
    let reply = github(&server).cancel_run(&repository(), RUN).await;
    assert_eq!(reply.answer, ChangeAnswer::Accepted);

    let server = installed().await;
    let completed = no(409, "Cannot cancel a workflow run that is completed.");
    serve(&server, "POST", CANCEL, completed).await;
    let reply = github(&server).cancel_run(&repository(), RUN).await;
    assert_eq!(kind(&reply), Some(RefusalKind::NotFound));
    assert_eq!(received(&server, "POST", CANCEL).await.len(), 1);
}
