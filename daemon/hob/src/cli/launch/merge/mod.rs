//! Settings put into the text of a file without losing anything else that is in it. Pure: text in, text out; how each
//! format is read and changed is its own file's.
//!
//! Wanted settings are a tree, as JSON. A table is merged by name, a list of tables by what its tables are called (`id`,
//! else `name`), anything else is replaced.

mod jsonc;
mod toml;
mod yaml;

use serde_json::{Map, Value};

/// How a settings file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// With comments, of which strict JSON has none.
    Json,
    Toml,
    Yaml,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        }
    }

    /// What a text means. An empty one is an empty table.
    fn read(self, text: &str) -> Result<Value, MergeError> {
        match self {
            Self::Json => jsonc::read(text),
            Self::Toml => toml::read(text),
            Self::Yaml => yaml::read(text),
        }
    }

    fn write(self, text: &str, wanted: &Map<String, Value>) -> Result<String, MergeError> {
        match self {
            Self::Json => jsonc::write(text, wanted),
            Self::Toml => toml::write(text, wanted),
            Self::Yaml => yaml::write(text, wanted),
        }
    }
}

/// Why settings could not be put into a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum MergeError {
    /// The text is not of the format.
    #[error("it cannot be read as {}", format.name())]
    Unreadable { format: Format, source: Box<dyn std::error::Error + Send + Sync> },
    /// Something else is where a table, or a list, has to be.
    #[error("`{at}` in it is something else than hob would put there")]
    Misplaced { at: String },
    /// The text that would be written does not mean what it should.
    #[error("it is written in a way that hob cannot change safely")]
    Unsafe,
}

/// A changed text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) text: String,
    /// What is different now, `path = value` each.
    pub(super) changes: Vec<String>,
}

/// What is to be in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) settings: Map<String, Value>,
    /// What a file has to say as well, if it says nothing of that yet.
    pub(super) defaults: Map<String, Value>,
}

impl Wanted {
    /// As far as a file lacks it.
    fn beside(&self, there: &Value) -> Map<String, Value> {
        let lacking = self.defaults.iter().filter(|(name, _)| there.get(name.as_str()).is_none());
        lacking.chain(&self.settings).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// The text with `wanted` in it; `None` if all of it is there already.
///
/// # Errors
/// If the text cannot be read, or not be changed so that all else in it still means what it did.
pub(super) fn merge(format: Format, text: &str, wanted: &Wanted) -> Result<Option<Merged>, MergeError> {
    let mut meant = format.read(text)?;
    let wanted = wanted.beside(&meant);
    let mut changes = Vec::new();
    overlay(&mut meant, &wanted, "", &mut changes)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let text = format.write(text, &wanted)?;
    // Whatever an editor of text did, only what means the right thing is let out.
    match format.read(&text) {
        Ok(written) if written == meant => Ok(Some(Merged { text, changes })),
        _ => Err(MergeError::Unsafe),
    }
}

fn overlay(
    there: &mut Value,
    wanted: &Map<String, Value>,
    at: &str,
    changes: &mut Vec<String>,
) -> Result<(), MergeError> {
    if there.is_null() {
        *there = Value::Object(Map::new());
    }
    let there = there.as_object_mut().ok_or_else(|| misplaced(at))?;
    for (name, value) in wanted {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match value {
            Value::Object(inner) => {
                overlay(there.entry(name.as_str()).or_insert(Value::Null), inner, &at, changes)?;
            }
            Value::Array(items) if is_tables(items) => {
                let there = there.entry(name.as_str()).or_insert(Value::Null);
                if there.is_null() {
                    *there = Value::Array(Vec::new());
                }
                let there = there.as_array_mut().ok_or_else(|| misplaced(&at))?;
                for item in items.iter().filter_map(Value::as_object) {
                    let place = there.iter().position(|old| is_same(old, item));
                    let place = place.unwrap_or_else(|| {
                        there.push(Value::Null);
                        there.len() - 1
                    });
                    overlay(&mut there[place], item, &format!("{at}[{place}]"), changes)?;
                }
            }
            value => {
                if there.get(name) != Some(value) {
                    changes.push(format!("{at} = {value}"));
                    there.insert(name.clone(), value.clone());
                }
            }
        }
    }
    Ok(())
}

fn misplaced(at: &str) -> MergeError {
    MergeError::Misplaced { at: if at.is_empty() { "the whole".to_owned() } else { at.to_owned() } }
}

fn is_tables(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(Value::is_object)
}

/// What a table in a list is called: the field that says so, and what it says.
fn called(item: &Map<String, Value>) -> Option<(&'static str, &str)> {
    ["id", "name"].into_iter().find_map(|field| Some((field, item.get(field)?.as_str()?)))
}

fn is_same(old: &Value, wanted: &Map<String, Value>) -> bool {
    called(wanted).is_some_and(|(field, name)| old[field] == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(value: &Value) -> Wanted {
        Wanted { settings: value.as_object().unwrap().clone(), ..Wanted::default() }
    }

    #[track_caller]
    fn merged(format: Format, text: &str, wanted: &Value) -> String {
        let wanted = settings(wanted);
        let merged = merge(format, text, &wanted).unwrap().unwrap();
        assert_eq!(merge(format, &merged.text, &wanted).unwrap(), None, "twice is once: {}", merged.text);
        merged.text
    }

    #[track_caller]
    fn refused(format: Format, text: &str, wanted: &Value) -> MergeError {
        merge(format, text, &settings(wanted)).unwrap_err()
    }

    #[test]
    fn json_keeps_its_comments_its_order_and_what_else_is_in_it() {
        let text = r#"// mine
{
    "theme": "dark", // at night
    "env": {
        "A": "1",
        /* an old one */
        "URL": "http://old"
    },
    "models": [
        { "name": "other", "size": 1 },
        { "name": "m", "size": 2, "mine": true }, // kept
    ],
}
"#;

        let merged = merged(
            Format::Json,
            text,
            &json!({"env": {"URL": "http://new", "B": "2"}, "models": [{"name": "m", "size": 3}, {"name": "n", "size": 4}]}),
        );

        assert_eq!(
            merged,
            r#"// mine
{
    "theme": "dark", // at night
    "env": {
        "A": "1",
        /* an old one */
        "URL": "http://new",
        "B": "2"
    },
    "models": [
        { "name": "other", "size": 1 },
        { "name": "m", "size": 3, "mine": true }, // kept
        {
            "name": "n",
            "size": 4,
        },
    ],
}
"#
        );
    }

    #[test]
    fn toml_keeps_its_comments_its_order_and_what_else_is_in_it() {
        let text = "# mine\nmodel = \"old\" # the old one\napproval = \"never\"\n\n[mcp.files] # another's\ncommand = \"x\"\n";

        let merged = merged(
            Format::Toml,
            text,
            &json!({"model": "new", "window": 4096, "providers": {"hob": {"name": "Hob", "list": ["a"]}}}),
        );

        assert_eq!(
            merged,
            "# mine\nmodel = \"new\" # the old one\napproval = \"never\"\nwindow = 4096\n\n[mcp.files] # another's\n\
             command = \"x\"\n\n[providers.hob]\nname = \"Hob\"\nlist = [\"a\"]\n"
        );
    }

    #[test]
    fn yaml_keeps_its_comments_its_order_and_what_else_is_in_it() {
        let text = "# mine\nname: x # y\n\nmodels:\n  # far away\n  - name: other\n    roles:\n      - chat\n\n  - name: m\n    \
                    size: 2 # small\n    mine: true\nrules:\n  - |\n    Be terse.\n      Indented.\n";

        let merged = merged(
            Format::Yaml,
            text,
            &json!({"name": "z", "models": [{"name": "m", "size": 3}, {"name": "n", "size": 4, "roles": ["chat"]}]}),
        );

        assert_eq!(
            merged,
            "# mine\nname: z # y\n\nmodels:\n  # far away\n  - name: other\n    roles:\n      - chat\n\n  - name: m\n    \
             size: 3 # small\n    mine: true\n  - name: n\n    size: 4\n    roles:\n      - chat\nrules:\n  - |\n    Be terse.\n      \
             Indented.\n"
        );
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_written_as_one_would_by_hand() {
        let wanted = json!({"model": "m", "provider": {"hob": {"url": "u", "fast": true}}});

        assert_eq!(
            merged(Format::Json, "", &wanted),
            "{\n  \"model\": \"m\",\n  \"provider\": {\n    \"hob\": {\n      \"url\": \"u\",\n      \"fast\": true\n    }\n  }\n}\n"
        );
        assert_eq!(
            merged(Format::Toml, "", &wanted),
            "model = \"m\"\n\n[provider.hob]\nurl = \"u\"\nfast = true\n"
        );
        assert_eq!(
            merged(Format::Yaml, "", &wanted),
            "model: m\nprovider:\n  hob:\n    url: u\n    fast: true\n"
        );
    }

    #[test]
    fn a_default_is_for_a_file_that_says_nothing() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let wanted =
            Wanted { settings: map(json!({"a": 1})), defaults: map(json!({"name": "ours", "schema": "v1"})) };
        let text = |old: &str| merge(Format::Yaml, old, &wanted).unwrap().unwrap().text;

        assert_eq!(text(""), "name: ours\nschema: v1\na: 1\n");
        assert_eq!(text("name: theirs\n"), "name: theirs\nschema: v1\na: 1\n");
        assert_eq!(merge(Format::Yaml, "name: theirs\nschema: v2\na: 1\n", &wanted).unwrap(), None);
    }

    #[test]
    fn the_shapes_that_people_write_yaml_in_are_kept() {
        let wanted = json!({"models": [{"name": "n", "size": 4}]});
        for (text, after) in [
            ("# all is\n# commented out\n", "# all is\n# commented out\nmodels:\n  - name: n\n    size: 4\n"),
            ("models:\n- name: a\n", "models:\n- name: a\n- name: n\n  size: 4\n"),
            ("models: [{name: a}]\n", "models: [{name: a}, {name: n, size: 4}]\n"),
            ("models:\nx: 1\n", "models:\n  - name: n\n    size: 4\nx: 1\n"),
            ("# top\n---\nx: 1\n", "# top\n---\nx: 1\nmodels:\n  - name: n\n    size: 4\n"),
        ] {
            assert_eq!(merged(Format::Yaml, text, &wanted), after, "of {text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_would_be_lost_is_refused() {
        let wanted = json!({"env": {"A": "1"}, "models": [{"name": "n"}]});
        for (format, text) in [
            (Format::Json, "{\"env\": {"),
            (Format::Toml, "env = \n"),
            (Format::Yaml, "a: [1, 2\nb: {"),
            (Format::Yaml, "a: 1\n---\nb: 2\n"),
            (Format::Yaml, "env: {}\nenv: {}\n"),
        ] {
            let error = refused(format, text, &wanted);
            assert!(matches!(error, MergeError::Unreadable { .. }), "{text:?}: {error:?}");
        }
        for (format, text) in [
            (Format::Json, "{\"env\": \"no table\"}"),
            (Format::Json, "{\"models\": {}}"),
            (Format::Json, "[]"),
            (Format::Toml, "env = 1\n"),
            (Format::Yaml, "env: [1]\n"),
        ] {
            let error = refused(format, text, &wanted);
            assert!(matches!(error, MergeError::Misplaced { .. }), "{text:?}: {error:?}");
        }
        // Which of the two a program reads, nobody knows.
        let twice = refused(Format::Json, "{\"env\": {\"A\": \"0\"}, \"env\": {}}", &wanted);
        assert!(matches!(twice, MergeError::Unsafe), "{twice:?}");
    }
}
