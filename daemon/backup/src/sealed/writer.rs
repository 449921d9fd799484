//! Seals what is written, a piece at a time.

use std::io::{self, Write};

use aws_lc_rs::aead::Aad;
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

use super::{NONCE, PIECE, Passphrase, Pieces, Place, TAG, header};

/// A sealed file that is written. It is none before [`finish`](Self::finish).
pub(crate) struct Sealer<W> {
    output: W,
    pieces: Pieces,
    /// What was not sealed yet.
    piece: Zeroizing<Vec<u8>>,
}

impl<W: Write> Sealer<W> {
    /// Begins one. It takes the time that a try takes.
    pub(crate) fn new(output: W, passphrase: &Passphrase) -> io::Result<Self> {
        Self::of_work(output, passphrase, header::WORK)
    }

    /// One that takes other pains to be tried: two to the power of `work`.
    pub(super) fn of_work(mut output: W, passphrase: &Passphrase, work: u8) -> io::Result<Self> {
        let (key, header) = header::made(passphrase, work)?;
        let nonce: [u8; NONCE] = rand::random();
        let pieces = Pieces::of(&key, &nonce).map_err(unsealed)?;
        output.write_all(header.as_bytes())?;
        output.write_all(&nonce)?;
        Ok(Self { output, pieces, piece: Zeroizing::new(Vec::with_capacity(PIECE + TAG)) })
    }

    /// Ends it.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.seal(Place::Last)?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn seal(&mut self, place: Place) -> io::Result<()> {
        let nonce = self.pieces.nonce(place);
        self.pieces.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut *self.piece).map_err(unsealed)?;
        self.output.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Only once more is there: the last piece is sealed as such.
        if self.piece.len() == PIECE && !bytes.is_empty() {
            self.seal(Place::Within)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

fn unsealed(Unspecified: Unspecified) -> io::Error {
    io::Error::other("the file cannot be sealed")
}
