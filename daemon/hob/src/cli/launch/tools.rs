//! The tools that `hob launch` knows: what each wants set, and where. To add one is to add an entry to [`TOOLS`].
//! Where the settings stand in each tool's own documentation is said in CLIENTS.md.

use serde_json::{Map, Value, json};

use super::merge::{Format, Wanted};
use super::target::Target;

/// A tool.
#[derive(Debug)]
pub(super) struct Tool {
    /// What it is called here.
    pub(super) name: &'static str,
    /// What its makers call it.
    pub(super) title: &'static str,
    /// The program by which it is there.
    pub(super) program: &'static str,
    pub(super) settings: Settings,
}

/// How a tool is told what to use.
#[derive(Debug)]
pub(super) enum Settings {
    /// By a file of its own.
    File(File),
    /// By variables of its environment alone.
    Variables(fn(&Target) -> Vec<(&'static str, String)>),
    /// By a command of its own; what that writes is for nobody else to touch.
    Command(fn(&Target) -> Vec<String>),
}

/// A file of settings.
#[derive(Debug)]
pub(super) struct File {
    pub(super) folder: Folder,
    /// Its name there; of several, the first one that is there, else the first.
    pub(super) names: &'static [&'static str],
    pub(super) format: Format,
    /// What is to be in it, as a table.
    pub(super) content: fn(&Target) -> Value,
    /// What it must have as well, if the user has nothing of that name in it: names and texts.
    pub(super) defaults: &'static [(&'static str, &'static str)],
}

/// Where a tool keeps its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// Below the home.
    Home(&'static str),
    /// Below the home, if this variable does not name another folder.
    Own(&'static str, &'static str),
    /// Below `XDG_CONFIG_HOME` or `~/.config`; on macOS too.
    Config(&'static str),
}

/// A tool that hob does not know.
#[derive(Debug, thiserror::Error)]
#[error("hob does not know how to launch '{name}'\nhint: it knows {known}; for others see CLIENTS.md", known = names())]
pub(super) struct UnknownTool {
    name: String,
}

impl Tool {
    pub(super) fn named(name: &str) -> Result<&'static Self, UnknownTool> {
        let wanted = name.to_lowercase();
        let tool = TOOLS.iter().find(|tool| tool.name == wanted || tool.program == wanted);
        tool.ok_or_else(|| UnknownTool { name: name.to_owned() })
    }
}

impl File {
    /// What is to be in it.
    pub(super) fn wanted(&self, target: &Target) -> Wanted {
        let settings = match (self.content)(target) {
            Value::Object(settings) => settings,
            _ => Map::new(),
        };
        let defaults = self.defaults.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text)));
        Wanted { settings, defaults: defaults.collect() }
    }
}

fn names() -> String {
    TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ")
}

/// What a tool that insists on a key is given: Hob asks for none yet.
const KEY: &str = "hob";

/// All of them, by name.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "aider",
        title: "Aider",
        program: "aider",
        settings: Settings::File(File {
            folder: Folder::Home(""),
            names: &[".aider.conf.yml"],
            format: Format::Yaml,
            defaults: &[],
            content: |target| {
                json!({
                    "model": format!("openai/{}", target.model),
                    "openai-api-base": target.openai(),
                    "openai-api-key": KEY,
                })
            },
        }),
    },
    Tool {
        name: "claude",
        title: "Claude Code",
        program: "claude",
        settings: Settings::File(File {
            folder: Folder::Own("CLAUDE_CONFIG_DIR", ".claude"),
            names: &["settings.json"],
            format: Format::Json,
            defaults: &[],
            content: |target| {
                json!({"env": {
                    "ANTHROPIC_BASE_URL": target.base,
                    "ANTHROPIC_AUTH_TOKEN": KEY,
                    // A key in the environment would go before the token.
                    "ANTHROPIC_API_KEY": "",
                    "ANTHROPIC_MODEL": target.model,
                    "ANTHROPIC_DEFAULT_FABLE_MODEL": target.model,
                    "ANTHROPIC_DEFAULT_OPUS_MODEL": target.model,
                    "ANTHROPIC_DEFAULT_SONNET_MODEL": target.model,
                    "ANTHROPIC_DEFAULT_HAIKU_MODEL": target.model,
                    "CLAUDE_CODE_SUBAGENT_MODEL": target.model,
                    "CLAUDE_CODE_AUTO_COMPACT_WINDOW": target.context_tokens.to_string(),
                    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": target.answer_tokens().to_string(),
                    // It begins each prompt with something else, so that nothing computed before would serve.
                    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
                }})
            },
        }),
    },
    Tool {
        name: "cline",
        title: "Cline CLI",
        program: "cline",
        settings: Settings::Command(|target| {
            let words = ["cline", "auth", "-p", "openai-compatible", "-k", KEY, "-m", &target.model, "-b"];
            words.into_iter().map(Into::into).chain([target.openai()]).collect()
        }),
    },
    Tool {
        name: "codex",
        title: "OpenAI Codex CLI",
        program: "codex",
        settings: Settings::File(File {
            folder: Folder::Own("CODEX_HOME", ".codex"),
            names: &["config.toml"],
            format: Format::Toml,
            defaults: &[],
            content: |target| {
                json!({
                    "model": target.model,
                    "model_provider": "hob",
                    "model_context_window": target.context_tokens,
                    "model_providers": {"hob": {
                        "name": "Hob",
                        "base_url": target.openai(),
                        "wire_api": "responses",
                    }},
                })
            },
        }),
    },
    Tool {
        name: "continue",
        title: "Continue",
        program: "cn",
        settings: Settings::File(File {
            folder: Folder::Own("CONTINUE_GLOBAL_DIR", ".continue"),
            names: &["config.yaml"],
            format: Format::Yaml,
            content: continue_dev,
            defaults: &[("name", "Local Config"), ("version", "1.0.0"), ("schema", "v1")],
        }),
    },
    Tool {
        name: "copilot",
        title: "GitHub Copilot CLI",
        program: "copilot",
        settings: Settings::Variables(|target| {
            vec![
                ("COPILOT_PROVIDER_BASE_URL", target.openai()),
                ("COPILOT_MODEL", target.model.clone()),
                ("COPILOT_PROVIDER_MAX_PROMPT_TOKENS", target.prompt_tokens().to_string()),
                ("COPILOT_PROVIDER_MAX_OUTPUT_TOKENS", target.answer_tokens().to_string()),
            ]
        }),
    },
    Tool {
        name: "crush",
        title: "Crush",
        program: "crush",
        settings: Settings::File(File {
            folder: Folder::Config("crush"),
            names: &["crush.json"],
            format: Format::Json,
            defaults: &[],
            content: |target| {
                let selected = json!({"provider": "hob", "model": target.model});
                json!({
                    "models": {"large": selected, "small": selected},
                    "providers": {"hob": {
                        "name": "Hob",
                        "type": "openai-compat",
                        "base_url": target.openai(),
                        "api_key": KEY,
                        "models": [{
                            "id": target.model,
                            "name": target.model,
                            "context_window": target.context_tokens,
                            "default_max_tokens": target.answer_tokens(),
                        }],
                    }},
                })
            },
        }),
    },
    Tool {
        name: "goose",
        title: "Goose",
        program: "goose",
        settings: Settings::Variables(|target| {
            vec![
                ("GOOSE_PROVIDER", "ollama".into()),
                ("GOOSE_MODEL", target.model.clone()),
                ("OLLAMA_HOST", target.base.clone()),
                ("GOOSE_INPUT_LIMIT", target.context_tokens.to_string()),
            ]
        }),
    },
    Tool {
        name: "opencode",
        title: "opencode",
        program: "opencode",
        settings: Settings::File(File {
            folder: Folder::Config("opencode"),
            names: &["opencode.json", "opencode.jsonc"],
            format: Format::Json,
            defaults: &[("$schema", "https://opencode.ai/config.json")],
            content: |target| {
                let selected = format!("hob/{}", target.model);
                json!({
                    "model": selected,
                    "small_model": selected,
                    "provider": {"hob": {
                        "npm": "@ai-sdk/openai-compatible",
                        "name": "Hob",
                        "options": {"baseURL": target.openai()},
                        "models": {&target.model: {
                            "name": target.model,
                            "limit": {"context": target.context_tokens, "output": target.answer_tokens()},
                        }},
                    }},
                })
            },
        }),
    },
    Tool {
        name: "qwen",
        title: "Qwen Code",
        program: "qwen",
        settings: Settings::File(File {
            folder: Folder::Own("QWEN_HOME", ".qwen"),
            names: &["settings.json"],
            format: Format::Json,
            defaults: &[],
            content: |target| {
                json!({
                    "env": {"HOB_API_KEY": KEY},
                    "modelProviders": {"openai": [{
                        "id": target.model,
                        "name": format!("{} on Hob", target.model),
                        "baseUrl": target.openai(),
                        "envKey": "HOB_API_KEY",
                        "generationConfig": {"contextWindowSize": target.context_tokens},
                    }]},
                    "security": {"auth": {"selectedType": "openai"}},
                    "model": {"name": target.model},
                })
            },
        }),
    },
    Tool {
        name: "zed",
        title: "Zed",
        program: "zed",
        settings: Settings::File(File {
            folder: Folder::Config("zed"),
            names: &["settings.json"],
            format: Format::Json,
            defaults: &[],
            content: |target| {
                json!({
                    "agent": {"default_model": {"provider": "ollama", "model": target.model}},
                    "language_models": {"ollama": {
                        "api_url": target.base,
                        "available_models": [{
                            "name": target.model,
                            "display_name": format!("{} on Hob", target.model),
                            // It asks for a context of this size with each request.
                            "max_tokens": target.context_tokens,
                            "supports_tools": true,
                        }],
                    }},
                })
            },
        }),
    },
];

fn continue_dev(target: &Target) -> Value {
    json!({
        "models": [{
            "name": format!("{} on Hob", target.model),
            "provider": "openai",
            "model": target.model,
            "apiBase": target.openai(),
            "apiKey": KEY,
            "roles": ["chat", "edit", "apply"],
            "capabilities": ["tool_use"],
            "defaultCompletionOptions": {"contextLength": target.context_tokens},
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_is_in_the_page_of_clients_and_in_the_order_of_the_list() {
        let page = include_str!("../../../CLIENTS.md");
        for tool in TOOLS {
            assert!(
                page.contains(&format!("`hob launch {}`", tool.name)),
                "{} is not in CLIENTS.md",
                tool.name
            );
        }
        assert!(TOOLS.is_sorted_by_key(|tool| tool.name));
    }

    #[test]
    fn what_goes_into_a_new_file_can_be_written() {
        let target = Target { base: "http://box:1".into(), model: "m:1b".into(), context_tokens: 40_000 };
        for tool in TOOLS {
            let Settings::File(file) = &tool.settings else { continue };
            let wanted = file.wanted(&target);
            let text = super::super::merge::merge(file.format, "", &wanted).unwrap().unwrap().text;
            assert!(text.contains("m:1b") && text.contains("http://box:1"), "{text}");
        }
    }
}
