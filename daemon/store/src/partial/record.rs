//! What is on record of each part, beside the bytes themselves.

use platform::boot;
use serde::{Deserialize, Serialize};

use super::Part;

/// What is on record of a part. Ollama's form, with two fields more, which it does not read: a process that is killed
/// loses nothing that it has written, a machine whose power is cut loses what was not synced.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Record {
    #[serde(rename = "N")]
    number: usize,
    offset: u64,
    size: u64,
    /// Synced.
    completed: u64,
    /// Written, synced or not, in the run `boot` of the machine.
    #[serde(default)]
    written: u64,
    #[serde(default)]
    boot: String,
}

impl Record {
    pub(super) fn part(self) -> Part {
        let same_run = !self.boot.is_empty() && self.boot == boot::id();
        let completed = if same_run { self.written.max(self.completed) } else { self.completed };
        Part { number: self.number, offset: self.offset, size: self.size, completed }
    }

    /// Always as long, so that a newer record leaves nothing of an older one.
    pub(super) fn bytes(part: &Part, synced: u64) -> Vec<u8> {
        let Part { number, offset, size, completed: written } = *part;
        let record = Self { number, offset, size, completed: synced, written, boot: boot::id() };
        let mut bytes = serde_json::to_vec(&record).expect("numbers and texts cannot fail to serialize");
        bytes.resize(bytes.len().max(RECORD_BYTES), b' ');
        bytes
    }
}

const RECORD_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_synced_counts_in_the_same_run_of_the_machine_only() {
        let part = Part { number: 0, offset: 0, size: 100, completed: 70 };
        let bytes = Record::bytes(&part, 30);
        let read = |text: &str| serde_json::from_str::<Record>(text).unwrap().part().completed;
        let text = String::from_utf8(bytes).unwrap();

        assert_eq!(read(&text), 70);
        assert_eq!(read(&text.replace(&boot::id(), "another run")), 30);
        assert_eq!(read(r#"{"N":0,"Offset":0,"Size":100,"Completed":5}"#), 5, "Ollama's own");
    }
}
