"""Fifty JSON Schemas, made by a seed: the same each time, and of all that answers are bound to in practice."""
import random

WORDS = "name title city colour price weight owner status address email amount date note kind label size level count score tag".split()
VALUES = "red green blue small large open closed low high north south paid due yes no".split()


def leaf(rng):
    kind = rng.choice(["text", "integer", "number", "boolean", "enum", "null", "date", "pattern", "const"])
    if kind == "text":
        return {"type": "string", "maxLength": rng.choice([8, 16, 24])}
    if kind == "integer":
        low = rng.choice([0, 1, -10])
        return {"type": "integer", "minimum": low, "maximum": low + rng.choice([5, 99, 1000])}
    if kind == "number":
        return {"type": "number", "minimum": 0, "maximum": rng.choice([1, 10])}
    if kind == "enum":
        return {"enum": rng.sample(VALUES, rng.randint(2, 5))}
    if kind == "date":
        return {"type": "string", "format": "date"}
    if kind == "pattern":
        return {"type": "string", "pattern": rng.choice(["^[A-Z]{3}-[0-9]{4}$", "^[a-z]{2,8}$", "^#[0-9a-f]{6}$"])}
    if kind == "const":
        return {"const": rng.choice(VALUES)}
    return {"type": kind}


def value(rng, depth):
    kind = rng.choice(["leaf"] * 3 + ["object", "array", "either", "optional"]) if depth else "leaf"
    if kind == "object":
        return thing(rng, depth - 1)
    if kind == "array":
        return {"type": "array", "items": value(rng, depth - 1), "minItems": rng.randint(0, 2), "maxItems": 3}
    if kind == "either":
        return {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 9}, {"enum": rng.sample(VALUES, 2)}]}
    if kind == "optional":
        return {"type": ["string", "null"], "maxLength": 12}
    return leaf(rng)


def thing(rng, depth):
    names = rng.sample(WORDS, rng.randint(1, 4))
    required = [name for name in names if rng.random() < 0.8]
    schema = {"type": "object", "properties": {name: value(rng, depth) for name in names}, "required": required}
    if rng.random() < 0.5:
        schema["additionalProperties"] = False
    return schema


def schema(number):
    rng = random.Random(number)
    made = thing(rng, 2)
    if number % 5 == 0:
        # By reference, as generators of schemas write them.
        made = {"$defs": {"item": leaf(rng)}, "type": "object", "required": ["items"],
                "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "maxItems": 2}, "whole": made}}
    return made


SCHEMAS = [schema(number) for number in range(50)]
