//! `/openapi.json`: what there is, made of the types that the families read and write; and `/openapi`, a page that shows it
//! without asking anybody else for anything.

mod page;

use std::collections::HashSet;

use axum::{Router, response::IntoResponse, routing::get};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::{
    Api, json,
    pages::{Policy, secured},
};

/// The document and its page.
pub(crate) fn router(version: &str, families: Vec<(&'static str, OpenApi)>) -> Router<Api> {
    let document = document(version, families);
    let page = Bytes::from(page::of(&document));
    let document = Bytes::from(json::encode(&document));
    let page_type = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    Router::new()
        .route("/openapi.json", get(async move || ([(CONTENT_TYPE, "application/json")], document)))
        .route("/openapi", get(async move || secured(Policy::Still, (page_type, page).into_response())))
        .route("/openapi.css", get(async || ([(CONTENT_TYPE, "text/css")], page::STYLE)))
}

/// One document of the families' parts.
fn document(version: &str, families: Vec<(&'static str, OpenApi)>) -> Value {
    let (mut paths, mut schemas, mut tags) = (Map::new(), Map::new(), Vec::new());
    for (family, part) in families {
        let mut part = serde_json::to_value(part).unwrap_or_default();
        name_by_family(&mut part, family);
        tags.push(json!({"name": family, "description": format!("As clients of {family}'s service ask.")}));
        for (path, mut operations) in take_map(&mut part, "/paths") {
            tag(&mut operations, family);
            // The router's mark for a name with slashes.
            merge(&mut paths, path.replace("{*", "{"), operations);
        }
        for (name, schema) in take_map(&mut part, "/components/schemas") {
            schemas.insert(format!("{family}.{name}"), schema);
        }
    }
    close_as_a_whole(&mut paths, &mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hob",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        // On the machine itself nothing is needed.
        "security": [{}, {"bearer": []}, {"key": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key, as `hob key create` makes it."},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same."},
            },
        },
    })
}

/// A type that takes no field but its own says so by `additionalProperties`, which knows nothing of what stands beside it: as one
/// of several that an object is all of, with the tag of an enum say, it would forbid the fields of the others. There the whole
/// says it, by `unevaluatedProperties`, and so does each other place where that type stands.
fn close_as_a_whole(paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let closed =
        schemas.iter().filter(|(_, schema)| is_closed(schema)).map(|(name, _)| name.clone()).collect();
    let mut parts = HashSet::new();
    schemas.values_mut().for_each(|schema| close_wholes(schema, &closed, &mut parts));
    for name in &parts {
        if let Some(Value::Object(part)) = schemas.get_mut(name) {
            part.shift_remove("additionalProperties");
        }
    }
    schemas.values_mut().chain(paths.values_mut()).for_each(|schema| close_alone(schema, &parts));
}

fn is_closed(schema: &Value) -> bool {
    schema["additionalProperties"] == false
}

/// Notes which closed types are parts of others.
fn close_wholes(schema: &mut Value, closed: &HashSet<String>, parts: &mut HashSet<String>) {
    if let Value::Object(whole) = schema {
        let of = whole.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let names = of.filter_map(|part| part["$ref"].as_str()?.strip_prefix(SCHEMAS));
        let named: Vec<String> = names.filter(|name| closed.contains(*name)).map(Into::into).collect();
        if !named.is_empty() {
            whole.insert("unevaluatedProperties".into(), false.into());
            parts.extend(named);
        }
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(|field| close_wholes(field, closed, parts)),
        Value::Array(items) => items.iter_mut().for_each(|item| close_wholes(item, closed, parts)),
        _ => {}
    }
}

/// Closes those parts where they are no parts.
fn close_alone(schema: &mut Value, parts: &HashSet<String>) {
    match schema {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(|name| name.as_str()?.strip_prefix(SCHEMAS));
            if name.is_some_and(|name| parts.contains(name)) {
                fields.insert("unevaluatedProperties".into(), false.into());
            }
            for (key, field) in fields {
                match field {
                    Value::Array(of) if key == "allOf" => {
                        of.iter_mut()
                            .filter(|part| part.get("$ref").is_none())
                            .for_each(|part| close_alone(part, parts));
                    }
                    field => close_alone(field, parts),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| close_alone(item, parts)),
        _ => {}
    }
}

const SCHEMAS: &str = "#/components/schemas/";

fn take_map(part: &mut Value, pointer: &str) -> Map<String, Value> {
    match part.pointer_mut(pointer).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Two families may have one path.
fn merge(paths: &mut Map<String, Value>, path: String, operations: Value) {
    match (paths.get_mut(&path), operations) {
        (Some(Value::Object(there)), Value::Object(more)) => {
            for (method, operation) in more {
                match there.get_mut(&method) {
                    Some(first) => unite(first, operation),
                    None => drop(there.insert(method, operation)),
                }
            }
        }
        (_, operations) => drop(paths.insert(path, operations)),
    }
}

/// Two families answer at one path by one method, which a header decides: as either of them does.
fn unite(first: &mut Value, mut second: Value) {
    let take = |value: &mut Value, field: &str| value.get_mut(field).map(Value::take).unwrap_or_default();
    if let (Value::Array(tags), Some(Value::Array(more))) = (&mut first["tags"], second.get("tags").cloned())
    {
        tags.extend(more);
    }
    let about = |operation: &Value| {
        operation["description"].as_str().or(operation["summary"].as_str()).map(str::to_owned)
    };
    if let (Some(one), Some(other)) = (about(first), about(&second)) {
        first["description"] = format!("{one}\n\n{other}").into();
    }
    if let Value::Array(more) = take(&mut second, "parameters") {
        let mut all = take(first, "parameters").as_array().cloned().unwrap_or_default();
        for parameter in more {
            if all.iter().all(|known| known["name"] != parameter["name"]) {
                all.push(parameter);
            }
        }
        first["parameters"] = all.into();
    }
    let Value::Object(responses) = take(&mut second, "responses") else { return };
    for (status, response) in responses {
        let content = "/content/application~1json/schema";
        let there = first["responses"].get_mut(&status).filter(|there| !there.is_null());
        match (there, response.pointer(content).cloned()) {
            (Some(there), Some(other)) => {
                if let Some(schema) = there.pointer_mut(content) {
                    *schema = json!({"anyOf": [schema.take(), other]});
                }
            }
            _ => first["responses"][status] = response,
        }
    }
}

fn tag(operations: &mut Value, family: &str) {
    for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
        operation["tags"] = json!([family]);
        // A summary says what comes back.
        let summary = operation["summary"].clone();
        for answer in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            if answer["description"].as_str().is_none_or(str::is_empty) {
                answer["description"] = summary.clone();
            }
        }
        if let Some(Value::String(id)) = operation.get_mut("operationId") {
            *id = format!("{family}.{id}");
        }
    }
}

/// Families have types of one name, each its own.
fn name_by_family(value: &mut Value, family: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "$ref" => {
                        if let Some(name) = text.strip_prefix(SCHEMAS) {
                            *text = format!("{SCHEMAS}{family}.{name}");
                        }
                    }
                    value => name_by_family(value, family),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_by_family(item, family)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_whole_does_not_forbid_what_the_others_have() {
        let closed = json!({"type": "object", "properties": {"a": {}}, "additionalProperties": false});
        let tagged =
            json!([{"$ref": "#/components/schemas/Part"}, {"type": "object", "properties": {"type": {}}}]);
        let part = json!({"$ref": "#/components/schemas/Part"});
        let either = json!({"oneOf": [{"allOf": tagged}, part]});
        let Value::Object(mut schemas) = json!({"Part": closed, "Alone": closed, "Either": either}) else {
            panic!("it is an object")
        };

        close_as_a_whole(&mut Map::new(), &mut schemas);

        assert_eq!(schemas["Part"], json!({"type": "object", "properties": {"a": {}}}));
        assert_eq!(schemas["Alone"], closed);
        assert_eq!(schemas["Either"]["oneOf"][0], json!({"allOf": tagged, "unevaluatedProperties": false}));
        assert_eq!(
            schemas["Either"]["oneOf"][1],
            json!({"$ref": "#/components/schemas/Part", "unevaluatedProperties": false})
        );
    }
}
