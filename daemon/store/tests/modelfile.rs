//! The grammar of a Modelfile: what is read, what is refused and in which words, and that what is printed is read back.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::time::SystemTime;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use protocol::{Message, OptionPatch, Role};
use store::modelfile::{Modelfile, ModelfileError};
use store::{Digest, Model, ModelConfig, Store};
use tempfile::TempDir;

const COMMANDS: &str = "command must be one of \"from\", \"license\", \"template\", \"system\", \"adapter\", \"draft\", \
                        \"renderer\", \"parser\", \"parameter\", \"message\", or \"requires\"";

/// What SYSTEM says in a file that ends with this.
fn system(value: &str) -> Result<String, ModelfileError> {
    Modelfile::parse(&format!("FROM x\nSYSTEM{value}")).map(|modelfile| modelfile.system.unwrap())
}

fn refusal(text: &str) -> String {
    Modelfile::parse(text).unwrap_err().to_string()
}

fn message(role: Role, content: &str) -> Message {
    Message::new(role, content)
}

#[test]
fn every_instruction_is_understood_whatever_its_case() {
    let text = "# a comment\n\n  from ./model.gguf\nFROM second\nPARAMETER temperature 0.5\nparameter stop \"<|end|>\"\r\n\
                SYSTEM first\nSYSTEM \"\"\"You are\na hob.\"\"\"\nMESSAGE user Hello there\nMESSAGE assistant \"Hi\"\n\
                LICENSE MIT\nLICENSE Apache\nTemplate {{ .Prompt }}\nADAPTER ./lora.gguf\nDRAFT small\nDRAFT smaller\n\
                RENDERER qwen3\nPARSER qwen3\n\tREQUIRES v0.14.0";

    let modelfile = Modelfile::parse(text).unwrap();

    let expected = Modelfile {
        from: vec!["./model.gguf".into(), "second".into()],
        parameters: vec![("temperature".into(), "0.5".into()), ("stop".into(), "<|end|>".into())],
        deprecated: vec![],
        template: Some("{{ .Prompt }}".into()),
        system: Some("You are\na hob.".into()),
        licenses: vec!["MIT".into(), "Apache".into()],
        messages: vec![message(Role::User, "Hello there"), message(Role::Assistant, "Hi")],
        adapters: vec!["./lora.gguf".into()],
        drafts: vec!["small".into(), "smaller".into()],
        renderer: Some("qwen3".into()),
        parser: Some("qwen3".into()),
        requires: Some("0.14.0".into()),
    };
    assert_eq!(modelfile, expected);
}

#[test]
fn a_value_goes_to_the_end_of_its_line_or_of_its_quote() {
    for (written, read) in [
        (" a # b  ", "a # b"),
        ("\t a\tb \t\n", "a\tb"),
        (" \n", ""),
        (" ", ""),
        (" \"\"\n", ""),
        (" \"\"\"\"\"\"\n", ""),
        (" say \"hi\"\n", "say \"hi\""),
        (" 'hi'\n", "'hi'"),
        (" \"  hi \"  \n", "  hi "),
        (" \"a\\n\\\"b\"\n", "a\\n\\\"b"),
        (" \"a\r\nb\"\r\n", "a\r\nb"),
        (" \"\"\"a \"quoted\" b\"\"\"", "a \"quoted\" b"),
        (" \"\"\"''\"'\"\"'\"\"'\"'''''\"\"'\"\"'\"\"\"", "''\"'\"\"'\"\"'\"'''''\"\"'\"\"'"),
        (" \"\n#a\nFROM b\n\"", "\n#a\nFROM b\n"),
        (" \"a\" b\nc\"\n", "a\" b\nc"),
        (" a\u{a0}b\u{200d}c\u{7}d\n", "abcd"),
        (" \"a\u{0}\t\nb\u{feff}\u{301}漢😀\"", "a\t\nb\u{301}漢😀"),
    ] {
        assert_eq!(system(written).as_deref(), Ok(read), "{written:?}");
    }
}

#[test]
fn a_quote_that_stays_open_is_an_unexpected_end() {
    for written in [
        " \"",
        " \"a\n\n",
        " \"\"\"",
        " \"\"\"\"",
        " \"\"\"\"\"",
        " \"\"\"a\"\"\n",
        " \"a\" b",
        " \"\"\"a\"\"\" b\nREQUIRES 1\n",
    ] {
        let error = system(written).unwrap_err();

        assert_eq!(error, ModelfileError::EndOfFile { line: 2 }, "{written:?}");
        assert_eq!(error.to_string(), "unexpected EOF");
    }
}

#[test]
fn any_number_of_blanks_separates_the_parts() {
    let text = "FROM \t x\nPARAMETER   stop \t \" \"\nPARAMETER\tstop \"\n\"\nPARAMETER stop \nMESSAGE  user   \"  hi \"\n\
                MESSAGE user   hi\nMESSAGE user ";

    let modelfile = Modelfile::parse(text).unwrap();

    let stop = |value: &str| ("stop".to_owned(), value.to_owned());
    assert_eq!(modelfile.parameters, [stop(" "), stop("\n"), stop("")]);
    assert_eq!(modelfile.messages, ["  hi ", "hi", ""].map(|content| message(Role::User, content)));
}

#[test]
fn a_mistake_is_told_in_ollamas_words() {
    for (text, expected) in [
        ("", "no FROM line"),
        ("SYSTEM hello\nPARAMETER speed 9", "no FROM line"),
        ("FROM x\nPARAMETER speed 9", "unknown parameter 'speed'"),
        ("FROM x\nPARAMETER system 9", "unknown parameter 'system'"),
        ("FROM x\nPARAMETER top_k many", "invalid int value [many]"),
        ("FROM x\nPARAMETER top_p much", "invalid float value [much]"),
        ("FROM x\nPARAMETER use_mmap maybe", "invalid bool value [maybe]"),
        ("FROM x\nADAPTER a\nADAPTER b", "only one adapter is currently supported"),
        ("FROM x\nREQUIRES latest", "requires must be a valid semver (e.g. 0.14.0)"),
        ("FROM x\nREQUIRES \n", "requires must be a valid semver (e.g. 0.14.0)"),
        ("FROM", "unexpected EOF"),
        ("GREET", "unexpected EOF"),
        ("FROM x\nPARAMETER stop", "unexpected EOF"),
        ("FROM x\nPARAMETER stop\n", "unexpected EOF: stop"),
        ("FROM x\nPARAMETER num-ctx 5", "unexpected EOF: num"),
        ("FROM x\nMESSAGE user\n", "unexpected EOF: user"),
        ("FROM x\nMESSAGE\n", &format!("(line 3): {COMMANDS}")),
        (
            "FROM x\nMESSAGE User hi",
            "(line 2): message role must be one of \"system\", \"user\", or \"assistant\"",
        ),
        (
            "FROM x\nMESSAGE tool 5",
            "(line 2): message role must be one of \"system\", \"user\", or \"assistant\"",
        ),
        ("GREET you", &format!("(line 1): {COMMANDS}")),
        ("FROM x # y\nSYSTEM\nz", &format!("(line 3): {COMMANDS}")),
        ("FROM x\n\r\n//", &format!("(line 4): {COMMANDS}")),
        ("FROM x\nLICENSE2 y", &format!("(line 2): {COMMANDS}")),
    ] {
        assert_eq!(refusal(text), expected, "{text:?}");
    }
}

#[test]
fn lines_are_counted_by_their_ends_and_a_crlf_has_two() {
    for (before, line) in [
        ("", 1),
        ("\n", 2),
        ("\r", 2),
        ("\r\n", 3),
        ("\u{feff}", 1),
        ("# a\n  \t\n# b\r", 4),
        ("FROM x\nSYSTEM \"a\nb\r\nc\"\n", 6),
        ("MESSAGE user \"\"\"\n\"\n\n\"\"\"\nPARAMETER top_k many\n", 6),
        ("REQUIRES nothing\nADAPTER a\nADAPTER b\n \t ", 4),
    ] {
        assert_eq!(
            refusal(&format!("{before}GREET you\n")),
            format!("(line {line}): {COMMANDS}"),
            "{before:?}"
        );
        let error = Modelfile::parse(&format!("{before}MESSAGE robot hi")).unwrap_err();
        assert_eq!(error, ModelfileError::Role { line }, "{before:?}");
        let error = Modelfile::parse(&format!("{before}LICENSE \"\n\n")).unwrap_err();
        assert_eq!(error, ModelfileError::EndOfFile { line }, "{before:?}");
    }
}

#[test]
fn deprecated_parameters_are_named_and_left_out() {
    let old =
        "penalize_newline low_vram f16_kv logits_all vocab_only use_mlock mirostat mirostat_tau mirostat_eta";
    let old: Vec<&str> = old.split(' ').collect();
    let lines: String = old.iter().map(|name| format!("PARAMETER {name} whatever\n")).collect();

    let modelfile = Modelfile::parse(&format!("FROM x\n{lines}PARAMETER top_k 5\n")).unwrap();

    assert_eq!(modelfile.deprecated, old);
    assert_eq!(modelfile.parameters, [("top_k".to_owned(), "5".to_owned())]);
}

#[test]
fn a_file_may_be_utf_16_with_its_mark() {
    let text = "\u{feff}FROM bob\r\nSYSTEM \"You are ü\n😀.\"\n";
    let plain = Modelfile::parse(text).unwrap();

    assert_eq!(Modelfile::from_bytes(text.as_bytes()).unwrap(), plain);
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
        assert_eq!(Modelfile::from_bytes(&bytes).unwrap(), plain);
    }
}

#[test]
fn a_model_is_printed_as_ollama_prints_it() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path().to_path_buf()).unwrap();
    let digest = Digest::of(b"weights");
    let model = Model {
        name: "pirate".parse().unwrap(),
        digest,
        size_bytes: 7,
        modified: SystemTime::UNIX_EPOCH,
        config: ModelConfig::default(),
        weights: "/models/blobs/sha256-1".into(),
        adapters: vec!["/models/blobs/sha256-lora".into()],
        draft: Some("/models/blobs/sha256-small".into()),
        projector: None,
        weights_digest: digest,
        parameters: OptionPatch::default(),
        parameter_lines: vec![("stop".into(), "\n".into()), ("top_k".into(), "5".into())],
        system: Some("You are a \"pirate\".".into()),
        template: Some("{{ .Prompt }}\n\"".into()),
        messages: vec![message(Role::User, "Ahoy ")],
        licenses: vec!["MIT".into()],
    };

    let printed = store.modelfile(&model);

    let (header, rest) = printed.split_once("\n\n").unwrap();
    let expected = "# Modelfile generated by \"hob show\"\n\
                    # To build a new Modelfile based on this, replace FROM with:\n# FROM pirate:latest";
    assert_eq!(header, expected);
    let expected = "FROM /models/blobs/sha256-1\nADAPTER /models/blobs/sha256-lora\nDRAFT /models/blobs/sha256-small\nTEMPLATE \"\"\"{{ .Prompt }}\n\"\"\"\"\n\
                    SYSTEM You are a \"pirate\".\nPARAMETER stop \"\n\"\nPARAMETER top_k 5\nLICENSE MIT\n\
                    MESSAGE user \"Ahoy \"\n";
    assert_eq!(rest, expected);
}

#[test]
fn what_no_modelfile_can_say_is_printed_as_near_as_it_gets() {
    let modelfile = Modelfile {
        from: vec!["x".into()],
        parameters: vec![("a\nSYSTEM b".into(), "1".into()), (String::new(), "1".into())],
        system: Some("a\"\"\"\nb\u{200d}c".into()),
        messages: vec![message(Role::Tool, "5\nFROM y"), message(Role::User, "hi")],
        ..Modelfile::default()
    };

    let again = Modelfile::parse(&modelfile.to_string()).unwrap();

    let expected = Modelfile {
        from: vec!["x".into()],
        system: Some("a'''\nbc".into()),
        messages: vec![message(Role::User, "hi")],
        ..Modelfile::default()
    };
    assert_eq!(again, expected);
}

/// Text that a Modelfile can hold: only seen characters, blanks and ends of lines, no three quotes where they would close.
fn sayable() -> BoxedStrategy<String> {
    let pieces = select(vec![
        "\"",
        "\"\"\"",
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "#",
        "'",
        "{{ .System }}",
        "FROM ",
        "ü漢😀",
    ]);
    let piece = prop_oneof![4 => pieces.prop_map(str::to_owned), 1 => "[ -~]{0,6}"];
    vec(piece, 0..12)
        .prop_map(|pieces| pieces.concat())
        .prop_map(|text| {
            let mut said = String::new();
            for line in text.split_inclusive(['\n', '\r']) {
                let closes = line.ends_with(['\n', '\r']) && line.trim_end().ends_with("\"\"\"");
                said.push_str(if closes { "\n" } else { line });
            }
            said
        })
        .boxed()
}

/// Any text, mostly one that asks for care.
fn unsayable() -> BoxedStrategy<String> {
    let chars =
        prop_oneof![4 => select(vec!['"', '\n', '\r', ' ', '\u{200d}', '\u{a0}']), 1 => any::<char>()];
    vec(chars, 0..16).prop_map(String::from_iter).boxed()
}

fn parameter() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        sayable().prop_map(|value| ("stop".to_owned(), value)),
        (1..100_000_u32).prop_map(|value| ("num_ctx".to_owned(), value.to_string())),
        (0.0..2.0).prop_map(|value: f64| ("temperature".to_owned(), value.to_string())),
        any::<bool>().prop_map(|value| ("use_mmap".to_owned(), value.to_string())),
    ]
}

fn modelfiles(text: BoxedStrategy<String>) -> impl Strategy<Value = Modelfile> {
    let many = || vec(text.clone(), 0..3);
    let one = || proptest::option::of(text.clone());
    let roles = select(vec![Role::System, Role::User, Role::Assistant]);
    let messages = vec((roles, text.clone()).prop_map(|(role, content)| Message::new(role, content)), 0..4);
    let requires = proptest::option::of("[1-9]\\.[0-9](\\.[0-9](-rc\\.[1-9])?)?");
    let lists = (vec(text.clone(), 1..3), vec(parameter(), 0..4), many(), vec(text.clone(), 0..2), many());
    let texts = (one(), one(), one(), one(), requires);
    (lists, texts, messages).prop_map(|(lists, texts, messages)| {
        let (from, parameters, licenses, adapters, drafts) = lists;
        let (template, system, renderer, parser, requires) = texts;
        Modelfile {
            from,
            parameters,
            deprecated: vec![],
            template,
            system,
            licenses,
            messages,
            adapters,
            drafts,
            renderer,
            parser,
            requires,
        }
    })
}

/// Bytes that look enough like a Modelfile to come far.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let scraps = "FROM |from x\n|SYSTEM |SYSTEM|LICENSE |ADAPTER |REQUIRES 1.2\n|PARAMETER stop |PARAMETER |\
                  PARAMETER low_vram 1\n|PARAMETER top_k 5\n|MESSAGE user |MESSAGE |MESSAGE robot |\
                  \"|\"\"\"|\n|\r|\r\n| |\t|#|x|ü|\u{feff}|\u{200d}|\0";
    let scraps = select(scraps.split('|').collect::<Vec<_>>());
    let known = vec(scraps, 0..40).prop_map(|scraps| scraps.concat().into_bytes());
    let marked = (select(vec![&b""[..], b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]), vec(any::<u8>(), 0..64));
    prop_oneof![4 => known, 1 => marked.prop_map(|(mark, rest)| [mark, &rest].concat())]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_back(modelfile in modelfiles(sayable())) {
        let printed = modelfile.to_string();

        prop_assert_eq!(Modelfile::parse(&printed), Ok(modelfile), "{}", printed);
    }

    #[test]
    fn whatever_text_is_printed_is_read_back_once_it_was_read(modelfile in modelfiles(unsayable())) {
        let once = Modelfile::parse(&modelfile.to_string()).unwrap();

        prop_assert_eq!(Modelfile::parse(&once.to_string()), Ok(once));
    }

    #[test]
    fn bytes_are_read_and_printed_alike_or_refused(bytes in scraps()) {
        if let Ok(mut modelfile) = Modelfile::from_bytes(&bytes) {
            let again = Modelfile::parse(&modelfile.to_string());

            modelfile.deprecated.clear();
            prop_assert_eq!(again, Ok(modelfile));
        }
    }

    #[test]
    fn a_mistake_behind_anything_is_on_the_line_it_stands_on(mut bytes in scraps()) {
        bytes.retain(u8::is_ascii);
        let before = String::from_utf8(bytes).unwrap() + "\n";
        let line = 1 + before.matches(['\n', '\r']).count();

        let error = Modelfile::parse(&format!("{before}GREET you")).unwrap_err();

        // Unless it met another mistake, or an open quote, before.
        match error {
            ModelfileError::UnknownInstruction { line: at } | ModelfileError::Role { line: at } => {
                prop_assert!(at <= line);
            }
            ModelfileError::EndOfFile { line: begun } => prop_assert!(begun < line),
            ModelfileError::NoValue { .. } => {}
            ref other => prop_assert!(false, "{:?}", other),
        }
        if Modelfile::parse(&format!("FROM x\n{before}")).is_ok() {
            prop_assert_eq!(error, ModelfileError::UnknownInstruction { line });
        }
    }
}
