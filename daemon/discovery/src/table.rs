//! Who is there, as far as was heard. Bounded, whatever is announced: who was heard of longest ago makes room.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::neighbour::Neighbour;

/// More than a network of people has, and nothing for a box to keep.
const MOST: usize = 256;

/// By the names of their instances, the last that was heard of at the end.
#[derive(Debug, Default)]
pub(crate) struct Table(VecDeque<(String, Neighbour)>);

impl Table {
    /// What is said under that name by now; nobody, if it is none of a box.
    pub(crate) fn heard(&mut self, instance: &str, neighbour: Option<Neighbour>) {
        self.0.retain(|(known, _)| known != instance);
        let Some(neighbour) = neighbour else { return };
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((instance.to_owned(), neighbour));
    }

    /// All, by label, then ID.
    pub(crate) fn list(&self) -> Arc<[Neighbour]> {
        let mut all: Vec<Neighbour> = self.0.iter().map(|(_, neighbour)| neighbour.clone()).collect();
        all.sort_by(|one, other| (&one.label, &one.id).cmp(&(&other.label, &other.id)));
        all.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announcement::tests::id;
    use crate::neighbour::Phase;

    fn neighbour(label: &str) -> Neighbour {
        Neighbour {
            label: label.into(),
            id: id(label).short(),
            port: 1,
            addresses: vec!["10.0.0.5".parse().unwrap()],
            version: "0.1".into(),
            phase: Phase::Ready,
        }
    }

    #[test]
    fn an_instance_is_one_neighbour_until_it_is_none() {
        let mut table = Table::default();
        table.heard("b", Some(neighbour("b")));
        table.heard("a", Some(neighbour("a")));
        table.heard("b", Some(Neighbour { port: 2, ..neighbour("b") }));
        let ports: Vec<u16> = table.list().iter().map(|neighbour| neighbour.port).collect();
        assert_eq!(ports, [1, 2]);

        table.heard("a", None);
        assert_eq!(table.list().len(), 1);
    }

    #[test]
    fn who_was_heard_of_longest_ago_makes_room() {
        let mut table = Table::default();
        for number in 0..=MOST {
            table.heard(&number.to_string(), Some(neighbour(&format!("n{number}"))));
        }
        let list = table.list();
        assert_eq!(list.len(), MOST);
        assert!(!list.iter().any(|neighbour| neighbour.label == "n0"));
    }
}
