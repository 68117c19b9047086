//! The App's webhook while its address is down, and what is delivered again.

use reprise_model::delivery::HookEvent;
use reprise_model::ids::HookAttemptId;

use super::*;
use crate::github::NotAgain;

const LIST: &str = "/app/hook/deliveries";

fn down_until(github: &mut GitHub, seconds: i64) {
    github.faults_mut().webhooks_down_until = Some(at(seconds));
}

/// A run whose first webhooks did not arrive.
fn unheard() -> GitHub {
    let mut github = github();
    down_until(&mut github, 100);
    push(&mut github, vec![job("build")]);
    github
}

fn get(github: &mut GitHub, path: &str) -> (StatusCode, Value) {
    send(github, at(200), "GET", path, &jwt(&KEYS, 1_234))
}

fn post(github: &mut GitHub, now: i64, id: HookAttemptId) -> u16 {
    let path = format!("{LIST}/{id}/attempts");
    let answer = send(github, at(now), "POST", &path, &jwt(&KEYS, 1_234));
    answer.0.as_u16()
}

fn queued(github: &GitHub) -> HookAttemptId {
    let mut attempts = github.attempts();
    let queued = attempts.find(|one| one.event == HookEvent::JobQueued);
    queued.expect("an attempt").id
}

#[test]
fn what_an_address_that_is_down_did_not_take_is_listed_as_failed() {
    let mut github = unheard();
    assert!(github.take_deliveries().is_empty());
    take(&mut github, at(150), "runner");
    assert_eq!(github.take_deliveries().len(), 2);
    let (status, list) = get(&mut github, LIST);
    assert_eq!(status, StatusCode::OK);
    let list = list.as_array().expect("a list");
    let told = list.iter().map(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {}",
            text("event"),
            text("action"),
            one["status_code"]
        )
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "workflow_run in_progress 200",
            "workflow_job in_progress 200",
            "workflow_job queued 502",
            "workflow_run requested 502",
        ]
    );
}

#[test]
fn a_redelivery_is_the_same_webhook_in_a_new_attempt() {
    let mut github = unheard();
    let first = queued(&github);
    let expected = github.undelivered();
    assert_eq!(expected.len(), 2);
    assert_eq!(post(&mut github, 200, first), 202);
    let again = github.take_deliveries();
    assert_eq!(told(&again), ["queued build: -"]);
    let newest = github.attempts().next().expect("an attempt");
    assert!(newest.redelivery && newest.arrived && newest.id > first);
    assert_eq!((newest.at, &newest.delivery), (at(200), &again[0].id));
    assert_eq!(github.undelivered().len(), 1);
}

#[test]
fn a_redelivery_to_an_address_that_is_still_down_fails_again() {
    let mut github = unheard();
    let first = queued(&github);
    assert_eq!(post(&mut github, 50, first), 202);
    assert!(github.take_deliveries().is_empty());
    let open = github.undelivered();
    let of_job = open.iter().find(|one| one.event == HookEvent::JobQueued);
    assert_eq!(of_job.expect("still open").redeliveries, 1);
}

#[test]
fn after_three_days_an_attempt_is_gone() {
    let mut github = unheard();
    let first = queued(&github);
    let late = 3 * 24 * 3_600;
    assert_eq!(github.redeliver(at(late - 1), first), Ok(()));
    assert_eq!(github.redeliver(at(late), first), Err(NotAgain::NotFound));
    assert_eq!(post(&mut github, late, first), 404);
}

#[test]
fn what_arrived_is_not_kept_for_another_time() {
    let mut github = github();
    push(&mut github, vec![job("build")]);
    let first = queued(&github);
    assert_eq!(post(&mut github, 1, first), 422);
}

#[test]
fn the_list_has_pages_that_its_links_lead_to() {
    let mut github = github();
    push(&mut github, (0..4).map(|n| job(&n.to_string())).collect());
    let mut path = format!("{LIST}?per_page=2");
    let mut sizes = Vec::new();
    loop {
        let request = request("GET", &path, &jwt(&KEYS, 1_234));
        let answer = github.handle(at(1), &request);
        let list: Vec<Value> = serde_json::from_slice(answer.body()).expect("a list");
        sizes.push(list.len());
        let Some(link) = answer.headers().get("link") else {
            break;
        };
        let link = link.to_str().expect("text").to_owned();
        assert!(link.ends_with("rel=\"next\""), "{link}");
        let (address, _) = link[1..].split_once('>').expect("an address");
        path = address.replace("https://api.github.com", "");
    }
    assert_eq!(sizes, [2, 2, 1]);
    let wrong = get(&mut github, &format!("{LIST}?cursor=nonsense"));
    assert_eq!(wrong.0, StatusCode::BAD_REQUEST);
}

#[test]
fn only_the_app_sees_its_deliveries() {
    let mut github = unheard();
    let client = Client::of(&mut github);
    let answer = send(&mut github, at(200), "GET", LIST, &client.token);
    assert_eq!(answer.0, StatusCode::UNAUTHORIZED);
}

#[test]
fn the_door_without_http_lists_the_same() {
    let mut github = unheard();
    let page = github.read_attempts(at(200), None);
    assert_eq!(page.next, None);
    let (_, list) = get(&mut github, LIST);
    let ids = |list: &[Value]| -> Vec<u64> {
        let ids = list.iter().map(|one| one["id"].as_u64());
        ids.map(|id| id.expect("a number")).collect()
    };
    let listed: Vec<u64> = page.attempts.iter().map(|one| one.id.0).collect();
    assert_eq!(ids(list.as_array().expect("a list")), listed);
    let first = queued(&github);
    assert!(github.post_redelivery(at(200), first));
    assert!(!github.post_redelivery(at(200), HookAttemptId(1)));
}

#[test]
fn an_installation_shows_its_repositories_and_their_runs_by_status() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    push(&mut github, vec![job("other")]);
    take(&mut github, at(1), "runner");
    let (_, installations) = get(&mut github, "/app/installations");
    assert_eq!(installations[0]["id"], json!(42));
    let client = Client::of(&mut github);
    let shown = client.get(&mut github, "/installation/repositories").1;
    assert_eq!(shown["repositories"][0]["full_name"], json!("acme/shop"));
    assert_eq!(github.read_repositories(at(1)), [shop()]);
    let runs = "/repos/acme/shop/actions/runs";
    let going = client.get(&mut github, &format!("{runs}?status=in_progress"));
    assert_eq!(going.1["total_count"], json!(1));
    assert_eq!(going.1["workflow_runs"][0]["id"], json!(run));
    let waiting = client.get(&mut github, &format!("{runs}?status=queued"));
    assert_eq!(waiting.1["total_count"], json!(1));
    let active = |github: &mut GitHub| github.read_active_runs(at(1), &shop());
    assert_eq!(active(&mut github).map(|runs| runs.len()), Some(2));
    github.delete_repository(at(1), &shop());
    assert!(active(&mut github).is_none());
    assert!(github.read_repositories(at(1)).is_empty());
}
