//! What people and programs talk about with models: conversations, each a tree of messages, and who may see them. Where a text
//! stands in them is `search`'s, how many go at once `gone`'s; what settings and bodies say is the API's, who may be which owner is `access`'s.

mod gone;
mod search;

use protocol::Owner;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::{State, StateError};

pub use search::{Listed, Page, Wanted};

/// A conversation, without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its name, which no other of its owner's has.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The model that is asked.
    pub model: String,
    /// How that is asked.
    pub settings: String,
    /// The message up to which it is shown.
    pub leaf: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
    /// When the last message came; seconds since 1970.
    pub updated: i64,
    /// How often something of it was written: one more with each message that is kept and each change, within a second, too.
    pub revision: u64,
    /// How many there are.
    pub messages: u64,
}

/// A conversation that is to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConversation {
    /// Its name.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The model that is asked.
    pub model: String,
    /// How that is asked.
    pub settings: String,
}

/// What is to be otherwise; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub title: Option<String>,
    /// The model that is asked.
    pub model: Option<String>,
    /// How that is asked.
    pub settings: Option<String>,
    /// The message up to which it is shown; `Some(None)` is none.
    pub leaf: Option<Option<String>>,
}

/// Something that was said, or is being said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name, which no other of its conversation has.
    pub id: String,
    /// The one before it.
    pub parent: Option<String>,
    /// Whose word it is.
    pub role: String,
    /// What is said.
    pub content: String,
    /// All else that is told of it but its images.
    pub body: String,
    /// Seconds since 1970.
    pub created: i64,
    /// How many images it has.
    pub images: u64,
}

/// A message that is to be kept, in place of the one by the same name if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its name.
    pub id: String,
    /// The one before it, which is there already. It cannot be another one later.
    pub parent: Option<String>,
    /// Whose word it is.
    pub role: String,
    /// What is said.
    pub content: String,
    /// All else that is told of it but its images.
    pub body: String,
    /// What is shown with it.
    pub images: Vec<Image>,
    /// Whether its conversation is shown up to it from now on.
    pub is_leaf: bool,
}

/// An image.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// Of which kind it is, as `image/png`.
    pub kind: String,
    /// What is in its file.
    pub bytes: Vec<u8>,
}

/// Not what is in it.
impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("kind", &self.kind).field("bytes", &self.bytes.len()).finish()
    }
}

/// How much is kept. What is beyond is refused: nothing that somebody said goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversationLimits {
    /// Of text, in one conversation.
    pub text_bytes: u64,
    /// Of images, in one conversation.
    pub image_bytes: u64,
    /// Of all that one owner has.
    pub owner_bytes: u64,
}

impl Default for ConversationLimits {
    fn default() -> Self {
        Self { text_bytes: 32 << 20, image_bytes: 64 << 20, owner_bytes: 1 << 30 }
    }
}

/// What cannot be done with a conversation. Nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// This owner has none by that name.
    #[error("there is no such conversation; it may have been deleted")]
    Unknown,
    /// It has no such message.
    #[error("this conversation has no message \"{0}\"")]
    UnknownMessage(String),
    /// A message would be somewhere else.
    #[error("the message \"{0}\" comes after another one already; what is said elsewhere is another message")]
    Moved(String),
    /// The owner is nobody any more.
    #[error("whoever this conversation is of was removed from this box meanwhile; it was not kept")]
    OwnerGone,
    /// It has more images than one may have.
    #[error(
        "the images of one conversation may take {} MiB, and with these they would take more; go on in another conversation",
        limit >> 20
    )]
    TooManyImages {
        /// In bytes.
        limit: u64,
    },
    /// It has more text than one may have.
    #[error(
        "the text of one conversation may take {} MiB, and with this it would take more; go on in another conversation",
        limit >> 20
    )]
    TooMuchText {
        /// In bytes.
        limit: u64,
    },
    /// The owner has more than one may have.
    #[error(
        "all your conversations may take {} MiB, and with this they would take more; delete some that you do not need any more",
        limit >> 20
    )]
    OwnerFull {
        /// In bytes.
        limit: u64,
    },
}

/// One owner's conversations. To anybody else they are not there.
#[derive(Clone, Debug)]
pub struct Conversations {
    state: State,
    owner: Owner,
    limits: ConversationLimits,
}

/// What a conversation or a message takes besides its texts, about.
const BESIDES: usize = 256;
/// Of messages that are read at once, or one if that is longer.
const PART_BYTES: usize = 256 << 10;
/// What an image does, however small.
const BESIDES_IMAGE: i64 = 64;

impl State {
    /// What this owner talks about.
    pub fn conversations_of(&self, owner: Owner) -> Conversations {
        Conversations { state: self.clone(), owner, limits: ConversationLimits::default() }
    }
}

impl Conversations {
    /// The same, of which no more is kept than this.
    #[must_use]
    pub fn limited(self, limits: ConversationLimits) -> Self {
        Self { limits, ..self }
    }

    /// Begins one. If there is one by this name already it stays as it is, and is what is returned; and false with it.
    ///
    /// # Errors
    /// [`ConversationError::OwnerGone`], [`ConversationError::OwnerFull`]; what the database says.
    pub fn add(&self, new: &NewConversation) -> Result<(Conversation, bool), StateError> {
        let now = self.state.now();
        self.state.write(|transaction| {
            if let Some((_, found)) = find(transaction, self.owner, &new.id)? {
                return Ok((found, false));
            }
            if !is_somebody(transaction, self.owner)? {
                return Err(ConversationError::OwnerGone.into());
            }
            transaction.execute(
                "INSERT INTO conversations (owner, id, title, model, settings, created, updated, touched, revision, messages,
                     text_bytes, image_bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, (SELECT coalesce(max(touched), 0) + 1 FROM conversations WHERE owner = ?1), 1,
                     0, ?7, 0)",
                params![
                    self.owner.0.cast_signed(),
                    new.id,
                    new.title,
                    new.model,
                    new.settings,
                    now,
                    size(&[&new.title, &new.model, &new.settings]),
                ],
            )?;
            self.hold_to_limits(transaction, transaction.last_insert_rowid())?;
            Ok((there(transaction, self.owner, &new.id)?.1, true))
        })
    }

    /// One, without its messages; nothing if there is none by this name.
    ///
    /// # Errors
    /// What the database says.
    pub fn get(&self, id: &str) -> Result<Option<Conversation>, StateError> {
        self.state.read(|transaction| Ok(find(transaction, self.owner, id)?.map(|(_, found)| found)))
    }

    /// Some of its messages, parents before their children: those behind this place, which is 0 before the first, and the place
    /// behind them; none if there are no more. Not all at once, for they may be long.
    ///
    /// # Errors
    /// [`ConversationError::Unknown`]; what the database says.
    pub fn messages(&self, id: &str, behind: i64) -> Result<(Vec<Message>, i64), StateError> {
        self.state.read(|transaction| {
            let (number, _) = there(transaction, self.owner, id)?;
            let mut statement = transaction.prepare(
                "SELECT id, parent, role, content, body, created,
                     (SELECT count(*) FROM images WHERE message = messages.number), number
                 FROM messages WHERE conversation = ? AND number > ? ORDER BY number",
            )?;
            let mut rows = statement.query([number, behind])?;
            let (mut some, mut last, mut bytes) = (Vec::new(), behind, 0);
            while bytes < PART_BYTES
                && let Some(row) = rows.next()?
            {
                let message = message(row)?;
                last = row.get(7)?;
                bytes += message.content.len() + message.body.len() + BESIDES;
                some.push(message);
            }
            Ok((some, last))
        })
    }

    /// The names of all, the oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub fn ids(&self) -> Result<Vec<String>, StateError> {
        self.state.read(|transaction| {
            let mut statement =
                transaction.prepare("SELECT id FROM conversations WHERE owner = ? ORDER BY touched")?;
            let ids = statement.query_map([self.owner.0.cast_signed()], |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// The images of a message; none if it is not there.
    ///
    /// # Errors
    /// What the database says.
    pub fn images(&self, id: &str, message: &str) -> Result<Vec<Image>, StateError> {
        self.state.read(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT kind, bytes FROM images WHERE message = (
                     SELECT messages.number FROM messages JOIN conversations ON conversations.number = conversation
                     WHERE owner = ? AND conversations.id = ? AND messages.id = ?)
                 ORDER BY position",
            )?;
            let images = statement.query_map(params![self.owner.0.cast_signed(), id, message], |row| {
                Ok(Image { kind: row.get(0)?, bytes: row.get(1)? })
            })?;
            Ok(images.collect::<Result<_, _>>()?)
        })
    }

    /// Changes what is said of one.
    ///
    /// # Errors
    /// [`ConversationError`]; what the database says.
    pub fn change(&self, id: &str, change: Change) -> Result<Conversation, StateError> {
        // What it was called before is overwritten, too.
        self.state.delete(|transaction| {
            let (number, found) = there(transaction, self.owner, id)?;
            let leaf = change.leaf.unwrap_or_else(|| found.leaf.clone());
            if let Some(leaf) = &leaf
                && message_of(transaction, number, leaf)?.is_none()
            {
                return Err(ConversationError::UnknownMessage(leaf.clone()).into());
            }
            let was = size(&[&found.title, &found.model, &found.settings]);
            let changed = Conversation {
                title: change.title.unwrap_or(found.title),
                model: change.model.unwrap_or(found.model),
                settings: change.settings.unwrap_or(found.settings),
                leaf,
                revision: found.revision + 1,
                ..found
            };
            let grown = size(&[&changed.title, &changed.model, &changed.settings]) - was;
            transaction.execute(
                "UPDATE conversations SET title = ?, model = ?, settings = ?, leaf = ?, text_bytes = text_bytes + ?,
                     revision = revision + 1
                 WHERE number = ?",
                params![changed.title, changed.model, changed.settings, changed.leaf, grown, number],
            )?;
            self.hold_to_limits(transaction, number)?;
            Ok((changed, 1))
        })
    }

    /// Deletes one. False if there is none by this name.
    ///
    /// # Errors
    /// What the database says; it is still there then.
    pub fn delete(&self, id: &str) -> Result<bool, StateError> {
        self.state.delete(|transaction| {
            let deleted = transaction.execute(
                "DELETE FROM conversations WHERE owner = ? AND id = ?",
                params![self.owner.0.cast_signed(), id],
            )?;
            Ok((deleted == 1, deleted))
        })
    }

    /// Keeps a message, or what it says by now. Its conversation is the newest then.
    ///
    /// # Errors
    /// [`ConversationError`]; what the database says.
    pub fn keep_message(&self, id: &str, new: &NewMessage) -> Result<Conversation, StateError> {
        let now = self.state.now();
        self.state.delete(|transaction| {
            let (number, _) = there(transaction, self.owner, id)?;
            let replaced = match message_of(transaction, number, &new.id)? {
                Some(before) => replace_message(transaction, &before, new)?,
                None => add_message(transaction, number, new, now)?,
            };
            transaction.execute(
                "UPDATE conversations SET updated = ?1, leaf = coalesce(?2, leaf), messages = messages + ?3,
                     text_bytes = text_bytes + ?4, image_bytes = image_bytes + ?5,
                     touched = (SELECT max(touched) + 1 FROM conversations WHERE owner = ?6), revision = revision + 1
                 WHERE number = ?7",
                params![
                    now,
                    new.is_leaf.then_some(&new.id),
                    i64::from(replaced.is_new),
                    replaced.text_bytes,
                    replaced.image_bytes,
                    self.owner.0.cast_signed(),
                    number,
                ],
            )?;
            self.hold_to_limits(transaction, number)?;
            Ok((there(transaction, self.owner, id)?.1, replaced.deleted))
        })
    }

    /// What has been written is not to be kept if it is too much.
    fn hold_to_limits(&self, transaction: &Transaction<'_>, number: i64) -> Result<(), StateError> {
        let (text, images, all) = transaction.query_row(
            "SELECT text_bytes, image_bytes, (SELECT sum(text_bytes + image_bytes) FROM conversations WHERE owner = ?)
             FROM conversations WHERE number = ?",
            params![self.owner.0.cast_signed(), number],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
        )?;
        let ConversationLimits { text_bytes, image_bytes, owner_bytes } = self.limits;
        let is_beyond = |bytes: i64, limit: u64| u64::try_from(bytes).is_ok_and(|bytes| bytes > limit);
        match () {
            () if is_beyond(images, image_bytes) => {
                Err(ConversationError::TooManyImages { limit: image_bytes }.into())
            }
            () if is_beyond(text, text_bytes) => {
                Err(ConversationError::TooMuchText { limit: text_bytes }.into())
            }
            () if is_beyond(all, owner_bytes) => {
                Err(ConversationError::OwnerFull { limit: owner_bytes }.into())
            }
            () => Ok(()),
        }
    }
}

/// What became of a message that was written.
struct Replaced {
    is_new: bool,
    /// By how much it is longer than before.
    text_bytes: i64,
    image_bytes: i64,
    /// How much of what it was is no more.
    deleted: usize,
}

/// A message that is there already.
struct Before {
    number: i64,
    parent: Option<String>,
    content: String,
    text_bytes: i64,
}

fn add_message(
    transaction: &Transaction<'_>,
    conversation: i64,
    new: &NewMessage,
    now: i64,
) -> Result<Replaced, StateError> {
    if let Some(parent) = &new.parent
        && message_of(transaction, conversation, parent)?.is_none()
    {
        return Err(ConversationError::UnknownMessage(parent.clone()).into());
    }
    transaction.execute(
        "INSERT INTO messages (conversation, id, parent, role, content, body, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![conversation, new.id, new.parent, new.role, new.content, new.body, now],
    )?;
    let image_bytes = add_images(transaction, transaction.last_insert_rowid(), &new.images)?;
    Ok(Replaced {
        is_new: true,
        text_bytes: size(&[&new.id, &new.content, &new.body]),
        image_bytes,
        deleted: 0,
    })
}

fn replace_message(
    transaction: &Transaction<'_>,
    before: &Before,
    new: &NewMessage,
) -> Result<Replaced, StateError> {
    if before.parent != new.parent {
        return Err(ConversationError::Moved(new.id.clone()).into());
    }
    transaction.execute(
        "UPDATE messages SET role = ?, content = ?, body = ? WHERE number = ?",
        params![new.role, new.content, new.body, before.number],
    )?;
    let had = transaction.query_row(
        "SELECT count(*), coalesce(sum(octet_length(bytes) + ?), 0) FROM images WHERE message = ?",
        [BESIDES_IMAGE, before.number],
        |row| Ok((row.get::<_, u32>(0)? as usize, row.get::<_, i64>(1)?)),
    )?;
    transaction.execute("DELETE FROM images WHERE message = ?", [before.number])?;
    let image_bytes = add_images(transaction, before.number, &new.images)?;
    // An answer that grows while it is kept takes nothing back, and need not be overwritten each time.
    let taken_back = usize::from(!new.content.starts_with(&before.content));
    Ok(Replaced {
        is_new: false,
        text_bytes: size(&[&new.id, &new.content, &new.body]) - before.text_bytes,
        image_bytes: image_bytes - had.1,
        deleted: taken_back + had.0,
    })
}

fn add_images(transaction: &Transaction<'_>, message: i64, images: &[Image]) -> Result<i64, StateError> {
    let insert = "INSERT INTO images (message, position, kind, bytes) VALUES (?, ?, ?, ?)";
    let mut statement = transaction.prepare(insert)?;
    let mut bytes = 0;
    for (position, image) in (0_i64..).zip(images) {
        statement.execute(params![message, position, image.kind, image.bytes])?;
        bytes += i64::try_from(image.bytes.len()).map_or(i64::MAX, |length| length + BESIDES_IMAGE);
    }
    Ok(bytes)
}

/// Whether an owner is still there: their conversations went when they did.
fn is_somebody(transaction: &Transaction<'_>, owner: Owner) -> Result<bool, StateError> {
    let known = "SELECT EXISTS (SELECT 1 FROM principals WHERE number = ?1 AND kind = 'local')
         OR EXISTS (SELECT 1 FROM people WHERE owner = ?1)
         OR EXISTS (SELECT 1 FROM keys WHERE owner = ?1 AND revoked IS NULL)";
    Ok(transaction.query_row(known, [owner.0.cast_signed()], |row| row.get(0))?)
}

fn there(connection: &Connection, owner: Owner, id: &str) -> Result<(i64, Conversation), StateError> {
    Ok(find(connection, owner, id)?.ok_or(ConversationError::Unknown)?)
}

fn find(connection: &Connection, owner: Owner, id: &str) -> Result<Option<(i64, Conversation)>, StateError> {
    let found = connection.query_row(
        "SELECT number, id, title, model, settings, leaf, created, updated, revision, messages FROM conversations
         WHERE owner = ? AND id = ?",
        params![owner.0.cast_signed(), id],
        |row| Ok((row.get(0)?, conversation(row, 1)?)),
    );
    Ok(found.optional()?)
}

fn message_of(connection: &Connection, conversation: i64, id: &str) -> Result<Option<Before>, StateError> {
    let found = connection.query_row(
        "SELECT number, parent, content, octet_length(body) FROM messages WHERE conversation = ? AND id = ?",
        params![conversation, id],
        |row| {
            let (content, body): (String, i64) = (row.get(2)?, row.get(3)?);
            let text_bytes = size(&[id, &content]) + body;
            Ok(Before { number: row.get(0)?, parent: row.get(1)?, content, text_bytes })
        },
    );
    Ok(found.optional()?)
}

fn conversation(row: &Row<'_>, from: usize) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: row.get(from)?,
        title: row.get(from + 1)?,
        model: row.get(from + 2)?,
        settings: row.get(from + 3)?,
        leaf: row.get(from + 4)?,
        created: row.get(from + 5)?,
        updated: row.get(from + 6)?,
        revision: row.get::<_, i64>(from + 7)?.cast_unsigned(),
        messages: row.get::<_, i64>(from + 8)?.cast_unsigned(),
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        parent: row.get(1)?,
        role: row.get(2)?,
        content: row.get(3)?,
        body: row.get(4)?,
        created: row.get(5)?,
        images: row.get::<_, i64>(6)?.cast_unsigned(),
    })
}

fn size(texts: &[&str]) -> i64 {
    let bytes = texts.iter().map(|text| text.len()).sum::<usize>() + BESIDES;
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
