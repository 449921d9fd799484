//! What an answer consists of: what the model thought, what it says, and which tools it calls. Its text is read as it
//! grows, and what is new is told.

mod object;
mod readers;
mod shape;
mod tagged;
mod thoughts;

use protocol::{CallName, CallPart, Done, PromptRead, Said, TokenLogprob, ToolCall};

use crate::ggml::ChatParser;

pub(crate) use readers::{Chunk, Readers};
pub(crate) use shape::{Shape, thinking_marks};
pub(crate) use tagged::Tagged;
use thoughts::Thoughts;

/// All that was said so far, told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) content: String,
    pub(crate) thinking: String,
    pub(crate) calls: Vec<ToolCall>,
}

/// Tells the parts of an answer apart.
pub(crate) enum Reader {
    /// By the model's own chat template.
    Chat(ChatParser),
    /// By marks in the text.
    Tagged(Tagged),
}

impl Reader {
    /// All that was said so far, from the answer's beginning; `ended` if nothing follows.
    fn read(&self, text: &str, ended: bool) -> Result<Reply, String> {
        match self {
            Self::Chat(parser) => parser.read(text, ended),
            Self::Tagged(tagged) => Ok(tagged.read(text, ended)),
        }
    }
}

/// One answer, as far as it was read and told.
pub(crate) struct Telling {
    reader: Reader,
    /// What the model thought is told as well.
    tells_thinking: bool,
    text: String,
    /// Bytes of it that were read.
    read: usize,
    /// What goes with the rest.
    unread: Vec<i32>,
    logprobs: Vec<TokenLogprob>,
    /// Until it is told.
    prompt_read: Option<PromptRead>,
    told: Reply,
    thoughts: Thoughts,
}

impl Telling {
    pub(crate) fn new(reader: Reader, tells_thinking: bool) -> Self {
        Self {
            reader,
            tells_thinking,
            text: String::new(),
            read: 0,
            unread: Vec::new(),
            logprobs: Vec::new(),
            prompt_read: None,
            told: Reply::default(),
            thoughts: Thoughts::default(),
        }
    }

    /// What another worker has told of this answer, with the token that it came with.
    pub(crate) fn skip(&mut self, text: &str, token: i32) {
        self.text += text;
        self.read = self.text.len();
        self.unread.push(token);
        let told = self.reader.read(&self.text, false).map(|reply| self.tell(reply));
        self.thoughts.count(&told.unwrap_or_default(), self.unread.len());
        self.unread.clear();
    }

    /// Takes in what the model said; what there is to be told, unless it is read with what follows.
    fn take(&mut self, chunk: Chunk) -> Option<Chunk> {
        self.text += &chunk.said.text;
        self.unread.extend(chunk.tokens);
        self.logprobs.extend(chunk.said.logprobs);
        self.prompt_read = self.prompt_read.or(chunk.said.read);
        // All of it is read each time, so a long one is read in larger steps.
        if chunk.done.is_none() && self.text.len() - self.read <= self.text.len() / STEPS {
            return None;
        }
        self.read = self.text.len();
        let mut said = match chunk.done {
            Some(_) => self.last(),
            // What cannot be read as far as it goes may be once there is more.
            None => {
                self.reader.read(&self.text, false).map_or_else(|_| Said::default(), |reply| self.tell(reply))
            }
        };
        self.thoughts.count(&said, self.unread.len());
        if !self.tells_thinking {
            said.thinking.clear();
        }
        let said =
            Said { read: self.prompt_read.take(), logprobs: std::mem::take(&mut self.logprobs), ..said };
        let done = chunk.done.map(|done| Done {
            // The token that ends an answer is none of it.
            thinking_tokens: self.thoughts.tokens().min(done.generated_tokens),
            ..done
        });
        Some(Chunk { said, tokens: std::mem::take(&mut self.unread), done })
    }

    /// What has no form is told as it is: nothing is lost.
    fn last(&mut self) -> Said {
        match self.reader.read(&self.text, true) {
            Ok(reply) if reply == Reply::default() => self.text.trim().into(),
            Ok(reply) => self.tell(reply),
            Err(_) if self.told.calls.is_empty() => self.untold().to_owned().into(),
            Err(_) => Said::default(),
        }
    }

    /// What was said beyond what was told.
    fn tell(&mut self, reply: Reply) -> Said {
        let mut said = Said {
            text: beyond(&self.told.content, &reply.content),
            thinking: beyond(&self.told.thinking, &reply.thinking),
            ..Said::default()
        };
        self.told.content += &said.text;
        self.told.thinking += &said.thinking;
        for (index, call) in reply.calls.into_iter().enumerate() {
            said.calls.extend(self.tell_call(index, call));
        }
        said
    }

    fn tell_call(&mut self, index: usize, call: ToolCall) -> Option<CallPart> {
        let mut begun = None;
        if index >= self.told.calls.len() {
            if call.name.is_empty() {
                return None;
            }
            let id = if call.id.is_empty() { call_id() } else { call.id };
            begun = Some(CallName { id: id.clone(), name: call.name.clone() });
            self.told.calls.push(ToolCall { id, name: call.name, arguments: String::new() });
        }
        let told = self.told.calls.get_mut(index)?;
        let arguments = beyond(&told.arguments, &call.arguments);
        told.arguments += &arguments;
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        (begun.is_some() || !arguments.is_empty()).then_some(CallPart { index, begun, arguments })
    }

    /// The text behind what was told of it.
    fn untold(&self) -> &str {
        let mut rest = self.text.as_str();
        for told in [&self.told.thinking, &self.told.content] {
            if let Some(at) = rest.find(told.as_str()).filter(|_| !told.is_empty()) {
                rest = &rest[at + told.len()..];
            }
        }
        rest
    }
}

/// Texts up to so many bytes are read byte by byte.
const STEPS: usize = 2048;

/// What `now` has beyond `told`; nothing if it turned out to be something else.
fn beyond(told: &str, now: &str) -> String {
    now.strip_prefix(told).unwrap_or_default().to_owned()
}

/// As Ollama's.
fn call_id() -> String {
    const SIGNS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let sign = |_| char::from(SIGNS[rand::random_range(0..SIGNS.len())]);
    "call_".chars().chain((0..8).map(sign)).collect()
}

#[cfg(test)]
mod tests;
