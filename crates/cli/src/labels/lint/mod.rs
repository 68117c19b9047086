//! `reprise labels lint`.

mod files;
mod formats;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use reprise_lint::{Code, Finding, Severity};

use crate::output::{note, say_exactly};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Workflow files, folders of them, or - for standard input.
    #[arg(default_value = ".github/workflows")]
    paths: Vec<PathBuf>,
    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail for these too.
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// Leave findings of this kind out; may be given several times.
    #[arg(long, value_name = "CODE", value_parser = codes())]
    allow: Vec<Code>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a finding and line.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Everything but notes.
    Warnings,
}

fn codes() -> impl TypedValueParser<Value = Code> {
    PossibleValuesParser::new(Code::ALL.map(Code::as_str)).try_map(|name| {
        let found = Code::ALL.into_iter().find(|code| code.as_str() == name);
        found.ok_or("no such code")
    })
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let sources = files::read(&arguments.paths)?;
    let mut findings = reprise_lint::lint(&sources);
    findings.retain(|finding| !arguments.allow.contains(&finding.code));
    say_exactly(&arguments.format.written(&findings))?;
    let sum = formats::sum(sources.len(), &findings);
    match arguments.format {
        Format::Text | Format::Github => say_exactly(&sum)?,
        Format::Json => note(sum.trim_end()),
    }
    Ok(exit_code(&findings, arguments.deny))
}

impl Format {
    fn written(self, findings: &[Finding]) -> String {
        let one = match self {
            Self::Text => formats::text,
            Self::Json => formats::json,
            Self::Github => formats::github,
        };
        findings.iter().map(one).collect()
    }
}

fn exit_code(findings: &[Finding], deny: Option<Deny>) -> ExitCode {
    let worst = findings.iter().map(Finding::severity).min();
    let fails = match deny {
        None => Severity::Error,
        Some(Deny::Warnings) => Severity::Warning,
    };
    if worst.is_some_and(|worst| worst <= fails) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
