//! Opens what was sealed, a piece at a time: nothing of a piece is handed out before all of it was found to be whole, and in its
//! place.

use std::io::{self, ErrorKind, Read};

use aws_lc_rs::aead::Aad;
use zeroize::Zeroizing;

use super::{NONCE, PIECE, Passphrase, Pieces, Place, TAG, Unopened};
use crate::BackupError;

/// A sealed file that is read.
pub(crate) struct Opened<R> {
    input: R,
    pieces: Pieces,
    piece: Zeroizing<Vec<u8>>,
    /// Of the piece, what was handed out.
    taken: usize,
    /// Sealed bytes of the next piece that were read to see whether there is one.
    ahead: Vec<u8>,
    ended: bool,
}

impl<R: Read> Opened<R> {
    /// It takes the time that a try takes.
    pub(crate) fn new(
        mut input: R,
        unopened: Unopened,
        passphrase: &Passphrase,
    ) -> Result<Self, BackupError> {
        let key = unopened.open(passphrase)?;
        let mut nonce = [0; NONCE];
        input.read_exact(&mut nonce).map_err(BackupError::reading)?;
        let pieces =
            Pieces::of(&key, &nonce).map_err(|_| BackupError::Damaged("its beginning was changed"))?;
        let piece = Zeroizing::new(Vec::new());
        Ok(Self { input, pieces, piece, taken: 0, ahead: Vec::new(), ended: false })
    }

    /// The next piece.
    fn open(&mut self) -> io::Result<()> {
        self.piece.clear();
        self.piece.append(&mut self.ahead);
        let most = (PIECE + TAG + 1 - self.piece.len()) as u64;
        self.input.by_ref().take(most).read_to_end(&mut self.piece)?;
        let place = if self.piece.len() > PIECE + TAG { Place::Within } else { Place::Last };
        if place == Place::Within {
            self.ahead.push(self.piece[PIECE + TAG]);
            self.piece.truncate(PIECE + TAG);
        }
        // One piece and no more may be empty.
        let empty = self.piece.len() == TAG && self.pieces.number > 0;
        let nonce = self.pieces.nonce(place);
        let opened = self.pieces.key.open_in_place(nonce, Aad::empty(), &mut self.piece);
        let bytes = opened.map(|opened| opened.len());
        match bytes {
            Ok(bytes) if !empty => self.piece.truncate(bytes),
            _ => return Err(io::Error::new(ErrorKind::InvalidData, BackupError::Unsealed)),
        }
        (self.taken, self.ended) = (0, place == Place::Last);
        Ok(())
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() {
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            self.open()?;
        }
        let count = buffer.len().min(self.piece.len() - self.taken);
        buffer[..count].copy_from_slice(&self.piece[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}
