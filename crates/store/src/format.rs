//! How a record's JSON is read: old formats are upgraded step by step, newer ones refused.
//!
//! A change of a stored type that alters its JSON adds one step here and keeps the old files under
//! `tests/data/` as they are; a test fails when such a change forgets to. Backends store the number
//! and the body, and know nothing of either.

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use crate::StoreError;
use crate::record::{Kind, RecordKey};

/// The format that records are written in.
pub const FORMAT: u32 = newest(UPGRADES);

/// From format `n + 1` to format `n + 2`, `n` being the place in the list. A kind that did not
/// change is handed through.
const UPGRADES: &[Upgrade] = &[];

type Upgrade = fn(Kind, Value) -> Result<Value, serde_json::Error>;

/// The JSON of a record in the newest format.
pub(crate) fn encode<R: Serialize>(record: &R) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Backend {
        operation: "write a record as JSON",
        source: error.into(),
    })
}

/// Reads a record of any format known.
pub(crate) fn decode<R: DeserializeOwned>(
    key: &RecordKey,
    format: u32,
    body: &[u8],
) -> Result<R, StoreError> {
    decode_with(UPGRADES, key, format, body)
}

fn decode_with<R: DeserializeOwned>(
    upgrades: &[Upgrade],
    key: &RecordKey,
    format: u32,
    body: &[u8],
) -> Result<R, StoreError> {
    let known = newest(upgrades);
    if format > known {
        return Err(StoreError::NewerRecord {
            key: key.to_string(),
            found: format,
            known,
        });
    }
    let read = if format == known {
        serde_json::from_slice(body)
    } else {
        upgrade(upgrades, key.kind(), format, body).and_then(serde_json::from_value)
    };
    read.map_err(|source| StoreError::Damaged {
        key: key.to_string(),
        source,
    })
}

fn upgrade(
    upgrades: &[Upgrade],
    kind: Kind,
    format: u32,
    body: &[u8],
) -> Result<Value, serde_json::Error> {
    let done = format
        .checked_sub(1)
        .ok_or_else(|| serde_json::Error::custom("formats are counted from 1, and this is 0"))?;
    upgrades
        .iter()
        .skip(done as usize)
        .try_fold(serde_json::from_slice(body)?, |value, step| {
            step(kind, value)
        })
}

const fn newest(upgrades: &[Upgrade]) -> u32 {
    upgrades.len() as u32 + 1
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_old_record_passes_through_every_step_after_its_format() {
        for (format, body) in [
            (1, r#"{"count": 7}"#),
            (2, r#"{"number": 7}"#),
            (3, r#"{"number": 7, "unit": "jobs"}"#),
        ] {
            let record: Newest = read(format, body).expect("a known format");
            assert_eq!((record.number, record.unit.as_str()), (7, "jobs"));
        }
    }

    #[test]
    fn a_newer_format_is_refused_with_what_to_do() {
        let error = read(4, "{}").expect_err("newer than the code");
        assert_eq!(
            error.to_string(),
            "the record claim acme/shop/1 has format 4, and this version knows formats up to 3; \
             run the version that wrote it, or a later one"
        );
    }

    #[test]
    fn format_0_and_bodies_that_do_not_upgrade_are_damaged() {
        for (format, body, why) in [
            (0, r#"{"count": 7}"#, "formats are counted from 1"),
            (1, "[]", "no count"),
            (1, "{\"count\"", "EOF"),
        ] {
            let error = read(format, body).expect_err("damaged");
            assert_eq!(
                error.to_string(),
                "the record claim acme/shop/1 cannot be read"
            );
            let source = error.source().expect("a source").to_string();
            assert!(source.contains(why), "{source}");
        }
    }

    #[derive(Debug, Deserialize)]
    struct Newest {
        number: u32,
        unit: String,
    }

    fn read(format: u32, body: &str) -> Result<Newest, StoreError> {
        let key = RecordKey::from(&reprise_model::ledger::ClaimKey {
            repository: "acme/shop".parse().expect("valid"),
            job_id: reprise_model::ids::JobId(1),
        });
        decode_with(&[rename, add_unit], &key, format, body.as_bytes())
    }

    fn rename(kind: Kind, value: Value) -> Result<Value, serde_json::Error> {
        assert_eq!(kind, Kind::Claim);
        let count = value
            .get("count")
            .ok_or_else(|| serde_json::Error::custom("no count"))?;
        Ok(json!({ "number": count }))
    }

    fn add_unit(_: Kind, mut value: Value) -> Result<Value, serde_json::Error> {
        value["unit"] = "jobs".into();
        Ok(value)
    }
}
