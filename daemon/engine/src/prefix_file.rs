//! Prefixes on the disk: one file a model, of blocks. A record begins at a block and says whose prefix it is, its tokens and
//! a MAC of the state that follows; the state is written first, so a record that was cut off is none. What the MAC does not
//! vouch for (another key, another build, a damaged disk) is not seen, or thrown away, and computed anew.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use protocol::Owner;

use crate::cache::View;
use crate::ggml::Token;
use crate::spill::Spilled;

/// The file of one model.
#[derive(Debug)]
pub(crate) struct PrefixFile {
    file: File,
    key: [u8; 32],
    blocks: u64,
    /// The coldest first.
    records: Vec<Record>,
}

/// One prefix in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    first_block: u64,
    owner: Owner,
    tokens: Vec<Token>,
    state_bytes: u64,
    state_mac: [u8; 32],
}

const BLOCK: u64 = 1 << 20;

const MAGIC: &[u8; 8] = b"HobKV\0\0\x01";

/// Magic, owner, tokens, state's bytes, state's MAC, MAC of the head.
const FIXED_HEAD: u64 = 8 + 8 + 4 + 8 + 32 + 32;

/// A longer context has no use for a disk.
const MOST_TOKENS: u32 = 1 << 22;

impl PrefixFile {
    /// Takes over the file, of at most `most_bytes`. What a file states depends on besides its model (this build, the kind of
    /// cache) is told by `kind`.
    pub(crate) fn open(file: File, secret: &[u8], kind: &str, most_bytes: u64) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new_derive_key("hob 2026-11 prefix file");
        hasher.update(secret).update(kind.as_bytes());
        let blocks = most_bytes / BLOCK;
        file.set_len(file.metadata()?.len().min(blocks * BLOCK))?;
        let mut opened = Self { file, key: *hasher.finalize().as_bytes(), blocks, records: Vec::new() };
        opened.scan()?;
        Ok(opened)
    }

    fn scan(&mut self) -> io::Result<()> {
        let mut block = 0;
        while block * BLOCK < self.file.metadata()?.len() {
            match self.read_head(block) {
                Ok(Some(record)) => {
                    block += record.blocks();
                    self.records.push(record);
                }
                Ok(None) => block += 1,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => block += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tokens of a prompt that some record saves, and which.
    fn best(&self, owner: Owner, prompt: &[Token], parts: bool) -> Option<(usize, usize)> {
        let serves = |record: &Record| {
            let view = View { owner: record.owner, cached: &record.tokens, idle: true, last_used: 0 };
            view.serves(owner, prompt, parts)
        };
        self.records.iter().map(serves).enumerate().max_by_key(|(_, saved)| *saved)
    }

    /// Reads the prefix that saves most of a prompt, if it saves more than `have` tokens. Blocks on the disk.
    pub(crate) fn fetch(
        &mut self,
        owner: Owner,
        prompt: &[Token],
        parts: bool,
        have: usize,
    ) -> Option<Arc<Spilled>> {
        let (at, _) = self.best(owner, prompt, parts).filter(|(_, saved)| *saved > have)?;
        let record = self.records.remove(at);
        let mut state = vec![0; usize::try_from(record.state_bytes).ok()?];
        let read = self.file.read_exact_at(&mut state, record.first_block * BLOCK + record.head_bytes());
        if read.is_err() || *blake3::keyed_hash(&self.key, &state).as_bytes() != record.state_mac {
            self.forget(&record).ok()?;
            return None;
        }
        let (owner, tokens) = (record.owner, record.tokens.clone());
        self.records.push(record);
        Some(Arc::new(Spilled { owner, tokens, state }))
    }

    /// Keeps a prefix, in place of those that it goes on from, and gives up the coldest ones for it. One that is here, or
    /// can never fit, is passed over. Blocks on the disk.
    pub(crate) fn keep(&mut self, spilled: &Spilled, parts: bool) -> io::Result<()> {
        let mine = |record: &Record| record.owner == spilled.owner;
        let known = |record: &Record| {
            mine(record)
                && record.tokens.starts_with(&spilled.tokens)
                && (parts || record.tokens.len() == spilled.tokens.len())
        };
        if self.records.iter().any(known) {
            return Ok(());
        }
        let replaced =
            |record: &mut Record| parts && mine(record) && spilled.tokens.starts_with(&record.tokens);
        for record in self.records.extract_if(.., replaced).collect::<Vec<_>>() {
            self.forget(&record)?;
        }
        let state_mac = *blake3::keyed_hash(&self.key, &spilled.state).as_bytes();
        let mut record = Record {
            first_block: 0,
            owner: spilled.owner,
            tokens: spilled.tokens.clone(),
            state_bytes: spilled.state.len() as u64,
            state_mac,
        };
        let Some(place) = self.room_for(record.blocks())? else { return Ok(()) };
        record.first_block = place;
        let start = place * BLOCK;
        self.file.write_all_at(&spilled.state, start + record.head_bytes())?;
        self.file.sync_data()?;
        self.file.write_all_at(&record.head(&self.key), start)?;
        self.records.push(record);
        Ok(())
    }

    /// The first of so many free blocks in a row; the coldest records go until there are.
    fn room_for(&mut self, blocks: u64) -> io::Result<Option<u64>> {
        if blocks > self.blocks {
            return Ok(None);
        }
        loop {
            let mut taken: Vec<(u64, u64)> =
                self.records.iter().map(|record| (record.first_block, record.blocks())).collect();
            taken.sort_unstable();
            let mut free_from = 0;
            for (first, count) in taken {
                if first - free_from >= blocks {
                    return Ok(Some(free_from));
                }
                free_from = first + count;
            }
            if self.blocks.saturating_sub(free_from) >= blocks {
                return Ok(Some(free_from));
            }
            let coldest = self.records.remove(0);
            self.forget(&coldest)?;
        }
    }

    /// Takes a record's head from the disk, or it would be found there again. Its state may then be written over.
    fn forget(&self, record: &Record) -> io::Result<()> {
        self.file.write_all_at(&[0; MAGIC.len()], record.first_block * BLOCK)
    }

    /// The record that begins at a block, if one does.
    fn read_head(&self, block: u64) -> io::Result<Option<Record>> {
        let start = block * BLOCK;
        let mut fixed = [0; 20];
        self.file.read_exact_at(&mut fixed, start)?;
        let count = u32::from_le_bytes([fixed[16], fixed[17], fixed[18], fixed[19]]);
        if &fixed[..8] != MAGIC || count > MOST_TOKENS {
            return Ok(None);
        }
        let mut head = vec![0; usize::try_from(FIXED_HEAD).unwrap_or(0) + count as usize * 4];
        self.file.read_exact_at(&mut head, start)?;
        Ok(Record::parse(block, &head, &self.key))
    }
}

impl Record {
    fn head_bytes(&self) -> u64 {
        FIXED_HEAD + self.tokens.len() as u64 * 4
    }

    fn blocks(&self) -> u64 {
        self.head_bytes().saturating_add(self.state_bytes).div_ceil(BLOCK)
    }

    fn head(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        head.extend(self.owner.0.to_le_bytes());
        head.extend((self.tokens.len() as u32).to_le_bytes());
        head.extend(self.state_bytes.to_le_bytes());
        head.extend(self.state_mac);
        head.extend(self.tokens.iter().flat_map(|token| token.to_le_bytes()));
        let mac = blake3::keyed_hash(key, &head);
        head.extend(mac.as_bytes());
        head
    }

    fn parse(first_block: u64, head: &[u8], key: &[u8; 32]) -> Option<Self> {
        let (said, mac) = head.split_last_chunk::<32>()?;
        // Compared in constant time.
        if blake3::keyed_hash(key, said) != blake3::Hash::from_bytes(*mac) {
            return None;
        }
        let (owner, rest) = said.get(8..)?.split_first_chunk::<8>()?;
        let (_count, rest) = rest.split_first_chunk::<4>()?;
        let (state_bytes, rest) = rest.split_first_chunk::<8>()?;
        let (state_mac, rest) = rest.split_first_chunk::<32>()?;
        let tokens = rest.chunks_exact(4).map(|token| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(token);
            Token::from_le_bytes(bytes)
        });
        Some(Self {
            first_block,
            owner: Owner(u64::from_le_bytes(*owner)),
            tokens: tokens.collect(),
            state_bytes: u64::from_le_bytes(*state_bytes),
            state_mac: *state_mac,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Owner = Owner(7);

    fn open(file: &File, kind: &str) -> PrefixFile {
        PrefixFile::open(file.try_clone().unwrap(), b"secret", kind, 8 * BLOCK).unwrap()
    }

    fn prefix(tokens: std::ops::Range<Token>, bytes: usize) -> Spilled {
        let state = tokens.clone().cycle().take(bytes).map(|token| token as u8).collect();
        Spilled { owner: ME, tokens: tokens.collect(), state }
    }

    fn fetched(file: &mut PrefixFile, prompt: std::ops::Range<Token>) -> Option<Vec<u8>> {
        let prompt: Vec<Token> = prompt.collect();
        file.fetch(ME, &prompt, true, 0).map(|spilled| spilled.state.clone())
    }

    #[test]
    fn what_was_kept_is_found_after_a_restart_and_the_coldest_goes_first() {
        let disk = tempfile::tempfile().unwrap();
        let mut file = open(&disk, "f16");
        let three_blocks = usize::try_from(BLOCK * 5 / 2).unwrap();
        for start in [0, 1000] {
            file.keep(&prefix(start..start + 300, three_blocks), true).unwrap();
        }

        let mut again = open(&disk, "f16");
        assert_eq!(fetched(&mut again, 0..400), Some(prefix(0..300, three_blocks).state));
        again.keep(&prefix(5000..5100, three_blocks), true).unwrap();

        let mut third = open(&disk, "f16");
        assert!(fetched(&mut third, 1000..1400).is_none(), "it was the coldest");
        assert!(fetched(&mut third, 0..400).is_some() && fetched(&mut third, 5000..5200).is_some());
        assert!(disk.metadata().unwrap().len() <= 8 * BLOCK);
        assert!(third.fetch(Owner(8), &(0..400).collect::<Vec<_>>(), true, 0).is_none());
    }

    #[test]
    fn what_was_changed_or_is_of_another_kind_is_not_believed() {
        let head = FIXED_HEAD + 300 * 4;
        let kept = || {
            let disk = tempfile::tempfile().unwrap();
            open(&disk, "f16").keep(&prefix(0..300, 5000), true).unwrap();
            disk
        };
        for at in [9, 25, 70, head - 1, head, head + 4999] {
            let disk = kept();
            let mut byte = [0];
            disk.read_exact_at(&mut byte, at).unwrap();
            disk.write_all_at(&[byte[0] ^ 1], at).unwrap();
            assert!(fetched(&mut open(&disk, "f16"), 0..400).is_none(), "byte {at}");
        }
        let disk = kept();
        assert!(fetched(&mut open(&disk, "q8_0"), 0..400).is_none());
        assert!(fetched(&mut open(&disk, "f16"), 0..400).is_some());
        disk.set_len(head + 100).unwrap();
        assert!(fetched(&mut open(&disk, "f16"), 0..400).is_none(), "it was cut off");
    }

    #[test]
    fn a_file_of_anything_is_read_as_empty() {
        let disk = tempfile::tempfile().unwrap();
        disk.write_all_at(&[0xff; 3000], 0).unwrap();
        disk.write_all_at(MAGIC, BLOCK).unwrap();
        disk.write_all_at(&[0xff; 100], BLOCK + 8).unwrap();
        let mut file = open(&disk, "f16");
        assert!(file.records.is_empty());
        file.keep(&prefix(0..300, 20 << 20), true).unwrap();
        assert!(file.records.is_empty(), "it could never fit");
        file.keep(&prefix(0..300, 5000), true).unwrap();
        assert!(fetched(&mut file, 0..400).is_some());
    }
}
