//! What of each request is honoured: each field that the description names is sent, well and badly, and the table in the docs
//! is made of what came back.

use std::fmt::Write as _;

use behaviour::{Answer, Hob, embedding_model_file, reranker_file};
use serde_json::{Value, json};

/// A request that is answered, and good values of its other fields.
struct Sample {
    path: &'static str,
    body: Value,
    fields: Value,
}

/// What becomes of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Honoured,
    Refused,
    NotApplicable,
}

#[test]
fn each_field_is_honoured_refused_or_said_to_make_no_difference() {
    let hob = Hob::start();
    for (name, file) in [("minilm", embedding_model_file()), ("reranker", reranker_file())] {
        assert!(hob.create(name, &file).status.success());
    }
    let description = hob.get("/openapi.json").json();
    let mut table = String::from(HEAD);
    for sample in samples() {
        let schema = request_schema(&description, sample.path);
        writeln!(table, "\n## POST {}\n\n| Field | | |\n|---|---|---|", sample.path).unwrap();
        for (field, property) in schema["properties"].as_object().unwrap() {
            let state = state(property);
            check(&hob, &description, &sample, field, property);
            let word = if is_told_back(sample.path, field) { "told back" } else { state.word() };
            writeln!(table, "| `{field}` | {word} | {} |", note(property)).unwrap();
        }
    }
    assert_table(&table);
}

/// Requests whose fields are tried; those of the store's routes are tried by the tests of models.
fn samples() -> Vec<Sample> {
    [ollama_samples(), openai_samples(), responses_samples(), anthropic_samples()]
        .into_iter()
        .flatten()
        .collect()
}

fn responses_samples() -> Vec<Sample> {
    let manner = json!({
        "instructions": "Be brief.", "previous_response_id": null, "tools": [], "tool_choice": "auto",
        "parallel_tool_calls": false, "text": {"format": {"type": "text"}}, "reasoning": {"effort": "none"},
        "truncation": "auto",
    });
    let mut all = manner.as_object().unwrap().clone();
    let more = json!({
        "store": false, "stream": true, "stream_options": {"include_obfuscation": false}, "background": true,
        "temperature": 0, "top_p": 0.5, "top_logprobs": 1, "include": ["message.output_text.logprobs"],
        "metadata": {"a": "b"}, "max_tool_calls": 1, "user": "me", "safety_identifier": "me", "prompt_cache_key": "me",
        "prompt_cache_options": {"mode": "implicit"}, "options": {"num_ctx": 512}, "keep_alive": "5m",
    });
    all.extend(more.as_object().unwrap().clone());
    vec![
        Sample {
            path: "/v1/responses",
            body: json!({"model": "smollm2", "input": "Hi", "max_output_tokens": 1}),
            fields: Value::Object(all),
        },
        Sample {
            path: "/v1/responses/input_tokens",
            body: json!({"model": "smollm2", "input": "Hi"}),
            fields: manner,
        },
    ]
}

fn ollama_samples() -> Vec<Sample> {
    let options = json!({"num_predict": 1, "temperature": 0});
    let messages = json!([{"role": "user", "content": "Hi"}]);
    vec![
        Sample {
            path: "/api/generate",
            body: json!({"model": "smollm2", "prompt": "Hi", "stream": false, "options": options}),
            fields: json!({
                "system": "Be brief.", "template": "{{ .Prompt }}", "context": [1, 2], "raw": true, "format": "json",
                "keep_alive": "5m", "images": [], "think": false, "truncate": false, "shift": false, "logprobs": true,
                "top_logprobs": 1, "lora": [], "suffix": "", "_debug_render_only": true,
            }),
        },
        Sample {
            path: "/api/chat",
            body: json!({"model": "smollm2", "messages": messages, "stream": false, "options": options}),
            fields: json!({
                "tools": [tool()], "tool_choice": "none", "format": "json", "keep_alive": "5m", "think": false, "truncate": false,
                "shift": false, "logprobs": true, "top_logprobs": 1, "lora": [], "_debug_render_only": true,
            }),
        },
        Sample {
            path: "/api/embed",
            body: json!({"model": "minilm", "input": "Hi"}),
            fields: json!({"truncate": false, "dimensions": 8, "options": {}, "keep_alive": "5m"}),
        },
        Sample {
            path: "/api/embeddings",
            body: json!({"model": "minilm", "prompt": "Hi"}),
            fields: json!({"options": {}, "keep_alive": "5m"}),
        },
        Sample {
            path: "/api/show",
            body: json!({"model": "smollm2"}),
            fields: json!({"name": "smollm2", "verbose": true}),
        },
    ]
}

fn openai_samples() -> Vec<Sample> {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let sampling = json!({
        "temperature": 0, "top_p": 0.5, "seed": 1, "stop": ["x"], "frequency_penalty": 0.1, "presence_penalty": 0.1,
        "logit_bias": {"5": -1}, "n": 2, "top_k": 3, "min_p": 0.1, "repeat_penalty": 1.1, "options": {"num_ctx": 512},
        "keep_alive": "5m", "lora": [], "stream": false, "stream_options": {"include_usage": true},
    });
    let with = |more: Value| {
        let mut fields = sampling.as_object().unwrap().clone();
        fields.extend(more.as_object().unwrap().clone());
        Value::Object(fields)
    };
    vec![
        Sample {
            path: "/v1/chat/completions",
            body: json!({"model": "smollm2", "messages": messages, "max_tokens": 1}),
            fields: with(json!({
                "max_completion_tokens": 1, "logprobs": true, "top_logprobs": 1, "response_format": {"type": "json_object"},
                "tools": [tool()], "tool_choice": "auto", "parallel_tool_calls": false, "reasoning_effort": "none",
                "reasoning": {"effort": "none"}, "modalities": ["text"], "store": false,
            })),
        },
        Sample {
            path: "/v1/completions",
            body: json!({"model": "smollm2", "prompt": "Hi", "max_tokens": 1}),
            fields: with(json!({"suffix": "", "best_of": 1, "logprobs": 1, "echo": true, "n": 1})),
        },
        Sample {
            path: "/v1/embeddings",
            body: json!({"model": "minilm", "input": "Hi"}),
            fields: json!({
                "encoding_format": "base64", "dimensions": 8, "truncate": false, "options": {}, "keep_alive": "5m"
            }),
        },
        Sample {
            path: "/v1/rerank",
            body: json!({"model": "reranker", "query": "a", "documents": ["b"]}),
            fields: json!({"top_n": 1, "return_documents": true, "keep_alive": "5m"}),
        },
        Sample {
            path: "/v1/tokenize",
            body: json!({"model": "smollm2", "messages": messages}),
            fields: json!({"tools": [], "return_token_strs": true, "prompt": null}),
        },
        Sample {
            path: "/v1/detokenize",
            body: json!({"model": "smollm2", "tokens": [1]}),
            fields: json!({}),
        },
    ]
}

fn anthropic_samples() -> Vec<Sample> {
    let fields = json!({
        "system": "Be brief.", "stream": false, "temperature": 0, "top_p": 0.5, "top_k": 3, "stop_sequences": ["x"],
        "tools": [], "tool_choice": {"type": "auto"}, "thinking": {"type": "disabled"}, "output_config": {"effort": "low"},
        "output_format": {"type": "json_schema", "schema": {"type": "object"}}, "options": {"num_ctx": 512}, "keep_alive": "5m",
        "lora": [], "context_management": {"edits": []},
    });
    let counted = json!({"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}]});
    let mut body = counted.clone();
    body["max_tokens"] = json!(1);
    let counted = Sample { path: "/v1/messages/count_tokens", body: counted, fields: fields.clone() };
    vec![Sample { path: "/v1/messages", body, fields }, counted]
}

fn tool() -> Value {
    json!({"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}})
}

/// Sends the field well and badly.
fn check(hob: &Hob, description: &Value, sample: &Sample, field: &str, property: &Value) {
    let send = |value: &Value| {
        let mut body = sample.body.clone();
        if let Some((other, needed)) = needs(field)
            && sample.fields.get(other).is_some()
        {
            body[other] = needed;
        }
        body[field] = value.clone();
        hob.post(sample.path, &body)
    };
    let at = format!("{} of {}", field, sample.path);
    match state(property) {
        State::Refused => {
            assert_eq!(send(&Value::Null).status, 200, "{at} may be null");
            assert_names(&send(&json!({"a": 1})), field, &at);
        }
        State::NotApplicable => {
            let answer = send(&json!({"a": 1}));
            assert_eq!(answer.status, 200, "{at}: {answer:?}");
        }
        State::Honoured => {
            let good = sample.body.get(field).or(sample.fields.get(field));
            let good = good.unwrap_or_else(|| panic!("no good value of {at} is known here"));
            let answer = send(good);
            assert_eq!(answer.status, 200, "{at}: {answer:?}");
            if is_told_back(sample.path, field) {
                assert_eq!(answer.json()[field], *good, "{at}");
            }
            assert_names(&send(&wrong(description, property)), field, &at);
        }
    }
}

#[track_caller]
fn assert_names(answer: &Answer, field: &str, at: &str) {
    assert_eq!(answer.status, 400, "{at}: {answer:?}");
    let body = answer.json();
    let named = match body["error"]["param"].as_str() {
        Some(param) => param.split(['.', '[']).next() == Some(field),
        None => {
            let message = body["error"]["message"].as_str().or(body["error"].as_str()).unwrap_or_default();
            let mut words = message.split(|c: char| !c.is_alphanumeric() && c != '_');
            // Ollama's text for a keep_alive that is none does not name it.
            words.any(|word| word == field) || message.starts_with("Unsupported type")
        }
    };
    assert!(named, "{at} is not named: {answer:?}");
}

/// What must be there as well.
fn needs(field: &str) -> Option<(&'static str, Value)> {
    match field {
        "stream_options" => Some(("stream", json!(true))),
        "top_logprobs" => Some(("logprobs", json!(true))),
        _ => None,
    }
}

/// Fields that are kept and told back, as there, and do no more.
fn is_told_back(path: &str, field: &str) -> bool {
    path == "/v1/responses"
        && ["metadata", "user", "safety_identifier", "prompt_cache_key", "max_tool_calls"].contains(&field)
}

/// What no reader takes for this property.
fn wrong(description: &Value, property: &Value) -> Value {
    match takes(description, property, "object") {
        true => json!(7),
        false => json!({"no": "such"}),
    }
}

fn takes(description: &Value, schema: &Value, kind: &str) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        return takes(description, description.pointer(name.trim_start_matches('#')).unwrap(), kind);
    }
    let one = schema["type"] == kind;
    let several = schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|of| of == kind));
    let alternatives = ["oneOf", "anyOf", "allOf"].iter().filter_map(|of| schema[of].as_array()).flatten();
    one || several || alternatives.into_iter().any(|schema| takes(description, schema, kind))
}

fn request_schema<'a>(description: &'a Value, path: &str) -> &'a Value {
    let body = &description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let name = body["$ref"].as_str().unwrap_or_else(|| panic!("{path} is not described"));
    description.pointer(name.trim_start_matches('#')).unwrap()
}

fn state(property: &Value) -> State {
    match property["$ref"].as_str().and_then(|name| name.rsplit('.').next()) {
        Some("Refused") => State::Refused,
        Some("Harmless") => State::NotApplicable,
        _ => State::Honoured,
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Refused => "refused",
            Self::NotApplicable => "not applicable",
        }
    }
}

fn note(property: &Value) -> String {
    let alternatives = property["oneOf"].as_array().cloned().unwrap_or_default();
    let mut told =
        std::iter::once(property).chain(&alternatives).filter_map(|schema| schema["description"].as_str());
    told.next().unwrap_or_default().replace('\n', " ")
}

const HEAD: &str = "# What of each request is honoured

Made by `tests/behaviour/conformance.rs`, which sends each field that `/openapi.json` names. *Honoured*: a good value is answered,
and a bad one is a 400 that names it; that it does what its service says, the tests of each show. *Told back*: kept with the
response, and no more. *Refused*: a 400 that names it. *Not applicable*: taken, as it makes no difference to the answer of a
local model. What is not in the table is a 400 that names it in OpenAI's and Anthropic's
families; Ollama's leaves it out, as Ollama does, and tells the log.
";

/// Writes the table, and fails if it was another.
fn assert_table(table: &str) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../daemon/api/CONFORMANCE.md");
    let before = std::fs::read_to_string(file).unwrap_or_default();
    std::fs::write(file, table).unwrap();
    assert!(before == table, "{file} was not true any more, and is now: commit it");
}
