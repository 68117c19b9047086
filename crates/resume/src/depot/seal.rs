//! How an object's checksum is known.
//!
//! That of a file is taken before the upload begins, and kept with the object. That of an archive is known only at its
//! end: it stands there, in a frame that every decoder of zstd skips.

use super::checksum::{Hasher, hex};

use crate::key::Key;

use super::error::DepotError;

/// What stands in the object's attributes in place of a checksum that the object ends with.
pub(super) const AT_THE_END: &str = "at-the-end";

/// A skippable frame (RFC 8878, 3.1.2) of 32 bytes.
const FRAME: [u8; 8] = [0x5a, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];

/// The frame and the checksum in it.
const TRAILER: usize = FRAME.len() + 32;

/// Takes the checksum of what is packed.
#[derive(Debug, Default)]
pub(super) struct Sealer(Hasher);

impl Sealer {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// What goes behind all the bytes.
    pub(super) fn trailer(self) -> Vec<u8> {
        [FRAME.as_slice(), self.0.finalize().as_bytes()].concat()
    }
}

/// Takes the checksum of what comes in.
#[derive(Debug)]
pub(super) struct Check {
    key: Key,
    size: u64,
    /// What was kept with the object.
    expected: Option<String>,
    seen: u64,
    whole: Hasher,
    /// Without the bytes that may be the trailer.
    inner: Hasher,
    kept_back: Vec<u8>,
}

impl Check {
    pub(super) fn of(key: &Key, size: u64, expected: Option<String>) -> Self {
        Self {
            key: key.clone(),
            size,
            expected,
            seen: 0,
            whole: Hasher::new(),
            inner: Hasher::new(),
            kept_back: Vec::new(),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        self.whole.update(bytes);
        if self.may_end_with_it() {
            self.keep_back(bytes);
        }
    }

    /// A folder's object may have lost the attribute: a copy by other means still ends as it was put.
    fn may_end_with_it(&self) -> bool {
        match self.expected.as_deref() {
            Some(expected) => expected == AT_THE_END,
            None => true,
        }
    }

    fn keep_back(&mut self, bytes: &[u8]) {
        let (body, last) = bytes.split_at(bytes.len().saturating_sub(TRAILER));
        let total = self.kept_back.len() + last.len();
        let gone = total.saturating_sub(TRAILER).min(self.kept_back.len());
        self.inner.update(&self.kept_back[..gone]);
        self.inner.update(body);
        self.kept_back.drain(..gone);
        self.kept_back.extend_from_slice(last);
    }

    /// The checksum of all bytes, where it is right; none where there was nothing to compare it with.
    pub(super) fn finish(self) -> Result<Option<String>, DepotError> {
        if self.seen != self.size {
            return Err(DepotError::Size {
                key: self.key,
                expected: self.size,
                found: self.seen,
            });
        }
        let whole = hex(&self.whole);
        let at_the_end = self.kept_back.strip_prefix(FRAME.as_slice());
        let (expected, found) = match (self.expected, at_the_end) {
            (None, None) => return Ok(None),
            (Some(expected), None) if expected == AT_THE_END => {
                return Err(DepotError::Unsealed(self.key));
            }
            (Some(expected), None) => (expected, whole.clone()),
            (_, Some(end)) => (hex::encode(end), hex(&self.inner)),
        };
        if expected == found {
            Ok(Some(whole))
        } else {
            Err(DepotError::Checksum {
                key: self.key,
                expected,
                found,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checked(object: &[u8], cuts: &[usize]) -> Result<Option<String>, DepotError> {
        let key = Key::parse("a.tar.zst").expect("a key");
        let mut check = Check::of(&key, object.len() as u64, Some(AT_THE_END.to_owned()));
        let mut rest = object;
        for cut in cuts {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            check.update(now);
            rest = later;
        }
        check.update(rest);
        check.finish()
    }

    proptest! {
        #[test]
        fn the_end_tells_of_all_before_it_however_it_comes_in(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            cuts in proptest::collection::vec(0usize..90, 0..9),
            at in any::<proptest::sample::Index>(),
        ) {
            let mut sealer = Sealer::default();
            sealer.update(&bytes);
            let mut object = bytes;
            object.extend(sealer.trailer());
            prop_assert!(checked(&object, &cuts).is_ok());
            let at = at.index(object.len());
            prop_assert!(checked(&object[..at], &cuts).is_err());
            object[at] ^= 1;
            prop_assert!(checked(&object, &cuts).is_err());
        }
    }
}
