//! `hob launch`: settings of other programs, printed, and put into their files.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use behaviour::{Hob, command, model_file};

/// The tools that have a file, and where below the home it lies.
const FILES: &[(&str, &str)] = &[
    ("aider", ".aider.conf.yml"),
    ("claude", ".claude/settings.json"),
    ("codex", ".codex/config.toml"),
    ("continue", ".continue/config.yaml"),
    ("crush", ".config/crush/crush.json"),
    ("opencode", ".config/opencode/opencode.json"),
    ("qwen", ".qwen/settings.json"),
    ("zed", ".config/zed/settings.json"),
];

/// What people have in such files already.
fn before(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "json")) => "{\n  // mine\n  \"theme\": \"dark\",\n  \"env\": {\"SECRET\": \"s3cret\"}\n}\n",
        Some((_, "toml")) => "# mine\napproval_policy = \"never\"\n\n[mcp_servers.x]\ncommand = \"y\"\n",
        _ => "# mine\nauto-commits: false # kept\n",
    }
}

fn launch(hob: &Hob, args: &[&str]) -> Output {
    let mut command = hob.command();
    command.arg("launch").args(args).stdin(Stdio::null()).stderr(Stdio::piped());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr)
}

#[track_caller]
fn put(hob: &Hob, path: &str, content: &str) -> PathBuf {
    let path = hob.home.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

fn backups(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.to_string_lossy().contains(".hob-backup-")).collect();
    paths.sort();
    paths
}

#[test]
fn without_a_tool_those_that_are_known_are_listed_and_those_that_are_there_are_told_apart() {
    let hob = Hob::start_empty(&[]);
    put(&hob, ".claude/history.jsonl", "");

    let list = said(&launch(&hob, &[]));

    assert!(list.starts_with("NAME"), "{list}");
    let line = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("claude").contains("yes") && line("claude").contains(".claude/settings.json"), "{list}");
    assert!(line("codex").contains("no"), "{list}");
    assert_eq!(list.lines().count(), 12, "{list}");
}

#[test]
fn the_settings_of_each_tool_are_printed_with_this_daemon_and_the_only_model() {
    let hob = Hob::start();
    for tool in ["cline", "copilot", "goose"].iter().chain(FILES.iter().map(|(tool, _)| tool)) {
        let output = launch(&hob, &[tool]);
        let printed = said(&output);
        assert!(printed.contains(&hob.url) && printed.contains("smollm2"), "{tool}: {printed}");
        assert!(!printed.contains("hint:"), "hints are talk: {printed}");
        // The test model reads 4096 tokens at once, where tools want more.
        assert!(text(&output.stderr).contains("tokens at once"), "{output:?}");
    }
    let claude: serde_json::Value = serde_json::from_str(&said(&launch(&hob, &["claude"]))).unwrap();
    assert_eq!(claude["env"]["ANTHROPIC_BASE_URL"], hob.url.as_str());
    assert_eq!(claude["env"]["ANTHROPIC_MODEL"], "smollm2");
    let shell = said(&launch(&hob, &["copilot"]));
    assert!(shell.lines().all(|line| line.starts_with("export COPILOT_")), "{shell}");
    // Nothing was written.
    assert!(FILES.iter().all(|(_, path)| !hob.home.path().join(path).exists()));
}

#[test]
fn what_is_applied_joins_what_was_there_once_and_goes_again() {
    let hob = Hob::start();
    for (tool, path) in FILES {
        let file = put(&hob, path, before(path));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();

        let applied = launch(&hob, &[tool, "--apply"]);
        assert!(said(&applied).contains("changed"), "{applied:?}");
        let after = fs::read_to_string(&file).unwrap();
        for line in before(path).lines().filter(|line| line.contains("mine") || line.contains("kept")) {
            assert!(after.contains(line), "{tool} lost {line:?}: {after}");
        }
        assert!(after.contains(&hob.url) && after.contains("smollm2"), "{tool}: {after}");
        assert!(
            path.ends_with("yml")
                || path.ends_with("yaml")
                || after.contains("dark")
                || after.contains("[mcp_servers.x]")
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{tool}");
        assert!(!text(&applied.stderr).contains("s3cret"), "secrets are not talked of");

        let again = said(&launch(&hob, &[tool, "--apply", "-y"]));
        assert!(again.contains("is as it should be"), "{again}");
        assert_eq!(fs::read_to_string(&file).unwrap(), after, "{tool}");
        let kept = backups(&file);
        assert_eq!(kept.len(), 1, "{tool}: {kept:?}");
        assert_eq!(fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0o600, "{tool}");

        said(&launch(&hob, &[tool, "--restore"]));
        assert_eq!(fs::read_to_string(&file).unwrap(), before(path), "{tool}");
        assert_eq!(backups(&file), Vec::<PathBuf>::new());
        assert!(refused(&launch(&hob, &[tool, "--restore"])).contains("no backup"));
    }
}

#[test]
fn a_file_that_is_made_is_the_one_that_was_printed_and_is_gone_after_restoring() {
    let hob = Hob::start();
    for (tool, path) in FILES {
        let file = hob.home.path().join(path);
        let printed = said(&launch(&hob, &[tool]));

        said(&launch(&hob, &[tool, "--apply"]));
        assert_eq!(fs::read_to_string(&file).unwrap(), printed, "{tool}");
        said(&launch(&hob, &[tool, "--restore"]));

        assert!(!file.exists(), "{tool}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused_and_left_as_it_is() {
    let hob = Hob::start();
    for (tool, path) in FILES {
        for broken in ["{\"env\": [1,", "\u{0}: [", "= = =\n"] {
            let file = put(&hob, path, broken);

            let said = refused(&launch(&hob, &[tool, "--apply"]));

            assert!(said.contains("nothing was written") && said.contains(path), "{tool}: {said}");
            assert_eq!(fs::read_to_string(&file).unwrap(), broken);
            assert_eq!(backups(&file), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn a_link_stays_a_link_and_its_file_is_changed() {
    let hob = Hob::start();
    let real = put(&hob, "dotfiles/claude.json", "{\"theme\": \"dark\"}\n");
    let link = hob.home.path().join(".claude/settings.json");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink("../dotfiles/claude.json", &link).unwrap();

    said(&launch(&hob, &["claude", "--apply"]));

    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let after = fs::read_to_string(&real).unwrap();
    assert!(after.contains("dark") && after.contains("ANTHROPIC_BASE_URL"), "{after}");
    said(&launch(&hob, &["claude", "--restore"]));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "{\"theme\": \"dark\"}\n");
}

#[test]
fn a_file_lies_where_the_tools_own_variable_says() {
    let hob = Hob::start();
    let elsewhere = hob.home.path().join("elsewhere");
    for (variable, tool, path) in [
        ("CLAUDE_CONFIG_DIR", "claude", "settings.json"),
        ("CODEX_HOME", "codex", "config.toml"),
        ("XDG_CONFIG_HOME", "zed", "zed/settings.json"),
    ] {
        let mut command = hob.command();
        command.args(["launch", tool, "--apply"]).env(variable, &elsewhere).stdin(Stdio::null());
        assert!(command.output().unwrap().status.success());
        assert!(elsewhere.join(path).is_file(), "{variable}");
    }
    // The second name that opencode knows, if the user took that.
    put(&hob, ".config/opencode/opencode.jsonc", "{}\n");
    assert!(said(&launch(&hob, &["opencode", "--apply"])).contains("opencode.jsonc"));
}

#[test]
fn the_model_must_be_there_and_be_told_if_there_are_several() {
    let hob = Hob::start();
    let unknown = refused(&launch(&hob, &["codex", "--model", "nope"]));
    assert!(unknown.contains("'nope:latest' not found") && unknown.contains("smollm2"), "{unknown}");
    assert!(hob.create("other", &model_file()).status.success());

    let several = refused(&launch(&hob, &["codex", "--apply"]));
    assert!(several.contains("--model") && several.contains("other:latest, smollm2:latest"), "{several}");
    let named = said(&launch(&hob, &["codex", "--model", "other"]));
    assert!(named.contains("model = \"other\""), "{named}");
    let tool = refused(&launch(&hob, &["emacs"]));
    assert!(tool.contains("does not know") && tool.contains("opencode"), "{tool}");
    let fileless = refused(&launch(&hob, &["copilot", "--apply", "--model", "other"]));
    assert!(fileless.contains("no settings file"), "{fileless}");
}

#[test]
fn without_a_daemon_the_settings_are_printed_with_a_hint_and_not_applied_blindly() {
    let home = tempfile::TempDir::new().unwrap();
    let run = |args: &[&str]| {
        let mut command = command(home.path());
        command.env("HOB_HOST", "127.0.0.1:9").args(args).stdin(Stdio::null()).stderr(Stdio::piped());
        command.output().unwrap()
    };

    let printed = run(&["launch", "codex"]);
    assert!(said(&printed).contains("http://127.0.0.1:9/v1"), "{printed:?}");
    let hints = text(&printed.stderr);
    assert!(hints.contains("hob serve") && hints.contains("MODEL"), "{hints}");
    assert!(refused(&run(&["launch", "codex", "--apply"])).contains("hob serve"));
    // Who names the model knows what they want.
    assert!(said(&run(&["launch", "codex", "--apply", "--model", "m"])).contains("changed"));
}

#[test]
fn at_a_terminal_the_user_is_asked_first() {
    let hob = Hob::start();
    let file = put(&hob, ".codex/config.toml", "# mine\n");

    let mut terminal = hob.terminal(&["launch", "codex", "--apply"]);
    let shown = terminal.wait_for("[y/N] ");
    assert!(shown.contains("model_provider = \"hob\""), "what would change is shown: {shown}");
    terminal.enter("n");
    assert!(terminal.end().contains("nothing was written"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");

    // The tool writes while the user thinks.
    let mut terminal = hob.terminal(&["launch", "codex", "--apply"]);
    terminal.wait_for("[y/N] ");
    put(&hob, ".codex/config.toml", "# theirs\n");
    terminal.enter("y");
    assert!(terminal.end().contains("changed meanwhile; nothing was written"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "# theirs\n");
    put(&hob, ".codex/config.toml", "# mine\n");

    let mut terminal = hob.terminal(&["launch", "codex", "--apply"]);
    terminal.wait_for("[y/N] ");
    terminal.enter("y");
    assert!(terminal.end().contains("changed /"));
    let asked_nothing = hob.terminal(&["launch", "codex", "--restore", "-y"]).end();
    assert!(asked_nothing.contains("what it was before"), "{asked_nothing}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
}
