//! What each answer to an order of a runner means, and that it is sent once.

use std::time::Duration;

use jiff::SignedDuration;
use reprise_model::ids::{RunnerGroupId, RunnerId, RunnerName};
use secrecy::ExposeSecret;
use wiremock::{MockServer, ResponseTemplate};

use super::*;
use crate::error::GitHubErrorKind;
use crate::{JitConfig, JitError, JitOrder, RunnerRemoval, RunnerScope};

const GROUPS: &str = "/orgs/acme/actions/runner-groups";
const OF_ORGANIZATION: &str = "/orgs/acme/actions/runners/generate-jitconfig";
const OF_REPOSITORY: &str = "/repos/acme/shop/actions/runners/generate-jitconfig";
const NAME: &str = "reprise--i-0123456789abcdef0--abcde";

fn organization() -> RunnerScope {
    RunnerScope::Organization {
        repository: repository(),
        group: RunnerGroupId(3),
    }
}

fn order() -> JitOrder {
    JitOrder {
        name: RunnerName::new(NAME),
        labels: vec!["runs-on=1/cpu=2".to_owned(), "extra".to_owned()],
        work_folder: "_work".to_owned(),
    }
}

fn made() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({
        "runner": { "id": 23, "name": NAME, "os": "unknown", "status": "offline", "busy": false,
                    "labels": [] },
        "encoded_jit_config": "ZmFrZS1jb25maWd1cmF0aW9u",
    }))
}

async fn ordered(server: &MockServer, scope: &RunnerScope) -> Result<JitConfig, JitError> {
    github(server).create_jit_config(scope, &order()).await
}

/// The refusal of one order that GitHub answers so. Whatever it is, it was sent once.
async fn refusal_of(answer: ResponseTemplate) -> JitError {
    let server = installed().await;
    serve(&server, "POST", OF_ORGANIZATION, answer).await;
    let refusal = ordered(&server, &organization()).await.unwrap_err();
    assert_eq!(received(&server, "POST", OF_ORGANIZATION).await.len(), 1);
    refusal
}

async fn serve_groups(server: &MockServer, groups: Value) {
    let total = groups.as_array().unwrap().len();
    let body = json!({ "total_count": total, "runner_groups": groups });
    let answer = ResponseTemplate::new(200).set_body_json(body);
    serve(server, "GET", GROUPS, answer).await;
}

#[tokio::test]
async fn a_runner_is_ordered_with_name_group_labels_and_folder_at_either_level() {
    let levels = [
        (organization(), OF_ORGANIZATION, 3),
        (RunnerScope::Repository(repository()), OF_REPOSITORY, 1),
    ];
    for (scope, at, group) in levels {
        let server = installed().await;
        serve(&server, "POST", at, made()).await;
        let config = ordered(&server, &scope).await.unwrap();
        assert_eq!(config.runner, RunnerId(23));
        assert_eq!(config.encoded.expose_secret(), "ZmFrZS1jb25maWd1cmF0aW9u");
        let posts = received(&server, "POST", at).await;
        let body: Value = serde_json::from_slice(&posts[0].body).unwrap();
        let expected = json!({
            "name": NAME,
            "runner_group_id": group,
            "labels": ["runs-on=1/cpu=2", "extra"],
            "work_folder": "_work",
        });
        assert_eq!((posts.len(), body), (1, expected));
    }
}

#[tokio::test]
async fn a_configuration_is_shown_nowhere() {
    let server = installed().await;
    serve(&server, "POST", OF_ORGANIZATION, made()).await;
    let config = ordered(&server, &organization()).await.unwrap();
    assert_eq!(
        format!("{config:?}"),
        "JitConfig { runner: RunnerId(23), .. }"
    );
}

#[tokio::test]
async fn a_conflict_says_that_the_name_is_taken() {
    let words = "Already exists - A runner with the name *** already exists.";
    let refusal = refusal_of(no(409, words)).await;
    assert!(matches!(refusal, JitError::NameTaken(_)), "{refusal:?}");
    assert!(refusal.to_string().contains(NAME), "{refusal}");
}

#[tokio::test]
async fn what_the_app_may_not_do_is_for_an_operator() {
    for (status, words) in [
        (403, "Resource not accessible by integration"),
        (404, "Not Found"),
    ] {
        let refusal = refusal_of(no(status, words)).await;
        assert!(matches!(refusal, JitError::Denied(_)), "{refusal:?}");
        assert!(
            refusal.to_string().contains("Self-hosted runners"),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn labels_that_github_does_not_take_are_refused_in_its_words() {
    let refusal = refusal_of(no(422, "Invalid label")).await;
    assert!(matches!(refusal, JitError::Refused(_)), "{refusal:?}");
    assert!(
        refusal.to_string().ends_with("422: Invalid label"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_limit_says_how_long_to_wait() {
    for (answer, seconds) in [
        (no(403, "No").insert_header("retry-after", "17"), 17),
        (no(429, "No").insert_header("retry-after", "18"), 18),
        (no(403, "You have exceeded a secondary rate limit."), 60),
    ] {
        let refusal = refusal_of(answer).await;
        let JitError::NotNow { retry_after, .. } = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(retry_after, Some(SignedDuration::from_secs(seconds)));
    }
}

#[tokio::test]
async fn a_lost_or_unreadable_answer_leaves_open_whether_there_is_a_runner() {
    for answer in [
        no(500, "Server Error"),
        ResponseTemplate::new(502),
        ResponseTemplate::new(201).set_body_string("{}"),
    ] {
        let refusal = refusal_of(answer).await;
        assert!(matches!(refusal, JitError::Unclear(_)), "{refusal:?}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_unclear_and_not_asked_for_again() {
    let server = installed().await;
    let slow = made().set_delay(Duration::from_secs(600));
    serve(&server, "POST", OF_ORGANIZATION, slow).await;
    let impatient = Settings {
        request_timeout: Duration::from_secs(1),
        ..settings(&server.uri())
    };
    let github = GitHub::connect(impatient).unwrap();
    let refusal = github.create_jit_config(&organization(), &order()).await;
    assert!(matches!(refusal, Err(JitError::Unclear(_))), "{refusal:?}");
    assert_eq!(received(&server, "POST", OF_ORGANIZATION).await.len(), 1);
}

#[tokio::test]
async fn a_rejected_token_is_renewed_for_the_next_order_and_this_one_is_not_repeated() {
    let refusal = refusal_of(no(401, "Bad credentials")).await;
    assert!(matches!(refusal, JitError::NotNow { .. }), "{refusal:?}");
}

#[tokio::test]
async fn an_organisations_group_is_looked_up_by_its_name_once() {
    let server = installed().await;
    let groups = json!([{ "id": 1, "name": "Default" }, { "id": 3, "name": "spot" }]);
    serve_groups(&server, groups).await;
    let github = github(&server);
    let repository = repository();
    let ask = || github.runner_scope(&repository, "spot");
    let (one, other) = tokio::join!(ask(), ask());
    for scope in [one, other, ask().await] {
        assert_eq!(scope.unwrap(), organization());
    }
    assert_eq!(received(&server, "GET", GROUPS).await.len(), 1);
}

#[tokio::test]
async fn a_group_whose_number_github_refuses_is_looked_up_anew() {
    let server = installed().await;
    serve_groups(&server, json!([{ "id": 3, "name": "spot" }])).await;
    serve(&server, "POST", OF_ORGANIZATION, no(404, "Not Found")).await;
    let github = github(&server);
    let scope = github.runner_scope(&repository(), "spot").await.unwrap();
    github
        .create_jit_config(&scope, &order())
        .await
        .unwrap_err();
    github.runner_scope(&repository(), "spot").await.unwrap();
    assert_eq!(received(&server, "GET", GROUPS).await.len(), 2);
}

#[tokio::test]
async fn a_group_that_is_not_there_is_named_with_those_that_are() {
    let server = installed().await;
    serve_groups(&server, json!([{ "id": 1, "name": "Default" }])).await;
    let error = github(&server).runner_scope(&repository(), "spot").await;
    let error = error.unwrap_err();
    assert!(
        matches!(error.kind(), GitHubErrorKind::Forbidden(_)),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "find the runner group \"spot\" of acme: it has only Default; create it, or correct the \
         name in the configuration"
    );
}

#[tokio::test]
async fn a_persons_account_has_no_groups_so_its_runners_are_the_repositorys() {
    let server = MockServer::start().await;
    let found = json!({ "id": 7, "target_type": "User" });
    let found = ResponseTemplate::new(200).set_body_json(found);
    serve(&server, "GET", "/repos/acme/shop/installation", found).await;
    serve(&server, "POST", TOKEN_PATH, token_answer(FAKE_TOKEN, FAR)).await;
    let scope = github(&server).runner_scope(&repository(), "spot").await;
    assert_eq!(scope.unwrap(), RunnerScope::Repository(repository()));
    assert!(received(&server, "GET", GROUPS).await.is_empty());
}

#[tokio::test]
async fn a_removal_says_whether_the_runner_is_gone_or_busy() {
    for (answer, expected) in [
        (ResponseTemplate::new(204), RunnerRemoval::Removed),
        (no(404, "Not Found"), RunnerRemoval::Absent),
        (
            no(422, "Runner is currently running a job"),
            RunnerRemoval::Busy,
        ),
    ] {
        let server = installed().await;
        let at = "/orgs/acme/actions/runners/23";
        serve(&server, "DELETE", at, answer).await;
        let removal = github(&server)
            .delete_runner(&organization(), RunnerId(23))
            .await;
        assert_eq!(removal.unwrap(), expected);
        assert_eq!(received(&server, "DELETE", at).await.len(), 1);
    }
}

#[tokio::test]
async fn runners_are_listed_and_one_that_does_not_say_is_online_and_busy() {
    let server = installed().await;
    let path = "/repos/acme/shop/actions/runners";
    let body = json!({ "total_count": 2, "runners": [
        { "id": 3, "name": "reprise--i-0123456789abcdef0--00000007", "status": "offline", "busy": false },
        { "id": 4, "name": "other" },
    ]});
    let answer = ResponseTemplate::new(200).set_body_json(body);
    serve(&server, "GET", path, answer).await;
    let scope = RunnerScope::Repository(repository());
    let seen = github(&server).runners(&scope).await.unwrap();
    let told: Vec<_> = seen
        .iter()
        .map(|one| (one.id.0, one.is_online, one.is_busy))
        .collect();
    assert_eq!(told, [(3, false, false), (4, true, true)]);
}
