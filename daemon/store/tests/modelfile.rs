//! The grammar of a Modelfile: what is read, what is refused and in which words.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use protocol::{Message, Role};
use store::modelfile::{Modelfile, ModelfileError};

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
    Message { role, content: content.into() }
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
