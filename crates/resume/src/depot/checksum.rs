//! The checksum of an object.
//!
//! BLAKE3, which one core takes of several GB a second where SHA-256 is taken of less than two: a file is read for it before
//! its upload begins, and what is fetched is checked on its way (ADR 30).

pub(crate) use blake3::Hasher;

/// As it is kept beside an object and shown to people, as `b3sum` does.
pub(crate) fn hex(hasher: &Hasher) -> String {
    hasher.finalize().to_hex().to_string()
}
