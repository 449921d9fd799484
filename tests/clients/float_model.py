"""Unpacks SmolLM2 to 16 bits a weight, so that there is a model to quantise, in one file and in several:
float_model.py SOURCE TARGET"""
import sys
from pathlib import Path

import gguf

source, target = Path(sys.argv[1]), Path(sys.argv[2])
reader = gguf.GGUFReader(source)
architecture = reader.get_field("general.architecture").contents()


def write(target, **split):
    aside = target.with_name("aside-" + target.name)
    writer = gguf.GGUFWriter(aside, architecture, **split)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for tensor in reader.tensors:
        numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        # Vectors stay as they are, as in any converter.
        writer.add_tensor(tensor.name, numbers.astype("float16") if numbers.ndim > 1 else numbers.astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for file in target.parent.glob("aside-*"):
        file.rename(file.with_name(file.name.removeprefix("aside-")))


if not target.exists():
    write(target)
if not list(target.parent.glob(target.stem + "-00001-of-*.gguf")):
    write(target, split_max_tensors=100)
