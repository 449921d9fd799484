//! What is asked of a parsed template, and done to it: which names it uses and whether they exist, where an answer
//! begins, and the calls that bound it and print as Go does.

use std::collections::BTreeSet;

use gotmpl::parse::{
    ActionNode, BranchNode, CommandNode, DefineNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr,
};

use super::TemplateError;
use super::functions::{SHOW, STEP, is_known};

/// All names of fields and variables, in lower case.
pub(super) fn identifiers(list: &ListNode) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each_pipe(list, &mut |pipe| {
        each_expression(pipe, &mut |expression| {
            let fields = match expression {
                Expr::Field(_, fields) | Expr::Variable(_, _, fields) | Expr::Chain(_, _, fields) => fields,
                _ => return,
            };
            names.extend(fields.iter().map(|field| field.to_lowercase()));
        });
    });
    names
}

fn each_pipe<'a>(list: &'a ListNode, visit: &mut impl FnMut(&'a PipeNode)) {
    for node in &list.nodes {
        match node {
            Node::List(inner) => each_pipe(inner, visit),
            Node::Action(action) => visit(&action.pipe),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
                visit(&branch.pipe);
                each_pipe(&branch.body, visit);
                branch.else_body.iter().for_each(|body| each_pipe(body, visit));
            }
            Node::Template(call) => call.pipe.iter().for_each(&mut *visit),
            Node::Define(define) => each_pipe(&define.body, visit),
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
        }
    }
}

fn each_expression<'a>(pipe: &'a PipeNode, visit: &mut impl FnMut(&'a Expr)) {
    for expression in pipe.commands.iter().flat_map(|command| &command.args) {
        within(expression, visit);
    }
}

fn within<'a>(expression: &'a Expr, visit: &mut impl FnMut(&'a Expr)) {
    visit(expression);
    match expression {
        Expr::Pipe(_, pipe) => {
            for inner in pipe.commands.iter().flat_map(|command| &command.args) {
                within(inner, visit);
            }
        }
        Expr::Chain(_, inner, _) => within(inner, visit),
        _ => {}
    }
}

/// Refuses functions, templates and variables that do not exist, as Go's parser does.
pub(super) fn check(source: &str, main: &ListNode, defines: &[DefineNode]) -> Result<(), TemplateError> {
    let mut templates = BTreeSet::new();
    for define in defines {
        if !templates.insert(define.name.as_str()) && !define.body.is_empty_tree() {
            let reason = format!("multiple definition of template {:?}", define.name);
            return Err(syntax_error(source, define.pos.offset, reason));
        }
    }
    for list in defines.iter().map(|define| &define.body).chain([main]) {
        Scope { source, templates: &templates, variables: vec!["$".into()] }.check(list)?;
    }
    Ok(())
}

/// The variables that are in sight.
struct Scope<'a> {
    source: &'a str,
    templates: &'a BTreeSet<&'a str>,
    variables: Vec<SmolStr>,
}

impl Scope<'_> {
    fn check(&mut self, list: &ListNode) -> Result<(), TemplateError> {
        let outside = self.variables.len();
        for node in &list.nodes {
            match node {
                Node::List(inner) => self.check(inner)?,
                Node::Action(action) => self.check_pipe(&action.pipe)?,
                Node::If(branch) | Node::Range(branch) | Node::With(branch) => self.check_branch(branch)?,
                Node::Template(call) => {
                    call.pipe.iter().try_for_each(|pipe| self.check_pipe(pipe))?;
                    if !self.templates.contains(call.name.as_str()) {
                        return self.refuse(call.pos, format!("template {:?} not defined", call.name));
                    }
                }
                Node::Define(_) | Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
            }
        }
        self.variables.truncate(outside);
        Ok(())
    }

    fn check_branch(&mut self, branch: &BranchNode) -> Result<(), TemplateError> {
        let outside = self.variables.len();
        self.check_pipe(&branch.pipe)?;
        self.check(&branch.body)?;
        branch.else_body.iter().try_for_each(|body| self.check(body))?;
        self.variables.truncate(outside);
        Ok(())
    }

    fn check_pipe(&mut self, pipe: &PipeNode) -> Result<(), TemplateError> {
        let mut unknown = None;
        each_expression(pipe, &mut |expression| match expression {
            Expr::Identifier(at, name) if !is_known(name) => {
                unknown.get_or_insert((*at, format!("function {name:?} not defined")));
            }
            Expr::Variable(at, name, _) if !self.variables.contains(name) => {
                unknown.get_or_insert((*at, format!("undefined variable {name:?}")));
            }
            _ => {}
        });
        if pipe.is_assign {
            let stranger = pipe.decl.iter().find(|name| !self.variables.contains(name));
            let stranger = stranger.map(|name| (pipe.pos, format!("undefined variable {name:?}")));
            unknown = unknown.or(stranger);
        } else {
            self.variables.extend_from_slice(&pipe.decl);
        }
        unknown.map_or(Ok(()), |(at, reason)| self.refuse(at, reason))
    }

    fn refuse(&self, at: Pos, reason: String) -> Result<(), TemplateError> {
        Err(syntax_error(self.source, at.offset, reason))
    }
}

pub(super) fn syntax_error(source: &str, offset: usize, reason: String) -> TemplateError {
    let before = source.get(..offset).unwrap_or(source);
    let line_begins = before.rfind('\n').map_or(0, |newline| newline + 1);
    TemplateError::Syntax {
        line: before.matches('\n').count() + 1,
        column: before[line_begins..].chars().count() + 1,
        reason,
    }
}

/// For a template that says nothing of an answer, as if one came last.
pub(super) fn append_response(list: &mut ListNode) {
    let response = Expr::Field(NOWHERE, vec!["Response".into()]);
    list.nodes.push(action(vec![command(vec![response])]));
}

/// Drops what would come after the answer. Returns whether there is an answer in it.
pub(super) fn cut_after_response(list: &mut ListNode) -> bool {
    let answer = list.nodes.iter_mut().position(|node| match node {
        Node::List(inner) => cut_after_response(inner),
        Node::Action(action) => mentions_response(&action.pipe),
        Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
            // One of the two is run, so each is cut for itself.
            let cut_else = branch.else_body.as_mut().is_some_and(cut_after_response);
            cut_after_response(&mut branch.body) || cut_else
        }
        _ => false,
    });
    if let Some(answer) = answer {
        list.nodes.truncate(answer + 1);
    }
    answer.is_some()
}

fn mentions_response(pipe: &PipeNode) -> bool {
    let mut mentioned = false;
    each_expression(pipe, &mut |expression| {
        if let Expr::Field(_, fields) | Expr::Variable(_, _, fields) = expression {
            mentioned |= fields.iter().any(|field| field == "Response");
        }
    });
    mentioned
}

/// Puts [`STEP`] where blocks begin, and [`SHOW`] behind what is printed.
pub(super) fn instrument(list: &mut ListNode) {
    for node in &mut list.nodes {
        match node {
            Node::List(inner) => instrument(inner),
            Node::Action(action) if action.pipe.decl.is_empty() => {
                action.pipe.commands.push(command(vec![call(SHOW)]));
            }
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
                instrument(&mut branch.body);
                branch.else_body.iter_mut().for_each(instrument);
            }
            _ => {}
        }
    }
    list.nodes.insert(0, action(vec![command(vec![call(STEP)]), command(vec![call(SHOW)])]));
}

fn call(function: &'static str) -> Expr {
    Expr::Identifier(NOWHERE, SmolStr::new_static(function))
}

fn command(args: Vec<Expr>) -> CommandNode {
    CommandNode { pos: NOWHERE, args }
}

fn action(commands: Vec<CommandNode>) -> Node {
    let pipe = PipeNode { pos: NOWHERE, decl: Vec::new(), commands, is_assign: false };
    Node::Action(ActionNode { pos: NOWHERE, pipe })
}

const NOWHERE: Pos = Pos { offset: 0, line: 0 };
