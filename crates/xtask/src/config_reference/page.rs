//! The tables of the page.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

use super::source::{Field, Kind, Section, Sources};

const HEAD: &str = "| key | type | without it | range | what it is | variable |\n\
                    | --- | --- | --- | --- | --- | --- |\n";

/// A program with a settings file.
pub(super) struct Program {
    pub(super) title: &'static str,
    pub(super) sources: Sources,
    pub(super) heard: Heard,
}

/// How variables of the environment are called.
#[derive(Clone, Copy)]
pub(super) enum Heard {
    /// `REPRISE__SECTION__KEY`.
    BySection,
    /// `REPRISE_AGENT_KEY`; the keys of `[runner]` have `RUNNER_` before them.
    ByAgent,
}

/// A table of the file, and what names it there.
struct Place {
    /// As `[queues]`; nothing for the top of the file.
    heading: String,
    /// What the names of variables begin with; none where the file alone can say it.
    variable: Option<String>,
}

impl Program {
    /// The tables in the order of the file.
    pub(super) fn shown(&self) -> Result<String> {
        let mut text = format!("## {}\n", self.title);
        let mut seen = BTreeSet::new();
        let file = self.section("File")?;
        let is_table = |field: &&Field| self.table(&field.kind).is_some();
        let (tables, own): (Vec<&Field>, Vec<&Field>) = file.fields.iter().partition(is_table);
        if !own.is_empty() {
            let top = Place {
                heading: String::new(),
                variable: self.heard.prefix(None),
            };
            self.write(&mut text, &top, &file.about, &own)?;
        }
        for field in tables {
            let section = self.section(self.table(&field.kind).unwrap_or_default())?;
            let name = &field.name;
            let place = match &field.kind {
                Kind::One(_) => Place {
                    heading: format!("[{name}]"),
                    variable: self.heard.prefix(Some(name)),
                },
                Kind::List(_) => Place::of_file(format!("[[{name}]]")),
                Kind::Named(_) => Place::of_file(format!("[{name}.NAME]")),
            };
            self.add(&mut text, &place, name, section, &mut seen)?;
        }
        Ok(text)
    }

    /// A section, and the tables in it.
    fn add(
        &self,
        text: &mut String,
        place: &Place,
        name: &str,
        section: &Section,
        seen: &mut BTreeSet<String>,
    ) -> Result<()> {
        if !seen.insert(section.name.clone()) {
            return Ok(());
        }
        let fields: Vec<&Field> = section.fields.iter().collect();
        self.write(text, place, &section.about, &fields)?;
        for field in fields {
            if let Some(inner) = self.table(&field.kind) {
                let inner = self.section(inner)?;
                let heading = Place::of_file(format!("[[{name}.{}]]", field.name));
                self.add(text, &heading, &field.name, inner, seen)?;
            }
        }
        Ok(())
    }

    fn write(&self, text: &mut String, place: &Place, about: &str, keys: &[&Field]) -> Result<()> {
        let heading = &place.heading;
        ensure!(!about.is_empty(), "{heading} has no comment");
        if heading.is_empty() {
            write!(text, "\n{about}\n\n{HEAD}")?;
        } else {
            write!(text, "\n### `{heading}`\n\n{about}\n\n{HEAD}")?;
        }
        for field in keys {
            let row = self.row(place, field);
            text.push_str(&row.with_context(|| format!("{heading} {}", field.name))?);
        }
        Ok(())
    }

    fn row(&self, place: &Place, field: &Field) -> Result<String> {
        let said = Said::read(&field.comment)?;
        let kind = self.kind(&field.kind)?;
        let variable = place.variable.as_ref();
        let variable = variable.map(|prefix| format!("`{prefix}{}`", field.name.to_uppercase()));
        let cells = [
            format!("`{}`", field.name),
            kind,
            said.without,
            said.range.unwrap_or_default(),
            said.meaning,
            variable.unwrap_or_default(),
        ];
        Ok(format!("| {} |\n", cells.join(" | ")))
    }

    fn section(&self, name: &str) -> Result<&Section> {
        let section = self.sources.section(name);
        section.with_context(|| format!("there is no struct {name}"))
    }

    /// The struct that this is a table of.
    fn table<'a>(&self, kind: &'a Kind) -> Option<&'a str> {
        let name = match kind {
            Kind::One(name) => name,
            Kind::List(held) | Kind::Named(held) => return self.table(held),
        };
        let is_value = plain(name).is_some();
        let section = self.sources.section(name).filter(|_| !is_value);
        section.map(|_| name.as_str())
    }

    fn kind(&self, kind: &Kind) -> Result<String> {
        let name = match kind {
            Kind::One(name) => name,
            Kind::List(held) if self.table(held).is_some() => {
                return Ok("list of tables".to_owned());
            }
            Kind::List(held) => return Ok(format!("list of {}", self.kind(held)?)),
            Kind::Named(_) => return Ok("tables".to_owned()),
        };
        if let Some(plain) = plain(name) {
            return Ok(plain.to_owned());
        }
        let Some(words) = self.sources.words(name) else {
            bail!("the type {name} has no word for people yet; give it one in page.rs");
        };
        let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        Ok(words.join(", "))
    }
}

impl Heard {
    fn prefix(self, section: Option<&str>) -> Option<String> {
        match (self, section) {
            (Self::BySection, section) => Some(format!("REPRISE__{}__", section?.to_uppercase())),
            (Self::ByAgent, Some("runner")) => Some("REPRISE_AGENT_RUNNER_".to_owned()),
            (Self::ByAgent, Some(_) | None) => Some("REPRISE_AGENT_".to_owned()),
        }
    }
}

impl Place {
    fn of_file(heading: String) -> Self {
        Self {
            heading,
            variable: None,
        }
    }
}

/// What people call these types.
fn plain(name: &str) -> Option<&'static str> {
    Some(match name {
        "String" | "Endpoint" | "TagPrefix" | "RoleId" | "Console" => "text",
        "PathBuf" => "path",
        "SignedDuration" | "NoticeSpan" | "Span" | "PollInterval" => "time",
        "u32" | "u64" | "usize" => "whole number",
        "bool" => "`true`, `false`",
        "SecretString" => "secret",
        "Secrets" => "secret or list of secrets",
        "Said" => "text, whole number, `true`, `false` or list of these",
        "PolicyRetry" => "text, whole number or `false`",
        "CommandWords" => "text or list of texts",
        _ => return None,
    })
}

/// What a key's comment says.
struct Said {
    meaning: String,
    without: String,
    range: Option<String>,
}

impl Said {
    fn read(comment: &str) -> Result<Self> {
        let (meaning, last) = comment
            .rsplit_once('\n')
            .context("has no comment, or none of two paragraphs")?;
        let (without, range) = match last.split_once(" Range: ") {
            Some((without, range)) => (without, Some(range)),
            None => (last, None),
        };
        let sentence = |text: &str| text.strip_suffix('.').map(str::to_owned);
        let without = match (without.strip_prefix("Default: "), without) {
            (Some(default), _) => sentence(default),
            (None, required) if required.starts_with("Required") => {
                sentence(required).map(|text| text.replacen('R', "r", 1))
            }
            (None, _) => None,
        };
        let range = range.map(|range| sentence(range).context("its range has no full stop"));
        Ok(Self {
            meaning: meaning.replace('\n', " ").replace('|', "\\|"),
            without: without.context(
                "its last paragraph is neither \"Default: ...\" nor \"Required...\", with a full stop",
            )?,
            range: range.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_says_what_it_is_what_holds_without_it_and_its_range() {
        let said = Said::read("How long.\nDefault: `\"20s\"`. Range: `\"0s\"` to `\"20s\"`.");
        let said = said.expect("understood");
        assert_eq!(
            (said.meaning.as_str(), said.without.as_str()),
            ("How long.", "`\"20s\"`")
        );
        assert_eq!(said.range.as_deref(), Some("`\"0s\"` to `\"20s\"`"));
        let said = Said::read("Which.\nRequired without `url`.").expect("understood");
        assert_eq!(said.without, "required without `url`");
    }

    #[test]
    fn a_key_without_a_word_on_what_holds_without_it_is_a_mistake() {
        for comment in [
            "",
            "How long.",
            "How long.\nAnd more.",
            "How.\nDefault: `1`",
        ] {
            assert!(Said::read(comment).is_err(), "{comment}");
        }
    }
}
