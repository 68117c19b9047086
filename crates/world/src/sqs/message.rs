//! Messages, their attributes, and the digests by which the SDKs check them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use md5::{Digest, Md5};

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// The body.
    pub body: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// How long nobody may receive it yet.
    pub delay: SignedDuration,
}

impl<T: Into<String>> From<T> for NewMessage {
    fn from(body: T) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }
}

/// An attribute of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with a suffix of the sender's own.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Of a `String` or `Number`.
    Text(String),
    /// Of a `Binary`.
    Binary(Vec<u8>),
}

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The same in every delivery of the message, doubled ones too.
    pub id: String,
    /// What to delete it with, or to change its visibility; another one at each receive.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
}

/// `MD5OfMessageBody` and `MD5OfBody`.
pub(super) fn body_digest(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// `MD5OfMessageAttributes`: names in order, each part behind its length, one byte for the kind.
pub(super) fn attributes_digest<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a MessageAttribute)>,
) -> Option<String> {
    let mut hasher = Md5::new();
    let mut any = false;
    for (name, attribute) in attributes {
        any = true;
        measured(&mut hasher, name.as_bytes());
        measured(&mut hasher, attribute.data_type.as_bytes());
        match &attribute.value {
            AttributeValue::Text(text) => {
                hasher.update([1]);
                measured(&mut hasher, text.as_bytes());
            }
            AttributeValue::Binary(bytes) => {
                hasher.update([2]);
                measured(&mut hasher, bytes);
            }
        }
    }
    any.then(|| hex::encode(hasher.finalize()))
}

fn measured(hasher: &mut Md5, part: &[u8]) {
    // A message has at most a megabyte, so no part of it outgrows the four bytes of its length.
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    hasher.update(length.to_be_bytes());
    hasher.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_its_plain_md5() {
        assert_eq!(body_digest("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn no_attributes_have_no_digest() {
        assert_eq!(attributes_digest(&BTreeMap::new()), None);
    }
}
