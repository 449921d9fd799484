//! Conversations over the state's file: what is kept of them, for whom, how it is found, and what is left of what was deleted.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::fs;

use protocol::Owner;
use state::conversations::{
    Change, Conversation, ConversationError, ConversationLimits, Conversations, Image, Message,
    NewConversation, NewMessage, Page, Wanted,
};
use state::{Clock, NewKeyRow, State, StateError};
use tempfile::TempDir;

const NOW: i64 = 1_790_000_000;

/// Programs on this machine, who are always there.
const LOCAL: Owner = Owner(0);

struct Hob {
    folder: TempDir,
    state: State,
}

impl Hob {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let state = State::open(folder.path(), Clock::of(|| NOW)).unwrap();
        Self { folder, state }
    }

    fn local(&self) -> Conversations {
        self.state.conversations_of(LOCAL)
    }

    /// Whether this is anywhere on the disk.
    fn holds(&self, text: &str) -> bool {
        fs::read_dir(self.folder.path()).unwrap().any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    fn key(&self, id: &str) -> Owner {
        let key = NewKeyRow {
            id: id.into(),
            hash: [id.as_bytes()[0]; 32],
            shown: "hob_…".into(),
            name: "n".into(),
            policy: "{}".into(),
            created: NOW,
            expires: None,
        };
        self.state.add_key(&key).unwrap()
    }
}

fn new(id: &str) -> NewConversation {
    NewConversation { id: id.into(), title: format!("about {id}"), model: "m".into(), settings: "{}".into() }
}

fn said(id: &str, parent: Option<&str>, content: &str) -> NewMessage {
    NewMessage {
        id: id.into(),
        parent: parent.map(Into::into),
        role: "user".into(),
        content: content.into(),
        body: "{}".into(),
        images: Vec::new(),
        is_leaf: true,
    }
}

fn image(bytes: usize) -> Image {
    Image { kind: "image/png".into(), bytes: vec![7; bytes] }
}

/// One, and all its messages.
fn read(own: &Conversations, id: &str) -> Result<Option<(Conversation, Vec<Message>)>, StateError> {
    let Some(found) = own.get(id)? else { return Ok(None) };
    let (mut all, mut behind) = (Vec::new(), 0);
    loop {
        let (mut some, place) = own.messages(id, behind)?;
        if some.is_empty() {
            return Ok(Some((found, all)));
        }
        all.append(&mut some);
        behind = place;
    }
}

/// A conversation in which this is said.
fn talk(own: &Conversations, id: &str, contents: &[&str]) {
    own.add(&new(id)).unwrap();
    for (place, content) in contents.iter().enumerate() {
        own.keep_message(id, &said(&format!("m{place}"), None, content)).unwrap();
    }
}

fn all() -> Wanted {
    Wanted { search: None, before: None, limit: 100 }
}

fn search(own: &Conversations, text: &str) -> Vec<(String, Option<String>)> {
    let page = own.list(&Wanted { search: Some(text.into()), ..all() }, || true).unwrap();
    page.conversations.into_iter().map(|listed| (listed.conversation.id, listed.found)).collect()
}

fn ids(page: &Page) -> Vec<&str> {
    page.conversations.iter().map(|listed| listed.conversation.id.as_str()).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, StateError>) -> ConversationError {
    match result.unwrap_err() {
        StateError::Conversation(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn what_was_asked_again_or_answered_again_stands_beside_what_was_before() {
    let hob = Hob::new();
    let own = hob.local();
    talk(&own, "c", &[]);
    own.keep_message("c", &said("q", None, "question")).unwrap();
    own.keep_message("c", &said("a1", Some("q"), "one")).unwrap();
    let head = own.keep_message("c", &said("a2", Some("q"), "another")).unwrap();

    let (whole, messages) = read(&own, "c").unwrap().unwrap();
    assert_eq!(whole, head);
    assert_eq!((whole.messages, whole.leaf.as_deref()), (3, Some("a2")));
    let tree: Vec<_> = messages.iter().map(|m| (m.id.as_str(), m.parent.as_deref())).collect();
    assert_eq!(tree, [("q", None), ("a1", Some("q")), ("a2", Some("q"))]);

    let back = own.change("c", Change { leaf: Some(Some("a1".into())), ..Change::default() }).unwrap();
    assert_eq!(back.leaf.as_deref(), Some("a1"));
    let error = refused(own.change("c", Change { leaf: Some(Some("x".into())), ..Change::default() }));
    assert_eq!(error, ConversationError::UnknownMessage("x".into()));
    let titled = own.change("c", Change { title: Some("t".into()), leaf: Some(None), ..Change::default() });
    let revision = back.revision + 1;
    let changed = Conversation { title: "t".into(), leaf: None, revision, ..back };
    assert_eq!(titled.unwrap(), changed);
}

#[test]
fn what_is_written_within_one_second_can_be_told_apart() {
    let hob = Hob::new();
    let own = hob.local();
    talk(&own, "c", &["q"]);
    talk(&own, "newer", &["q"]);
    let listed = || {
        let page = own.list(&all(), || true).unwrap().conversations;
        let places: Vec<_> = page.iter().map(|listed| listed.conversation.id.clone()).collect();
        let found = page.into_iter().find(|listed| listed.conversation.id == "c").unwrap().conversation;
        (places, found)
    };

    let (_, before) = listed();
    let titled = own.change("c", Change { title: Some("t".into()), ..Change::default() }).unwrap();
    let (places, after) = listed();
    assert_eq!(places, ["newer", "c"], "what is said of one moves it nowhere");
    let said = own.keep_message("c", &said("m0", None, "question")).unwrap();

    let revisions = [before.revision, titled.revision, said.revision];
    assert_eq!(revisions, [2, 3, 4], "each is one more, so that who writes knows whether others did");
    assert_eq!((before.updated, after.revision, &own.get("c").unwrap().unwrap()), (NOW, 3, &said));
}

#[test]
fn an_answer_that_grows_is_one_message_and_stays_where_it_was_said() {
    let hob = Hob::new();
    let own = hob.local();
    talk(&own, "c", &["q", "r"]);
    for content in ["o", "one", "one answer"] {
        own.keep_message("c", &said("a", Some("m0"), content)).unwrap();
    }

    let (whole, messages) = read(&own, "c").unwrap().unwrap();
    assert_eq!((whole.messages, messages.last().unwrap().content.as_str()), (3, "one answer"));
    let moved = refused(own.keep_message("c", &said("a", Some("m1"), "x")));
    assert_eq!(moved, ConversationError::Moved("a".into()));
    for parent in ["gone", "b"] {
        let nowhere = refused(own.keep_message("c", &said("b", Some(parent), "x")));
        assert_eq!(nowhere, ConversationError::UnknownMessage(parent.into()));
    }
    assert_eq!(read(&own, "c").unwrap().unwrap().1, messages);
}

#[test]
fn a_conversation_that_is_begun_twice_is_one() {
    let hob = Hob::new();
    let own = hob.local();
    talk(&own, "c", &["q"]);

    let (again, is_new) = own.add(&NewConversation { title: "otherwise".into(), ..new("c") }).unwrap();

    assert_eq!((again.title.as_str(), again.messages, is_new), ("about c", 1, false));
}

#[test]
fn what_is_somebody_elses_is_not_there() {
    let hob = Hob::new();
    let (own, other) = (hob.state.conversations_of(hob.key("a")), hob.state.conversations_of(hob.key("b")));
    talk(&own, "c", &["secret"]);
    own.keep_message("c", &NewMessage { images: vec![image(3)], ..said("i", None, "") }).unwrap();

    assert_eq!(read(&other, "c").unwrap(), None);
    assert_eq!(
        (other.ids().unwrap().len(), other.list(&all(), || true).unwrap().conversations.len()),
        (0, 0)
    );
    assert!(search(&other, "secret").is_empty() && other.images("c", "i").unwrap().is_empty());
    assert_eq!(refused(other.change("c", Change::default())), ConversationError::Unknown);
    assert_eq!(refused(other.keep_message("c", &said("x", None, "x"))), ConversationError::Unknown);
    assert!(!other.delete("c").unwrap());
    // The same name is another conversation.
    talk(&other, "c", &["mine"]);
    other.delete_all().unwrap();
    assert_eq!(read(&own, "c").unwrap().unwrap().1[0].content, "secret");
    assert_eq!(own.images("c", "i").unwrap(), [image(3)]);
}

#[test]
fn those_that_were_talked_in_last_come_first_and_a_page_goes_on_where_the_last_ended() {
    let hob = Hob::new();
    let own = hob.local();
    for id in ["a", "b", "c", "d"] {
        talk(&own, id, &["q"]);
    }
    own.keep_message("b", &said("m1", Some("m0"), "more")).unwrap();
    own.change("a", Change { title: Some("t".into()), ..Change::default() }).unwrap();

    let first = own.list(&Wanted { limit: 2, ..all() }, || true).unwrap();
    assert_eq!(ids(&first), ["b", "d"]);
    // What comes meanwhile shifts nothing.
    talk(&own, "e", &["q"]);
    let second = own.list(&Wanted { limit: 2, before: first.next, ..all() }, || true).unwrap();
    assert_eq!((ids(&second), second.next), (vec!["c", "a"], None));
}

#[test]
fn words_are_found_in_titles_and_contents_in_whatever_case_and_script() {
    let hob = Hob::new();
    let own = hob.local();
    talk(&own, "english", &["How do I bake BREAD at 100%?", "slowly"]);
    talk(&own, "german", &["Äpfel und Öl"]);
    talk(&own, "russian", &["Привет, Мир"]);
    talk(&own, "chinese", &["请问北京今天的天气怎么样？"]);
    own.change("german", Change { title: Some("Über 苹果".into()), ..Change::default() }).unwrap();
    let found = |text: &str| search(&own, text).into_iter().map(|(id, _)| id).collect::<Vec<_>>();

    for (text, id) in [
        ("bread", "english"),
        ("100%", "english"),
        ("SLOW", "english"),
        ("äPFEL", "german"),
        ("über", "german"),
        ("苹果", "german"),
        ("ПРИВЕТ", "russian"),
        ("天气", "chinese"),
        ("京", "chinese"),
        ("bread bake", "english"),
    ] {
        assert_eq!(found(text), [id], "{text}");
    }
    for text in ["1_0", "b.ead", "气天", "bread slowly", "(", "english german"] {
        assert!(found(text).is_empty(), "{text}");
    }
    assert_eq!(found("about").len(), 3, "of titles, one has none");
    assert_eq!(search(&own, "天气"), [("chinese".into(), Some("请问北京今天的天气怎么样？".into()))]);
    assert_eq!(search(&own, "苹果"), [("german".into(), None)]);
    let page = own.list(&Wanted { search: Some("о".into()), limit: 1, ..all() }, || true).unwrap();
    assert_eq!((page.conversations.len(), page.next), (0, None));
}

#[test]
fn what_is_too_much_is_refused_and_nothing_of_it_kept() {
    let limits = ConversationLimits { text_bytes: 4000, image_bytes: 1000, owner_bytes: 6000 };
    let hob = Hob::new();
    let own = hob.local().limited(limits);
    let shown =
        |id: &str, bytes| NewMessage { images: vec![image(bytes), image(bytes)], ..said(id, None, "see") };
    talk(&own, "c", &[]);
    own.keep_message("c", &shown("a", 436)).unwrap();
    own.keep_message("c", &shown("a", 436)).unwrap();
    own.keep_message("c", &shown("a", 400)).unwrap();
    let before = read(&own, "c").unwrap();

    assert_eq!(
        refused(own.keep_message("c", &shown("a", 437))),
        ConversationError::TooManyImages { limit: 1000 }
    );
    assert_eq!(
        refused(own.keep_message("c", &shown("b", 0))),
        ConversationError::TooManyImages { limit: 1000 }
    );
    let long = "x".repeat(4000);
    assert_eq!(
        refused(own.keep_message("c", &said("b", None, &long))),
        ConversationError::TooMuchText { limit: 4000 }
    );
    let settings = Change { settings: Some(long), ..Change::default() };
    assert_eq!(refused(own.change("c", settings)), ConversationError::TooMuchText { limit: 4000 });
    assert_eq!((read(&own, "c").unwrap(), own.images("c", "a").unwrap().len()), (before, 2));

    talk(&own, "d", &[&"y".repeat(3000)]);
    let full = ConversationError::OwnerFull { limit: 6000 };
    assert_eq!(refused(own.keep_message("c", &said("b", None, &"z".repeat(2000)))), full);
    assert_eq!(refused(own.add(&NewConversation { title: "t".repeat(2000), ..new("e") })), full);
    // Somebody else has as much, and what is deleted is room again.
    talk(&hob.state.conversations_of(hob.key("k")).limited(limits), "c", &[&"z".repeat(2000)]);
    assert!(own.delete("d").unwrap());
    own.keep_message("c", &said("b", None, &"z".repeat(2000))).unwrap();
}

#[test]
fn what_was_deleted_or_said_otherwise_is_nowhere_on_the_disk() {
    let hob = Hob::new();
    let own = hob.local();
    talk(&own, "kept", &["kept-words"]);
    talk(&own, "deleted", &["deleted-words"]);
    let picture = Image { kind: "image/png".into(), bytes: b"deleted-picture".repeat(1000) };
    own.keep_message("deleted", &NewMessage { images: vec![picture], ..said("i", None, "") }).unwrap();
    own.keep_message("kept", &said("m1", None, "first-thought")).unwrap();
    own.keep_message("kept", &said("m1", None, "second-thought")).unwrap();
    assert!(!hob.holds("first-thought"));
    own.change("kept", Change { title: Some("t".into()), ..Change::default() }).unwrap();
    assert!(!hob.holds("about kept"));

    assert!(own.delete("deleted").unwrap() && !own.delete("deleted").unwrap());

    for text in ["deleted-words", "deleted-picture"] {
        assert!(!hob.holds(text), "{text}");
    }
    assert!(hob.holds("kept-words") && hob.holds("second-thought"));
    own.delete_all().unwrap();
    assert!(!hob.holds("kept-words"));
}

#[test]
fn who_is_gone_takes_along_what_they_talked_about_and_begins_nothing_more() {
    let hob = Hob::new();
    let (key, other) = (hob.key("k"), hob.key("o"));
    for owner in [key, other] {
        talk(&hob.state.conversations_of(owner), "c", &["words"]);
    }

    assert!(hob.state.revoke_key(key, NOW).unwrap());
    hob.state.forget_gone().unwrap();

    let gone = hob.state.conversations_of(key);
    assert_eq!(read(&gone, "c").unwrap(), None);
    assert_eq!(refused(gone.add(&new("d"))), ConversationError::OwnerGone);
    assert_eq!(refused(hob.state.conversations_of(Owner(999)).add(&new("d"))), ConversationError::OwnerGone);
    assert!(read(&hob.state.conversations_of(other), "c").unwrap().is_some());
}

#[test]
fn what_a_power_cut_left_of_who_is_gone_goes_at_the_next_start() {
    let hob = Hob::new();
    let key = hob.key("k");
    talk(&hob.state.conversations_of(key), "c", &["words-of-the-key"]);
    talk(&hob.local(), "c", &["words-of-others"]);
    hob.state.revoke_key(key, NOW).unwrap();

    let again = State::open(hob.folder.path(), Clock::of(|| NOW)).unwrap();

    assert_eq!(read(&again.conversations_of(key), "c").unwrap(), None);
    assert!(!hob.holds("words-of-the-key") && hob.holds("words-of-others"));
}

#[test]
fn long_messages_are_read_one_by_one_and_a_search_ends_with_who_waits_for_it() {
    let hob = Hob::new();
    let own = hob.local();
    let long = "x".repeat(300 << 10);
    talk(&own, "c", &[&long, &long, "short", "word"]);

    let (first, behind) = own.messages("c", 0).unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(own.messages("c", behind).unwrap().0.len(), 1);
    assert_eq!(read(&own, "c").unwrap().unwrap().1.len(), 4);

    let read = std::cell::Cell::new(0);
    let wanted = Wanted { search: Some("word".into()), ..all() };
    let page = own.list(&wanted, || read.replace(read.get() + 1) < 2).unwrap();
    assert_eq!((page.conversations.len(), read.get()), (0, 4));
}
