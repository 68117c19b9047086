//! A server that answers what `object_store` asks of S3, from files, as fast as one on the same machine can.
//!
//! As S3 it answers a PUT only when what came in is stored for good. It is no check of what is asked: it believes every signature and every checksum, since S3 looks at them on machines of
//! its own. Whether the calls are right, the suites against moto show. A thread a connection, without TLS.

mod answers;
mod http;
mod objects;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

pub(crate) use self::answers::VOLATILE;
use self::http::Connection;
use self::objects::Objects;

/// It serves until the bench ends.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    objects: Mutex<Objects>,
}

impl Shared {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Starts one that keeps what it is given in a folder.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let server = Self {
            address: listener.local_addr()?,
            shared: Arc::new(Shared {
                objects: Mutex::new(Objects::in_folder(folder)),
            }),
        };
        let shared = Arc::clone(&server.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    if let Err(error) = serve(stream, &shared) {
                        eprintln!("the bench's server: {error}");
                    }
                });
            }
        });
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Objects without content, to be listed.
    pub(crate) fn pretend(&self, paths: impl Iterator<Item = String>) {
        self.shared.objects().pretend(paths);
    }

    /// How many pages were listed so far.
    pub(crate) fn pages(&self) -> u64 {
        self.shared.objects().pages
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.shared.objects().clear()
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::new(stream)?;
    while let Some(asked) = connection.next()? {
        answers::answer(&asked, &mut connection, shared)?;
    }
    Ok(())
}
