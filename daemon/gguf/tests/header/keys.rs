//! Keys that llama.cpp takes for granted: their types, and numbers that it divides by or asserts on.

use crate::writer::{File, Written, assert_malformed, f32, i32, list, text, truth, u32};

#[test]
fn lists_that_are_read_as_another_type_are_refused() {
    for (key, value) in [
        ("general.architecture", list(&[text("llama")])),
        ("general.alignment", Written(10, 32_u64.to_le_bytes().to_vec())),
        ("tokenizer.ggml.scores", list(&vec![u32(0); 4])),
        ("tokenizer.ggml.token_type", list(&vec![u32(1); 4])),
        ("tokenizer.ggml.token_type", list(&vec![text("x"); 4])),
        ("tokenizer.ggml.tokens", list(&vec![u32(0); 4])),
        ("tokenizer.ggml.merges", f32(0.0)),
        ("tokenizer.ggml.precompiled_charsmap", list(&[text("x")])),
        ("tokenizer.chat_template", u32(1)),
        ("general.architecture", u32(1)),
        ("general.alignment", text("32")),
    ] {
        assert_malformed(&File::model().with(key, value), "the type of a key");
    }
}

#[test]
fn numbers_that_are_divided_by_or_asserted_on_are_in_range() {
    for (key, value, says) in [
        ("llama.block_count", u32(0), "blocks"),
        ("llama.block_count", u32(513), "blocks"),
        ("llama.block_count", text("2"), "blocks"),
        ("llama.embedding_length", u32(0), "embedding"),
        ("llama.context_length", u32(0), "context"),
        ("llama.expert_count", u32(1025), "experts"),
        ("llama.attention.head_count", f32(1.0), "heads"),
        ("llama.attention.head_count", u32(u32::MAX), "heads"),
        ("llama.attention.head_count", u32(0), "heads"),
        ("llama.attention.head_count", list(&[u32(0), u32(0)]), "heads"),
        ("llama.attention.head_count", list(&[i32(4), i32(-4)]), "heads"),
        ("llama.attention.head_count", list(&[f32(4.0)]), "heads"),
        ("llama.attention.head_count", list(&[]), "heads"),
        ("llama.attention.head_count_kv", u32(0), "key-value heads"),
        ("llama.attention.head_count_kv", list(&[u32(0), u32(0)]), "key-value heads"),
        ("llama.attention.head_count_kv", text("2"), "key-value heads"),
        ("llama.feed_forward_length", i32(-1), "feed-forward"),
        ("llama.feed_forward_length", text("128"), "feed-forward"),
        ("llama.context_length", f32(2048.0), "context"),
        ("llama.embedding_length", truth(true), "embedding"),
        ("llama.block_count", list(&[u32(2)]), "blocks"),
        ("llama.rope.dimension_count", f32(16.0), "width of positions"),
        ("llama.rope.dimension_count", list(&[u32(16)]), "width of positions"),
        ("llama.rope.scaling.type", text("spiral"), "scaling of positions"),
        ("llama.rope.scaling.type", u32(1), "scaling of positions"),
        ("llama.expert_used_count", u32(9), "experts used is 9 of 8"),
        ("llama.expert_used_count", u32(0), "experts used is 0 of 8"),
        ("llama.expert_group_count", u32(4), "expert groups"),
        ("llama.nextn_predict_layers", u32(3), "predict ahead"),
        ("llama.ssm.time_step_rank", u32(0), "time steps"),
        ("general.alignment", u32(0), "alignment"),
        ("general.alignment", u32(48), "alignment"),
        ("general.alignment", u32(1 << 20), "alignment"),
    ] {
        assert_malformed(&File::model().with(key, value), says);
    }
    assert_malformed(&File::model().without("llama.block_count"), "blocks is missing");
    assert_malformed(&File::model().without("general.architecture"), "architecture is missing");
    for groups in [3, 8] {
        let grouped = File::model().with("llama.expert_group_used_count", u32(2));
        assert_malformed(&grouped.with("llama.expert_group_count", u32(groups)), "expert groups");
    }
    let no_experts = File::model().without("llama.expert_count");
    assert_malformed(&no_experts, "experts used is 2 of 0");
}

#[test]
fn numbers_of_real_models_that_look_odd_are_let_through() {
    for (key, value) in [
        ("llama.attention.head_count", list(&[u32(4), u32(0)])),
        ("llama.attention.head_count", list(&[u32(0), u32(4)])),
        ("llama.attention.head_count_kv", list(&[u32(0), u32(2)])),
        ("llama.feed_forward_length", u32(0)),
        ("llama.rope.dimension_count", u32(0)),
        ("llama.nextn_predict_layers", u32(2)),
        ("llama.expert_count", u32(1024)),
    ] {
        let read = File::model().with(key, value).read();
        assert!(read.is_ok(), "{key}: {}", read.unwrap_err());
    }
    let grouped = File::model().with("llama.expert_group_count", u32(4));
    assert!(grouped.with("llama.expert_group_used_count", u32(2)).read().is_ok());
}

#[test]
fn only_architectures_without_heads_may_have_none() {
    let of = |architecture: &str| {
        let file = File::model().with("general.architecture", text(architecture));
        file.with(&format!("{architecture}.block_count"), u32(2))
    };
    let none =
        |architecture: &str| of(architecture).with(&format!("{architecture}.attention.head_count"), u32(0));

    assert!(none("mamba").read().is_ok());
    assert_malformed(&none("gemma3"), "heads is 0");
    assert!(of("qwen3").read().is_ok(), "llama.cpp looks before it divides");
    assert_malformed(&of("gemma3"), "heads is missing");
}

#[test]
fn adapters_and_projectors_need_no_blocks_but_keep_the_rules() {
    let without = || File::model().without("llama.block_count");
    assert!(without().with("general.type", text("adapter")).read().is_ok());
    assert!(without().with("general.type", text("mmproj")).read().is_ok());
    assert!(without().with("general.architecture", text("clip")).read().is_ok());
    assert_malformed(&without().with("general.type", text("model")), "blocks is missing");
    assert_malformed(&without().with("general.type", text("anything")), "blocks is missing");

    let adapter = File::model().with("general.type", text("adapter"));
    assert_malformed(&adapter.with("llama.block_count", u32(0)), "blocks");
}
