//! The functions of templates: Ollama's own, and those of Go that make text, all within one budget for each rendering.
//! Go's other functions are the template engine's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gotmpl::{FuncMap, Template, TemplateError, Value, ValueFunc};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::MAX_OUTPUT_BYTES;
use super::values::{json, text, text_value};

/// When a template runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// It must be done by then.
    pub(crate) deadline: Instant,
    /// What `currentDate` says.
    pub(crate) today: Date,
}

impl Clock {
    /// From now on, for as long as a rendering may take. Dates are those of UTC: a worker sees no time zone.
    pub(crate) fn start() -> Self {
        Self {
            deadline: Instant::now() + PATIENCE,
            today: TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date(),
        }
    }
}

/// What is left to one rendering. A clone is the same budget.
#[derive(Clone, Default)]
pub(super) struct Budget(Arc<Mutex<Left>>);

#[derive(Default)]
struct Left {
    /// `None` before the first rendering.
    clock: Option<Clock>,
    text_bytes: usize,
}

impl Budget {
    pub(super) fn renew(&self, clock: Clock) {
        *self.lock() = Left { clock: Some(clock), text_bytes: MAX_TEXT_BYTES };
    }

    /// Called by every block that is entered.
    fn step(&self) -> gotmpl::Result<Value> {
        match self.lock().clock {
            Some(clock) if Instant::now() > clock.deadline => Err(refused("it ran for too long")),
            _ => Ok(Value::Nil),
        }
    }

    fn make(&self, make: MakeText, arguments: &[Value]) -> gotmpl::Result<Value> {
        let mut left = self.lock();
        let given: usize = arguments.iter().filter_map(|argument| argument.as_str().map(str::len)).sum();
        if given > left.text_bytes / ESCAPED_BYTES {
            return Err(too_much());
        }
        let text = make(arguments)?;
        left.text_bytes = left.text_bytes.checked_sub(text.len()).ok_or_else(too_much)?;
        Ok(Value::String(text.into()))
    }

    fn date(&self, days_ago: u32) -> gotmpl::Result<Value> {
        let today = self.lock().clock.map(|clock| clock.today).unwrap_or_default();
        let date = (0..days_ago).try_fold(today, |date, _| date.yesterday());
        date.map(|date| text_value(&date.to_string())).map_err(|error| refused(&error.to_string()))
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The functions that are not the engine's own, and those that `tree` puts in.
pub(super) fn functions(budget: &Budget) -> FuncMap {
    let mut functions = FuncMap::new();
    let mut add = |name: &str, function: ValueFunc| functions.insert(name.into(), function);
    for (name, make) in TEXT_FUNCTIONS {
        let budget = budget.clone();
        add(name, Arc::new(move |arguments| budget.make(*make, arguments)));
    }
    let dated = budget.clone();
    add("currentDate", Arc::new(move |_| dated.date(0)));
    let dated = budget.clone();
    add("yesterdayDate", Arc::new(move |_| dated.date(1)));
    let stepping = budget.clone();
    add(STEP, Arc::new(move |_| stepping.step()));
    add(SHOW, Arc::new(|arguments| Ok(Value::String(text(only("print", arguments)?)))));
    functions
}

/// Put where a block begins.
pub(super) const STEP: &str = "#step";

/// Put behind every action that prints.
pub(super) const SHOW: &str = "#show";

/// All that a template can call.
pub(super) fn is_known(name: &str) -> bool {
    const OTHERS: &[&str] = &[
        "and",
        "or",
        "not",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "len",
        "index",
        "slice",
        "call",
        "currentDate",
        "yesterdayDate",
    ];
    OTHERS.contains(&name) || TEXT_FUNCTIONS.iter().any(|(known, _)| *known == name)
}

type MakeText = fn(&[Value]) -> gotmpl::Result<String>;

const TEXT_FUNCTIONS: &[(&str, MakeText)] = &[
    ("json", |arguments| Ok(json(only("json", arguments)?))),
    ("toTypeScriptType", |arguments| Ok(typescript(only("toTypeScriptType", arguments)?))),
    ("print", print),
    ("println", println),
    ("printf", printf),
    ("html", |arguments| Ok(gotmpl::html_escape(&text(only("html", arguments)?)).to_string())),
    ("js", |arguments| Ok(gotmpl::js_escape(&text(only("js", arguments)?)).to_string())),
    ("urlquery", |arguments| Ok(gotmpl::url_encode(&text(only("urlquery", arguments)?)).to_string())),
];

fn only<'a>(name: &str, arguments: &'a [Value]) -> gotmpl::Result<&'a Value> {
    match arguments {
        [one] => Ok(one),
        _ => Err(TemplateError::ArgCount { name: name.into(), expected: 1, got: arguments.len() }),
    }
}

/// A blank between two neighbours of which neither is a string.
fn print(arguments: &[Value]) -> gotmpl::Result<String> {
    joined(arguments, |before, after| {
        !matches!((before, after), (Value::String(_), _) | (_, Value::String(_)))
    })
}

fn println(arguments: &[Value]) -> gotmpl::Result<String> {
    joined(arguments, |_, _| true).map(|line| line + "\n")
}

fn joined(arguments: &[Value], spaced: fn(&Value, &Value) -> bool) -> gotmpl::Result<String> {
    let mut line = String::new();
    for (place, argument) in arguments.iter().enumerate() {
        if place > 0 && spaced(&arguments[place - 1], argument) {
            line.push(' ');
        }
        line.push_str(&text(argument));
        if line.len() > MAX_TEXT_BYTES {
            return Err(too_much());
        }
    }
    Ok(line)
}

/// The engine's own, once it is clear that the result cannot be huge.
fn printf(arguments: &[Value]) -> gotmpl::Result<String> {
    let Some((Value::String(format), values)) = arguments.split_first() else {
        return Err(refused("printf wants a format"));
    };
    let values: Vec<Value> = values
        .iter()
        .map(|value| match value {
            Value::Map(_) | Value::List(_) => Value::String(text(value)),
            other => other.clone(),
        })
        .collect();
    let longest = values.iter().filter_map(Value::len).max().unwrap_or(0);
    // The engine pads to no more than this.
    let verbs = format.matches('%').count();
    if verbs.saturating_mul(longest.saturating_mul(ESCAPED_BYTES) + usize::from(u16::MAX)) > MAX_TEXT_BYTES {
        return Err(too_much());
    }
    let places: String = (0..values.len()).map(|place| format!(" (index .Values {place})")).collect();
    let variables = gotmpl::tmap! { "Format" => Value::String(Arc::clone(format)), "Values" => Value::List(values.into()) };
    Template::new("").parse(&format!("{{{{ printf .Format{places} }}}}"))?.execute_to_string(&variables)
}

/// The type of a tool's property, in TypeScript.
fn typescript(property: &Value) -> String {
    let of = |name: &str| property.field(name);
    if let Some(Value::List(choices)) = of("AnyOf")
        && !choices.is_empty()
    {
        return choices.iter().map(typescript).collect::<Vec<_>>().join(" | ");
    }
    match of("Type") {
        Some(Value::String(name)) => typescript_name(name).into(),
        Some(Value::List(names)) if !names.is_empty() => {
            let names = names.iter().map(|name| typescript_name(name.as_str().unwrap_or_default()));
            names.collect::<Vec<_>>().join(" | ")
        }
        _ => "any".into(),
    }
}

fn typescript_name(name: &str) -> &'static str {
    match name {
        "string" => "string",
        "number" | "integer" => "number",
        "boolean" => "boolean",
        "array" => "any[]",
        "object" => "Record<string, any>",
        "null" => "null",
        _ => "any",
    }
}

fn too_much() -> TemplateError {
    refused("its functions make too much text")
}

fn refused(reason: &str) -> TemplateError {
    TemplateError::Exec(reason.into())
}

/// A long conversation takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that functions make in one rendering.
const MAX_TEXT_BYTES: usize = 2 * MAX_OUTPUT_BYTES;

/// What becomes of one byte at most: `\u0000`.
const ESCAPED_BYTES: usize = 6;
