"""Makes a tiny projector of random weights, in the form of Gemma 3's: images of 64 pixels become four places in a model of the
given width: tiny_projector.py WIDTH TARGET"""
import sys
from pathlib import Path

import gguf
import numpy

WIDTH, target = int(sys.argv[1]), Path(sys.argv[2])
INNER, HEADS, WIDE, BLOCKS, SIDE, PATCH = 64, 4, 128, 2, 128, 16


def tensors():
    patches = (SIDE // PATCH) ** 2
    yield "v.patch_embd.weight", (INNER, 3, PATCH, PATCH)
    yield "v.patch_embd.bias", (INNER,)
    yield "v.position_embd.weight", (patches, INNER)
    for block in range(BLOCKS):
        for name, shape in {"attn_q": (INNER, INNER), "attn_k": (INNER, INNER), "attn_v": (INNER, INNER),
                            "attn_out": (INNER, INNER), "ffn_up": (WIDE, INNER), "ffn_down": (INNER, WIDE)}.items():
            yield f"v.blk.{block}.{name}.weight", shape
            yield f"v.blk.{block}.{name}.bias", shape[:1]
        for name in ("ln1", "ln2"):
            yield f"v.blk.{block}.{name}.weight", (INNER,)
            yield f"v.blk.{block}.{name}.bias", (INNER,)
    yield "v.post_ln.weight", (INNER,)
    yield "v.post_ln.bias", (INNER,)
    yield "mm.input_projection.weight", (INNER, WIDTH)
    yield "mm.soft_emb_norm.weight", (INNER,)


def write():
    aside = target.with_name("aside-" + target.name)
    writer = gguf.GGUFWriter(aside, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "gemma3")
    writer.add_bool("clip.use_gelu", True)
    for key, value in {"image_size": SIDE, "patch_size": PATCH, "embedding_length": INNER, "feed_forward_length": WIDE,
                       "block_count": BLOCKS, "projection_dim": WIDTH, "attention.head_count": HEADS}.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    random = numpy.random.default_rng(1)
    for name, shape in tensors():
        ones = "ln" in name and name.endswith("weight") or "norm" in name
        # As strong as the embeddings of words are in the model at hand.
        scale = 0.2 if name.startswith("mm.input") else 1 / numpy.sqrt(shape[-1])
        numbers = numpy.ones(shape) if ones else random.standard_normal(shape) * scale
        writer.add_tensor(name, numbers.astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    aside.rename(target)


if not target.exists():
    write()
