"""Unpacks SmolLM2 to 16 bits a weight, so that there is a model to quantise: float_model.py SOURCE TARGET"""
import sys
from pathlib import Path

import gguf

source, target = Path(sys.argv[1]), Path(sys.argv[2])
if target.exists():
    sys.exit()
reader = gguf.GGUFReader(source)
architecture = reader.get_field("general.architecture").contents()
aside = target.with_suffix(".aside")
writer = gguf.GGUFWriter(aside, architecture)
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
aside.rename(target)
