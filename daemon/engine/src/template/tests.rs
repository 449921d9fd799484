//! The families' published prompt formats, by templates as Ollama's library writes them; and what templates cannot do.

use std::time::{Duration, Instant};

use protocol::Role::{self, Assistant, System, Tool, User};
use serde_json::{Value, json};

use super::conversation::{ToolCall, Turn};
use super::{Capabilities, Clock, Conversation, GoTemplate, MAX_SOURCE_BYTES, TemplateError};

/// A fixture's text; the last newline is the file's, not the template's.
macro_rules! fixture {
    ($name:literal) => {{
        let text = include_str!(concat!("../../tests/templates/", $name, ".gotmpl"));
        text.strip_suffix('\n').unwrap_or(text)
    }};
}

fn clock() -> Clock {
    Clock { deadline: Instant::now() + Duration::from_secs(30), today: jiff::civil::date(2025, 3, 1) }
}

fn render(template: &str, conversation: &Conversation) -> Result<String, TemplateError> {
    GoTemplate::parse(template)?.render(conversation, clock())
}

fn prompt(template: &str, messages: &[(Role, &str)]) -> String {
    let messages = messages.iter().map(|(role, content)| Turn::new(*role, content)).collect();
    render(template, &Conversation { messages, ..Default::default() }).unwrap()
}

const RULES: (Role, &str) = (System, "Be brief.");
const HELLO: (Role, &str) = (User, "Hello");
const HI: (Role, &str) = (Assistant, "Hi!");
const WHY: (Role, &str) = (User, "Why?");
const WELL: (Role, &str) = (Assistant, "Because");

fn weather() -> Value {
    json!({"type": "function", "function": {
        "description": "Weather of a city", "name": "weather",
        "parameters": {"required": ["city"], "type": "object", "properties": {
            "city": {"description": "Where", "type": "string"},
            "days": {"type": ["integer", "null"]}}}}})
}

/// The same, as Go's structs are written.
const WEATHER: &str = concat!(
    r#"{"name":"weather","description":"Weather of a city","parameters":{"type":"object","required":["city"],"#,
    r#""properties":{"city":{"type":"string","description":"Where"},"days":{"type":["integer","null"]}}}}"#
);

/// A question, a call, its result; the answer is next.
fn called() -> Conversation {
    let arguments = json!({"days": 2, "city": "Oslo"}).as_object().cloned().unwrap();
    let call = ToolCall { id: "call_1".into(), index: 0, name: "weather".into(), arguments };
    let messages = vec![
        Turn::new(User, "How is Oslo?"),
        Turn { tool_calls: vec![call], ..Turn::new(Assistant, "") },
        Turn { tool_name: "weather".into(), tool_call_id: "call_1".into(), ..Turn::new(Tool, "rain") },
    ];
    Conversation { messages, tools: vec![weather()], ..Default::default() }
}

/// A question that tools may answer.
fn asked() -> Conversation {
    let mut conversation = called();
    conversation.messages.truncate(1);
    conversation
}

#[test]
fn llama_3_in_turns_and_in_messages() {
    for template in [fixture!("llama3"), fixture!("llama3.1")] {
        assert_eq!(
            prompt(template, &[RULES, HELLO, HI, WHY]),
            "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\n"
        );
        assert_eq!(
            prompt(template, &[WHY]),
            "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\n"
        );
        assert_eq!(
            prompt(template, &[WHY, WELL]),
            "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\nBecause"
        );
    }
}

#[test]
fn llama_3_with_tools() {
    let asked = render(fixture!("llama3.1"), &asked()).unwrap();
    let listed =
        format!("best answers the given prompt.\n\n{{\"type\":\"function\",\"function\":{WEATHER}}}\n\nHow");
    assert!(asked.contains(&listed), "{asked}");

    let called = render(fixture!("llama3.1"), &called()).unwrap();
    let tail = "<|start_header_id|>assistant<|end_header_id|>\n\n\
                {\"name\": \"weather\", \"parameters\": {\"city\":\"Oslo\",\"days\":2}}<|eot_id|>\
                <|start_header_id|>ipython<|end_header_id|>\n\nrain<|eot_id|>\
                <|start_header_id|>assistant<|end_header_id|>\n\n";
    assert!(called.ends_with(tail), "{called}");
}

#[test]
fn mistral() {
    let template = fixture!("mistral");
    assert_eq!(prompt(template, &[RULES, HELLO]), "[INST] Be brief.\n\nHello[/INST]");
    assert_eq!(prompt(template, &[HELLO, HI, WHY]), "[INST] Hello[/INST] Hi!</s>[INST] Why?[/INST]");
    assert_eq!(
        render(template, &asked()).unwrap(),
        format!(
            "[AVAILABLE_TOOLS] [{{\"type\":\"function\",\"function\":{WEATHER}}}][/AVAILABLE_TOOLS][INST] How is Oslo?[/INST]"
        )
    );
    assert_eq!(
        render(template, &called()).unwrap(),
        "[INST] How is Oslo?[/INST]\
         [TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"city\":\"Oslo\",\"days\":2}}]</s>\
         [TOOL_RESULTS] {\"content\": \"rain\"}[/TOOL_RESULTS]"
    );
}

#[test]
fn chatml_in_turns_and_in_messages() {
    for template in [fixture!("chatml"), fixture!("qwen2.5")] {
        assert_eq!(
            prompt(template, &[RULES, HELLO, HI, WHY]),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n\
             <|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
        );
        assert_eq!(prompt(template, &[WHY]), "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n");
        assert_eq!(
            prompt(template, &[WHY, WELL]),
            "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nBecause"
        );
    }
}

#[test]
fn qwen_with_tools() {
    let asked = render(fixture!("qwen2.5"), &asked()).unwrap();
    let listed = format!("<tools>\n{{\"type\": \"function\", \"function\": {WEATHER}}}\n</tools>");
    assert!(asked.contains(&listed), "{asked}");
    assert!(asked.ends_with("<|im_start|>user\nHow is Oslo?<|im_end|>\n<|im_start|>assistant\n"), "{asked}");

    let called = render(fixture!("qwen2.5"), &called()).unwrap();
    let tail = "<|im_start|>assistant\n<tool_call>\n\
                {\"name\": \"weather\", \"arguments\": {\"city\":\"Oslo\",\"days\":2}}\n</tool_call><|im_end|>\n\
                <|im_start|>user\n<tool_response>\nrain\n</tool_response><|im_end|>\n<|im_start|>assistant\n";
    assert!(called.ends_with(tail), "{called}");
}

#[test]
fn gemma() {
    assert_eq!(
        prompt(fixture!("gemma2"), &[RULES, HELLO]),
        "<start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n<start_of_turn>model\n"
    );
    for template in [fixture!("gemma2"), fixture!("gemma3")] {
        assert_eq!(
            prompt(template, &[HELLO, HI, WHY]),
            "<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi!<end_of_turn>\n\
             <start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n"
        );
        assert_eq!(
            prompt(template, &[WHY, WELL]),
            "<start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\nBecause"
        );
    }
}

#[test]
fn phi_3() {
    let template = fixture!("phi3");
    assert_eq!(
        prompt(template, &[RULES, HELLO, HI, WHY]),
        "<|system|>\nBe brief.<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi!<|end|>\n\
         <|user|>\nWhy?<|end|>\n<|assistant|>\n"
    );
    assert_eq!(prompt(template, &[WHY, WELL]), "<|user|>\nWhy?<|end|>\n<|assistant|>\nBecause");
}

#[test]
fn deepseek_with_and_without_thinking() {
    let template = fixture!("deepseek-r1");
    assert_eq!(
        prompt(template, &[RULES, HELLO, HI, WHY]),
        "Be brief.<｜User｜>Hello<｜Assistant｜>Hi!<｜end▁of▁sentence｜><｜User｜>Why?<｜Assistant｜>"
    );
    assert_eq!(prompt(template, &[WHY, WELL]), "<｜User｜>Why?<｜Assistant｜>Because");

    let thoughtful = Turn { thinking: "Hm.".into(), ..Turn::new(Assistant, "So") };
    let messages = vec![Turn::new(User, "Why?"), thoughtful];
    let thinking = Conversation { messages, think: true, is_think_set: true, ..Default::default() };
    assert_eq!(render(template, &thinking).unwrap(), "<｜User｜>Why?<｜Assistant｜><think>\nHm.\n</think>So");

    let messages = vec![Turn::new(User, "Why?")];
    let hasty = Conversation { messages, is_think_set: true, ..Default::default() };
    assert_eq!(render(template, &hasty).unwrap(), "<｜User｜>Why?<｜Assistant｜><think>\n\n</think>\n\n");
}

#[test]
fn command_r() {
    let template = fixture!("command-r");
    assert_eq!(
        prompt(template, &[RULES, HELLO, HI, WHY]),
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.<|END_OF_TURN_TOKEN|>\
         <|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello<|END_OF_TURN_TOKEN|>\
         <|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hi!<|END_OF_TURN_TOKEN|>\
         <|START_OF_TURN_TOKEN|><|USER_TOKEN|>Why?<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
    );
    let called = render(template, &called()).unwrap();
    assert!(called.contains("def weather(city: string, days: [integer null], ) -> List[Dict]:"), "{called}");
    assert!(
        called.contains("{\"tool_name\": \"weather\", \"parameters\": {\"city\":\"Oslo\",\"days\":2}}\n]```")
    );
}

#[test]
fn messages_of_one_role_are_one_and_system_messages_are_collected() {
    let template = "{{ .System }}/{{ range .Messages }}[{{ .Role }}:{{ .Content }}]{{ end }}";
    let said = [(System, "a"), (User, "b"), (User, "c"), (System, "d"), (Tool, "e"), (Tool, "f")];

    assert_eq!(prompt(template, &said), "a\n\nd/[system:a][user:b\n\nc][system:d][tool:e][tool:f]");
}

#[test]
fn a_template_that_says_nothing_of_an_answer_ends_with_it() {
    assert_eq!(prompt("Q: {{ .Prompt }}\nA: ", &[HELLO, HI, WHY]), "Q: Hello\nA: Hi!Q: Why?\nA: ");
    assert_eq!(prompt("{{ .Prompt }}", &[(User, "only")]), "only");
}

#[test]
fn nothing_comes_after_the_answer_that_is_due_wherever_it_stands() {
    let template =
        "{{ .Prompt }}>{{ if .System }}s{{ else }}{{ .Response }}!{{ end }};{{ range 2 }}.{{ end }}";

    assert_eq!(prompt(template, &[HELLO, HI, WHY, WELL]), "Hello>Hi!!;..Why?>Because");
    assert_eq!(prompt(template, &[RULES, HELLO]), "Hello>s");
}

#[test]
fn a_gap_is_filled_between_prompt_and_suffix() {
    let template =
        "{{ if .Suffix }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>{{ else }}{{ .Prompt }}{{ end }}";
    let messages = vec![Turn::new(User, "def f(")];
    let conversation = Conversation { messages, suffix: "return 1".into(), ..Default::default() };

    assert_eq!(render(template, &conversation).unwrap(), "<PRE> def f( <SUF>return 1 <MID>");
}

#[test]
fn ollamas_functions() {
    let shown =
        |template: &str| render(&format!("{template}{{{{ .Messages | len | js }}}}"), &asked()).unwrap();

    assert_eq!(shown("{{ currentDate }} {{ yesterdayDate }} "), "2025-03-01 2025-02-28 1");
    assert_eq!(shown("{{ json (index .Tools 0).Function }} "), format!("{WEATHER} 1"));
    assert_eq!(shown("{{ json \"<a & b>\" }} "), "\"\\u003ca \\u0026 b\\u003e\" 1");
    let types = "{{ range $k, $v := (index .Tools 0).Function.Parameters.Properties }}{{ $k }}: {{ toTypeScriptType $v }}; {{ end }}";
    assert_eq!(shown(types), "city: string; days: number | null; 1");
    assert_eq!(
        shown("{{ printf \"%q %d|\" .Messages nil }}{{ print 1 2 \"a\" }}").split('|').nth(1),
        Some("1 2a1")
    );
    assert_eq!(shown("{{ printf \"%s=%05d\" \"n\" 42 }} "), "n=00042 1");
}

#[test]
fn what_is_not_there_is_nothing() {
    assert_eq!(prompt("{{ .Nothing }}{{ .No.Thing }}{{ .Prompt }}", &[WHY]), "Why?");
}

#[test]
fn capabilities_are_read_from_the_template() {
    let of = |template: &str| GoTemplate::parse(template).unwrap().capabilities();

    assert_eq!(of(fixture!("qwen2.5")), Capabilities { tools: true, ..Capabilities::default() });
    assert_eq!(of(fixture!("deepseek-r1")), Capabilities { thinking: true, ..Capabilities::default() });
    assert_eq!(of(fixture!("phi3")), Capabilities::default());
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let wrong = |template: &str| GoTemplate::parse(template).err().map(|error| error.to_string()).unwrap();

    assert_eq!(wrong("{{ if .X }}\nabc"), "template error: line 1, column 1: {{if}} has no {{end}}");
    assert_eq!(wrong("a\nb {{ end }}"), "template error: line 2, column 3: unexpected {{end}}");
    assert_eq!(wrong("{{ else }}"), "template error: line 1, column 1: unexpected {{else}}");
    assert_eq!(wrong("{{ break }}"), "template error: line 1, column 1: {{break}} outside {{range}}");
    assert_eq!(
        wrong("a\n{{ .X | shout }}"),
        "template error: line 2, column 9: function \"shout\" not defined"
    );
    assert_eq!(wrong("{{ $x }}"), "template error: line 1, column 4: undefined variable \"$x\"");
    assert_eq!(
        wrong("{{ template \"x\" . }}"),
        "template error: line 1, column 4: template \"x\" not defined"
    );
    assert_eq!(wrong("ab {{ .X"), "template error: line 1, column 9: unclosed action");
    assert_eq!(wrong("{{ .X | }}"), "template error: line 1, column 11: empty command");
}

#[test]
fn what_only_looks_like_a_block_is_none() {
    let template = "{{/* {{ end }} */}}{{ \"{{ end }}\" }}{{ `{{if}}` }}{{- /* if */ -}} {{ $ender := '}' }}{{ $ender }}{{ .Prompt }}";
    assert_eq!(prompt(template, &[WHY]), "{{ end }}{{if}}125Why?");
}

#[test]
fn a_template_cannot_be_huge_or_deep() {
    let long = "x".repeat(MAX_SOURCE_BYTES + 1);
    assert_eq!(GoTemplate::parse(&long).err(), Some(TemplateError::TooLong(MAX_SOURCE_BYTES + 1)));

    for (open, close) in [("{{ if .X }}", "{{ end }}"), ("{{ print (", ") }}")] {
        let deep = open.repeat(65) + "1" + &close.repeat(65);
        assert!(GoTemplate::parse(&deep).is_err());
    }
    let chain = "{{ if .X }}".to_owned() + &"{{ else if .X }}".repeat(3000) + "{{ end }}";
    assert_eq!(GoTemplate::parse(&chain).err(), Some(TemplateError::TooDeep));
    let parens = "{{ print ".to_owned() + &"(print ".repeat(3000) + "1" + &")".repeat(3000) + "}}";
    assert_eq!(GoTemplate::parse(&parens).err(), Some(TemplateError::TooDeep));
}

#[test]
fn a_template_cannot_run_for_long_or_make_too_much() {
    let endless = |template: &str| {
        let clock = Clock { deadline: Instant::now() + Duration::from_millis(200), ..clock() };
        let begun = Instant::now();
        let error = GoTemplate::parse(template).unwrap().render(&Conversation::default(), clock).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        error.to_string()
    };

    // Each of these calls the next one twice.
    let calls = (0..60).map(|n| {
        format!(
            "{{{{ define \"{n}\" }}}}{{{{ template \"{0}\" }}}}{{{{ template \"{0}\" }}}}{{{{ end }}}}",
            n + 1
        )
    });
    let tree = calls.collect::<String>() + "{{ define \"60\" }}{{ end }}{{ template \"0\" }}";
    assert_eq!(endless(&tree), "template error: it ran for too long");
    let itself = "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}";
    assert_eq!(endless(itself), "template error: recursion limit exceeded");
    assert_eq!(endless("{{ range 1000000000 }}{{ end }}"), "template error: it ran for too long");

    let doubled = "{{ $x := \"0123456789\" }}".to_owned() + &"{{ $x = print $x $x }}".repeat(60);
    assert_eq!(endless(&doubled), "template error: its functions make too much text");
    let escaped = "{{ $x := \"<<<<<<<<<<\" }}".to_owned() + &"{{ $x = js $x }}{{ $x = json $x }}".repeat(60);
    assert_eq!(endless(&escaped), "template error: its functions make too much text");
    let padded = format!("{{{{ printf {:?} }}}}", "%65535d".repeat(9000));
    assert_eq!(endless(&padded), "template error: its functions make too much text");
    let printed = "{{ $x := printf \"%1000d\" 1 }}{{ range 100000 }}{{ $x }}{{ end }}".repeat(8);
    assert!(endless(&printed).contains("longer than"));
}
