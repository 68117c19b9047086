//! A server of somebody else's as a child process: ended when it is dropped.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::wait;

/// The slowest of them takes half a second on an idle machine; a machine that builds is not idle.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to try another port when somebody took the one that was free a moment ago.
const TRIES: usize = 3;

/// A running server on a port of loopback.
#[derive(Debug)]
pub struct Server {
    // Declared first: the child ends before its folder goes.
    _child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// Starts the server that `command` describes for a port and for a folder to write to, and waits
    /// until it takes connections.
    pub async fn start(name: &str, command: impl Fn(u16, &Path) -> Command) -> Result<Self> {
        let mut last = None;
        for _ in 0..TRIES {
            match Self::try_start(name, &command).await {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        let last = last.context("it was never tried")?;
        Err(last.context(format!("failed to start {name}")))
    }

    /// Its address, as `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn try_start(name: &str, command: impl Fn(u16, &Path) -> Command) -> Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder")?;
        let log = folder.path().join("log");
        let port = free_port()?;
        let mut child = command(port, folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ready = wait::until(name, PATIENCE, async || {
            if let Some(status) = child.try_wait()? {
                bail!("{name} ended with {status}");
            }
            Ok(TcpStream::connect(address).await.ok())
        });
        if let Err(error) = ready.await {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(error.context(format!("{name} said:\n{said}")));
        }
        Ok(Self {
            _child: child,
            address,
            _folder: folder,
        })
    }
}

/// Free a moment ago, which is as good as can be had before a server listens on it.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
