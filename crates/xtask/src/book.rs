//! The documentation as a book: docs/SUMMARY.md names every page of the repository, mdBook makes them one, and each
//! link of the pages that it wrote leads somewhere.
//!
//! mdBook reads one folder, and our pages link to files all over the repository. So the pages and what they link to
//! are laid out under target/book/src as they lie here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

use crate::command::{root, run};
use crate::{links, tools};

/// The version, and what is not built of it: the server for people who write.
const MDBOOK: (&str, &[&str]) = ("0.5.4", &["--no-default-features", "--debug"]);

const SUMMARY: &str = "docs/SUMMARY.md";

/// Markdown that is no documentation.
const LEFT_OUT: &str = "tests/fixtures/";

/// Checks the links, builds the book and checks the links of what was built.
pub(crate) fn build() -> Result<()> {
    links::check()?;
    let summary = read(&root().join(SUMMARY))?;
    let listed = listed(&summary)?;
    complete(&listed)?;
    let book = root().join("target/book");
    let src = book.join("src");
    if src.exists() {
        std::fs::remove_dir_all(&src).context("failed to clear target/book/src")?;
    }
    for page in &listed {
        lay_out(page, &src)?;
    }
    let here = |link: &str| shown(&resolved(SUMMARY, link));
    write(&src.join("SUMMARY.md"), &rewritten(&summary, here)?)?;
    let (version, more) = MDBOOK;
    let mdbook = tools::installed("mdbook", version, more)?;
    run(Command::new(mdbook).arg("build").arg(root()))?;
    let html = book.join("html");
    let count = check_html(&html)?;
    println!(
        "{} pages, {count} links: target/book/html/index.html",
        listed.len()
    );
    Ok(())
}

/// The pages of the summary, as paths from the root.
fn listed(summary: &str) -> Result<Vec<PathBuf>> {
    let pages: Vec<PathBuf> = links::links(summary)?
        .iter()
        .map(|link| resolved(SUMMARY, link))
        .collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = pages.iter().find(|page| !seen.insert(*page)) {
        bail!("{SUMMARY} names {} twice", twice.display());
    }
    Ok(pages)
}

/// Whether each page of the repository is in the summary.
fn complete(listed: &[PathBuf]) -> Result<()> {
    let pages = links::pages()?;
    let pages = pages
        .lines()
        .filter(|page| *page != SUMMARY && !page.starts_with(LEFT_OUT));
    let missing: Vec<&str> = pages
        .filter(|page| !listed.iter().any(|one| one == Path::new(page)))
        .collect();
    if !missing.is_empty() {
        bail!("{SUMMARY} leaves out:\n{}", missing.join("\n"));
    }
    Ok(())
}

/// Copies a page, and the files that it links to and that are no pages.
fn lay_out(page: &Path, src: &Path) -> Result<()> {
    let text = read(&root().join(page))?;
    write(&src.join(page), &text)?;
    for link in links::links(&text)? {
        let file = resolved(&shown(page), link.split('#').next().unwrap_or_default());
        let is_other = file.extension().is_none_or(|one| one != "md");
        let from = root().join(&file);
        if is_other && from.is_file() {
            let bytes = std::fs::read(&from);
            let bytes = bytes.with_context(|| format!("failed to read {}", file.display()))?;
            write(&src.join(&file), bytes)?;
        }
    }
    Ok(())
}

/// The summary with its links from the root.
fn rewritten(summary: &str, link: impl Fn(&str) -> String) -> Result<String> {
    let target = Regex::new(r"\]\(([^)]+)\)")?;
    let text = target.replace_all(summary, |found: &regex::Captures<'_>| {
        format!("]({})", link(&found[1]))
    });
    Ok(text.into_owned())
}

/// Where a link of a page leads, from the root.
fn resolved(page: &str, link: &str) -> PathBuf {
    let mut path = Path::new(page).parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    path
}

/// Follows each link of each page that was built; the search and the printed page are mdBook's own.
fn check_html(html: &Path) -> Result<usize> {
    let (mut pages, mut wrong, mut count) = (BTreeMap::new(), Vec::new(), 0);
    gather(html, html, &mut pages)?;
    let link = Regex::new(r#"<a [^>]*href="([^"]*)""#)?;
    for (page, text) in pages.iter().filter(|(page, _)| !is_made_up(page)) {
        for [link] in link.captures_iter(text).map(|found| found.extract().1) {
            if link.contains("://") || link.starts_with("mailto:") || link.is_empty() {
                continue;
            }
            count += 1;
            if let Some(why) = broken(html, &pages, page, link) {
                wrong.push(format!("{page}: {link}: {why}"));
            }
        }
    }
    ensure!(count > 0, "no links were found in {}", html.display());
    if !wrong.is_empty() {
        bail!("links of the book that lead nowhere:\n{}", wrong.join("\n"));
    }
    Ok(count)
}

fn is_made_up(page: &str) -> bool {
    ["print.html", "404.html", "toc.html"].contains(&page)
}

fn broken(
    html: &Path,
    pages: &BTreeMap<String, String>,
    page: &str,
    link: &str,
) -> Option<&'static str> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let mut target = if file.is_empty() {
        PathBuf::from(page)
    } else {
        resolved(page, file)
    };
    if html.join(&target).is_dir() {
        target.push("index.html");
    }
    if !html.join(&target).is_file() {
        return Some("there is no such file");
    }
    let text = pages.get(&shown(&target)).filter(|_| !anchor.is_empty())?;
    let is_there = text.contains(&format!("id=\"{anchor}\""));
    (!is_there).then_some("there is no such heading")
}

fn gather(root: &Path, folder: &Path, pages: &mut BTreeMap<String, String>) -> Result<()> {
    let failed = || format!("failed to read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.is_dir() {
            gather(root, &path, pages)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "html")
        {
            let name = path.strip_prefix(root).unwrap_or(&path);
            pages.insert(shown(name), read(&path)?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    let failed = || format!("failed to write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    std::fs::write(path, text).with_context(failed)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_from_its_page() {
        let cases = [
            ("docs/adr/0001.md", "../cost.md", "docs/cost.md"),
            ("docs/SUMMARY.md", "../README.md", "README.md"),
            ("README.md", "docs/adr", "docs/adr"),
        ];
        for (page, link, wanted) in cases {
            assert_eq!(resolved(page, link), Path::new(wanted), "{page} {link}");
        }
    }

    #[test]
    fn a_page_that_the_summary_leaves_out_or_names_twice_is_told() {
        let summary = read(&root().join(SUMMARY)).expect("readable");
        let all = listed(&summary).expect("no page twice");
        complete(&all).expect("all pages");
        let error = complete(&all[1..]).expect_err("one is missing");
        assert!(error.to_string().contains(&shown(&all[0])), "{error}");
        assert!(listed("[a](cost.md)\n[b](cost.md)\n").is_err());
    }

    #[test]
    fn a_link_of_the_book_to_no_file_or_no_heading_is_broken() {
        let folder = std::env::temp_dir().join(format!("reprise-book-{}", std::process::id()));
        let page =
            |link: &str| format!("<a class=\"x\" href=\"{link}\">x</a><h1 id=\"top\">y</h1>");
        for (name, link) in [
            ("index.html", "docs/a.html#top"),
            ("docs/a.html", "../docs#top"),
        ] {
            write(&folder.join(name), page(link)).expect("written");
        }
        let error = check_html(&folder)
            .expect_err("docs has no index.html")
            .to_string();
        write(&folder.join("docs/index.html"), page("a.html#none")).expect("written");
        let other = check_html(&folder)
            .expect_err("no such heading")
            .to_string();
        write(&folder.join("docs/index.html"), page("a.html#top")).expect("written");
        let good = check_html(&folder);
        std::fs::remove_dir_all(&folder).expect("removed");
        assert!(
            error.contains("docs/a.html: ../docs#top: there is no such file"),
            "{error}"
        );
        assert!(
            other.contains("docs/index.html: a.html#none: there is no such heading"),
            "{other}"
        );
        assert_eq!(good.expect("all lead somewhere"), 3);
    }
}
