//! Who speaks: the App's JWT, the installation's token, and what must never be seen of them.

use reprise_model::ids::Repository;
use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{header as has_header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::{GitHubError, GitHubErrorKind};

const RUN_PATH: &str = "/repos/acme/shop/actions/runs/5";
const LOOKUP_PATH: &str = "/repos/acme/shop/installation";

#[tokio::test]
async fn installation_and_token_are_asked_for_once_over_many_calls() {
    let server = installed().await;
    serve_run(&server, run_json()).await;
    let github = github(&server);
    for _ in 0..3 {
        github.clone().run(&repository(), RUN).await.unwrap();
    }
    assert_eq!(received(&server, "GET", LOOKUP_PATH).await.len(), 1);
    assert_eq!(received(&server, "POST", TOKEN_PATH).await.len(), 1);
    let reads = received(&server, "GET", RUN_PATH).await;
    assert_eq!(reads.len(), 3);
    for read in &reads {
        assert_eq!(
            header(read, "authorization"),
            [format!("Bearer {FAKE_TOKEN}")]
        );
    }
}

#[tokio::test]
async fn first_calls_at_the_same_time_share_one_lookup_and_one_token() {
    let server = installed().await;
    serve_run(&server, run_json()).await;
    let github = github(&server);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let github = github.clone();
        calls.spawn(async move { github.run(&repository(), RUN).await.unwrap().id });
    }
    assert_eq!(calls.join_all().await, [RUN; 8]);
    assert_eq!(received(&server, "GET", LOOKUP_PATH).await.len(), 1);
    assert_eq!(received(&server, "POST", TOKEN_PATH).await.len(), 1);
}

#[tokio::test]
async fn two_repositories_of_one_installation_share_its_token() {
    let server = installed().await;
    let found = ResponseTemplate::new(200).set_body_json(json!({ "id": 7 }));
    serve(&server, "GET", "/repos/acme/tools/installation", found).await;
    serve_run(&server, run_json()).await;
    let run = ResponseTemplate::new(200).set_body_json(run_json());
    serve(&server, "GET", "/repos/acme/tools/actions/runs/5", run).await;
    let tools: Repository = "acme/tools".parse().unwrap();
    let github = github(&server);
    github.run(&repository(), RUN).await.unwrap();
    github.run(&tools, RUN).await.unwrap();
    assert_eq!(received(&server, "POST", TOKEN_PATH).await.len(), 1);
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_before_it_is_used() {
    let server = MockServer::start().await;
    let found = ResponseTemplate::new(200).set_body_json(json!({ "id": 7 }));
    serve(&server, "GET", LOOKUP_PATH, found).await;
    let tokens = Mock::given(method("POST")).and(path(TOKEN_PATH));
    let first = token_answer("ghs_fake_first", &seconds_from_now(20));
    tokens
        .respond_with(first)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    serve(
        &server,
        "POST",
        TOKEN_PATH,
        token_answer("ghs_fake_second", FAR),
    )
    .await;
    serve_run(&server, run_json()).await;
    let github = github(&server);
    for _ in 0..3 {
        github.run(&repository(), RUN).await.unwrap();
    }
    let reads = received(&server, "GET", RUN_PATH).await;
    let tokens: Vec<&str> = reads
        .iter()
        .flat_map(|read| header(read, "authorization"))
        .collect();
    let second = "Bearer ghs_fake_second";
    assert_eq!(tokens, ["Bearer ghs_fake_first", second, second]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the end of a token is compared with the real clock by the client library"
)]
fn seconds_from_now(seconds: i64) -> String {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once_for_a_read() {
    let server = MockServer::start().await;
    let found = ResponseTemplate::new(200).set_body_json(json!({ "id": 7 }));
    serve(&server, "GET", LOOKUP_PATH, found).await;
    let tokens = Mock::given(method("POST")).and(path(TOKEN_PATH));
    tokens
        .respond_with(token_answer("ghs_fake_revoked", FAR))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    serve(
        &server,
        "POST",
        TOKEN_PATH,
        token_answer("ghs_fake_fresh", FAR),
    )
    .await;
    let run = ResponseTemplate::new(200).set_body_json(run_json());
    Mock::given(method("GET"))
        .and(path(RUN_PATH))
        .and(has_header("authorization", "Bearer ghs_fake_fresh"))
        .respond_with(run)
        .mount(&server)
        .await;
    serve(&server, "GET", RUN_PATH, no(401, "Bad credentials")).await;
    assert_eq!(
        github(&server).run(&repository(), RUN).await.unwrap().id,
        RUN
    );
    assert_eq!(received(&server, "GET", RUN_PATH).await.len(), 2);
}

#[tokio::test]
async fn a_fresh_token_that_is_rejected_too_is_unauthorized() {
    let server = installed().await;
    serve(&server, "GET", RUN_PATH, no(401, "Bad credentials")).await;
    let error = github(&server).run(&repository(), RUN).await.unwrap_err();
    assert_eq!(error.kind(), GitHubErrorKind::Unauthorized);
    assert_eq!(received(&server, "GET", RUN_PATH).await.len(), 2);
    assert_eq!(received(&server, "POST", TOKEN_PATH).await.len(), 2);
}

#[tokio::test]
async fn an_app_that_is_not_installed_says_where_to_install_it() {
    let server = MockServer::start().await;
    serve(&server, "GET", LOOKUP_PATH, no(404, "Not Found")).await;
    let error = github(&server).run(&repository(), RUN).await.unwrap_err();
    assert!(matches!(
        error,
        GitHubError::NotInstalled { app_id: 42, .. }
    ));
    assert!(matches!(error.kind(), GitHubErrorKind::Forbidden(_)));
    assert_eq!(
        error.to_string(),
        "find the GitHub App's installation on acme/shop: App 42 is not installed there; install \
         it on that repository, or take the repository out of the configuration"
    );
}

#[tokio::test]
async fn an_app_that_is_installed_later_is_found_then() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(LOOKUP_PATH))
        .respond_with(no(404, "Not Found"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    serve_installation(&server, "").await;
    serve_run(&server, run_json()).await;
    let github = github(&server);
    assert!(github.run(&repository(), RUN).await.is_err());
    assert!(github.run(&repository(), RUN).await.is_ok());
}

#[tokio::test]
async fn an_app_that_was_installed_anew_is_looked_up_again() {
    let server = MockServer::start().await;
    let old = ResponseTemplate::new(200).set_body_json(json!({ "id": 6 }));
    let lookup = Mock::given(method("GET")).and(path(LOOKUP_PATH));
    lookup
        .respond_with(old)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let gone = no(404, "Not Found");
    serve(&server, "POST", "/app/installations/6/access_tokens", gone).await;
    serve_installation(&server, "").await;
    serve_run(&server, run_json()).await;
    assert!(github(&server).run(&repository(), RUN).await.is_ok());
}

#[tokio::test]
async fn every_request_says_once_who_asks_and_for_which_api() {
    let server = installed().await;
    serve_run(&server, run_json()).await;
    github(&server).run(&repository(), RUN).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        let agent = format!("reprise/{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(header(request, "user-agent"), [agent]);
        assert_eq!(header(request, "x-github-api-version"), ["2022-11-28"]);
        assert_eq!(header(request, "accept"), ["application/vnd.github+json"]);
        assert_eq!(header(request, "authorization").len(), 1);
    }
    // The first two go out as the App: a JWT whose header says RS256.
    for request in &requests[..2] {
        let jwt = "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.";
        assert!(header(request, "authorization")[0].starts_with(jwt));
    }
}

#[tokio::test]
async fn an_enterprise_servers_path_prefix_is_kept_on_every_request() {
    let server = MockServer::start().await;
    serve_installation(&server, "/api/v3").await;
    let run = ResponseTemplate::new(200).set_body_json(run_json());
    serve(&server, "GET", &format!("/api/v3{RUN_PATH}"), run).await;
    for base in ["/api/v3", "/api/v3/"] {
        let uri = format!("{}{base}", server.uri());
        let github = GitHub::connect(settings(&uri)).unwrap();
        assert!(github.run(&repository(), RUN).await.is_ok(), "{base}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_refused_without_showing_it() {
    let ec = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n";
    let cut: Vec<&str> = FAKE_KEY.lines().filter(|line| line.len() != 64).collect();
    let cut = cut.join("\n");
    let escaped = FAKE_KEY.replace('\n', "\\n");
    for key in ["", "not a key", ec, &cut, &escaped] {
        let bad = Settings {
            private_key_pem: SecretString::from(key),
            ..settings("http://127.0.0.1:1")
        };
        let error = GitHub::connect(bad).unwrap_err();
        assert!(matches!(error, GitHubError::Settings { .. }));
        let text = format!("{error} {error:?}");
        assert!(text.contains("RSA private key in PEM form"), "{text}");
        assert!(!text.contains("MHcCAQEE") && !text.contains("not a key"));
        assert!(!text.contains(FAKE_KEY.lines().nth(5).unwrap()));
    }
}

#[tokio::test]
async fn a_base_uri_that_is_none_is_refused() {
    for base in [
        "",
        "api.github.com",
        "ftp://x/",
        "https://",
        "http://x/?y=z",
        "http://a:b@x/",
    ] {
        let error = GitHub::connect(settings(base)).unwrap_err();
        assert!(matches!(error, GitHubError::Settings { .. }), "{base}");
    }
}

#[test]
fn connecting_without_a_runtime_is_an_error_and_no_panic() {
    let error = GitHub::connect(settings("http://127.0.0.1:1")).unwrap_err();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[tokio::test]
async fn secrets_are_in_no_debug_output_and_no_error() {
    let server = MockServer::start().await;
    let found = ResponseTemplate::new(200).set_body_json(json!({ "id": 7 }));
    serve(&server, "GET", LOOKUP_PATH, found).await;
    // Not what GitHub describes, and the token stands where a number is wanted elsewhere.
    let broken = ResponseTemplate::new(201)
        .set_body_json(json!({ "token": FAKE_TOKEN, "permissions": FAKE_TOKEN }));
    let tokens = Mock::given(method("POST")).and(path(TOKEN_PATH));
    tokens
        .respond_with(broken)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    serve(&server, "POST", TOKEN_PATH, token_answer(FAKE_TOKEN, FAR)).await;
    let settings = settings(&server.uri());
    let github = GitHub::connect(settings.clone()).unwrap();
    let unreadable = github.run(&repository(), RUN).await.unwrap_err();
    assert!(matches!(unreadable, GitHubError::Unparsable { .. }));
    let missing = github.run(&repository(), RUN).await.unwrap_err();
    assert_eq!(missing.kind(), GitHubErrorKind::NotFound);
    let key_line = FAKE_KEY.lines().nth(5).unwrap();
    for shown in [
        format!("{github:?}"),
        format!("{settings:?}"),
        format!("{unreadable} {unreadable:?}"),
        format!("{missing} {missing:?}"),
    ] {
        assert!(
            !shown.contains("ghs_fake") && !shown.contains(key_line),
            "{shown}"
        );
        assert!(!shown.contains("Bearer"), "{shown}");
    }
}
