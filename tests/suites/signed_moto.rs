//! EventBridge and the Fault Injection Service, which are asked without an SDK, against moto.

use anyhow::{Context, Result, ensure};
use reprise_aws::{Drills, EventRule, EventRules, ExperimentState};
use reprise_model::ids::Region;
use reprise_tests::moto::Moto;
use reprise_tests::{isolated, raw_aws};
use serde_json::json;

const REGION: &str = "eu-west-1";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:production-ec2-events";
const PATTERN: &str =
    r#"{"source":["aws.ec2"],"detail-type":["EC2 Spot Instance Interruption Warning"]}"#;

fn warns_of_interruptions(rule: &EventRule) -> bool {
    let warning = "EC2 Spot Instance Interruption Warning".to_owned();
    let kinds = rule
        .pattern
        .as_ref()
        .and_then(|fields| fields.get("detail-type"));
    kinds.is_some_and(|kinds| kinds.contains(&Some(warning)))
}

async fn has_rules() -> Result<()> {
    let rules = EventRules::connect(&Region::new(REGION)).await?;
    let found = rules.sending_to(QUEUE).await?;
    let enabled = |name: &str| {
        let rule = found.iter().find(|rule| rule.name == name);
        rule.map(|rule| (rule.enabled, warns_of_interruptions(rule)))
    };
    ensure!(found.len() == 2, "{found:?}");
    ensure!(enabled("on") == Some((true, true)), "{found:?}");
    ensure!(enabled("off") == Some((false, true)), "{found:?}");
    let none = rules.sending_to(&format!("{QUEUE}-of-nobody")).await?;
    ensure!(none.is_empty(), "{none:?}");
    Ok(())
}

#[tokio::test]
async fn rules_are_found_by_their_queue_on_moto() -> Result<()> {
    if isolated::place::<()>()?.is_some() {
        return has_rules().await;
    }
    let moto = Moto::start().await?;
    for (name, state) in [("on", "ENABLED"), ("off", "DISABLED")] {
        let rule = json!({ "Name": name, "State": state, "EventPattern": PATTERN });
        raw_aws::events(&moto.url(), REGION, "PutRule", &rule).await?;
        let targets = json!({ "Rule": name, "Targets": [{ "Id": "queue", "Arn": QUEUE }] });
        raw_aws::events(&moto.url(), REGION, "PutTargets", &targets).await?;
    }
    isolated::run_again("rules_are_found_by_their_queue_on_moto", &moto.url(), &()).await
}

async fn has_drills(template: &str) -> Result<()> {
    let drills = Drills::connect(&Region::new(REGION)).await?;
    let begun = drills.start(template, "once").await?;
    let again = drills.start(template, "once").await?;
    ensure!(begun.id == again.id, "{begun:?} and {again:?}");
    let seen = drills.look(&begun.id).await?;
    ensure!(
        seen.id == begun.id && seen.state != ExperimentState::Failed,
        "{seen:?}"
    );
    let error = drills
        .start("EXTnone", "twice")
        .await
        .err()
        .context("it began")?;
    let code = error.code.as_deref();
    ensure!(code == Some("ResourceNotFoundException"), "{error:?}");
    ensure!(error.detail.contains("EXTnone"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn an_experiment_is_begun_once_by_its_token_on_moto() -> Result<()> {
    if let Some(template) = isolated::place::<String>()? {
        return has_drills(&template).await;
    }
    let moto = Moto::start().await?;
    let template = json!({
        "clientToken": "template",
        "description": "a drill",
        "roleArn": "arn:aws:iam::123456789012:role/production-drill",
        "stopConditions": [{ "source": "none" }],
        "targets": { "machine": {
            "resourceType": "aws:ec2:spot-instance",
            "resourceTags": { "reprise-drill": "true" },
            "selectionMode": "COUNT(1)",
        } },
        "actions": { "interrupt": {
            "actionId": "aws:ec2:send-spot-instance-interruptions",
            "parameters": { "durationBeforeInterruption": "PT2M" },
            "targets": { "SpotInstances": "machine" },
        } },
    });
    let path = "/experimentTemplates";
    let made = raw_aws::rest_answer(&moto.url(), REGION, "fis", path, &template).await?;
    let id = made["experimentTemplate"]["id"]
        .as_str()
        .context("no template")?;
    let test = "an_experiment_is_begun_once_by_its_token_on_moto";
    isolated::run_again(test, &moto.url(), &id).await
}
