//! What is played, so that every route answers in every way that it knows.

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use reprise_model::ids::{JobId, RunId, RunnerName};
use reprise_model::job::Conclusion;
use reprise_world::github::{Concurrency, Faults, JobSpec, RunSpec};
use serde_json::{Value, json};

use super::talk::{LABELS, Talk, repository};

const ACTIONS: &str = "/repos/acme/shop/actions";

/// Everything.
pub(crate) fn play(talk: &mut Talk) -> Result<()> {
    credentials(talk)?;
    webhooks_are_delivered_again(talk)?;
    let run = a_run_is_interrupted_and_comes_back(talk)?;
    lists_have_pages_and_filters(talk, run)?;
    what_is_not_there(talk, run)?;
    every_conclusion(talk)?;
    cancels(talk)?;
    a_run_without_branch_and_jobs(talk)?;
    a_newer_run_supersedes(talk)?;
    a_host_is_lost(talk)?;
    logs(talk)?;
    runners(talk)?;
    check_runs(talk)?;
    refusals_for_reasons_of_the_app(talk, run)?;
    refusals_for_reasons_of_time(talk, run)
}

fn job(name: &str) -> JobSpec {
    JobSpec::new(name, LABELS)
}

fn spec(jobs: Vec<JobSpec>) -> Result<RunSpec> {
    Ok(RunSpec::new(repository()?, jobs))
}

fn credentials(talk: &mut Talk) -> Result<()> {
    let app = talk.app.clone();
    let tokens = "/app/installations/42/access_tokens";
    let made = talk.ask_as(&app, "POST", tokens, 201)?;
    talk.token = made["token"].as_str().unwrap_or_default().to_owned();
    talk.ask_as("no-token", "POST", tokens, 401)?;
    talk.ask_as(&app, "POST", "/app/installations/43/access_tokens", 404)?;
    talk.ask_as(&app, "GET", "/app", 200)?;
    talk.ask_as("no-token", "GET", "/app", 401)?;
    talk.ask_as(&app, "GET", "/app/hook/config", 200)?;
    talk.ask_as("no-token", "GET", "/app/hook/config", 401)?;
    talk.ask_as(&app, "GET", "/repos/acme/shop/installation", 200)?;
    talk.ask_as(&app, "GET", "/repos/acme/attic/installation", 404)?;
    talk.ask("GET", "/rate_limit", 200)?;
    talk.ask_as("no-token", "GET", "/rate_limit", 401)?;
    Ok(())
}

/// The webhook's address is down for a while; of what did not arrive one thing is sent again.
fn webhooks_are_delivered_again(talk: &mut Talk) -> Result<()> {
    let app = talk.app.clone();
    talk.ask_as(&app, "GET", "/app/installations", 200)?;
    talk.ask("GET", "/installation/repositories?per_page=100", 200)?;
    let until = talk.now() + SignedDuration::from_mins(1);
    talk.github.faults_mut().webhooks_down_until = Some(until);
    talk.push(spec(vec![job("build")])?);
    talk.ask("GET", &format!("{ACTIONS}/runs?status=queued"), 200)?;
    talk.wait(SignedDuration::from_mins(2));
    talk.work_off(&Conclusion::Success)?;
    let list = "/app/hook/deliveries";
    talk.ask_as(&app, "GET", &format!("{list}?per_page=2"), 200)?;
    talk.ask_as("no-token", "GET", list, 401)?;
    talk.ask_as(&app, "GET", &format!("{list}?cursor=nonsense"), 400)?;
    let all = talk.ask_as(&app, "GET", list, 200)?;
    let all = all.as_array().map(Vec::as_slice).unwrap_or_default();
    let again = |code: u16| {
        let one = all.iter().find(|one| one["status_code"] == code);
        let id = one.and_then(|one| one["id"].as_u64()).unwrap_or_default();
        format!("{list}/{id}/attempts")
    };
    talk.ask_as(&app, "POST", &again(502), 202)?;
    talk.ask_as(&app, "POST", &again(200), 422)?;
    talk.ask_as(&app, "POST", &format!("{list}/1/attempts"), 404)?;
    talk.ask_as("no-token", "POST", &again(502), 401)?;
    talk.ask_as(&app, "GET", list, 200)?;
    Ok(())
}

/// A matrix whose one job is interrupted and takes its sibling along, a job that succeeds and is
/// carried over, and one that waits for the matrix.
fn a_run_is_interrupted_and_comes_back(talk: &mut Talk) -> Result<RunId> {
    let jobs = vec![
        job("test (1)").matrix("test", true),
        job("test (2)").matrix("test", true),
        job("lint"),
        job("report").needs(["test"]),
    ];
    let run = talk.push(spec(jobs)?);
    look_at_all(talk, run, 1, &[])?;
    let (first, second, lint) = (talk.take()?, talk.take()?, talk.take()?);
    look_at_all(talk, run, 1, &[first, second, lint])?;
    talk.finish(lint, Conclusion::Success)?;
    talk.finish(first, Conclusion::Failure)?;
    refused_while_active(talk, run, first)?;
    talk.wait(SignedDuration::from_secs(30));
    look_at_all(talk, run, 1, &[first, second, lint])?;

    rerun_job(talk, first, 201)?;
    rerun_job(talk, first, 403)?;
    look_at_all(talk, run, 2, &[first])?;
    talk.work_off(&Conclusion::Failure)?;
    talk.wait(SignedDuration::from_secs(30));
    talk.ask(
        "POST",
        &format!("{ACTIONS}/runs/{run}/rerun-failed-jobs"),
        201,
    )?;
    look_at_all(talk, run, 3, &[])?;
    talk.work_off(&Conclusion::Success)?;
    talk.ask("POST", &format!("{ACTIONS}/runs/{run}/rerun"), 201)?;
    talk.work_off(&Conclusion::Success)?;
    look_at_all(talk, run, 4, &[])?;
    Ok(run)
}

fn refused_while_active(talk: &mut Talk, run: RunId, job: JobId) -> Result<()> {
    rerun_job(talk, job, 403)?;
    talk.ask(
        "POST",
        &format!("{ACTIONS}/runs/{run}/rerun-failed-jobs"),
        403,
    )?;
    talk.ask("POST", &format!("{ACTIONS}/runs/{run}/rerun"), 403)?;
    Ok(())
}

fn look_at_all(talk: &mut Talk, run: RunId, attempts: u32, jobs: &[JobId]) -> Result<()> {
    let base = format!("{ACTIONS}/runs/{run}");
    talk.ask("GET", &base, 200)?;
    talk.ask("GET", &format!("{base}/jobs"), 200)?;
    talk.ask("GET", &format!("{base}/jobs?filter=all"), 200)?;
    for number in 1..=attempts {
        talk.ask("GET", &format!("{base}/attempts/{number}"), 200)?;
        talk.ask(
            "GET",
            &format!("{base}/attempts/{number}/jobs?per_page=100"),
            200,
        )?;
    }
    for job in jobs {
        talk.ask("GET", &format!("{ACTIONS}/jobs/{job}"), 200)?;
        talk.ask(
            "GET",
            &format!("/repos/acme/shop/check-runs/{job}/annotations"),
            200,
        )?;
    }
    Ok(())
}

fn rerun_job(talk: &mut Talk, job: JobId, status: u16) -> Result<()> {
    talk.ask("POST", &format!("{ACTIONS}/jobs/{job}/rerun"), status)?;
    Ok(())
}

fn lists_have_pages_and_filters(talk: &mut Talk, run: RunId) -> Result<()> {
    let jobs = format!("{ACTIONS}/runs/{run}/jobs?filter=all&per_page=3");
    for page in ["1", "2", "99"] {
        talk.ask("GET", &format!("{jobs}&page={page}"), 200)?;
    }
    let runs = format!("{ACTIONS}/workflows/ci.yml/runs");
    for filter in [
        "",
        "?status=completed",
        "?branch=main&event=push",
        "?branch=none",
        "?created=%3E%3D2026-01-01",
    ] {
        talk.ask("GET", &format!("{runs}{filter}"), 200)?;
    }
    Ok(())
}

fn what_is_not_there(talk: &mut Talk, run: RunId) -> Result<()> {
    let base = format!("{ACTIONS}/runs/{run}");
    for path in [
        format!("{ACTIONS}/runs/1"),
        format!("{ACTIONS}/runs/1/jobs"),
        format!("{base}/attempts/99"),
        format!("{base}/attempts/99/jobs"),
        format!("{ACTIONS}/jobs/1"),
        format!("{ACTIONS}/workflows/none.yml/runs"),
        "/repos/acme/shop/check-runs/1/annotations".to_owned(),
    ] {
        talk.ask("GET", &path, 404)?;
    }
    for path in [
        "jobs/1/rerun",
        "runs/1/rerun",
        "runs/1/rerun-failed-jobs",
        "runs/1/cancel",
    ] {
        talk.ask("POST", &format!("{ACTIONS}/{path}"), 404)?;
    }
    talk.ask_as("no-token", "GET", &base, 401)?;
    talk.ask_as(
        "no-token",
        "POST",
        &format!("{base}/rerun-failed-jobs"),
        401,
    )?;
    Ok(())
}

fn every_conclusion(talk: &mut Talk) -> Result<()> {
    for conclusion in [
        Conclusion::Success,
        Conclusion::Failure,
        Conclusion::Cancelled,
        Conclusion::Skipped,
        Conclusion::Neutral,
        Conclusion::TimedOut,
        Conclusion::ActionRequired,
    ] {
        let run = talk.push(spec(vec![job("build")])?);
        let build = talk.take()?;
        talk.finish(build, conclusion)?;
        look_at_all(talk, run, 1, &[build])?;
    }
    Ok(())
}

fn cancels(talk: &mut Talk) -> Result<()> {
    let jobs = vec![job("build"), job("clean up").needs(["build"]).always()];
    let run = talk.push(spec(jobs)?);
    let build = talk.take()?;
    let cancel = format!("{ACTIONS}/runs/{run}/cancel");
    talk.ask("POST", &cancel, 202)?;
    talk.wait(SignedDuration::from_secs(30));
    talk.work_off(&Conclusion::Success)?;
    talk.wait(SignedDuration::from_secs(30));
    look_at_all(talk, run, 1, &[build])?;
    talk.ask("POST", &cancel, 409)?;
    Ok(())
}

/// As a schedule or a deleted branch leaves it, and as a workflow file that is not understood.
fn a_run_without_branch_and_jobs(talk: &mut Talk) -> Result<()> {
    let mut lost = spec(vec![job("build")])?;
    lost.head_branch = None;
    lost.event = "schedule".to_owned();
    let run = talk.push(lost);
    talk.work_off(&Conclusion::Success)?;
    look_at_all(talk, run, 1, &[])?;

    let run = talk.push(spec(Vec::new())?);
    look_at_all(talk, run, 1, &[])?;
    talk.ask(
        "POST",
        &format!("{ACTIONS}/runs/{run}/rerun-failed-jobs"),
        403,
    )?;
    Ok(())
}

fn a_newer_run_supersedes(talk: &mut Talk) -> Result<()> {
    let mut spec = spec(vec![job("deploy")])?;
    spec.event = "pull_request".to_owned();
    spec.concurrency = Some(Concurrency {
        group: "deploy".to_owned(),
        cancel_in_progress: true,
    });
    let old = talk.push(spec.clone());
    let deploy = talk.take()?;
    let new = talk.push(spec);
    look_at_all(talk, new, 1, &[])?;
    let group = format!("{ACTIONS}/concurrency_groups/deploy");
    talk.ask("GET", &group, 200)?;
    for run in [old, new] {
        let groups = format!("{ACTIONS}/runs/{run}/concurrency_groups");
        talk.ask("GET", &groups, 200)?;
    }
    talk.ask("GET", &format!("{ACTIONS}/runs/1/concurrency_groups"), 404)?;
    talk.ask("GET", &format!("{ACTIONS}/concurrency_groups/idle"), 404)?;
    talk.wait(SignedDuration::from_secs(30));
    talk.work_off(&Conclusion::Success)?;
    look_at_all(talk, old, 1, &[deploy])?;
    look_at_all(talk, new, 1, &[])
}

fn a_host_is_lost(talk: &mut Talk) -> Result<()> {
    let run = talk.push(spec(vec![job("build")])?);
    let build = talk.take()?;
    let now = talk.now();
    talk.github.lose_runner(now, build)?;
    talk.wait(SignedDuration::from_mins(11));
    look_at_all(talk, run, 1, &[build])
}

/// Logs are there once a job has ended, for as long as they are kept.
fn logs(talk: &mut Talk) -> Result<()> {
    let spec = spec(vec![
        job("build").fails_with("Build", "no space left on device"),
    ])?;
    talk.push(spec);
    let build = talk.take()?;
    let path = format!("{ACTIONS}/jobs/{build}/logs");
    talk.ask("GET", &path, 404)?;
    talk.finish(build, Conclusion::Failure)?;
    talk.ask("GET", &path, 302)?;
    talk.github.faults_mut().logs_are_gone = true;
    talk.ask("GET", &path, 410)?;
    talk.github.faults_mut().logs_are_gone = false;
    Ok(())
}

/// Runners of an organisation and of a repository, from their order to their removal.
fn runners(talk: &mut Talk) -> Result<()> {
    let groups = talk.ask("GET", "/orgs/acme/actions/runner-groups", 200)?;
    ensure!(groups["total_count"] == 2, "{groups}");
    talk.ask("GET", "/orgs/nobody/actions/runner-groups", 404)?;
    for place in [
        "/orgs/acme/actions/runners",
        "/repos/acme/shop/actions/runners",
    ] {
        let first = order_runner(talk, place, "first", 201)?;
        order_runner(talk, place, "first", 409)?;
        order_runner(talk, place, &"long".repeat(17), 422)?;
        order_runner(talk, &place.replace("acme", "nobody"), "first", 404)?;
        let one = format!("{place}/{}", first["runner"]["id"]);
        talk.ask("GET", &one, 200)?;
        talk.ask("GET", place, 200)?;
        let now = talk.now();
        let config = first["encoded_jit_config"].as_str().unwrap_or_default();
        talk.github.start_runner(now, config)?;
        talk.ask("GET", &one, 200)?;
        talk.push(spec(vec![job("build")])?);
        let build = talk.github.take_job(now, &RunnerName::new("first"), &[]);
        talk.ask("GET", &one, 200)?;
        talk.ask("DELETE", &one, 422)?;
        talk.finish(build.context("no job was taken")?, Conclusion::Success)?;
        talk.ask("DELETE", &one, 404)?;
        talk.ask("GET", &one, 404)?;
        let second = order_runner(talk, place, "second", 201)?;
        talk.ask(
            "DELETE",
            &format!("{place}/{}", second["runner"]["id"]),
            204,
        )?;
    }
    talk.github.faults_mut().no_runners_write = true;
    order_runner(talk, "/orgs/acme/actions/runners", "third", 403)?;
    talk.github.faults_mut().no_runners_write = false;
    talk.github.faults_mut().fail_after_acting = 1;
    order_runner(talk, "/orgs/acme/actions/runners", "third", 500)?;
    Ok(())
}

fn order_runner(talk: &mut Talk, place: &str, name: &str, status: u16) -> Result<Value> {
    let body = json!({
        "name": name,
        "runner_group_id": 1,
        "labels": LABELS,
        "work_folder": "_work",
    });
    talk.order(&format!("{place}/generate-jitconfig"), body, status)
}

/// A check run of the App's, from its making to its second words.
fn check_runs(talk: &mut Talk) -> Result<()> {
    let run = talk.push(spec(vec![job("build")])?);
    let head = talk.github.run(run).map(|run| run.spec.head_sha.clone());
    let head = head.context("it was pushed")?;
    let list = format!("/repos/acme/shop/commits/{head}/check-runs");
    talk.ask("GET", &list, 200)?;
    let checks = "/repos/acme/shop/check-runs";
    let mut body = json!({
        "name": "Reprise",
        "head_sha": head,
        "external_id": format!("{run}/build"),
        "status": "completed",
        "conclusion": "failure",
        "output": { "title": "No machine", "summary": "EC2 has **none**." },
    });
    let made = talk.order(checks, body.clone(), 201)?;
    let shown = talk.ask("GET", &format!("{list}?check_name=Reprise&filter=all"), 200)?;
    ensure!(shown["total_count"] == 1, "{shown}");
    let none = talk.ask("GET", &format!("{list}?check_name=other"), 200)?;
    ensure!(none["total_count"] == 0, "{none}");
    let one = format!("{checks}/{}", made["id"]);
    body["output"]["title"] = json!("Still no machine");
    let object = body.as_object_mut().context("it is one")?;
    object.remove("head_sha");
    talk.write(&one, body.clone(), 200)?;
    check_run_of_a_run(talk, &list, &head.to_string())?;
    talk.write(&format!("{checks}/1"), body.clone(), 404)?;
    body["head_sha"] = json!("0000000000000000000000000000000000000000");
    talk.order(checks, body.clone(), 422)?;
    talk.github.faults_mut().no_checks_read = true;
    talk.ask("GET", &list, 403)?;
    body["head_sha"] = json!(head);
    talk.order(checks, body, 403)?;
    talk.github.faults_mut().no_checks_read = false;
    Ok(())
}

/// One that is opened, concluded, and opened again.
fn check_run_of_a_run(talk: &mut Talk, list: &str, head: &str) -> Result<()> {
    let checks = "/repos/acme/shop/check-runs";
    let mut body = json!({
        "name": "Reprise merge queue (ci.yml)",
        "head_sha": head,
        "external_id": "1",
        "status": "in_progress",
        "output": { "title": "The run is waited for", "summary": "" },
    });
    let made = talk.order(checks, body.clone(), 201)?;
    ensure!(made["conclusion"].is_null(), "{made}");
    let one = format!("{checks}/{}", made["id"]);
    body.as_object_mut()
        .context("it is one")?
        .remove("head_sha");
    for conclusion in ["success", "neutral", "failure"] {
        body["status"] = json!("completed");
        body["conclusion"] = json!(conclusion);
        let written = talk.write(&one, body.clone(), 200)?;
        ensure!(written["conclusion"] == conclusion, "{written}");
    }
    body["status"] = json!("in_progress");
    body.as_object_mut()
        .context("it is one")?
        .remove("conclusion");
    let again = talk.write(&one, body, 200)?;
    ensure!(again["status"] == "in_progress", "{again}");
    let name = "check_name=Reprise%20merge%20queue%20(ci.yml)";
    let shown = talk.ask("GET", &format!("{list}?{name}&filter=all"), 200)?;
    ensure!(shown["total_count"] == 1, "{shown}");
    Ok(())
}

fn refusals_for_reasons_of_the_app(talk: &mut Talk, run: RunId) -> Result<()> {
    let (read, change) = (
        format!("{ACTIONS}/runs/{run}"),
        format!("{ACTIONS}/runs/{run}/rerun"),
    );
    let faults = |talk: &mut Talk, faults: Faults| *talk.github.faults_mut() = faults;
    let now = talk.now();
    faults(
        talk,
        Faults {
            no_actions_write: true,
            no_checks_read: true,
            ..Faults::default()
        },
    );
    talk.ask("POST", &change, 403)?;
    let job = talk
        .github
        .run(run)
        .and_then(|run| run.current().jobs.keys().next().copied());
    let job = job.unwrap_or(JobId(1));
    rerun_job(talk, job, 403)?;
    talk.ask(
        "GET",
        &format!("/repos/acme/shop/check-runs/{job}/annotations"),
        403,
    )?;
    faults(
        talk,
        Faults {
            secondary_limit_until: Some(now + SignedDuration::from_mins(1)),
            ..Faults::default()
        },
    );
    talk.ask("GET", &read, 403)?;
    talk.ask("POST", &change, 403)?;
    faults(
        talk,
        Faults {
            fail_before_acting: 1,
            ..Faults::default()
        },
    );
    talk.ask("POST", &change, 500)?;
    Ok(())
}

fn refusals_for_reasons_of_time(talk: &mut Talk, run: RunId) -> Result<()> {
    talk.wait(SignedDuration::from_hours(31 * 24));
    let change = format!("{ACTIONS}/runs/{run}/rerun");
    talk.ask("POST", &change, 401)?;
    let app = talk.app.clone();
    let made = talk.ask_as(&app, "POST", "/app/installations/42/access_tokens", 201)?;
    talk.token = made["token"].as_str().unwrap_or_default().to_owned();
    talk.ask("POST", &change, 403)?;
    Ok(())
}
