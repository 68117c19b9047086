//! HTTP 1.1 as far as the clients of a bench speak it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::PathBuf;

/// What is read or written at once.
const BLOCK: usize = 256 << 10;

/// A line of a head; longer ones nobody here sends.
const LONGEST_LINE: u64 = 16 << 10;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    block: Vec<u8>,
}

/// What is asked; its body still waits in the connection.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

/// A piece of a file: where it begins, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) file: PathBuf,
    pub(crate) from: u64,
    pub(crate) length: u64,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn is_about(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    /// How long its body is.
    pub(crate) fn length(&self) -> io::Result<u64> {
        let text = self.header("content-length").unwrap_or("0");
        text.parse().map_err(|_| wrong("no length of a body"))
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        Ok(Self {
            writer: stream.try_clone()?,
            reader: BufReader::with_capacity(BLOCK, stream),
            block: vec![0; BLOCK],
        })
    }

    /// The next thing that is asked; none when the client has gone.
    pub(crate) fn next(&mut self) -> io::Result<Option<Asked>> {
        let Some(first) = self.line()? else {
            return Ok(None);
        };
        let mut words = first.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(wrong("no request"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut asked = Asked {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            headers: BTreeMap::new(),
        };
        loop {
            let line = self.line()?.ok_or_else(|| wrong("half a head"))?;
            let Some((name, value)) = line.split_once(':') else {
                return Ok(Some(asked));
            };
            let value = value.trim().to_owned();
            asked.headers.insert(name.to_ascii_lowercase(), value);
        }
    }

    /// A line without its end.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        match (&mut self.reader).take(LONGEST_LINE).read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line.trim_end().to_owned())),
            // A client that was killed, or is over, leaves it so.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a body into a file.
    pub(crate) fn body_into(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let count = self.reader.read(&mut self.block[..room])?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            file.write_all(&self.block[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    /// A body that is a text.
    pub(crate) fn text(&mut self, length: u64) -> io::Result<String> {
        let mut text = String::new();
        (&mut self.reader).take(length).read_to_string(&mut text)?;
        Ok(text)
    }

    /// An answer with a short body.
    pub(crate) fn say(&mut self, status: &str, headers: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
        self.writer.write_all(text.as_bytes())
    }

    /// An answer's head alone, as a HEAD gets it, or before [`Self::send`].
    pub(crate) fn head(&mut self, status: &str, headers: &str, length: u64) -> io::Result<()> {
        let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
        self.writer.write_all(text.as_bytes())
    }

    /// A piece of a body.
    pub(crate) fn send(&mut self, piece: &Piece) -> io::Result<()> {
        let mut file = File::open(&piece.file)?;
        file.seek(SeekFrom::Start(piece.from))?;
        let mut left = piece.length;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let count = file.read(&mut self.block[..room])?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.writer.write_all(&self.block[..count])?;
            left -= count as u64;
        }
        Ok(())
    }
}

/// The pairs of a query. What is encoded stays so, the same way in every request.
fn pairs(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub(crate) fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
