//! A key pair for the simulated App, so that no private key ever stands in a file of the project.
//!
//! The only thing of this folder that draws from the system's randomness; nothing that is recorded
//! or compared depends on it.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The two halves of an App's key, PEM.
#[derive(Clone)]
pub struct AppKeys {
    /// For the client.
    pub private_pem: String,
    /// For [`Settings`](super::Settings).
    pub public_pem: String,
}

/// Why no key could be made.
#[derive(Debug, thiserror::Error)]
#[error("no RSA key could be made for the simulated app; the system's randomness may be missing")]
pub struct KeyError;

impl AppKeys {
    /// A fresh RSA key of 2048 bits, as GitHub makes them.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError)?;
        Ok(Self {
            private_pem: pem("PRIVATE KEY", private.as_ref()),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
        })
    }
}

/// RFC 7468: base64 in lines of 64 characters between two marks.
fn pem(kind: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {kind}-----\n");
    for (index, character) in STANDARD.encode(der).chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {kind}-----\n"));
    text
}
