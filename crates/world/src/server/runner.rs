//! The runner's own program, as far as the world needs one: it starts with a configuration, once.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Why the runner did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunnerStartError {
    /// The address is not one that a served world gave.
    #[error("{0:?} is not the address of a machine's runner; give the one that the world told")]
    Address(String),
    /// The world does not answer.
    #[error("the simulated GitHub does not answer; it may have ended")]
    Broken(#[from] std::io::Error),
    /// The simulated GitHub does not take the configuration.
    #[error("the simulated GitHub refuses the runner: {0}")]
    Refused(String),
}

/// Starts the runner of a machine; `address` is what [`super::RunningWorld::runner_address`] told.
pub async fn start_runner(address: &str, encoded: &str) -> Result<(), RunnerStartError> {
    let wrong = || RunnerStartError::Address(address.to_owned());
    let rest = address.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
    let mut stream = TcpStream::connect(host).await?;
    let length = encoded.len();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{encoded}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 204") {
        return Ok(());
    }
    let words = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Err(RunnerStartError::Refused(words.trim().to_owned()))
}
