//! The description as a page: no script, nothing from elsewhere, each operation and each type once.

use std::fmt::{self, Display, Write as _};

use serde_json::{Map, Value};

/// The page's only other part.
pub(super) const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn of(document: &Value) -> String {
    let mut page = String::new();
    write(&mut page, document).expect("writing to a text cannot fail");
    page
}

fn write(page: &mut String, document: &Value) -> fmt::Result {
    let title = text(&document["info"]["title"]);
    write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}: API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/openapi.css\"><h1>{title}: API</h1>\
         <p>Version {}. For programs: <a href=\"/openapi.json\">openapi.json</a>.</p>",
        text(&document["info"]["version"])
    )?;
    for tag in list(&document["tags"]) {
        write!(page, "<h2>{}</h2>", text(&tag["name"]))?;
        for (path, operations) in map(&document["paths"]) {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                if operation["tags"][0] == tag["name"] {
                    write_operation(page, method, path, operation)?;
                }
            }
        }
    }
    page.push_str("<h2>Types</h2>");
    for (name, schema) in map(&document["components"]["schemas"]) {
        write_type(page, name, schema)?;
    }
    Ok(())
}

fn write_operation(page: &mut String, method: &str, path: &str, operation: &Value) -> fmt::Result {
    write!(
        page,
        "<details><summary><b>{}</b> <code>{}</code> {}</summary>",
        method.to_uppercase(),
        Escaped(path),
        text(&operation["summary"])
    )?;
    for (kind, body) in map(&operation["requestBody"]["content"]) {
        write!(page, "<p>Takes {} as {}</p>", Type(&body["schema"]), Escaped(kind))?;
    }
    page.push_str("<table><tr><th>Status<th>Meaning<th>Body</tr>");
    for (status, answer) in map(&operation["responses"]) {
        write!(page, "<tr><td>{}<td>{}<td>", Escaped(status), text(&answer["description"]))?;
        for (kind, body) in map(&answer["content"]) {
            write!(page, "{} as {}<br>", Type(&body["schema"]), Escaped(kind))?;
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></details>");
    Ok(())
}

fn write_type(page: &mut String, name: &str, schema: &Value) -> fmt::Result {
    write!(page, "<details id=\"{0}\"><summary><code>{0}</code> ", Escaped(name))?;
    write!(page, "{}</summary>", text(&schema["description"]))?;
    match schema["properties"].as_object() {
        None => write!(page, "<p>{}</p>", Type(schema))?,
        Some(properties) => {
            page.push_str("<table><tr><th>Field<th>Type<th></tr>");
            for (field, property) in properties {
                let needed = list(&schema["required"]).iter().any(|name| name == field);
                let mark = if needed { " (needed)" } else { "" };
                write!(page, "<tr><td><code>{}</code>{mark}<td>{}", Escaped(field), Type(property))?;
                write!(page, "<td>{}</tr>", text(&property["description"]))?;
            }
            page.push_str("</table>");
        }
    }
    page.push_str("</details>");
    Ok(())
}

/// What a schema takes, in short.
struct Type<'a>(&'a Value);

impl Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.0;
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            return write!(f, "<a href=\"#{0}\">{0}</a>", Escaped(name));
        }
        if let Some(words) = schema["enum"].as_array() {
            return join(f, words.iter().map(|word| format!("<code>{}</code>", Escaped(&word.to_string()))));
        }
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            if let Some(several) = schema[alternatives].as_array() {
                return join(f, several.iter().map(|one| Type(one).to_string()));
            }
        }
        match &schema["type"] {
            Value::Array(kinds) => join(f, kinds.iter().map(|kind| text(kind).to_string())),
            kind if kind == "array" => write!(f, "list of {}", Type(&schema["items"])),
            kind if kind == "object" && schema["properties"].is_object() => {
                let fields =
                    map(&schema["properties"]).map(|(name, of)| format!("{}: {}", Escaped(name), Type(of)));
                f.write_str("{ ")?;
                join_with(f, fields, ", ")?;
                f.write_str(" }")
            }
            Value::Null => f.write_str("anything"),
            kind => write!(f, "{}", text(kind)),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: impl Iterator<Item = String>) -> fmt::Result {
    join_with(f, parts, " or ")
}

fn join_with(f: &mut fmt::Formatter<'_>, parts: impl Iterator<Item = String>, between: &str) -> fmt::Result {
    f.write_str(&parts.collect::<Vec<_>>().join(between))
}

/// Text of the document, which is its writers' and not a stranger's; escaped all the same.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '&' => f.write_str("&amp;"),
                '"' => f.write_str("&quot;"),
                c => f.write_char(c),
            }?;
        }
        Ok(())
    }
}

fn text(value: &Value) -> Escaped<'_> {
    Escaped(value.as_str().unwrap_or_default())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn map(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_told_in_short_and_nothing_of_them_is_markup() {
        let of = |schema: Value| Type(&schema).to_string();
        assert_eq!(of(json!({"type": ["integer", "null"]})), "integer or null");
        assert_eq!(
            of(json!({"type": "array", "items": {"$ref": "#/components/schemas/A.B"}})),
            "list of <a href=\"#A.B\">A.B</a>"
        );
        assert_eq!(of(json!({"enum": ["<b>"]})), "<code>&quot;&lt;b&gt;&quot;</code>");
        assert_eq!(of(json!({})), "anything");
    }
}
