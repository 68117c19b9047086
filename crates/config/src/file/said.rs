//! Values that may be written in more than one way.

use std::fmt;

use secrecy::SecretString;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A list of secrets, or one secret by itself.
#[derive(Debug, Default)]
pub(crate) struct Secrets(pub(crate) Vec<SecretString>);

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretsVisitor)
    }
}

struct SecretsVisitor;

impl<'de> Visitor<'de> for SecretsVisitor {
    type Value = Secrets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secrets, E> {
        Ok(Secrets(vec![SecretString::from(text)]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Secrets, A::Error> {
        let mut secrets = Vec::new();
        while let Some(secret) = list.next_element()? {
            secrets.push(secret);
        }
        Ok(Secrets(secrets))
    }
}

/// The words of `retry`; `false` and a number may stand without quotes.
#[derive(Debug)]
pub(crate) struct PolicyRetry(pub(crate) String);

impl<'de> Deserialize<'de> for PolicyRetry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyRetryVisitor)
    }
}

struct PolicyRetryVisitor;

impl Visitor<'_> for PolicyRetryVisitor {
    type Value = PolicyRetry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy as \"when-interrupted\", a number of re-runs, or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(text.to_owned()))
    }
}

/// A value as a label would say it: a text, a number, true or false, or a list of these.
#[derive(Debug)]
pub(crate) struct Said(pub(crate) String);

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SaidVisitor)
    }
}

struct SaidVisitor;

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what a label would say")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Said, E> {
        Ok(Said(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Said, E> {
        Ok(Said(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Said, E> {
        Ok(Said(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said, A::Error> {
        let mut parts = Vec::new();
        while let Some(Said(part)) = list.next_element()? {
            parts.push(part);
        }
        Ok(Said(parts.join("+")))
    }
}
