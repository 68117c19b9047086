//! A Lambda function as an endpoint, on ministack, which runs it by a Python of this machine.

use anyhow::{Context, Result, ensure};
use reprise_ask::{Asker, Settings};
use reprise_model::advice::{
    Answer, AskedJob, AskedRun, EndpointName, NoAnswer, Question, VERSION,
};
use reprise_model::ids::{JobId, Region, RunAttempt, RunId, Sha};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_tests::isolated;
use reprise_tests::ministack::Ministack;
use serde::{Deserialize, Serialize};

/// What answers by the name of the job that it is asked about.
const JUDGE: &str = r#"
def handler(question, context):
    name = question["job"]["name"]
    if name == "breaks":
        raise ValueError("on purpose")
    if name == "talks":
        return "certainly"
    return {"retry": question["interrupted"], "capacity": "spot", "reason": name}
"#;

#[derive(Serialize, Deserialize)]
struct Place {
    region: Region,
    function: String,
}

#[tokio::test]
async fn a_lambda_function_is_asked_on_ministack() -> Result<()> {
    if let Some(place) = isolated::place::<Place>()? {
        return asked(&place).await;
    }
    let ministack = Ministack::start().await?;
    ministack.function("judge", JUDGE).await?;
    let place = Place {
        region: ministack.region().clone(),
        function: "judge".to_owned(),
    };
    let test = "a_lambda_function_is_asked_on_ministack";
    isolated::run_again(test, &ministack.url(), &place).await
}

async fn asked(place: &Place) -> Result<()> {
    let asker = asker(place, &place.function).await?;
    let said = answer(&asker, "build", true).await?;
    let yes = Answer {
        retry: true,
        capacity: Some(Capacity::Spot),
        reason: Some("build".to_owned()),
    };
    ensure!(said == Ok(yes), "{said:?}");
    let said = answer(&asker, "build", false).await?;
    ensure!(said.as_ref().is_ok_and(|said| !said.retry), "{said:?}");
    for (name, word) in [("breaks", "function-failed"), ("talks", "bad-answer")] {
        let said = answer(&asker, name, true).await?;
        let why = said.err().context("it is no answer")?;
        ensure!(why.as_str() == word, "{name}: {why}");
    }
    let nobody = self::asker(place, "nobody").await?;
    let said = answer(&nobody, "build", true).await?;
    ensure!(said == Err(NoAnswer::BadStatus { status: 404 }), "{said:?}");
    Ok(())
}

async fn asker(place: &Place, function: &str) -> Result<Asker> {
    let settings = Settings::Lambda {
        function: function.to_owned(),
        region: place.region.clone(),
    };
    Ok(Asker::connect([(name()?, settings)]).await?)
}

/// The first run of a function begins a process of its own, which a busy machine may take seconds for: a time
/// that was over is no word on the function.
async fn answer(asker: &Asker, job: &str, interrupted: bool) -> Result<Result<Answer, NoAnswer>> {
    let question = question(job, interrupted)?;
    let now = "2026-03-01T10:00:00Z".parse()?;
    let mut said = asker.ask(&question, now).await;
    for _ in 0..5 {
        if said != Err(NoAnswer::TimedOut) {
            break;
        }
        said = asker.ask(&question, now).await;
    }
    Ok(said)
}

fn name() -> Result<EndpointName> {
    Ok("judge".parse()?)
}

fn question(job: &str, interrupted: bool) -> Result<Question> {
    Ok(Question {
        version: VERSION,
        endpoint: name()?,
        repository: "acme/shop".parse()?,
        workflow: Some("ci".to_owned()),
        run: AskedRun {
            id: RunId(900),
            attempt: RunAttempt::FIRST,
            url: "https://github.com/acme/shop/actions/runs/900".to_owned(),
            head_sha: Sha::new("0123abc"),
            head_branch: None,
        },
        job: AskedJob {
            id: JobId(1),
            name: job.to_owned(),
            url: "https://github.com/acme/shop/actions/runs/900/job/1".to_owned(),
            labels: Vec::new(),
            conclusion: Some(Conclusion::Failure),
            failed_step: None,
            started_at: None,
            completed_at: None,
        },
        interrupted,
        evidence: Vec::new(),
        failure: None,
        capacity: None,
        attempts: 1,
        most_attempts: 6,
    })
}
