//! The App as GitHub has it.

use wiremock::ResponseTemplate;

use super::*;

#[tokio::test]
async fn the_app_is_read_with_its_grants_and_githubs_time() {
    let server = MockServer::start().await;
    let app = json!({
        "id": 42, "slug": "reprise", "permissions": { "actions": "write" }, "events": ["workflow_job"],
    });
    let answer = ResponseTemplate::new(200)
        .insert_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .set_body_json(app);
    serve(&server, "GET", "/app", answer).await;
    let (grant, date) = github(&server).app().await.unwrap();
    assert_eq!(grant.name, "reprise");
    assert_eq!(grant.permissions["actions"], "write");
    assert!(grant.events.contains("workflow_job"));
    assert_eq!(date.unwrap().to_string(), "1994-11-06T08:49:37Z");
}

#[tokio::test]
async fn installations_are_told_with_whoever_has_suspended_them() {
    let server = MockServer::start().await;
    let listed = json!([
        { "account": { "login": "acme", "slug": "acme" }, "permissions": {}, "events": [], "suspended_at": null },
        { "account": { "slug": "big" }, "permissions": { "checks": "read" }, "events": [],
          "suspended_at": "2026-01-01T00:00:00Z" },
    ]);
    let answer = ResponseTemplate::new(200).set_body_json(listed);
    serve(&server, "GET", "/app/installations", answer).await;
    let found = github(&server).app_installations().await.unwrap();
    assert_eq!(found[0].name, "acme");
    assert!(!found[0].suspended && found[1].suspended);
    assert_eq!(found[1].permissions["checks"], "read");
}

#[tokio::test]
async fn the_webhook_is_read_however_its_flag_is_written() {
    for (flag, checks) in [
        (json!("0"), true),
        (json!(0), true),
        (json!("1"), false),
        (json!(1), false),
    ] {
        let server = MockServer::start().await;
        let config = json!({
            "url": "https://example.com/webhooks", "content_type": "json", "secret": "********",
            "insecure_ssl": flag,
        });
        let answer = ResponseTemplate::new(200).set_body_json(config);
        serve(&server, "GET", "/app/hook/config", answer).await;
        let config = github(&server).hook_config().await.unwrap();
        assert_eq!(config.checks_certificates(), checks, "{flag}");
        assert_eq!(config.content_type.as_deref(), Some("json"));
    }
}

#[tokio::test]
async fn a_rejected_key_is_told_as_one() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(401)
        .set_body_json(json!({ "message": "A JSON web token could not be decoded" }));
    serve(&server, "GET", "/app", answer).await;
    let error = github(&server).app().await.unwrap_err();
    assert_eq!(error.kind(), crate::GitHubErrorKind::Unauthorized);
}
