//! Just-in-time runners: what is ordered, when it works, and when it is gone.

use super::*;
use crate::github::{RunnerState, StartError};

const TOKENS: &str = "/app/installations/42/access_tokens";
const OF_ORGANIZATION: &str = "/orgs/acme/actions/runners";
const OF_REPOSITORY: &str = "/repos/acme/shop/actions/runners";

fn body(name: &str, group: u64) -> Value {
    json!({ "name": name, "runner_group_id": group, "labels": ["linux", "x64"] })
}

fn order_of(github: &mut GitHub, now: Timestamp, at_place: &str, body: &Value) -> (u16, Value) {
    let token = send(github, now, "POST", TOKENS, &jwt(&KEYS, 1_234)).1["token"].clone();
    let path = format!("{at_place}/generate-jitconfig");
    let mut asked = request("POST", &path, token.as_str().expect("a token"));
    *asked.body_mut() = body.to_string().into_bytes();
    let answer = github.handle(now, &asked);
    let body = serde_json::from_slice(answer.body()).expect("JSON");
    (answer.status().as_u16(), body)
}

fn order(github: &mut GitHub, place: &str, name: &str) -> (u16, Value) {
    order_of(github, at(0), place, &body(name, 1))
}

/// A configuration of a runner of the organisation.
fn configuration(github: &mut GitHub, name: &str) -> String {
    let (status, made) = order(github, OF_ORGANIZATION, name);
    assert_eq!(status, 201, "{made}");
    made["encoded_jit_config"]
        .as_str()
        .expect("text")
        .to_owned()
}

fn remove(github: &mut GitHub, now: Timestamp, id: u64) -> u16 {
    let client = Client::of(github);
    let asked = request("DELETE", &format!("{OF_ORGANIZATION}/{id}"), &client.token);
    github.handle(now, &asked).status().as_u16()
}

#[test]
fn a_configuration_is_over_4_kb_and_its_runner_is_offline_until_a_machine_starts_with_it() {
    let mut github = github();
    let config = configuration(&mut github, "one");
    assert!(config.len() > 4_096, "{}", config.len());
    let client = Client::of(&mut github);
    let status = |github: &mut GitHub| {
        let path = format!("{OF_ORGANIZATION}?name=one");
        client.get(github, &path).1["runners"][0]["status"].clone()
    };
    assert_eq!(status(&mut github), "offline");
    github
        .start_runner(at(1), &config)
        .expect("the first start");
    assert_eq!(status(&mut github), "online");
}

#[test]
fn a_configuration_works_once() {
    let mut github = github();
    let config = configuration(&mut github, "one");
    push(&mut github, vec![job("build")]);
    github
        .start_runner(at(1), &config)
        .expect("the first start");
    assert_eq!(github.start_runner(at(2), &config), Err(StartError::Used));
    let taken = take(&mut github, at(3), "one");
    assert_eq!(github.start_runner(at(4), &config), Err(StartError::Used));
    finish(&mut github, at(5), taken, Conclusion::Success);
    assert_eq!(
        github.start_runner(at(6), &config),
        Err(StartError::Unknown)
    );
}

#[test]
fn a_name_is_taken_until_its_runner_is_gone() {
    let mut github = github();
    assert_eq!(order(&mut github, OF_ORGANIZATION, "one").0, 201);
    assert_eq!(order(&mut github, OF_ORGANIZATION, "ONE").0, 409);
    assert_eq!(order(&mut github, OF_REPOSITORY, "one").0, 201);
    let day = at(24 * 3_600);
    assert_eq!(
        order_of(&mut github, day, OF_ORGANIZATION, &body("one", 1)).0,
        201
    );
}

#[test]
fn an_order_whose_answer_was_lost_is_a_conflict_when_it_is_repeated() {
    let mut github = github();
    github.faults_mut().fail_after_acting = 1;
    assert_eq!(order(&mut github, OF_ORGANIZATION, "one").0, 500);
    assert_eq!(order(&mut github, OF_ORGANIZATION, "one").0, 409);
    github.faults_mut().fail_before_acting = 1;
    assert_eq!(order(&mut github, OF_ORGANIZATION, "two").0, 500);
    assert_eq!(order(&mut github, OF_ORGANIZATION, "two").0, 201);
}

#[test]
fn what_github_does_not_take_is_refused() {
    let mut github = github();
    let long = "l".repeat(257);
    for (wrong, status) in [
        (json!({}), 422),
        (body("", 1), 422),
        (body(&"n".repeat(65), 1), 422),
        (
            json!({ "name": "n", "runner_group_id": 1, "labels": [] }),
            422,
        ),
        (
            json!({ "name": "n", "runner_group_id": 1, "labels": [long] }),
            422,
        ),
        (body("n", 2), 404),
    ] {
        let answer = order_of(&mut github, at(0), OF_ORGANIZATION, &wrong);
        assert_eq!(answer.0, status, "{wrong}: {}", answer.1);
    }
    for place in [
        "/orgs/other/actions/runners",
        "/repos/acme/attic/actions/runners",
    ] {
        assert_eq!(order(&mut github, place, "n").0, 404, "{place}");
    }
    github.faults_mut().no_runners_write = true;
    assert_eq!(order(&mut github, OF_ORGANIZATION, "n").0, 403);
}

#[test]
fn a_persons_account_has_runners_at_its_repositories_only() {
    let mut github = GitHub::new(Settings {
        people: vec!["acme".to_owned()],
        ..settings()
    })
    .expect("valid settings");
    let path = "/repos/acme/shop/installation";
    let found = send(&mut github, at(0), "GET", path, &jwt(&KEYS, 1_234)).1;
    assert_eq!(found["target_type"], "User");
    assert_eq!(order(&mut github, OF_ORGANIZATION, "one").0, 404);
    assert_eq!(order(&mut github, OF_REPOSITORY, "one").0, 201);
}

#[test]
fn an_organisation_has_its_groups_by_number() {
    let mut github = GitHub::new(Settings {
        runner_groups: vec!["spot".to_owned()],
        ..settings()
    })
    .expect("valid settings");
    let client = Client::of(&mut github);
    let groups = client
        .get(&mut github, "/orgs/acme/actions/runner-groups")
        .1;
    assert_eq!(groups["runner_groups"][1]["name"], "spot");
    assert_eq!(groups["runner_groups"][1]["id"], 2);
    let made = order_of(&mut github, at(0), OF_ORGANIZATION, &body("one", 2));
    assert_eq!(made.1["runner"]["runner_group_id"], 2, "{}", made.1);
}

#[test]
fn a_registered_runner_takes_jobs_of_its_own_place_by_its_own_labels() {
    let mut github = github();
    let (_, made) = order(&mut github, OF_REPOSITORY, "one");
    let config = made["encoded_jit_config"].as_str().expect("text");
    github.start_runner(at(1), config).expect("started");
    let elsewhere = RunSpec::new("acme/attic".parse().expect("valid"), vec![job("build")]);
    github.push(at(2), elsewhere);
    let name = RunnerName::new("one");
    assert_eq!(github.take_job(at(3), &name, &[]), None);
    let run = push(&mut github, vec![job("build")]);
    let taken = github.take_job(at(4), &name, &[]).expect("a job");
    let record = named(&github, run, "build");
    assert_eq!(record.id, taken);
    let shown = record.runner.as_ref().map(|runner| runner.id);
    assert_eq!(shown, made["runner"]["id"].as_u64());
}

#[test]
fn a_busy_runner_cannot_be_removed_and_goes_with_its_job() {
    let mut github = github();
    let config = configuration(&mut github, "one");
    let id = github.start_runner(at(1), &config).expect("started").id;
    push(&mut github, vec![job("build")]);
    let taken = take(&mut github, at(2), "one");
    assert_eq!(remove(&mut github, at(3), id), 422);
    finish(&mut github, at(4), taken, Conclusion::Success);
    assert_eq!(remove(&mut github, at(5), id), 404);
}

#[test]
fn an_idle_runner_can_be_removed_and_its_configuration_with_it() {
    let mut github = github();
    let config = configuration(&mut github, "one");
    let id = github.registrations().next().expect("a runner").id;
    assert_eq!(remove(&mut github, at(1), id), 204);
    assert_eq!(
        github.start_runner(at(2), &config),
        Err(StartError::Unknown)
    );
}

#[test]
fn a_runner_whose_machine_went_before_a_job_is_offline_and_gone_after_a_day() {
    let mut github = github();
    let config = configuration(&mut github, "one");
    github.start_runner(at(1), &config).expect("started");
    github.runner_gone(at(2), &RunnerName::new("one"));
    let state = github.registrations().next().map(|runner| runner.state);
    assert_eq!(state, Some(RunnerState::Lost));
    push(&mut github, vec![job("build")]);
    assert_eq!(github.idle_registration(&RunnerName::new("one")), None);
    github.prune_runners(at(2 + 24 * 3_600));
    assert_eq!(github.registrations().count(), 0);
}
