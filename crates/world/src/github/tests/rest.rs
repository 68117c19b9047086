//! The REST door.

use super::*;

fn message(answer: &(StatusCode, Value)) -> (u16, &str) {
    let words = answer.1["message"].as_str().unwrap_or_default();
    (answer.0.as_u16(), words)
}

const TOKENS: &str = "/app/installations/42/access_tokens";

#[test]
fn a_jwt_of_another_key_or_another_app_is_refused() {
    let mut github = github();
    let other = AppKeys::generate().expect("a key");
    let wrong_key = send(&mut github, at(0), "POST", TOKENS, &jwt(&other, 1_234));
    assert_eq!(
        message(&wrong_key),
        (401, "A JSON web token could not be decoded")
    );
    let wrong_app = send(&mut github, at(0), "POST", TOKENS, &jwt(&KEYS, 1));
    assert_eq!(message(&wrong_app), (404, "Integration not found"));
}

#[test]
fn a_jwt_that_lives_too_long_or_ends_before_it_begins_is_refused() {
    let mut github = github();
    for (exp, status) in [(1_600, 201), (1_601 + 60, 401), (1_000, 401)] {
        let claims = json!({ "iss": "1234", "iat": 1_000, "exp": exp });
        let token = jwt_with(&KEYS, &claims);
        let answer = send(&mut github, at(0), "POST", TOKENS, &token);
        assert_eq!(answer.0.as_u16(), status, "{exp}: {}", answer.1);
    }
}

#[test]
fn without_a_token_of_ours_credentials_are_bad() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    let path = format!("/repos/acme/shop/actions/runs/{run}");
    let stranger = send(&mut github, at(0), "GET", &path, "ghs_nothing");
    assert_eq!(message(&stranger), (401, "Bad credentials"));
    let bare = Request::builder()
        .uri(path)
        .body(Vec::new())
        .expect("a request");
    assert_eq!(
        github.handle(at(0), &bare).status(),
        StatusCode::UNAUTHORIZED
    );
}

#[test]
fn a_token_lives_an_hour_unless_it_is_revoked_or_set_otherwise() {
    let mut github = github();
    let client = Client::of(&mut github);
    let ask = |github: &mut GitHub, now| send(github, now, "GET", "/rate_limit", &client.token).0;
    assert_eq!(ask(&mut github, at(3_599)), StatusCode::OK);
    assert_eq!(ask(&mut github, at(3_600)), StatusCode::UNAUTHORIZED);
    github.revoke_tokens();
    assert_eq!(ask(&mut github, at(1)), StatusCode::UNAUTHORIZED);
}

#[test]
fn the_installation_of_a_known_repository_is_found_and_of_no_other() {
    let mut github = github();
    let token = jwt(&KEYS, 1_234);
    let known = send(
        &mut github,
        at(0),
        "GET",
        "/repos/ACME/shop/installation",
        &token,
    );
    assert_eq!((known.0, &known.1["id"]), (StatusCode::OK, &json!(42)));
    let other = send(
        &mut github,
        at(0),
        "GET",
        "/repos/acme/other/installation",
        &token,
    );
    assert_eq!(message(&other), (404, "Not Found"));
    let other = "/app/installations/43/access_tokens";
    assert_eq!(
        send(&mut github, at(0), "POST", other, &token).0,
        StatusCode::NOT_FOUND
    );
}

#[test]
fn two_hundred_and_fifty_jobs_come_in_three_pages() {
    let mut github = github();
    let jobs = (0..250).map(|n| job(&format!("test ({n})"))).collect();
    let run = push(&mut github, jobs);
    let client = Client::of(&mut github);
    let path = format!("/repos/acme/shop/actions/runs/{run}/attempts/1/jobs?per_page=100");
    let mut names = Vec::new();
    for (page, links) in [
        (1, "next last"),
        (2, "prev first next last"),
        (3, "prev first"),
    ] {
        let request = request("GET", &format!("{path}&page={page}"), &client.token);
        let answer = github.handle(at(1), &request);
        let link = answer.headers()["link"].to_str().expect("text");
        let relations: Vec<&str> = link
            .split("rel=\"")
            .skip(1)
            .map(|l| l.split('"').next().unwrap())
            .collect();
        assert_eq!(relations.join(" "), links);
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert_eq!(body["total_count"], 250);
        let jobs = body["jobs"].as_array().expect("a list").clone();
        names.extend(jobs.into_iter().map(|job| job["name"].clone()));
    }
    names.dedup();
    assert_eq!(names.len(), 250);
    let first = client.get(&mut github, &path.replace("?per_page=100", ""));
    assert_eq!(first.1["jobs"].as_array().map(Vec::len), Some(30));
}

#[test]
fn attempts_and_their_jobs_are_shown_by_number_and_the_run_shows_the_latest() {
    let mut github = github();
    let run = push(&mut github, vec![job("build"), job("lint")]);
    work_off(&mut github, at(1), &[("build", Conclusion::Failure)]);
    let client = Client::of(&mut github);
    let base = format!("/repos/acme/shop/actions/runs/{run}");
    client.post(&mut github, at(50), &format!("{base}/rerun-failed-jobs"));

    let latest = client.get(&mut github, &base).1;
    assert_eq!(
        (&latest["run_attempt"], &latest["status"]),
        (&json!(2), &json!("queued"))
    );
    assert_eq!(latest["triggering_actor"]["login"], "reprise[bot]");
    assert_eq!(latest["actor"]["login"], "alice");
    assert_ne!(latest["run_started_at"], latest["created_at"]);
    let first = client.get(&mut github, &format!("{base}/attempts/1")).1;
    assert_eq!(
        (&first["run_attempt"], &first["conclusion"]),
        (&json!(1), &json!("failure"))
    );
    assert_eq!(first["created_at"], latest["created_at"]);

    let count = |github: &mut GitHub, path: &str| {
        let (_, body) = client.get(github, &format!("{base}{path}"));
        body["total_count"].as_u64()
    };
    assert_eq!(count(&mut github, "/attempts/1/jobs"), Some(2));
    assert_eq!(count(&mut github, "/attempts/2/jobs"), Some(2));
    assert_eq!(count(&mut github, "/jobs"), Some(2));
    assert_eq!(count(&mut github, "/jobs?filter=all"), Some(4));
    let third = client.get(&mut github, &format!("{base}/attempts/3/jobs"));
    assert_eq!(message(&third), (404, "Not Found"));
}

#[test]
fn the_job_list_of_a_rerun_can_lag_behind() {
    let mut github = github();
    let run = push(&mut github, vec![job("build"), job("lint")]);
    work_off(&mut github, at(1), &[("build", Conclusion::Failure)]);
    github.faults_mut().job_lists_lag = SignedDuration::from_secs(5);
    let client = Client::of(&mut github);
    let base = format!("/repos/acme/shop/actions/runs/{run}");
    client.post(&mut github, at(98), &format!("{base}/rerun-failed-jobs"));
    let path = format!("{base}/attempts/2/jobs");
    let early = client.get(&mut github, &path).1;
    assert_eq!(early["total_count"], 1);
    let late = send(&mut github, at(103), "GET", &path, &client.token).1;
    assert_eq!(late["total_count"], 2);
}

#[test]
fn annotations_tell_why_a_job_was_cancelled_and_need_their_permission() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    github.cancel_run(at(1), run, "alice");
    let client = Client::of(&mut github);
    let id = named(&github, run, "build").id;
    let job = client
        .get(&mut github, &format!("/repos/acme/shop/actions/jobs/{id}"))
        .1;
    let url = job["check_run_url"].as_str().expect("an address");
    let path = url.strip_prefix("https://api.github.com").expect("ours");
    let path = format!("{path}/annotations");
    let shown = client.get(&mut github, &path).1;
    assert_eq!(shown[0]["message"], "The run was canceled by @alice.");
    github.faults_mut().no_checks_read = true;
    let words = "Resource not accessible by integration";
    assert_eq!(message(&client.get(&mut github, &path)), (403, words));
}

#[test]
fn runs_of_a_workflow_are_found_by_branch_event_and_time_the_newest_first() {
    let mut github = github();
    for (seconds, branch) in [(0, "main"), (10, "main"), (20, "other")] {
        let mut spec = RunSpec::new(shop(), vec![job("build")]);
        spec.head_branch = Some(branch.to_owned());
        github.push(at(seconds), spec);
    }
    let client = Client::of(&mut github);
    let mut numbers = |query: &str| {
        let path = format!("/repos/acme/shop/actions/workflows/ci.yml/runs{query}");
        let (_, body) = client.get(&mut github, &path);
        let runs = body["workflow_runs"].as_array().expect("a list").clone();
        runs.iter()
            .filter_map(|run| run["run_number"].as_u64())
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(""), [3, 2, 1]);
    assert_eq!(numbers("?branch=main&event=push"), [2, 1]);
    assert_eq!(numbers("?event=schedule"), [] as [u64; 0]);
    let created = format!("?created=%3E{}", at(0));
    assert_eq!(numbers(&created), [3, 2]);
    let between = format!("?created={}..{}", at(5), at(15));
    assert_eq!(numbers(&between), [2]);
    assert_eq!(numbers("?per_page=1&page=2"), [2]);
}

#[test]
fn every_answer_says_how_much_of_the_rate_limit_is_left() {
    let mut github = GitHub::new(Settings {
        requests_an_hour: 2,
        ..settings()
    })
    .expect("valid");
    let client = Client::of(&mut github);
    let path = "/repos/acme/shop/actions/runs/1";
    let mut ask = |now| {
        let answer = github.handle(now, &request("GET", path, &client.token));
        let left = answer.headers()["x-ratelimit-remaining"]
            .to_str()
            .expect("text");
        assert!(answer.headers().contains_key("x-github-request-id"));
        (answer.status().as_u16(), left.to_owned())
    };
    assert_eq!(ask(at(1)), (404, "0".to_owned()));
    assert_eq!(ask(at(2)), (403, "0".to_owned()));
    assert_eq!(ask(at(3_599)), (403, "0".to_owned()));
}

#[test]
fn the_secondary_limit_says_how_long_to_wait() {
    let mut github = github();
    let client = Client::of(&mut github);
    github.faults_mut().secondary_limit_until = Some(at(60));
    let ask = request("GET", "/repos/acme/shop/actions/runs/1", &client.token);
    let answer = github.handle(at(15), &ask);
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.headers()["retry-after"], "45");
    assert_eq!(github.handle(at(60), &ask).status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_cancel_is_accepted_while_the_run_is_active_and_conflicts_afterwards() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    let client = Client::of(&mut github);
    let path = format!("/repos/acme/shop/actions/runs/{run}/cancel");
    let accepted = client.post(&mut github, at(1), &path);
    assert_eq!(accepted, (StatusCode::ACCEPTED, json!({})));
    assert_eq!(
        client.post(&mut github, at(2), &path).0,
        StatusCode::CONFLICT
    );
    assert_eq!(conclusion(&github, run), Some(Conclusion::Cancelled));
}

#[test]
fn the_app_and_unknown_paths() {
    let mut github = github();
    let token = jwt(&KEYS, 1_234);
    let app = send(&mut github, at(0), "GET", "/app", &token).1;
    assert_eq!(
        (&app["id"], &app["slug"]),
        (&json!(1_234), &json!("reprise"))
    );
    let unknown = send(&mut github, at(0), "GET", "/nowhere", &token);
    assert_eq!(message(&unknown), (404, "Not Found"));
    assert_eq!(github.requests()["unknown"], 1);
}
