//! Tools of this API: functions, also such as stand in namespaces, which models know nothing of. A function of a namespace is
//! offered under both names, and a call of it is told under each.

use protocol::ToolChoice;
use serde_json::{Value, json};

use super::wire::{self, AllowedTool, Caller, ChoiceObject, FunctionTool, NamespaceMember, Tool};
use crate::{error::Invalid, tools};

/// Names of functions in namespaces, as models know them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Namespaces(Vec<Member>);

#[derive(Clone, Debug, PartialEq)]
struct Member {
    namespace: String,
    name: String,
}

impl Namespaces {
    /// The namespace, if it is of one, and the name of a function that a model called.
    pub(super) fn split(&self, called: &str) -> (Option<String>, String) {
        match self.0.iter().find(|member| full_name(&member.namespace, &member.name) == called) {
            Some(member) => (Some(member.namespace.clone()), member.name.clone()),
            None => (None, called.to_owned()),
        }
    }
}

/// What a model calls a function of a namespace by.
pub(super) fn full_name(namespace: &str, name: &str) -> String {
    format!("{namespace}__{name}")
}

/// The tools in the vocabulary's words, and those that stand in namespaces.
pub(super) fn offer(
    offered: &[Tool],
    choice: Option<&wire::ToolChoice>,
    parallel: bool,
) -> Result<(protocol::Tools, Namespaces), Invalid> {
    let (mut functions, mut namespaces) = (Vec::new(), Namespaces::default());
    for tool in offered {
        match tool {
            Tool::Function(tool) => functions.push(function(tool.name.clone(), tool)?),
            Tool::Namespace(namespace) => {
                for NamespaceMember::Function(tool) in &namespace.tools {
                    functions.push(function(full_name(&namespace.name, &tool.name), tool)?);
                    namespaces.0.push(Member { namespace: namespace.name.clone(), name: tool.name.clone() });
                }
            }
            Tool::WebSearch(_) => {}
        }
    }
    let mut functions = tools::distinct(functions)?;
    let choice = match choice {
        None => ToolChoice::Auto,
        Some(wire::ToolChoice::Word(word)) => (*word).into(),
        Some(wire::ToolChoice::Object(ChoiceObject::Function { name })) => ToolChoice::Named(name.clone()),
        Some(wire::ToolChoice::Object(ChoiceObject::AllowedTools { mode, tools: allowed })) => {
            functions.retain(|tool| allowed.iter().any(|AllowedTool::Function { name }| *name == tool.name));
            (*mode).into()
        }
    };
    let choice = tools::possible(choice, &functions)?;
    Ok((protocol::Tools { offered: functions, choice, parallel }, namespaces))
}

/// In the form that the families have in common.
fn function(name: String, tool: &FunctionTool) -> Result<Value, Invalid> {
    if tool.is_async == Some(true) {
        return Err(Invalid::of("tools", format!("the tool {name:?} is async, and calls here are not")));
    }
    if tool.allowed_callers.as_ref().is_some_and(|callers| !callers.contains(&Caller::Direct)) {
        return Err(Invalid::of("tools", format!("the tool {name:?} allows no caller that there is here")));
    }
    let mut function = json!({"name": name});
    if let Some(description) = &tool.description {
        function["description"] = json!(description);
    }
    if let Some(parameters) = &tool.parameters {
        function["parameters"] = json!(parameters);
    }
    Ok(json!({"type": "function", "function": function}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(tools: Value) -> Vec<Tool> {
        serde_json::from_value(tools).unwrap()
    }

    fn choice(choice: Value) -> wire::ToolChoice {
        serde_json::from_value(choice).unwrap()
    }

    #[test]
    fn functions_of_namespaces_are_offered_under_both_names_and_told_under_each() {
        let agents = json!({"type": "namespace", "name": "agents", "description": "Others.",
            "tools": [{"type": "function", "name": "spawn", "parameters": {"type": "object"}, "strict": false}]});
        let offered = tools(json!([{"type": "function", "name": "spawn", "parameters": null}, agents]));

        let (tools, namespaces) = offer(&offered, None, true).unwrap();

        let names: Vec<&str> = tools.offered.iter().map(|tool| &tool.name[..]).collect();
        assert_eq!(names, ["spawn", "agents__spawn"]);
        assert_eq!(tools.offered[1].parameters, r#"{"type":"object"}"#);
        assert_eq!(namespaces.split("agents__spawn"), (Some("agents".into()), "spawn".into()));
        assert_eq!(namespaces.split("spawn"), (None, "spawn".into()));
    }

    #[test]
    fn what_only_a_server_of_openais_could_run_is_refused_by_name_but_for_a_search() {
        let search = tools(json!([{"type": "web_search_preview", "external_web_access": false}]));
        assert_eq!(offer(&search, None, true).unwrap().0.offered, []);
        let required = choice(json!("required"));
        assert!(offer(&search, Some(&required), true).is_err());
        for kind in ["code_interpreter", "mcp", "custom", "local_shell", "image_generation"] {
            let refused =
                serde_json::from_value::<Vec<Tool>>(json!([{"type": kind, "name": "a"}])).unwrap_err();
            assert!(refused.to_string().contains(kind), "{refused}");
        }
        for kind in ["web_search_preview", "mcp", "custom"] {
            assert!(serde_json::from_value::<wire::ToolChoice>(json!({"type": kind, "name": "a"})).is_err());
        }
    }

    #[test]
    fn what_is_chosen_must_be_there_and_only_what_is_allowed_is_offered() {
        let offered =
            tools(json!([{"type": "function", "name": "now"}, {"type": "function", "name": "then"}]));
        let of = |said: Value| offer(&offered, Some(&choice(said)), true).map(|(tools, _)| tools);
        assert_eq!(
            of(json!({"type": "function", "name": "now"})).unwrap().choice,
            ToolChoice::Named("now".into())
        );
        assert!(of(json!({"type": "function", "name": "never"})).is_err());
        let allowed = of(json!({"type": "allowed_tools", "mode": "required",
            "tools": [{"type": "function", "name": "then"}]}));
        let allowed = allowed.unwrap();
        assert_eq!((allowed.offered.len(), &allowed.offered[0].name[..]), (1, "then"));
        assert_eq!(allowed.choice, ToolChoice::Required);
        let wrong = tools(json!([{"type": "function", "name": "now", "allowed_callers": []}]));
        assert!(offer(&wrong, None, true).unwrap_err().message.contains("now"));
    }
}
