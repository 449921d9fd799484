"""Makes tiny models of random weights, one for each kind of memory that a model can have and one for each chat template,
with the vocabulary of another: tiny_models.py VOCABULARY FOLDER [TEMPLATE...]"""
import re
import sys
from pathlib import Path

import gguf
import numpy

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
WIDTH, BLOCKS, INNER, STATE, RANK, HEADS, HEAD, WIDE = 64, 4, 128, 16, 4, 4, 16, 128
VOCABULARY = 49152


def attention(block):
    square = (HEADS * HEAD, WIDTH)
    return {f"blk.{block}.attn_{name}.weight": square for name in ("q", "k", "v", "output")} | {
        f"blk.{block}.attn_{name}_norm.weight": (HEAD,) for name in ("q", "k")}


def feed_forward(block):
    shapes = {"gate": (WIDE, WIDTH), "up": (WIDE, WIDTH), "down": (WIDTH, WIDE), "norm": (WIDTH,)}
    return {f"blk.{block}.ffn_{name}.weight": shape for name, shape in shapes.items()}


def norms(block, *names):
    return {f"blk.{block}.{name}.weight": (WIDTH,) for name in names}


def recurrent():
    """Mamba: one state for all that was read."""
    tensors = {"output_norm.weight": (WIDTH,)}
    for block in range(BLOCKS):
        shapes = {"ssm_in.weight": (2 * INNER, WIDTH), "ssm_conv1d.weight": (INNER, 4), "ssm_conv1d.bias": (INNER,),
                  "ssm_x.weight": (RANK + 2 * STATE, INNER), "ssm_dt.weight": (INNER, RANK), "ssm_dt.bias": (INNER,),
                  "ssm_a": (INNER, STATE), "ssm_d": (INNER,), "ssm_out.weight": (WIDTH, INNER)}
        tensors |= norms(block, "attn_norm") | {f"blk.{block}.{name}": shape for name, shape in shapes.items()}
    keys = {"ssm.conv_kernel": 4, "ssm.inner_size": INNER, "ssm.state_size": STATE, "ssm.time_step_rank": RANK,
            "feed_forward_length": 0, "attention.head_count": 0}
    return "mamba", keys, tensors


def hybrid():
    """LFM2: some blocks look back, the others keep a state."""
    tensors, heads = {"token_embd_norm.weight": (WIDTH,)}, []
    for block in range(BLOCKS):
        tensors |= norms(block, "attn_norm") | feed_forward(block)
        heads.append(HEADS if block % 2 else 0)
        if heads[-1]:
            tensors |= attention(block)
        else:
            shapes = {"conv": (WIDTH, 3), "in_proj": (3 * WIDTH, WIDTH), "out_proj": (WIDTH, WIDTH)}
            tensors |= {f"blk.{block}.shortconv.{name}.weight": shape for name, shape in shapes.items()}
    keys = {"shortconv.l_cache": 3, "feed_forward_length": WIDE, "attention.head_count": HEADS,
            "attention.head_count_kv": heads}
    return "lfm2", keys, tensors


def windowed():
    """Gemma 3: most blocks look back no further than a window."""
    tensors = {"output_norm.weight": (WIDTH,)}
    for block in range(BLOCKS * 2):
        tensors |= norms(block, "attn_norm", "post_attention_norm", "post_ffw_norm") | feed_forward(block) | attention(block)
    keys = {"feed_forward_length": WIDE, "attention.head_count": HEADS, "attention.head_count_kv": HEADS,
            "attention.sliding_window": 32, "block_count": BLOCKS * 2}
    return "gemma3", keys, tensors


def plain():
    """Llama: every block looks back at all there is."""
    tensors = {"output_norm.weight": (WIDTH,)}
    for block in range(BLOCKS):
        square = (HEADS * HEAD, WIDTH)
        tensors |= norms(block, "attn_norm") | feed_forward(block) | {
            f"blk.{block}.attn_{name}.weight": square for name in ("q", "k", "v", "output")}
    keys = {"feed_forward_length": WIDE, "attention.head_count": HEADS, "attention.head_count_kv": HEADS}
    return "llama", keys, tensors


def with_template(text):
    """The tokens that have the names of marks in a template are control tokens, as in its family's vocabulary."""
    marks = [mark for mark in dict.fromkeys(re.findall(r"<[|｜][^<>]+[|｜]>|\[/?[A-Z_]+\]", text)) if mark not in KNOWN]

    def change(name, value):
        if name == "tokenizer.chat_template":
            return text
        if name == "tokenizer.ggml.tokens":
            return value[:SPARE] + marks + value[SPARE + len(marks):]
        if name == "tokenizer.ggml.token_type":
            return value[:SPARE] + [gguf.TokenType.CONTROL] * len(marks) + value[SPARE + len(marks):]
        return value
    return change


# SmolLM2's own control tokens, and where those begin that stand for nothing it needs.
KNOWN, SPARE = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, 49100

# Where those begin that stand around a gap.
FILL = 49140


def numbers(random, name, shape):
    if name.endswith("ssm_a"):
        return -numpy.exp(random.standard_normal(shape))
    if "norm" in name or name.endswith("ssm_d"):
        return numpy.ones(shape)
    return random.standard_normal(shape) / numpy.sqrt(shape[-1])


def write(target, architecture, keys, tensors, change=lambda name, value: value):
    aside = target.with_name("aside-" + target.name)
    writer = gguf.GGUFWriter(aside, architecture)
    common = {"context_length": 4096, "embedding_length": WIDTH, "block_count": BLOCKS, "attention.layer_norm_rms_epsilon": 1e-5,
              "attention.key_length": HEAD, "attention.value_length": HEAD}
    for key, value in (common | keys).items():
        add = {int: writer.add_uint32, float: writer.add_float32, list: writer.add_array}[type(value)]
        add(f"{architecture}.{key}", value)
    for field in gguf.GGUFReader(source).fields.values():
        if field.name.startswith("tokenizer.ggml."):
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, change(field.name, field.contents()), field.types[0], sub_type=inner)
    if template := change("tokenizer.chat_template", None):
        writer.add_chat_template(template)
        for at, name in enumerate(("fim_pre", "fim_suf", "fim_mid")):
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", FILL + at)
    random = numpy.random.default_rng(1)
    for name, shape in ({"token_embd.weight": (VOCABULARY, WIDTH)} | tensors).items():
        writer.add_tensor(name, numbers(random, name, shape).astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    aside.rename(target)


for make in (recurrent, hybrid, windowed):
    target = folder / f"tiny-{make.__name__}.gguf"
    if not target.exists():
        write(target, *make())
for template in map(Path, sys.argv[3:]):
    target = folder / f"tiny-chat-{template.stem}.gguf"
    if not target.exists() or target.stat().st_mtime < max(template.stat().st_mtime, Path(__file__).stat().st_mtime):
        write(target, *plain(), with_template(template.read_text()))
