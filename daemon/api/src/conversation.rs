//! What a Modelfile puts before the messages of a request, in every family.

use protocol::{Message, Role};

/// What comes before the messages of a request.
pub(crate) struct Layers<'a> {
    pub(crate) system: Option<String>,
    pub(crate) history: &'a [Message],
}

/// The Modelfile's messages, then the request's; its system text first, unless the request brings one.
pub(crate) fn conversation(layers: Layers<'_>, messages: Vec<Message>) -> Vec<Message> {
    let brings_system = messages.first().is_some_and(|message| message.role == Role::System);
    let mut all = Vec::with_capacity(messages.len() + layers.history.len() + 1);
    if let Some(content) = layers.system.filter(|_| !brings_system) {
        all.push(Message::new(Role::System, content));
    }
    all.extend_from_slice(layers.history);
    all.extend(messages);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Role, content: &str) -> Message {
        Message::new(role, content)
    }

    #[test]
    fn a_modelfiles_history_comes_first_and_its_system_text_yields() {
        let history = [said(Role::User, "a"), said(Role::Assistant, "b")];
        let layers = || Layers { system: Some("below".into()), history: &history };

        let plain = conversation(layers(), vec![said(Role::User, "c")]);
        assert_eq!(plain[0], said(Role::System, "below"));
        assert_eq!(plain.len(), 4);

        let own = conversation(layers(), vec![said(Role::System, "above"), said(Role::User, "c")]);
        assert_eq!(own.iter().filter(|message| message.role == Role::System).count(), 1);
    }
}
