//! What pages name beside files: tests, Terraform's variables, outputs and modules, Packer's variables.
//!
//! A page names a test, or another part of a source file, by a link whose text is it: `` [`a_test`](../a.rs) ``.

use std::path::Path;

use anyhow::{Context, Result};
use regex::Regex;

use crate::command::root;

/// The example whose settings and outputs the pages speak of.
const EXAMPLE: &str = "terraform/examples/complete";

const IMAGE: &str = "deploy/ami/runner.pkr.hcl";

/// What a page names and what is not there, each with why.
pub(crate) fn missing(page: &Path, text: &str) -> Result<Vec<String>> {
    let mut missing = parts_of_files(page, text)?;
    missing.extend(of_terraform(text)?);
    missing.extend(of_packer(text)?);
    Ok(missing)
}

/// Links whose text is a test, or the name of a check or of a Terraform test, in the file that they lead to.
fn parts_of_files(page: &Path, text: &str) -> Result<Vec<String>> {
    let link = Regex::new(r"\[`([^`]+)`\]\(([^)#]+\.(?:rs|py|hcl))\)")?;
    let folder = page.parent().unwrap_or(page);
    let mut missing = Vec::new();
    for [name, file] in link.captures_iter(text).map(|found| found.extract().1) {
        let path = folder.join(file);
        // That there is no such file, the check of links says.
        if file.ends_with(name) || !path.is_file() {
            continue;
        }
        let source = read(&path)?;
        let is_there = if file.ends_with(".rs") {
            is_function(&source, name)
        } else {
            source.contains(&format!("\"{name}\""))
        };
        if !is_there {
            missing.push(format!("{file} has no {name}"));
        }
    }
    Ok(missing)
}

fn is_function(source: &str, name: &str) -> bool {
    source.contains(&format!("fn {name}("))
}

/// The keys of blocks that set variables, and what commands ask of the example.
fn of_terraform(text: &str) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let variables = declared(&read_all(EXAMPLE)?, "variable")?;
    let block = Regex::new(r"(?s)`terraform\.tfvars`:\s*```hcl\n(.*?)```")?;
    let key = Regex::new(r"(?m)^(\w+)\s*=")?;
    for [block] in block.captures_iter(text).map(|found| found.extract().1) {
        let keys: Vec<&str> = key
            .captures_iter(block)
            .map(|found| found.extract::<1>().1[0])
            .collect();
        for key in &keys {
            if !variables.iter().any(|(name, _)| name == key) {
                missing.push(format!("{EXAMPLE} has no variable {key}"));
            }
        }
        let left = variables.iter().filter(|(_, is_required)| *is_required);
        for (name, _) in left.filter(|(name, _)| !keys.contains(&name.as_str())) {
            missing.push(format!(
                "{EXAMPLE} needs the variable {name}, which is not set"
            ));
        }
    }
    let asked = [
        (r"terraform output (?:-raw )?(\w+)", "output"),
        (r"-target=module\.(\w+)", "module"),
    ];
    for (pattern, kind) in asked {
        let there = declared(&read_all(EXAMPLE)?, kind)?;
        for [name] in Regex::new(pattern)?
            .captures_iter(text)
            .map(|found| found.extract().1)
        {
            if !there.iter().any(|(one, _)| one == name) {
                missing.push(format!("{EXAMPLE} has no {kind} {name}"));
            }
        }
    }
    Ok(missing)
}

fn of_packer(text: &str) -> Result<Vec<String>> {
    let variables = declared(&read(&root().join(IMAGE))?, "variable")?;
    let mut missing = Vec::new();
    for [name] in Regex::new(r"-var (\w+)=")?
        .captures_iter(text)
        .map(|found| found.extract().1)
    {
        if !variables.iter().any(|(one, _)| one == name) {
            missing.push(format!("{IMAGE} has no variable {name}"));
        }
    }
    Ok(missing)
}

/// The names of all blocks of a kind, and whether they have no default.
fn declared(text: &str, kind: &str) -> Result<Vec<(String, bool)>> {
    let block = Regex::new(&format!(r#"(?ms)^{kind} "(\w+)" \{{\n(.*?)^\}}"#))?;
    let default = Regex::new(r"(?m)^\s*default\s*=")?;
    let found = block.captures_iter(text).map(|found| found.extract().1);
    Ok(found
        .map(|[name, body]| (name.to_owned(), !default.is_match(body)))
        .collect())
}

fn read_all(folder: &str) -> Result<String> {
    let names = ["main.tf", "variables.tf", "outputs.tf"];
    let texts = names.map(|name| read(&root().join(folder).join(name)));
    texts.into_iter().collect()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_not_there_is_told() {
        let page = root().join("docs/page.md");
        let text = "[`a_test_that_is_not_there_is_told`](../crates/xtask/src/named.rs) \
                    [`named.rs`](../crates/xtask/src/named.rs) \
                    [`gone`](../crates/xtask/src/named.rs) \
                    [`tag another instance`](../terraform/checks/permissions.py) \
                    [`tag another`](../terraform/checks/permissions.py)";
        let missing = missing(&page, text).expect("readable");
        let wanted = [
            "../crates/xtask/src/named.rs has no gone",
            "../terraform/checks/permissions.py has no tag another",
        ];
        assert_eq!(missing, wanted);
    }

    #[test]
    fn variables_outputs_and_modules_that_are_not_there_or_left_out_are_told() {
        let page = root().join("docs/page.md");
        let text = "`terraform.tfvars`:\n\n```hcl\nregion = \"x\"\nregions = \"x\"\n```\n\
                    terraform apply -target=module.ingres\nterraform output webhook_url\n\
                    packer build -var region=x -var regoin=x deploy/ami\n";
        let missing = missing(&page, text).expect("readable");
        for wanted in [
            "has no variable regions",
            "needs the variable vpc_id, which is not set",
            "has no module ingres",
            "has no variable regoin",
        ] {
            assert!(
                missing.iter().any(|one| one.contains(wanted)),
                "{missing:#?}"
            );
        }
        assert!(!missing.iter().any(|one| one.contains("webhook_url")));
    }
}
