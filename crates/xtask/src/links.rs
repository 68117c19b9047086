//! Links between the pages: each relative link of a tracked Markdown file leads to a file that is there, and
//! its anchor to a heading. What they name beside files is there, too ([`named`]). What other hosts serve is not
//! asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

use crate::command::{output, root};
use crate::named;

/// Checks all Markdown files that git knows.
pub(crate) fn check() -> Result<()> {
    let listed = pages()?;
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in listed.lines() {
        let path = root().join(page);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let missing = named::missing(&path, &text)?;
        wrong.extend(missing.iter().map(|what| format!("{page}: {what}")));
        for link in links(&text)? {
            count += 1;
            if let Some(why) = broken(&path, &link)? {
                wrong.push(format!("{page}: {link}: {why}"));
            }
        }
    }
    ensure!(count > 0, "no links were found");
    if !wrong.is_empty() {
        bail!(
            "links that lead nowhere, and names of nothing:\n{}",
            wrong.join("\n")
        );
    }
    println!("{count} links lead somewhere");
    Ok(())
}

/// All Markdown files that git knows, or would if they were added; a line each.
pub(crate) fn pages() -> Result<String> {
    output(Command::new("git").current_dir(root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
        "*.md",
    ]))
}

/// The relative links of a page, outside of code.
pub(crate) fn links(text: &str) -> Result<Vec<String>> {
    let code = Regex::new(r"`[^`]*`")?;
    let prose: String = prose(text).map(|line| format!("{line}\n")).collect();
    let prose = code.replace_all(&prose, "`code`");
    let link = Regex::new(r"\]\(<?([^)>\s]+)>?[^)]*\)|(?m)^\[[^\]]+\]:\s+<?([^>\s]+)")?;
    let found = link.captures_iter(&prose);
    let found = found.filter_map(|one| one.get(1).or_else(|| one.get(2)));
    let relative = found.map(|one| one.as_str().to_owned());
    Ok(relative
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .collect())
}

/// Why the link leads nowhere.
fn broken(page: &Path, link: &str) -> Result<Option<&'static str>> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.parent().unwrap_or(page);
    let target = if file.is_empty() {
        page.to_owned()
    } else {
        folder.join(file)
    };
    if !target.exists() {
        return Ok(Some("there is no such file"));
    }
    if anchor.is_empty() || target.extension().is_none_or(|one| one != "md") {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&target)
        .with_context(|| format!("failed to read {}", target.display()))?;
    let is_there = anchors(&text).contains(anchor);
    Ok((!is_there).then_some("there is no such heading"))
}

/// The anchors of a page's headings, as GitHub makes them; the second of a name has `-1`.
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let names = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
    names
        .map(|name| {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                name
            } else {
                format!("{name}-{}", *count - 1)
            }
        })
        .collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|one| one.is_alphanumeric() || " -_".contains(*one));
    kept.map(|one| if one == ' ' { '-' } else { one }).collect()
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !is_fence && !fenced
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_github() {
        let page =
            "# When a job's `label` is bad, or 2\n## A_b-c\n```\n# no heading\n```\n## A_b-c\n";
        let wanted = ["when-a-jobs-label-is-bad-or-2", "a_b-c", "a_b-c-1"];
        assert_eq!(anchors(page), wanted.map(str::to_owned).into());
    }

    #[test]
    fn only_relative_links_of_prose_count() {
        let page =
            "[a](b.md#c) [x](https://x.test) `[no](no.md)`\n```\n[no](no.md)\n```\n[r]: d.md\n";
        assert_eq!(links(page).expect("patterns"), ["b.md#c", "d.md"]);
    }

    #[test]
    fn a_link_to_no_file_or_no_heading_is_broken() {
        let page = root().join("docs/operations.md");
        let broken = |link: &str| broken(&page, link).expect("readable");
        assert_eq!(broken("metrics.md#metrics"), None);
        assert_eq!(broken("#the-log"), None);
        assert_eq!(broken("adr"), None);
        assert_eq!(broken("metric.md"), Some("there is no such file"));
        assert_eq!(
            broken("metrics.md#metric"),
            Some("there is no such heading")
        );
        assert_eq!(broken("#no-log"), Some("there is no such heading"));
    }
}
