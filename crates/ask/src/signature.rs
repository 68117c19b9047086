//! The signature of a question, by which an endpoint tells ours from others'.
//!
//! Signed are the time and the body: whoever has seen a question cannot send it again later.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header that holds the signature.
pub const SIGNATURE: &str = "x-reprise-signature-256";

/// The header that holds the time, in seconds since 1970.
pub const TIMESTAMP: &str = "x-reprise-timestamp";

/// The headers that sign a body at this time: HMAC-SHA256 of the time as the header has it, a dot, and the body.
pub fn signed(secret: &SecretString, now: Timestamp, body: &[u8]) -> Vec<(String, String)> {
    let time = now.as_second().to_string();
    // HMAC takes keys of any length, so this error cannot come; if it did, nobody would believe the question.
    let signature = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .map(|mac| {
            mac.chain_update(&time)
                .chain_update(b".")
                .chain_update(body)
        })
        .map(|mac| hex::encode(mac.finalize().into_bytes()))
        .unwrap_or_default();
    vec![
        (TIMESTAMP.to_owned(), time),
        (SIGNATURE.to_owned(), format!("sha256={signature}")),
    ]
}
