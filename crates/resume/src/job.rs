//! A job of a run, with what shows that it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::key::{Key, Prefix};
use crate::name::JobName;

/// A job, as the manifest has it, in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: JobName,
    /// The combination of a matrix that it is of; nothing of a job by itself.
    pub leg: Option<Leg>,
    /// Where its artifacts lie.
    pub prefix: Prefix,
    /// What it must produce.
    pub artifacts: Vec<Key>,
    /// Where something is found, it need not run.
    pub unless_found: Option<Address>,
    /// The jobs whose results it uses, as places in the list that it is in. Invariant: nothing needs itself, by however many others.
    pub needs: BTreeSet<usize>,
    /// It runs again when one of these does.
    pub stale_with_inputs: bool,
    /// It runs only for a job that needs it and runs.
    pub only_if_wanted: bool,
}

/// A combination of a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The name of all jobs of the matrix, as the manifest has it.
    pub pattern: String,
    /// The values that the name and the artifacts say.
    pub values: BTreeMap<String, String>,
}

/// What is asked by HTTP whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(String);

/// Why a text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It has another form.
    #[error("it is no URL; write https://HOST/PATH, with %20 for a blank")]
    NoUrl,
    /// Whoever is on the way may answer in the host's place.
    #[error("a forged answer would skip the job; write https")]
    NotSafe,
    /// It is written to logs.
    #[error("it has a name or password before its host, which the log would show")]
    Secret,
}

impl Address {
    /// Reads a URL: HTTPS, or HTTP to this machine.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let uri: http::Uri = text.parse().map_err(|_| AddressError::NoUrl)?;
        let authority = uri.authority().ok_or(AddressError::NoUrl)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::Secret);
        }
        let host = authority.host();
        let is_own = host == "localhost" || is_loopback(host);
        match uri.scheme_str() {
            Some("https") => Ok(Self(text.to_owned())),
            Some("http") if is_own => Ok(Self(text.to_owned())),
            Some("http") => Err(AddressError::NotSafe),
            Some(_) | None => Err(AddressError::NoUrl),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether an address, not a name that begins like one, is of this machine.
fn is_loopback(host: &str) -> bool {
    let address: Result<std::net::IpAddr, _> = host.trim_matches(['[', ']']).parse();
    address.is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_safe_from_forgers_and_tells_no_secret() {
        for (text, wanted) in [
            ("https://ghcr.io/v2/acme/shop/manifests/3.4", Ok(())),
            ("http://127.0.0.1:8080/x", Ok(())),
            ("http://example.com/x", Err(AddressError::NotSafe)),
            ("http://127.example.com/x", Err(AddressError::NotSafe)),
            ("https://me:secret@example.com/", Err(AddressError::Secret)),
            ("ghcr.io/acme/shop:3.4", Err(AddressError::NoUrl)),
            ("https://example.com/a b", Err(AddressError::NoUrl)),
            ("file:///etc/passwd", Err(AddressError::NoUrl)),
        ] {
            assert_eq!(Address::parse(text).map(|_| ()), wanted, "{text}");
        }
    }
}
