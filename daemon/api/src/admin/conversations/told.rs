//! Conversations on their way out, of which one may be long: a message at a time, and no more images in memory than one has.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use state::conversations::{Conversation, Message};

use super::wire;
use crate::{Api, cut::Cut, error::Error, json, places::Taken};

/// One, as JSON.
pub(super) fn pieces(
    api: Api,
    conversation: &Conversation,
) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + use<>, Error> {
    let mut head = json::encode(&wire::Head::of(conversation)?.without_count());
    // It is an object with something in it; its last member is yet to come.
    head.pop();
    head.extend_from_slice(b",\"messages\":[");
    let id = conversation.id.clone();
    let messages = messages(api.clone(), id.clone()).enumerate().then(move |(place, message)| {
        let (api, id) = (api.clone(), id.clone());
        async move { piece(&api, id, message?, if place == 0 { "" } else { "," }).await }
    });
    let ends = |bytes: Vec<u8>| stream::iter([Ok(Bytes::from(bytes))]);
    Ok(ends(head).chain(messages).chain(ends(b"]}".to_vec())))
}

/// All of a conversation, of which a few are in memory.
fn messages(api: Api, id: String) -> impl Stream<Item = Result<Message, Error>> + Send {
    let parts = stream::try_unfold(0, move |behind| {
        let (api, id) = (api.clone(), id.clone());
        async move {
            let (some, place) = api.on_own(move |own| own.messages(&id, behind)).await?;
            let part = stream::iter(some.into_iter().map(Ok::<_, Error>));
            Ok::<_, Error>((place > behind).then_some((part, place)))
        }
    });
    parts.try_flatten()
}

async fn piece(api: &Api, id: String, message: Message, before: &str) -> Result<Bytes, Error> {
    let images = match message.images {
        0 => Vec::new(),
        _ => {
            let of = message.id.clone();
            api.on_own(move |own| own.images(&id, &of)).await?
        }
    };
    let mut piece = before.as_bytes().to_vec();
    piece.append(&mut json::encode(&wire::Told::of(message, &images)?));
    Ok(piece.into())
}

/// All of these, a line each. One that is deleted meanwhile is left out.
pub(super) fn lines(api: Api, ids: Vec<String>) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let lines = stream::iter(ids).then(move |id| {
        let api = api.clone();
        async move {
            let found = api.on_own(move |own| own.get(&id)).await?;
            let line = found.map(|found| pieces(api, &found)).transpose()?;
            let end = line.is_some().then(|| Ok(Bytes::from_static(b"\n")));
            Ok::<_, Error>(stream::iter(line).flatten().chain(stream::iter(end)))
        }
    });
    lines.try_flatten()
}

/// These, until their caller is not welcome any more. Then it breaks off, so that nobody takes it for the whole. They keep their
/// place for as long as they go out.
pub(super) fn until_cut(
    (cut, place): (Cut, Taken),
    pieces: impl Stream<Item = Result<Bytes, Error>> + Send,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let begun = Some((Box::pin(pieces), cut, place));
    stream::unfold(begun, async |begun| {
        let (mut pieces, mut cut, place) = begun?;
        tokio::select! {
            biased;
            why = &mut cut => Some((Err(why.into()), None)),
            piece = pieces.next() => Some((piece?, Some((pieces, cut, place)))),
        }
    })
}
