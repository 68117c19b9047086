//! Where a store is, as people write it.

use crate::key::{KeyError, Prefix};

/// A store's address: `file:///FOLDER`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// A folder of this machine, by its absolute path.
    Folder(String),
    /// A bucket or container, and what is put before each key.
    Cloud {
        /// Whose.
        cloud: Cloud,
        /// The bucket's or container's name.
        bucket: String,
        /// What lies before each key.
        prefix: Option<Prefix>,
    },
}

/// Who keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cloud {
    /// Amazon S3, and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

/// Why a text is no address of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreAddressError {
    /// It begins like none.
    #[error(
        "{0:?} is no address of a store; write file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
    )]
    Unknown(String),
    /// `file://folder`.
    #[error("{0:?} names no absolute path; write file:///FOLDER")]
    Relative(String),
    /// A key, and no store anywhere.
    #[error("no store is named for {0:?}; write it as an address, or set REPRISE_STORE or --store")]
    NoStore(String),
    /// `s3://bucket`.
    #[error(
        "{0:?} names a store and nothing in it; write what is meant in it, as s3://BUCKET/PREFIX"
    )]
    Nothing(String),
    /// `s3:///key`, or with letters that no bucket's name has.
    #[error("{0:?} names no bucket; letters, digits, '-', '_' and '.' make a bucket's name")]
    Bucket(String),
    /// What lies before each key is wrong.
    #[error("{text:?} has a prefix that keys cannot begin with: {source}")]
    Prefix {
        /// The whole address.
        text: String,
        /// What is wrong.
        source: KeyError,
    },
}

impl StoreAddress {
    /// Reads an address; a `/` at its end changes nothing.
    ///
    /// # Errors
    /// Where it is none, with what to write.
    pub fn parse(text: &str) -> Result<Self, StoreAddressError> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| StoreAddressError::Unknown(text.to_owned()))?;
        match scheme {
            "file" => folder(text, rest),
            "s3" => bucket(text, rest, Cloud::S3),
            "gs" => bucket(text, rest, Cloud::Google),
            "az" => bucket(text, rest, Cloud::Azure),
            _ => Err(StoreAddressError::Unknown(text.to_owned())),
        }
    }
}

/// An object or a folder of objects as people name it: with its store in one address, or by itself where the store is
/// named elsewhere. The address of the store, and what is below it.
///
/// # Errors
/// Where no store is named, or nothing below it.
pub fn split<'a>(
    text: &'a str,
    store: Option<&'a str>,
) -> Result<(&'a str, &'a str), StoreAddressError> {
    let nothing = || StoreAddressError::Nothing(text.to_owned());
    let Some((scheme, rest)) = text.split_once("://") else {
        return store
            .map(|store| (store, text))
            .ok_or_else(|| StoreAddressError::NoStore(text.to_owned()));
    };
    let start = scheme.len() + "://".len();
    // A bucket is the store; of a path, the folder that the last name is in.
    let end = match scheme {
        "file" => rest.rfind('/'),
        _ => rest.find('/'),
    };
    let end = start + end.ok_or_else(nothing)?;
    let store = if end == start { start + 1 } else { end };
    match &text[end + 1..] {
        "" => Err(nothing()),
        below => Ok((&text[..store], below)),
    }
}

fn folder(text: &str, path: &str) -> Result<StoreAddress, StoreAddressError> {
    if path.starts_with('/') && !path.contains('\0') {
        Ok(StoreAddress::Folder(path.to_owned()))
    } else {
        Err(StoreAddressError::Relative(text.to_owned()))
    }
}

fn bucket(text: &str, rest: &str, cloud: Cloud) -> Result<StoreAddress, StoreAddressError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if bucket.is_empty() || !bucket.chars().all(is_letter) {
        return Err(StoreAddressError::Bucket(text.to_owned()));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let prefix = match prefix {
        "" => None,
        prefix => {
            let wrong = |source| StoreAddressError::Prefix {
                text: text.to_owned(),
                source,
            };
            Some(Prefix::parse(prefix).map_err(wrong)?)
        }
    };
    Ok(StoreAddress::Cloud {
        cloud,
        bucket: bucket.to_owned(),
        prefix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_store_has_its_address() {
        let cloud = |cloud, prefix: &str| StoreAddress::Cloud {
            cloud,
            bucket: "ours".to_owned(),
            prefix: Prefix::parse(prefix).ok(),
        };
        let read = |text| StoreAddress::parse(text).expect("an address");
        assert_eq!(read("s3://ours/a/b"), cloud(Cloud::S3, "a/b"));
        assert_eq!(read("gs://ours/a/"), cloud(Cloud::Google, "a"));
        assert_eq!(read("az://ours"), cloud(Cloud::Azure, ""));
        assert_eq!(
            read("file:///tmp/a"),
            StoreAddress::Folder("/tmp/a".to_owned())
        );
    }

    #[test]
    fn an_object_is_named_with_its_store_or_without() {
        let split = |text, store| split(text, store).ok();
        assert_eq!(split("s3://ours/a/b", None), Some(("s3://ours", "a/b")));
        assert_eq!(split("file:///tmp/a/b", None), Some(("file:///tmp/a", "b")));
        assert_eq!(split("file:///b", None), Some(("file:///", "b")));
        assert_eq!(
            split("a/b", Some("s3://ours/x")),
            Some(("s3://ours/x", "a/b"))
        );
        for text in ["a/b", "s3://ours", "s3://ours/", "file:///"] {
            assert_eq!(split(text, None), None, "{text}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_address() {
        for text in [
            "",
            "ours",
            "http://ours/a",
            "file://tmp",
            "s3:///a",
            "s3://a b/c",
            "s3://ours/../b",
            "s3://ours//b",
        ] {
            assert!(StoreAddress::parse(text).is_err(), "{text}");
        }
    }
}
