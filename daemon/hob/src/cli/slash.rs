//! What a line typed at the prompt asks for. Pure: nothing is carried out here.

/// One line of the conversation's prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Prompt(&'a str),
    Set(Setting<'a>),
    Show(Part),
    Load(&'a str),
    Save(&'a str),
    Clear,
    List,
    Help(&'a str),
    Bye,
    /// Not a command as it stands; what to tell.
    Misused(String),
}

/// `/set` and its argument.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Setting<'a> {
    Parameter { name: &'a str, values: Vec<&'a str> },
    System(&'a str),
    History,
    NoHistory,
    WordWrap,
    NoWordWrap,
    Format(&'a str),
    NoFormat,
    Verbose,
    Quiet,
    Think(&'a str),
    NoThink,
}

/// What `/show` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Info,
    License,
    Modelfile,
    Parameters,
    System,
    Template,
}

/// Reads one line. A line that begins with `/` but looks like a path is a prompt.
pub(crate) fn parse(line: &str) -> Line<'_> {
    let text = line.trim();
    let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    match command {
        "/set" => set(rest),
        "/show" => show(rest),
        "/load" | "/save" if rest.is_empty() || rest.contains(char::is_whitespace) => {
            Line::Misused(format!("Usage:\n  {command} <modelname>"))
        }
        "/load" => Line::Load(rest),
        "/save" => Line::Save(rest),
        "/clear" => Line::Clear,
        "/list" => Line::List,
        "/?" | "/help" => Line::Help(rest),
        "/bye" | "/exit" => Line::Bye,
        other if other.starts_with('/') && !other[1..].contains(['/', '.']) => {
            Line::Misused(format!("Unknown command '{other}'. Type /? for help"))
        }
        _ => Line::Prompt(line),
    }
}

fn set(rest: &str) -> Line<'_> {
    let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let value = value.trim();
    let setting = match name {
        "" => return Line::Help("set"),
        "parameter" => {
            let mut words = value.split_whitespace();
            let name = words.next().unwrap_or_default();
            let values: Vec<&str> = words.collect();
            if values.is_empty() {
                return Line::Misused("Usage:\n  /set parameter <name> <value>".to_owned());
            }
            Setting::Parameter { name, values }
        }
        "system" if value.is_empty() => return Line::Misused("Usage:\n  /set system <message>".to_owned()),
        "system" => Setting::System(unquoted(value)),
        "history" => Setting::History,
        "nohistory" => Setting::NoHistory,
        "wordwrap" => Setting::WordWrap,
        "nowordwrap" => Setting::NoWordWrap,
        "format" if value != "json" => {
            return Line::Misused(
                "Invalid or missing format. For 'json' mode use '/set format json'".to_owned(),
            );
        }
        "format" => Setting::Format(value),
        "noformat" => Setting::NoFormat,
        "verbose" => Setting::Verbose,
        "quiet" => Setting::Quiet,
        "think" => Setting::Think(value),
        "nothink" => Setting::NoThink,
        other => return Line::Misused(format!("Unknown command '/set {other}'. Type /? for help")),
    };
    Line::Set(setting)
}

fn show(rest: &str) -> Line<'_> {
    Line::Show(match rest {
        "" => return Line::Help("show"),
        "info" => Part::Info,
        "license" => Part::License,
        "modelfile" => Part::Modelfile,
        "parameters" => Part::Parameters,
        "system" => Part::System,
        "template" => Part::Template,
        other => return Line::Misused(format!("Unknown command '/show {other}'. Type /? for help")),
    })
}

/// Whether `text` opens a `"""` that it does not close.
pub(crate) fn is_open(text: &str) -> bool {
    text.matches("\"\"\"").count() % 2 == 1
}

/// `text` without the `"""` around it.
pub(crate) fn unquoted(text: &str) -> &str {
    let trimmed = text.trim();
    match trimmed.strip_prefix("\"\"\"").and_then(|rest| rest.strip_suffix("\"\"\"")) {
        Some(inside) => inside.trim_matches('\n'),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_from_a_path_and_from_talk() {
        assert_eq!(parse("/bye"), Line::Bye);
        assert_eq!(parse("/nope x"), Line::Misused("Unknown command '/nope'. Type /? for help".to_owned()));
        assert_eq!(parse("/tmp/a.png what?"), Line::Prompt("/tmp/a.png what?"));
        assert_eq!(parse("hello"), Line::Prompt("hello"));
    }

    #[test]
    fn set_takes_its_argument() {
        assert_eq!(
            parse("/set parameter stop a b"),
            Line::Set(Setting::Parameter { name: "stop", values: vec!["a", "b"] })
        );
        assert_eq!(parse("/set system \"\"\"be\nkind\"\"\""), Line::Set(Setting::System("be\nkind")));
        assert_eq!(parse("/set think high"), Line::Set(Setting::Think("high")));
    }

    #[test]
    fn triple_quotes_open_and_close() {
        assert!(is_open("\"\"\"hello"));
        assert!(!is_open("\"\"\"hello\"\"\""));
        assert_eq!(unquoted("\"\"\"hello\"\"\""), "hello");
    }
}
