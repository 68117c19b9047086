//! The types of a settings file as their source says them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use syn::{Attribute, Expr, Fields, GenericArgument, Item, Lit, PathArguments, Type};

use crate::command::root;

/// The structs and the enums of words.
#[derive(Debug, Default)]
pub(super) struct Sources {
    structs: BTreeMap<String, Section>,
    words: BTreeMap<String, Vec<String>>,
}

/// A struct that a table is read into.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) fields: Vec<Field>,
}

/// A key.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) comment: String,
    pub(super) kind: Kind,
}

/// The type of a key: its name, and what that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    One(String),
    List(Box<Kind>),
    /// By names of the operator's own.
    Named(Box<Kind>),
}

impl Sources {
    pub(super) fn read(paths: &[&str]) -> Result<Self> {
        let mut sources = Self::default();
        for path in paths {
            let text = std::fs::read_to_string(root().join(path));
            let text = text.with_context(|| format!("failed to read {path}"))?;
            let wrong = || format!("failed to understand {path}");
            sources.add(&text).with_context(wrong)?;
        }
        Ok(sources)
    }

    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.structs.get(name)
    }

    pub(super) fn words(&self, name: &str) -> Option<&[String]> {
        self.words.get(name).map(Vec::as_slice)
    }

    fn add(&mut self, text: &str) -> Result<()> {
        for item in syn::parse_file(text)?.items {
            if let Item::Struct(one) = &item {
                let name = one.ident.to_string();
                let section = Section {
                    name: name.clone(),
                    about: comment(&one.attrs),
                    fields: fields(&one.fields)?,
                };
                self.structs.insert(name, section);
            } else if let Item::Enum(one) = &item
                && let Some(rule) = rename_all(&one.attrs)?
            {
                let names = one.variants.iter().map(|one| one.ident.to_string());
                let words: Result<Vec<String>> = names.map(|name| renamed(&name, &rule)).collect();
                self.words.insert(one.ident.to_string(), words?);
            }
        }
        Ok(())
    }
}

fn fields(fields: &Fields) -> Result<Vec<Field>> {
    let Fields::Named(fields) = fields else {
        return Ok(Vec::new());
    };
    let named = fields
        .named
        .iter()
        .filter_map(|field| Some((field, field.ident.as_ref()?)));
    named
        .map(|(field, name)| {
            Ok(Field {
                name: name.to_string(),
                comment: comment(&field.attrs),
                kind: kind(&field.ty)?,
            })
        })
        .collect()
}

fn kind(ty: &Type) -> Result<Kind> {
    let Type::Path(path) = ty else {
        return Ok(Kind::One(String::new()));
    };
    let segment = path.path.segments.last().context("a type without a name")?;
    let held = match &segment.arguments {
        PathArguments::AngleBracketed(held) => held.args.iter().next_back(),
        PathArguments::None | PathArguments::Parenthesized(_) => None,
    };
    let held = match held {
        Some(GenericArgument::Type(ty)) => Some(kind(ty)?),
        _ => None,
    };
    let name = segment.ident.to_string();
    Ok(match (name.as_str(), held) {
        ("Option", Some(held)) => held,
        ("Vec", Some(held)) => Kind::List(Box::new(held)),
        ("BTreeMap", Some(held)) => Kind::Named(Box::new(held)),
        _ => Kind::One(name),
    })
}

/// The comment's paragraphs, a line each.
fn comment(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|one| {
        let said = one.meta.require_name_value().ok();
        let said = said.filter(|said| said.path.is_ident("doc"))?;
        if let Expr::Lit(literal) = &said.value
            && let Lit::Str(text) = &literal.lit
        {
            return Some(text.value().trim().to_owned());
        }
        None
    });
    let lines: Vec<String> = lines.collect();
    let paragraphs = lines.split(String::is_empty).map(|lines| lines.join(" "));
    paragraphs.collect::<Vec<_>>().join("\n")
}

fn rename_all(attributes: &[Attribute]) -> Result<Option<String>> {
    let mut rule = None;
    for one in attributes.iter().filter(|one| one.path().is_ident("serde")) {
        one.parse_nested_meta(|meta| {
            if meta.input.peek(syn::Token![=]) {
                let value: syn::LitStr = meta.value()?.parse()?;
                rule = meta.path.is_ident("rename_all").then(|| value.value());
            }
            Ok(())
        })?;
    }
    Ok(rule)
}

/// As serde writes a variant.
fn renamed(name: &str, rule: &str) -> Result<String> {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !word.is_empty() && rule == "kebab-case" {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    match rule {
        "kebab-case" | "lowercase" => Ok(word),
        other => bail!("rename_all = \"{other}\" is not known here; add it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_and_words_are_read_as_serde_reads_them() {
        let mut sources = Sources::default();
        let text = r#"
            /// Queues.
            #[serde(default, deny_unknown_fields)]
            struct Queues {
                /// How long,
                /// at most.
                ///
                /// Default: `"20s"`.
                window: Option<SignedDuration>,
                more: Vec<String>,
                named: BTreeMap<String, Ask>,
            }
            #[serde(rename_all = "kebab-case")]
            enum End { FailStep, None }
        "#;
        sources.add(text).expect("Rust");
        let section = sources.section("Queues").expect("there");
        assert_eq!(section.about, "Queues.");
        let [window, more, named] = section.fields.as_slice() else {
            panic!("{section:?}");
        };
        assert_eq!(window.comment, "How long, at most.\nDefault: `\"20s\"`.");
        let one = |name: &str| Box::new(Kind::One(name.to_owned()));
        assert_eq!(window.kind, *one("SignedDuration"));
        assert_eq!(more.kind, Kind::List(one("String")));
        assert_eq!(named.kind, Kind::Named(one("Ask")));
        let words = sources.words("End").expect("there");
        assert_eq!(words, ["fail-step", "none"]);
    }
}
