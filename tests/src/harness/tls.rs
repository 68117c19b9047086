//! EC2 behind TLS, as it is: a door in front of the plain one, with a certificate of an authority that the
//! agent is told to trust (`ca_bundle`).
//!
//! The certificates and the key are fake and made once, by `openssl`, for `localhost` and until 2120.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::alone::Place;

/// The door; it closes with this.
pub struct Door {
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Door {
    /// In front of the EC2 of that instance.
    pub async fn before(place: &Place) -> Result<Self> {
        let (_, plain) = place.urls()?;
        let inside = plain.strip_prefix("http://");
        let inside = inside.context("EC2 is not plain HTTP")?.to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        // The name is in the certificate.
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let acceptor = TlsAcceptor::from(Arc::new(config()?));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, inside) = (acceptor.clone(), inside.clone());
                tokio::spawn(async move {
                    // A client that does not like the certificate goes away, and says so itself.
                    let _ = pass(&acceptor, stream, &inside).await;
                });
            }
        });
        Ok(Self { url, task })
    }

    /// Has an agent tag through it, which trusts its authority.
    pub fn lead(&self, agent: &mut Command) {
        self.lead_a_stranger(agent);
        agent.env("AWS_CA_BUNDLE", file("authority.pem"));
    }

    /// Has an agent tag through it that knows nothing of its authority.
    pub fn lead_a_stranger(&self, agent: &mut Command) {
        agent.env("AWS_ENDPOINT_URL_EC2", &self.url);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(acceptor: &TlsAcceptor, stream: TcpStream, inside: &str) -> Result<()> {
    let mut outer = acceptor.accept(stream).await?;
    let mut inner = TcpStream::connect(inside).await?;
    // EC2 ends each connection after its answer, and the agent may be quicker.
    let _ = copy_bidirectional(&mut outer, &mut inner).await;
    Ok(())
}

fn config() -> Result<ServerConfig> {
    let server = CertificateDer::from_pem_file(file("server.pem"));
    let authority = CertificateDer::from_pem_file(file("authority.pem"));
    // As a public server does, it shows the whole chain.
    let chain = vec![server?, authority?];
    let key = PrivateKeyDer::from_pem_file(file("fake-key.pem"))?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(config)
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/tls")
        .join(name)
}
