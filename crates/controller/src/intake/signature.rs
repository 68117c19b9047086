//! `X-Hub-Signature-256`: who knows the secret sent the body.

use hmac::{Hmac, KeyInit, Mac};
use reprise_engine::mutant;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::intake::Forgery;

/// The attribute of a message that holds the signature.
pub const SIGNATURE: &str = "X-Hub-Signature-256";
/// The attribute that holds the kind of event.
pub const EVENT: &str = "X-GitHub-Event";
/// The attribute that holds the delivery's id.
pub const DELIVERY: &str = "X-GitHub-Delivery";

/// Which secret signed a message. In configuration the current one comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedWith {
    /// The first.
    Current,
    /// A later one, which may go when nothing is signed with it any more.
    Previous,
}

impl SignedWith {
    /// The word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

/// Believes a body only when one of the secrets signed it. Two secrets at once let an operator
/// change them without a gap. The comparison takes the same time wherever the difference is.
///
/// # Errors
/// Says whether the signature was missing or wrong.
pub fn verify(
    secrets: &[SecretString],
    body: &[u8],
    signature: Option<&str>,
) -> Result<SignedWith, Forgery> {
    mutant!(BelieveAnybody => return Ok(SignedWith::Current));
    let signature = signature.ok_or(Forgery::Unsigned)?;
    let digest = signature
        .strip_prefix("sha256=")
        .and_then(|text| hex::decode(text).ok())
        .ok_or(Forgery::WrongSignature)?;
    let signer = secrets
        .iter()
        .position(|secret| signed_with(secret, body, &digest));
    match signer {
        Some(0) => Ok(SignedWith::Current),
        Some(_) => Ok(SignedWith::Previous),
        None => Err(Forgery::WrongSignature),
    }
}

fn signed_with(secret: &SecretString, body: &[u8], digest: &[u8]) -> bool {
    // HMAC takes keys of any length, so this error cannot come; if it did, nothing is believed.
    Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .is_ok_and(|mac| mac.chain_update(body).verify_slice(digest).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's page "Validating webhook deliveries".
    const BODY: &[u8] = b"Hello, World!";
    const SIGNED: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from(*text)).collect()
    }

    #[test]
    fn githubs_own_example_is_believed() {
        assert_eq!(
            verify(
                &secrets(&["It's a Secret to Everybody"]),
                BODY,
                Some(SIGNED)
            ),
            Ok(SignedWith::Current)
        );
    }

    #[test]
    fn either_of_two_secrets_is_good_while_they_are_changed() {
        let both = secrets(&["the new one", "It's a Secret to Everybody"]);
        assert_eq!(verify(&both, BODY, Some(SIGNED)), Ok(SignedWith::Previous));
        let both = secrets(&["It's a Secret to Everybody", "the old one"]);
        assert_eq!(verify(&both, BODY, Some(SIGNED)), Ok(SignedWith::Current));
        let neither = secrets(&["the new one", "the old one"]);
        assert_eq!(
            verify(&neither, BODY, Some(SIGNED)),
            Err(Forgery::WrongSignature)
        );
    }

    #[test]
    fn a_missing_signature_is_told_apart_from_a_wrong_one() {
        let known = secrets(&["It's a Secret to Everybody"]);
        assert_eq!(verify(&known, BODY, None), Err(Forgery::Unsigned));
        for wrong in [
            "",
            "sha256=",
            "sha256=zz",
            "sha1=00",
            &SIGNED[..SIGNED.len() - 2],
        ] {
            assert_eq!(
                verify(&known, BODY, Some(wrong)),
                Err(Forgery::WrongSignature),
                "{wrong}"
            );
        }
        assert_eq!(
            verify(&known, b"Hello, world!", Some(SIGNED)),
            Err(Forgery::WrongSignature)
        );
    }

    #[test]
    fn without_a_secret_nothing_is_believed() {
        assert_eq!(
            verify(&[], BODY, Some(SIGNED)),
            Err(Forgery::WrongSignature)
        );
    }
}
