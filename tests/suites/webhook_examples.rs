//! Every example that GitHub publishes of its webhooks, read by our payload types.

use std::fs;

use anyhow::{Context, Result, ensure};
use reprise_model::webhook::{Webhook, parse};
use reprise_tests::peers;
use serde::Deserialize;
use serde_json::Value;

/// github.com, and the versions of GitHub Enterprise Server that have examples.
const FLAVOURS: [&str; 6] = [
    "api.github.com",
    "ghes-31",
    "ghes-32",
    "ghes-33",
    "ghes-34",
    "ghes-35",
];

#[derive(Deserialize)]
struct Event {
    name: String,
    examples: Vec<Value>,
}

/// How many of each kind were read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    jobs: usize,
    runs: usize,
    others: usize,
}

#[test]
fn every_published_example_of_a_webhook_is_read() -> Result<()> {
    let mut counts = Counts::default();
    for flavour in FLAVOURS {
        for event in events(flavour)? {
            for example in &event.examples {
                read(&mut counts, &event.name, example)
                    .with_context(|| format!("{flavour}: {example}"))?;
            }
        }
    }
    // The package is pinned, so that these are facts and an empty folder cannot pass.
    let published = Counts {
        jobs: 11,
        runs: 10,
        others: 705,
    };
    assert_eq!(counts, published);
    Ok(())
}

fn events(flavour: &str) -> Result<Vec<Event>> {
    let file = peers::node_file(&format!("@octokit/webhooks-examples/{flavour}/index.json"))?;
    let text = fs::read(&file).with_context(|| format!("failed to read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("failed to parse {}", file.display()))
}

fn read(counts: &mut Counts, name: &str, example: &Value) -> Result<()> {
    let webhook = parse(name, example.to_string().as_bytes())?;
    match webhook {
        Webhook::WorkflowJob(event) => {
            ensure!(name == "workflow_job", "{name} was read as a job");
            ensure!(
                example["workflow_job"]["id"] == event.job.id.0,
                "another job was read"
            );
            counts.jobs += 1;
        }
        Webhook::WorkflowRun(event) => {
            ensure!(name == "workflow_run", "{name} was read as a run");
            ensure!(
                example["workflow_run"]["id"] == event.run.id.0,
                "another run was read"
            );
            counts.runs += 1;
        }
        Webhook::Other { event } => {
            ensure!(event == name, "{name} was read as {event}");
            ensure!(
                name != "workflow_job" && name != "workflow_run",
                "{name} was not read at all"
            );
            counts.others += 1;
        }
    }
    Ok(())
}
