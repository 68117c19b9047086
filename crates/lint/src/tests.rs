//! What is found in workflows as people write them.

use super::*;

mod broken;
mod calls;
mod gates;
mod labels;
mod matrices;
mod resumption;
mod sharing;

/// The findings of one workflow, one a paragraph.
fn found(text: &str) -> String {
    told(&lint(&[source(text)]))
}

fn source(text: &str) -> Source {
    Source {
        name: "ci.yml".to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// The jobs of a workflow, each one with an ID of its own in its `runs-on`, if it says `ID`.
fn jobs(jobs: &[(&str, &str)]) -> String {
    let mut text = "on: push\njobs:\n".to_owned();
    for (key, body) in jobs {
        let body = body.replace("ID", &format!("${{{{ github.run_id }}}}-{key}"));
        let body = body.replace('\n', "\n    ");
        text.push_str(&format!("  {key}:\n    {body}\n"));
    }
    text
}

fn told(findings: &[Finding]) -> String {
    let told: Vec<String> = findings.iter().map(one).collect();
    if told.is_empty() {
        return "nothing".to_owned();
    }
    told.join("\n")
}

fn one(finding: &Finding) -> String {
    let Place { line, column } = finding.place;
    let (severity, code) = (finding.severity().as_str(), finding.code.as_str());
    let job = finding.job.as_deref().unwrap_or("-");
    let mut told = format!(
        "{line}:{column} {severity} {code} {job}: {}",
        finding.message
    );
    if let Some(label) = &finding.label {
        told.push_str(&format!("\n  at {} of {}", label.position, label.text));
    }
    if let Some(hint) = &finding.hint {
        told.push_str(&format!("\n  {hint}"));
    }
    told
}
