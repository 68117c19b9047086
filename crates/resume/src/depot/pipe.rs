//! Bytes from one thread to another, with a bound on how many wait in between.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::{Buf, Bytes};

/// How many blocks wait.
const WAITING: usize = 2;

/// A block at most.
const BLOCK: usize = 1 << 20;

pub(super) fn pipe() -> (Sender, Reader) {
    let (sender, receiver) = sync_channel(WAITING);
    let reader = Reader {
        receiver,
        block: Bytes::new(),
    };
    (
        Sender {
            sender,
            block: Vec::new(),
        },
        reader,
    )
}

/// The end that is written to. What is left in it, [`Write::flush`] sends.
pub(super) struct Sender {
    sender: SyncSender<Bytes>,
    block: Vec<u8>,
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BLOCK - self.block.len();
        let count = room.min(bytes.len());
        self.block.extend_from_slice(&bytes[..count]);
        if self.block.len() == BLOCK {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() {
            return Ok(());
        }
        let sent = self.sender.send(block.into());
        sent.map_err(|_| ErrorKind::BrokenPipe.into())
    }
}

/// Takes everything also when nobody reads on: who reads says why it stopped.
pub(super) struct Tolerant(pub(super) Sender);

impl Write for Tolerant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.write_all(bytes).is_err() {
            self.0.block.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().or(Ok(()))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Nobody reads: nobody misses it.
        self.flush().ok();
    }
}

/// The end that is read from; it ends where the other one is dropped.
pub(super) struct Reader {
    receiver: Receiver<Bytes>,
    block: Bytes,
}

impl Reader {
    /// The next block; none at the end.
    pub(super) fn block(&mut self) -> Option<Bytes> {
        self.receiver.recv().ok()
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            match self.block() {
                Some(block) => self.block = block,
                None => return Ok(0),
            }
        }
        let count = self.block.len().min(into.len());
        self.block.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
