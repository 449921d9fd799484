"""Makes a LoRA adapter for a model, and the same model with the adapter merged into its weights:
adapter.py MODEL ADAPTER MERGED"""
import sys
from pathlib import Path

import gguf
import numpy

RANK, ALPHA = 4, 8.0
model, adapter, merged = map(Path, sys.argv[1:])


def matrices(tensor):
    """The two whose product is added to `tensor`; always the same for one name."""
    random = numpy.random.default_rng(sum(tensor.name.encode()))
    rows, columns = tensor.data.shape
    scale = 0.3 * float(tensor.data.astype("float32").std())
    a = random.standard_normal((RANK, columns)).astype("float32")
    b = random.standard_normal((rows, RANK)).astype("float32") * scale
    return a, b


def is_adapted(tensor):
    return tensor.name.endswith(("attn_v.weight", "ffn_down.weight"))


def write(target, kind, tensors, fields=()):
    aside = target.with_name("aside-" + target.name)
    writer = gguf.GGUFWriter(aside, architecture)
    for field in fields:
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    if kind:
        writer.add_type(kind)
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", ALPHA)
    for name, numbers in tensors:
        writer.add_tensor(name, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    aside.rename(target)


def with_adapter(tensor):
    if not is_adapted(tensor):
        return tensor.data
    a, b = matrices(tensor)
    return (tensor.data.astype("float32") + ALPHA / RANK * (b @ a)).astype("float16")


if not (adapter.exists() and merged.exists()):
    reader = gguf.GGUFReader(model)
    architecture = reader.get_field("general.architecture").contents()
    adapted = [tensor for tensor in reader.tensors if is_adapted(tensor)]
    halves = [(f"{t.name}.lora_{half}", numbers) for t in adapted for half, numbers in zip("ab", matrices(t))]
    write(adapter, "adapter", halves)
    write(merged, None, [(t.name, with_adapter(t)) for t in reader.tensors], reader.fields.values())
