//! Tools of a request, and calls of them, in the form that all families took from OpenAI.

use std::collections::HashSet;

use protocol::{CallPart, Tool, ToolCall, ToolChoice};
use serde_json::{Map, Value};

use crate::{error::Invalid, go_json::Fields};

/// More than any client is known to offer.
const MOST_TOOLS: usize = 512;

/// `tools`: what the model may call.
pub(crate) fn offered(fields: &mut Fields) -> Result<Vec<Tool>, Invalid> {
    distinct(fields.list("tools", "Tool")?.unwrap_or_default())
}

/// Tools in OpenAI's form, each under a name of its own.
pub(crate) fn distinct(tools: Vec<Value>) -> Result<Vec<Tool>, Invalid> {
    if tools.len() > MOST_TOOLS {
        return Err(refused(format!("{} tools are offered, {MOST_TOOLS} at most can be", tools.len())));
    }
    let tools: Vec<Tool> = tools.into_iter().map(tool).collect::<Result<_, _>>()?;
    let mut names = HashSet::new();
    match tools.iter().find(|tool| !names.insert(tool.name.as_str())) {
        Some(twice) => Err(refused(format!("two tools have the name {:?}, each needs its own", twice.name))),
        None => Ok(tools),
    }
}

fn tool(tool: Value) -> Result<Tool, Invalid> {
    match tool.get("type").and_then(Value::as_str) {
        Some("function") => {}
        Some(kind) => {
            return Err(refused(format!("a tool of type {kind:?} cannot be used, only functions can")));
        }
        None => return Err(refused("a tool needs a type, which is \"function\"")),
    }
    let name = tool.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.len() > 256 || name.chars().any(|sign| sign.is_control() || sign == '"') {
        return Err(refused("a tool needs function.name, a text of 1 to 256 characters without quotes"));
    }
    let parameters = match tool.pointer("/function/parameters") {
        None | Some(Value::Null) => &Value::Object(Map::new()),
        Some(parameters @ Value::Object(_)) => parameters,
        Some(_) => {
            return Err(refused(format!(
                "function.parameters of the tool {name:?} must be a JSON Schema object"
            )));
        }
    };
    Ok(Tool { name: name.to_owned(), parameters: parameters.to_string(), definition: tool.to_string() })
}

/// `tool_choice`: whether one of the offered tools is called.
pub(crate) fn choice(fields: &mut Fields, offered: &[Tool]) -> Result<ToolChoice, Invalid> {
    let Some(choice) = fields.take("tool_choice") else { return Ok(ToolChoice::Auto) };
    let invalid = |why: String| Invalid::of("tool_choice", why);
    let choice = match &choice {
        Value::String(word) => match word.as_str() {
            "auto" => return Ok(ToolChoice::Auto),
            "none" => return Ok(ToolChoice::None),
            "required" => ToolChoice::Required,
            _ => {
                let words = "expected \"none\", \"auto\", \"required\" or an object that names a function";
                return Err(invalid(format!("invalid tool_choice {word:?}: {words}")));
            }
        },
        named => {
            match named.pointer("/function/name").and_then(Value::as_str) {
                Some(name) if named.get("type").is_none_or(|kind| kind == "function") => {
                    ToolChoice::Named(name.to_owned())
                }
                _ => return Err(invalid(
                    "tool_choice must be a word, or {\"type\": \"function\", \"function\": {\"name\": ...}}"
                        .into(),
                )),
            }
        }
    };
    possible(choice, offered)
}

/// A choice that the tools allow.
pub(crate) fn possible(choice: ToolChoice, offered: &[Tool]) -> Result<ToolChoice, Invalid> {
    let invalid = |why: String| Invalid::of("tool_choice", why);
    match &choice {
        ToolChoice::Auto | ToolChoice::None => Ok(choice),
        ToolChoice::Named(name) if !offered.iter().any(|tool| tool.name == *name) => {
            Err(invalid(format!("tool_choice names {name:?}, which is none of the tools")))
        }
        _ if offered.is_empty() => Err(invalid("tool_choice asks for a call, and there are no tools".into())),
        _ => Ok(choice),
    }
}

/// `tool_calls` of a message: what the model called before. Arguments are an object, or one as text.
pub(crate) fn called(fields: &mut Fields) -> Result<Vec<ToolCall>, Invalid> {
    fields.objects("tool_calls", "ToolCall")?.into_iter().map(call).collect()
}

fn call(mut call: Fields) -> Result<ToolCall, Invalid> {
    let wrong = |why: &str| Invalid::of("messages", why);
    let id = call.text("id")?.unwrap_or_default();
    let function = call.take("function").ok_or_else(|| wrong("a call in tool_calls needs a function"))?;
    let mut function = Fields::of("ToolCallFunction", function)?;
    let name = function.text("name")?.ok_or_else(|| wrong("a call in tool_calls needs function.name"))?;
    Ok(ToolCall { id, name, arguments: arguments(function.take("arguments"))? })
}

/// Arguments of an earlier call: an object, or one as text; nothing said is none.
pub(crate) fn arguments(said: Option<Value>) -> Result<String, Invalid> {
    Ok(match said {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(arguments @ Value::Object(_)) => arguments.to_string(),
        Some(Value::String(text)) if text.trim().is_empty() => "{}".to_owned(),
        Some(Value::String(text)) if serde_json::from_str::<Map<String, Value>>(&text).is_ok() => text,
        Some(_) => return Err(Invalid::of("messages", "arguments in tool_calls must be a JSON object")),
    })
}

/// Adds a part of a call to the calls of its answer.
pub(crate) fn gather(calls: &mut Vec<ToolCall>, part: CallPart) {
    if let Some(begun) = part.begun {
        calls.push(ToolCall { id: begun.id, name: begun.name, arguments: String::new() });
    }
    if let Some(call) = calls.get_mut(part.index as usize) {
        call.arguments += &part.arguments;
    }
}

fn refused(why: impl Into<String>) -> Invalid {
    Invalid::of("tools", why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(body: Value) -> Fields {
        Fields::of("ChatRequest", body).unwrap()
    }

    fn tools(tools: Value) -> Result<Vec<Tool>, Invalid> {
        offered(&mut fields(json!({"tools": tools})))
    }

    #[test]
    fn a_tool_has_a_name_of_its_own_and_a_schema() {
        let now = json!({"type": "function", "function": {"name": "now", "parameters": null}});
        assert_eq!(tools(json!([now])).unwrap()[0].parameters, "{}");
        let why = |wrong| tools(wrong).unwrap_err().message;
        assert!(why(json!([now, now])).contains("two tools have the name \"now\""));
        assert!(why(json!([{"type": "web_search"}])).contains("web_search"));
        assert!(why(json!([{"type": "function", "function": {"name": ""}}])).contains("function.name"));
        assert!(
            why(json!([{"type": "function", "function": {"name": "a", "parameters": []}}])).contains("\"a\"")
        );
        assert!(why(json!(vec![now; MOST_TOOLS + 1])).contains("512 at most"));
    }

    #[test]
    fn what_is_chosen_must_be_there() {
        let now = tools(json!([{"type": "function", "function": {"name": "now"}}])).unwrap();
        let of =
            |choice: Value, tools: &[Tool]| super::choice(&mut fields(json!({"tool_choice": choice})), tools);
        assert_eq!(of(json!("required"), &now).unwrap(), ToolChoice::Required);
        assert_eq!(of(json!("none"), &[]).unwrap(), ToolChoice::None);
        let named = json!({"type": "function", "function": {"name": "now"}});
        assert_eq!(of(named, &now).unwrap(), ToolChoice::Named("now".into()));
        assert!(of(json!({"type": "function", "function": {"name": "then"}}), &now).is_err());
        assert!(of(json!("required"), &[]).is_err());
        assert!(of(json!("sometimes"), &now).is_err());
    }

    #[test]
    fn earlier_calls_come_with_objects_or_with_their_text() {
        let of = |arguments: Value| {
            let call = json!({"id": "c", "function": {"name": "now", "arguments": arguments}});
            called(&mut fields(json!({"tool_calls": [call]}))).map(|calls| calls[0].arguments.clone())
        };
        assert_eq!(of(json!({"a": 1})).unwrap(), r#"{"a":1}"#);
        assert_eq!(of(json!("{\"a\": 1}")).unwrap(), r#"{"a": 1}"#);
        assert_eq!(of(Value::Null).unwrap(), "{}");
        assert!(of(json!("no")).is_err() && of(json!([1])).is_err());
    }
}
