//! The file of a base, read ahead in a thread of its own and held against its pin.
//!
//! In: a file. Out: its bytes through a short channel, and at their end their digest. Digesting beside unpacking takes a
//! core that would wait otherwise.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use desired::Digest;

use crate::digest::Hasher;

/// Bytes in a piece.
const PIECE: usize = 1 << 20;
/// Pieces that wait: with the one in work 5 MiB at most.
const AHEAD: usize = 3;

type Piece = io::Result<Vec<u8>>;

/// The packed bytes.
#[derive(Debug)]
pub(super) struct Packed {
    pieces: Receiver<Piece>,
    current: Vec<u8>,
    at: usize,
    is_ended: bool,
}

/// What is known once the last byte was read.
pub(super) type Ending = Arc<OnceLock<Digest>>;

/// Starts to read; digests in the algorithm of `pin`, if there is one.
pub(super) fn read(file: File, pin: Option<&Digest>) -> (Packed, Ending) {
    let (sender, pieces) = sync_channel(AHEAD);
    let (ending, hasher) = (Ending::default(), pin.map(|pin| Hasher::new(pin.algorithm())));
    let told = Arc::clone(&ending);
    // It ends with the file, with an error, or when nobody wants the next piece.
    std::thread::spawn(move || forward(file, hasher, &sender, &told));
    (Packed { pieces, current: Vec::new(), at: 0, is_ended: false }, ending)
}

fn forward(mut file: File, mut hasher: Option<Hasher>, sender: &SyncSender<Piece>, ending: &Ending) {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
        let is_last = !matches!(read, Ok(count) if count > 0);
        if is_last && let Some(hasher) = hasher.take() {
            let _ = ending.set(hasher.finish());
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(&piece);
        }
        if sender.send(read.map(|_| piece)).is_err() || is_last {
            return;
        }
    }
}

impl BufRead for Packed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.current.len() && !self.is_ended {
            self.current = self.pieces.recv().map_err(|_| io::Error::other("its reader ended"))??;
            self.at = 0;
            self.is_ended = self.current.is_empty();
        }
        Ok(&self.current[self.at..])
    }
    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let here = self.fill_buf()?;
        let count = here.len().min(buffer.len());
        buffer[..count].copy_from_slice(&here[..count]);
        self.consume(count);
        Ok(count)
    }
}
