//! Grammars of calls: from the description of an answer's form that llama.cpp makes of a chat template, or from an
//! example's shape.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use protocol::Tool;
use serde::Deserialize;
use serde_json::Value;

use super::lark::{ANY_TEXT, Specials, quoted, up_to};
use super::schema;
use crate::reply::Shape;

/// A grammar in Lark's notation for calls of these tools, written in this shape.
///
/// # Errors
/// What is wrong with the parameters of a tool.
pub(crate) fn of_shape(
    shape: &Shape,
    tools: &[Tool],
    several: bool,
    specials: &Specials,
) -> Result<String, String> {
    let [open, between] = [&shape.open, &shape.between].map(|text| specials.literal(text));
    let close = specials.literal(specials.before(&shape.close));
    let more =
        if several { format!("({} call)*", specials.literal(&shape.separator)) } else { String::new() };
    let calls = tools.iter().map(|tool| {
        let arguments = schema::of_arguments(tool)?;
        Ok(format!("{} {between} %json {arguments}", quoted(&tool.name)))
    });
    let calls: Vec<String> = calls.collect::<Result<_, String>>()?;
    Ok(format!("start: {open} call {more} {close}\ncall: {}\n", calls.join(" | ")))
}

/// Which part of an answer's form is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it, but for text that nobody asked for.
    Whole,
    /// From where calls begin.
    Calls,
}

/// What there is to an answer, besides how it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents<'a> {
    pub(crate) tools: &'a [Tool],
    /// Several calls may stand in it.
    pub(crate) parallel: bool,
    /// It may be thought about before.
    pub(crate) thoughts: bool,
    /// Its JSON Schema, as text.
    pub(crate) schema: &'a str,
}

/// A grammar in Lark's notation, from what `common_peg_arena` writes of itself.
///
/// # Errors
/// That the description is not understood, or what is wrong with the parameters of a tool.
pub(crate) fn of_arena(
    arena: &str,
    part: Part,
    contents: Contents<'_>,
    specials: &Specials,
) -> Result<String, String> {
    let arena: Arena = serde_json::from_str(arena).map_err(|error| error.to_string())?;
    let mut writer =
        Writer { arena: &arena, contents, specials, rules: BTreeMap::new(), open: BTreeSet::new() };
    let start = match part {
        Part::Whole => writer.expression(arena.root)?,
        Part::Calls => {
            let roots = arena.triggers();
            let calls = roots.into_iter().map(|rule| writer.expression(rule));
            calls.collect::<Result<Vec<_>, _>>()?.join(" | ")
        }
    };
    if start.is_empty() {
        return Err("the template does not tell what a call looks like".into());
    }
    let mut grammar = format!("start: {start}\n");
    for (name, body) in writer.rules {
        // Writing to a text cannot fail.
        let _written = writeln!(grammar, "{name}: {body}");
    }
    Ok(grammar)
}

/// `common_peg_arena::to_json` of llama.cpp's common/peg-parser.cpp.
#[derive(Deserialize)]
struct Arena {
    parsers: Vec<Node>,
    rules: BTreeMap<String, usize>,
    root: usize,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Node {
    Epsilon,
    Start,
    End,
    And,
    Not,
    Any,
    Space,
    Literal { literal: String },
    Sequence { children: Vec<usize> },
    Choice { children: Vec<usize> },
    Repetition { child: usize, min_count: i64, max_count: i64 },
    Chars { pattern: String, min_count: i64, max_count: i64 },
    String { delimiter: String },
    Until { delimiters: Vec<String> },
    Schema { child: usize, name: String, raw: bool },
    Rule { name: String, child: usize, trigger: bool },
    Ref { name: String },
    Atomic { child: usize },
    Tag { child: usize, tag: String },
    Gbnf { child: usize },
    Ac { delimiters: Vec<String> },
}

impl Arena {
    fn triggers(&self) -> Vec<usize> {
        let is_trigger =
            |rule: &&usize| matches!(self.parsers.get(**rule), Some(Node::Rule { trigger: true, .. }));
        self.rules.values().filter(is_trigger).copied().collect()
    }

    /// Whether a part has one within that is tagged so.
    fn has(&self, id: usize, wanted: &str, seen: &mut BTreeSet<usize>) -> bool {
        if !seen.insert(id) {
            return false;
        }
        let mut within = |children: &[usize]| children.iter().any(|child| self.has(*child, wanted, seen));
        match self.parsers.get(id) {
            Some(Node::Tag { tag, child }) => tag == wanted || within(&[*child]),
            Some(Node::Sequence { children } | Node::Choice { children }) => within(children),
            Some(Node::Ref { name }) => self.rules.get(name).is_some_and(|rule| within(&[*rule])),
            Some(
                Node::Repetition { child, .. }
                | Node::Schema { child, .. }
                | Node::Rule { child, .. }
                | Node::Atomic { child }
                | Node::Gbnf { child },
            ) => within(&[*child]),
            _ => false,
        }
    }

    /// Through what only names or marks a part.
    fn bare(&self, mut id: usize) -> Option<&Node> {
        loop {
            match self.parsers.get(id)? {
                Node::Tag { child, .. } | Node::Atomic { child } => id = *child,
                node => return Some(node),
            }
        }
    }
}

/// Blanks between parts, as llama.cpp has them.
const BLANKS: &str = r"(/ |\n{1,2}[ \t]{0,20}/)?";

/// Characters of a word of the form itself.
const LONGEST_WORD: i64 = 64;

struct Writer<'a> {
    arena: &'a Arena,
    contents: Contents<'a>,
    specials: &'a Specials,
    rules: BTreeMap<String, String>,
    /// Rules that are being written, which may name themselves.
    open: BTreeSet<String>,
}

impl Writer<'_> {
    /// An expression; empty for nothing.
    fn expression(&mut self, id: usize) -> Result<String, String> {
        let arena = self.arena;
        let node = arena.parsers.get(id).ok_or("a part of the template's form is missing")?;
        Ok(match node {
            // To look ahead is to refuse what a grammar never writes.
            Node::Epsilon | Node::Start | Node::End | Node::And | Node::Not => String::new(),
            Node::Any => "/(.|\\n)/".into(),
            Node::Space => BLANKS.into(),
            Node::Literal { literal } => self.specials.literal(literal),
            Node::Sequence { children } => self.sequence(children)?,
            Node::Choice { children } => self.choice(children)?,
            Node::Repetition { child, min_count, max_count } => {
                let most = self.most(*child, *min_count, *max_count);
                if most == 0 { String::new() } else { repeated(&self.expression(*child)?, *min_count, most) }
            }
            Node::Chars { pattern, min_count, max_count } => {
                let pattern = pattern.replace('/', "\\/");
                // Names and numbers, which no model should write on and on.
                let most = if *max_count == -1 { LONGEST_WORD } else { *max_count };
                format!("/{pattern}{}/", counts(*min_count, most))
            }
            // The id of a call: arguments have their schema.
            Node::String { delimiter } => {
                let delimiter = regex::escape(delimiter).replace('/', "\\/");
                format!(r"/([^{delimiter}\\]|\\(.|\n)){{0,{LONGEST_WORD}}}/")
            }
            // What nobody asked for is not said.
            Node::Tag { .. } if self.is_text(id) => String::new(),
            Node::Tag { child, .. } | Node::Atomic { child } | Node::Gbnf { child } => {
                self.expression(*child)?
            }
            Node::Until { .. } => ANY_TEXT.into(),
            Node::Ac { delimiters } => self.lazy(delimiters),
            Node::Schema { child, name, raw } => self.schema(*child, name, *raw)?,
            Node::Rule { name, child, .. } => self.rule(name, *child)?,
            Node::Ref { name } => {
                let rule = *self.arena.rules.get(name).ok_or("a rule of the template's form is missing")?;
                self.expression(rule)?
            }
        })
    }

    /// How often a part may be repeated, -1 for any number: thoughts and further calls only where they are wanted.
    fn most(&self, child: usize, least: i64, most: i64) -> i64 {
        let has = |tag| self.arena.has(child, tag, &mut BTreeSet::new());
        match least {
            0 if !self.contents.thoughts && has("reasoning") => 0,
            _ if most == -1 && !self.contents.parallel && has("tool") => least,
            _ => most,
        }
    }

    fn rule(&mut self, name: &str, child: usize) -> Result<String, String> {
        // The names of rules may be any text.
        let known = format!("r_{}", name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
        if !self.rules.contains_key(&known) && self.open.insert(known.clone()) {
            let body = self.expression(child)?;
            self.rules.insert(known.clone(), if body.is_empty() { "\"\"".into() } else { body });
        }
        Ok(known)
    }

    fn choice(&mut self, children: &[usize]) -> Result<String, String> {
        let children = children.iter().map(|child| self.expression(*child)).collect::<Result<Vec<_>, _>>()?;
        let optional = children.iter().any(String::is_empty);
        let some: Vec<String> = children.into_iter().filter(|child| !child.is_empty()).collect();
        Ok(match (some.is_empty(), optional) {
            (true, _) => String::new(),
            (false, true) => format!("({})?", some.join(" | ")),
            (false, false) => format!("({})", some.join(" | ")),
        })
    }

    /// Text up to a mark is one lexeme together with that mark: only so it is known where the text ends.
    fn sequence(&mut self, children: &[usize]) -> Result<String, String> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < children.len() {
            let until = match self.arena.bare(children[at]) {
                Some(Node::Until { delimiters }) if !self.is_text(children[at]) => {
                    self.marked(&children[at + 1..], delimiters)
                }
                _ => None,
            };
            match until {
                Some((skipped, delimiter, rest)) => {
                    parts.push(self.lazy(&[delimiter]));
                    if !rest.is_empty() {
                        parts.push(self.specials.literal(&rest));
                    }
                    at += skipped + 2;
                }
                None => {
                    let part = self.expression(children[at])?;
                    at += 1;
                    if !part.is_empty() {
                        parts.push(part);
                    }
                }
            }
        }
        Ok(match parts.len() {
            0 => String::new(),
            1 => parts.swap_remove(0),
            _ => format!("({})", parts.join(" ")),
        })
    }

    /// Text for who asked, in no form.
    fn is_text(&self, id: usize) -> bool {
        let Some(Node::Tag { tag, child }) = self.arena.parsers.get(id) else { return false };
        tag == "content" && !matches!(self.arena.bare(*child), Some(Node::Schema { .. }))
    }

    /// The literal with which one of the delimiters comes, if only blanks stand before it: how many parts these are, the
    /// delimiter, and what the literal has beyond it. Tokens need no such care: no text has them in it.
    fn marked(&self, following: &[usize], delimiters: &[String]) -> Option<(usize, String, String)> {
        for (skipped, id) in following.iter().enumerate() {
            match self.arena.bare(*id)? {
                Node::Epsilon | Node::Space | Node::Repetition { min_count: 0, .. } => {}
                Node::Literal { literal } => {
                    let delimiter =
                        delimiters.iter().find(|delimiter| literal.starts_with(delimiter.as_str()))?;
                    let is_text = !self.specials.begins(literal);
                    return is_text
                        .then(|| (skipped, delimiter.clone(), literal[delimiter.len()..].to_owned()));
                }
                _ => return None,
            }
        }
        None
    }

    /// A rule of its own, which ends as soon as it can.
    fn lazy(&mut self, ends: &[String]) -> String {
        let name = format!("until_{}", self.rules.len());
        self.rules.insert(format!("{name}[lazy]"), up_to(ends));
        name
    }

    fn schema(&mut self, child: usize, name: &str, raw: bool) -> Result<String, String> {
        let answer = || name.starts_with("response-format").then(|| schema::read(self.contents.schema));
        let schema = self.contents.tools.iter().find_map(|tool| of_tool(tool, name));
        match schema.or_else(answer).transpose()? {
            // A text stands there as it is, not as JSON.
            Some(schema) if raw && schema::may_be_text(&schema) => self.expression(child),
            Some(schema) => Ok(format!("%json {schema}")),
            None if raw => self.expression(child),
            None => Ok("%json {}".into()),
        }
    }
}

/// The schema that llama.cpp calls by this name, if it is of this tool.
fn of_tool(tool: &Tool, name: &str) -> Option<Result<Value, String>> {
    let rest = name.strip_prefix("tool-")?.strip_prefix(tool.name.as_str())?;
    let argument = match rest {
        "-schema" => return Some(schema::of_arguments(tool)),
        _ => rest.strip_prefix("-arg-")?.strip_suffix("-schema")?,
    };
    schema::of_argument(tool, argument).transpose()
}

fn repeated(expression: &str, least: i64, most: i64) -> String {
    match (expression.is_empty(), least, most) {
        (true, ..) | (_, _, 0) => String::new(),
        (_, 1, 1) => expression.into(),
        (_, 0, 1) => format!("({expression})?"),
        (_, 0, -1) => format!("({expression})*"),
        (_, 1, -1) => format!("({expression})+"),
        _ => format!("({expression}){}", counts(least, most)),
    }
}

/// How often, in the notation of regular expressions; -1 is any number.
fn counts(least: i64, most: i64) -> String {
    match (least, most) {
        (1, 1) => String::new(),
        (0, 1) => "?".into(),
        (0, -1) => "*".into(),
        (1, -1) => "+".into(),
        (least, -1) => format!("{{{least},}}"),
        (least, most) => format!("{{{least},{most}}}"),
    }
}
