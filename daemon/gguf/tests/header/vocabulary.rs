//! Vocabularies whose lists do not match, whose tokens are wrong, or whose numbers name none.

use crate::writer::{File, assert_malformed, f32, i32, list, text, truth, u32};

fn with_tokens(tokens: &[&str]) -> File {
    let tokens: Vec<_> = tokens.iter().map(|token| text(token)).collect();
    File::model().with("tokenizer.ggml.tokens", list(&tokens))
}

#[test]
fn lists_that_are_not_as_long_as_the_vocabulary_are_refused() {
    assert_malformed(&File::model().with("tokenizer.ggml.scores", list(&[f32(0.0)])), "scores");
    assert_malformed(&File::model().with("tokenizer.ggml.token_type", list(&[i32(1)])), "token types");
    assert_malformed(&File::model().with("tokenizer.ggml.scores", list(&vec![f32(0.0); 5])), "scores");
    assert_malformed(&File::model().without("tokenizer.ggml.tokens"), "scores");
}

#[test]
fn a_token_as_long_as_a_book_is_refused() {
    let long = "a".repeat((1 << 16) + 1);
    let tokens = list(&[text(&long), text("a"), text("b"), text("c")]);
    assert_malformed(&File::model().with("tokenizer.ggml.tokens", tokens), "the length of a text");
    let longest = "a".repeat(1 << 16);
    assert!(with_tokens(&[&longest, "a", "b", "c"]).read().is_ok());
}

#[test]
fn tokens_that_llama_cpp_takes_for_one_are_refused() {
    for twice in [["a", "b", "c", "a"], ["a", "a\0b", "c", "d"], ["", "[EMPTY_0]", "c", "d"]] {
        assert_malformed(&with_tokens(&twice), "a token that is there twice");
    }
    assert!(with_tokens(&["", "", "\0", "a"]).read().is_ok(), "empty ones are numbered");
    assert!(with_tokens(&["\u{fffd}", "\u{fffd}", "c", "d"]).read().is_ok(), "they may differ in the file");
}

#[test]
fn a_number_past_the_vocabulary_names_no_token_and_is_let_through() {
    for none in [4, u32::MAX] {
        for name in ["bos", "eos", "unknown", "padding"] {
            let file = File::model().without("tokenizer.ggml.add_bos_token");
            assert!(file.with(&format!("tokenizer.ggml.{name}_token_id"), u32(none)).read().is_ok());
        }
    }
    for name in ["bos", "eos", "unknown", "padding"] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        assert_malformed(&File::model().with(&key, text("<s>")), "no integer");
        assert_malformed(&File::model().with(&key, list(&[u32(0)])), "no integer");
        assert_malformed(&File::model().with(&key, f32(0.0)), "no integer");
    }
}

#[test]
fn a_token_that_is_to_be_added_is_in_the_vocabulary() {
    for (asks, names) in [("bos", "bos"), ("eos", "eos"), ("sep", "seperator")] {
        let asking = File::model().with(&format!("tokenizer.ggml.add_{asks}_token"), truth(true));
        let key = format!("tokenizer.ggml.{names}_token_id");
        assert!(asking.clone().with(&key, u32(3)).read().is_ok());
        assert_malformed(&asking.clone().with(&key, u32(4)), "a token to be added");
        assert_malformed(&asking.without(&key), "a token to be added");
    }
    // 1 begins a text where a file of that tokenizer names nothing better.
    let llama = File::model().with("tokenizer.ggml.model", text("llama"));
    assert!(llama.with("tokenizer.ggml.bos_token_id", u32(u32::MAX)).read().is_ok());
}

#[test]
fn a_model_drafts_for_one_that_reads_its_tokens() {
    let model = || File::model().without("tokenizer.ggml.scores").without("tokenizer.ggml.token_type");
    let with = |tokens: &[&str]| {
        let tokens: Vec<_> = tokens.iter().map(|token| text(token)).collect();
        model().with("tokenizer.ggml.tokens", list(&tokens)).read().unwrap()
    };
    let large = with(&["<s>", "</s>", "a", "b"]);
    assert!(large.shares_vocabulary(&large));
    assert!(with(&["<s>", "</s>", "a", "b", "<pad>"]).shares_vocabulary(&large), "padded");
    assert!(!with(&["<s>", "</s>", "b", "a"]).shares_vocabulary(&large));
    let padding: Vec<String> = (0..200).map(|number| format!("<pad{number}>")).collect();
    let padded: Vec<&str> =
        ["<s>", "</s>", "a", "b"].into_iter().chain(padding.iter().map(String::as_str)).collect();
    assert!(!with(&padded).shares_vocabulary(&large), "these are no padding");
    let other_end = model().with("tokenizer.ggml.eos_token_id", u32(3)).read().unwrap();
    assert!(!other_end.shares_vocabulary(&large));
    let none = model().without("tokenizer.ggml.tokens").read().unwrap();
    assert!(!none.shares_vocabulary(&none));
}
