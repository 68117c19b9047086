//! TLS towards AWS: which authorities prove that a server is AWS's.
//!
//! Mozilla's, which are built in, or those of a file where connections to AWS are opened on their way, or end
//! at something else that speaks AWS's protocols. The file counts instead of the others, as with AWS's own
//! command line and SDKs (`AWS_CA_BUNDLE`,
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The library does not support what it was built with.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
    /// The file cannot be read, or holds something else.
    #[error(
        "the ca_bundle {} cannot be read: {why}; name a file of certificates in PEM, or leave ca_bundle out",
        path.display()
    )]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// How connections are made; the authorities are those of the file, if one is named.
///
/// The provider is named, because a program that links a second one beside it (as the command line does) has
/// no default.
pub fn config(ca_bundle: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match ca_bundle {
        None => builder.with_webpki_roots(),
        Some(path) => builder.with_root_certificates(authorities(path)?),
    };
    Ok(builder.with_no_client_auth())
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let unusable = |why: String| TlsError::Bundle {
        path: path.to_owned(),
        why,
    };
    let mut store = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        store
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    match store.is_empty() {
        true => Err(unusable("there is no certificate in it".to_owned())),
        false => Ok(store),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bundle.pem");
        std::fs::write(&file, text).expect("written");
        let refused = config(Some(&file)).expect_err("must be refused");
        refused.to_string()
    }

    #[test]
    fn without_a_file_the_authorities_are_those_that_are_built_in() {
        assert!(config(None).is_ok());
    }

    #[test]
    fn a_file_without_certificates_is_refused_with_what_would_be_right() {
        let text = refusal("# none yet\n");
        assert!(text.contains("there is no certificate in it"), "{text}");
        assert!(text.contains("certificates in PEM"), "{text}");
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let nonsense = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n";
        assert!(refusal(nonsense).contains("cannot be read"));
        let missing = config(Some(Path::new("/nowhere/bundle.pem")));
        let text = missing.expect_err("must be refused").to_string();
        assert!(text.contains("/nowhere/bundle.pem"), "{text}");
    }
}
