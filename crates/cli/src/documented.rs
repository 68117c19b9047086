//! The commands that pages name, read as they would be on the command line.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;

use super::Arguments;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What a command begins with: in a block of commands, and within a sentence.
const PROGRAMS: [&str; 2] = ["reprise ", "target/release/reprise "];

#[test]
fn each_command_of_a_page_is_one_that_there_is() {
    let mut pages = vec![Path::new(ROOT).join("README.md")];
    gather(&Path::new(ROOT).join("docs"), &mut pages);
    let (mut count, mut wrong) = (0, Vec::new());
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("readable");
        for command in commands(&text) {
            count += 1;
            if let Some(why) = mistake(&command) {
                wrong.push(format!("{}: {command}: {why}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 30, "{count}");
}

#[test]
fn a_command_that_there_is_not_is_found_in_a_block_and_in_a_sentence() {
    let page = "Ask `reprise explian URL`, or `reprise queue`.\n\n```\nreprise retries list --stat due  # no such\n```\n";
    let found = commands(page);
    let mistakes = found.iter().filter_map(|one| mistake(one));
    assert_eq!(mistakes.count(), 2, "{found:?}");
}

fn gather(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            gather(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// Lines of blocks without their remarks, and code within sentences.
fn commands(page: &str) -> Vec<String> {
    let is_command = |text: &&str| PROGRAMS.iter().any(|program| text.starts_with(program));
    let lines = page.lines().map(str::trim);
    let blocks = lines.map(|line| line.split(" #").next().unwrap_or(line));
    let sentences = page.split('`').skip(1).step_by(2);
    let all = blocks.chain(sentences).filter(is_command);
    all.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// A sentence may leave out what a command needs, and stand for a group of commands.
fn mistake(command: &str) -> Option<String> {
    let words = command
        .split(' ')
        .map(|word| word.trim_matches(['\'', '"']));
    let error = Arguments::try_parse_from(words).err()?;
    let is_short = matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayHelp
    );
    (!is_short).then(|| error.to_string())
}
