//! What the program is compared with: the same bytes, moved without a look at them.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::server::{Server, VOLATILE};

/// What is read or written at once.
const BLOCK: usize = 1 << 20;

/// `cp`, and then the disk has it, as with the program's files.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    // A file system that shares blocks would copy nothing.
    let mut cp = Command::new("cp");
    cp.args(["--reflink=never", "--sparse=never"]);
    let status = cp.arg(from).arg(to).status();
    let status = status.context("failed to start cp")?;
    ensure!(status.success(), "cp ended with {status}");
    Ok(File::open(to)?.sync_all()?)
}

/// When a server answers a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// When its disk has it.
    ForGood,
    /// When its memory has it.
    InMemory,
}

/// One PUT over one connection.
pub(crate) fn put(server: &Server, path: &str, from: &Path, kept: Kept) -> Result<()> {
    let mut file = File::open(from)?;
    let size = file.metadata()?.len();
    let mut stream = connect(server)?;
    let volatile = match kept {
        Kept::ForGood => String::new(),
        Kept::InMemory => format!("{VOLATILE}: yes\r\n"),
    };
    write!(
        stream,
        "PUT {path} HTTP/1.1\r\nhost: bench\r\n{volatile}content-length: {size}\r\n\r\n"
    )?;
    pump(&mut file, &mut stream, size)?;
    let head = head(&mut stream)?;
    ensure!(head.starts_with("HTTP/1.1 200"), "the server said {head}");
    Ok(())
}

/// One GET over one connection, into a file that the disk has then.
pub(crate) fn get(server: &Server, path: &str, to: &Path) -> Result<()> {
    let mut stream = connect(server)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n")?;
    let head = head(&mut stream)?;
    ensure!(head.starts_with("HTTP/1.1 200"), "the server said {head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.context("an answer without a length")?.parse()?;
    let mut file = File::create(to)?;
    pump(&mut stream, &mut file, length)?;
    Ok(file.sync_all()?)
}

fn connect(server: &Server) -> Result<TcpStream> {
    let stream = TcpStream::connect(server.address())?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Byte by byte, so that nothing of the body is taken with it.
fn head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8(head)?)
}

fn pump(from: &mut impl Read, to: &mut impl Write, length: u64) -> Result<()> {
    let mut block = vec![0; BLOCK];
    let mut left = length;
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let count = from.read(&mut block[..room])?;
        ensure!(count > 0, "{left} bytes of {length} are missing");
        to.write_all(&block[..count])?;
        left -= count as u64;
    }
    Ok(())
}
