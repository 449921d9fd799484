"""Makes a tiny model of random weights that reads a query and a document, and scores them: tiny_reranker.py VOCABULARY TARGET"""
import sys
from pathlib import Path

import gguf
import numpy

source, target = Path(sys.argv[1]), Path(sys.argv[2])
WIDTH, BLOCKS, HEADS, WIDE, LONGEST = 64, 2, 4, 128, 128
reader = gguf.GGUFReader(source)
vocabulary = len(reader.get_field("tokenizer.ggml.tokens").data)


def shapes():
    yield "token_embd.weight", (vocabulary, WIDTH)
    yield "position_embd.weight", (LONGEST, WIDTH)
    yield "token_types.weight", (2, WIDTH)
    yield from norm("token_embd_norm")
    for block in range(BLOCKS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield from linear(f"blk.{block}.{name}", WIDTH, WIDTH)
        yield from norm(f"blk.{block}.attn_output_norm")
        yield from linear(f"blk.{block}.ffn_up", WIDE, WIDTH)
        yield from linear(f"blk.{block}.ffn_down", WIDTH, WIDE)
        yield from norm(f"blk.{block}.layer_output_norm")
    yield from linear("cls", WIDTH, WIDTH)
    yield from linear("cls.output", 1, WIDTH)


def linear(name, rows, columns):
    yield name + ".weight", (rows, columns)
    yield name + ".bias", (rows,)


def norm(name):
    yield name + ".weight", (WIDTH,)
    yield name + ".bias", (WIDTH,)


def write(aside):
    writer = gguf.GGUFWriter(aside, "bert")
    writer.add_context_length(LONGEST)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDE)
    writer.add_block_count(BLOCKS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.RANK)
    writer.add_token_type_count(2)
    writer.add_array("bert.classifier.output_labels", ["relevant"])
    for field in reader.fields.values():
        if field.name.startswith("tokenizer.ggml."):
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    random = numpy.random.default_rng(1)
    for name, shape in shapes():
        ones = "norm.weight" in name
        numbers = numpy.ones(shape) if ones else random.standard_normal(shape) / numpy.sqrt(shape[-1])
        writer.add_tensor(name, numbers.astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if not target.exists():
    aside = target.with_name("aside-" + target.name)
    write(aside)
    aside.rename(target)
