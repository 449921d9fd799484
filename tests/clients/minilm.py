"""Converts all-MiniLM-L6-v2, as sentence-transformers publishes it, to GGUF: minilm.py FOLDER TARGET"""
import json, sys
from pathlib import Path

import gguf
import numpy

folder, target = Path(sys.argv[1]), Path(sys.argv[2])
config, tokenizer = (json.loads((folder / name).read_text()) for name in ("config.json", "tokenizer.json"))

# What stands before a name, here and there.
NAMES = {
    "embeddings.word_embeddings.": "token_embd.",
    "embeddings.position_embeddings.": "position_embd.",
    "embeddings.token_type_embeddings.": "token_types.",
    "embeddings.LayerNorm.": "token_embd_norm.",
    "attention.self.query.": "attn_q.",
    "attention.self.key.": "attn_k.",
    "attention.self.value.": "attn_v.",
    "attention.output.dense.": "attn_output.",
    "attention.output.LayerNorm.": "attn_output_norm.",
    "intermediate.dense.": "ffn_up.",
    "output.dense.": "ffn_down.",
    "output.LayerNorm.": "layer_output_norm.",
}


def tensors(file):
    """Names and numbers of a safetensors file: the length of its table, the table, the numbers."""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8:start]).items():
        # Positions are counted, and the pooler is not used where vectors are averaged.
        if name == "__metadata__" or name == "embeddings.position_ids" or name.startswith("pooler."):
            continue
        first, last = entry["data_offsets"]
        yield name, numpy.frombuffer(data[start + first:start + last], "float32").reshape(entry["shape"])


def renamed(name):
    block, rest = "", name
    if name.startswith("encoder.layer."):
        number, rest = name.removeprefix("encoder.layer.").split(".", 1)
        block = f"blk.{number}."
    before = next(before for before in NAMES if rest.startswith(before))
    return block + NAMES[before] + rest.removeprefix(before)


def vocabulary(writer):
    words = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}

    def marked(word):
        # llama.cpp marks where a word begins, in place of where it goes on.
        return word if word in special else word[2:] if word.startswith("##") else "\u2581" + word

    writer.add_tokenizer_model("bert")
    writer.add_token_list([marked(word) for word in words])
    writer.add_token_types([gguf.TokenType.CONTROL if word in special else gguf.TokenType.NORMAL for word in words])
    writer.add_bos_token_id(special["[CLS]"])
    writer.add_sep_token_id(special["[SEP]"])
    writer.add_unk_token_id(special["[UNK]"])
    writer.add_pad_token_id(special["[PAD]"])
    writer.add_mask_token_id(special["[MASK]"])


writer = gguf.GGUFWriter(target, "bert")
writer.add_name("all-MiniLM-L6-v2")
writer.add_license("apache-2.0")
writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
writer.add_context_length(config["max_position_embeddings"])
writer.add_embedding_length(config["hidden_size"])
writer.add_feed_forward_length(config["intermediate_size"])
writer.add_block_count(config["num_hidden_layers"])
writer.add_head_count(config["num_attention_heads"])
writer.add_layer_norm_eps(config["layer_norm_eps"])
writer.add_causal_attention(False)
writer.add_pooling_type(gguf.PoolingType.MEAN)
writer.add_token_type_count(config["type_vocab_size"])
vocabulary(writer)
for name, numbers in tensors(folder / "model.safetensors"):
    # Vectors stay as they are, and so do the small tables that are added to every token.
    whole = numbers.ndim == 1 or "position" in name or "token_type" in name
    writer.add_tensor(renamed(name), numbers if whole else numbers.astype("float16"))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
