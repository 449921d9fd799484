"""Whether each field that the families' own clients know today stands in the description of the daemon at argv[1]."""
import sys
import typing

import httpx
from anthropic.types import message_count_tokens_params, message_create_params
from ollama import _types as ollama
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import response_create_params

document = httpx.get(sys.argv[1] + "/openapi.json").json()
# Of the clients themselves, or sent as headers.
LEFT_OUT = {"extra_headers", "extra_query", "extra_body", "timeout", "betas", "workspace_id"}


def described(path):
    """The fields of a request."""
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return set(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["properties"])


def known(*kinds):
    """The fields of a client's type."""
    fields = set()
    for kind in kinds:
        fields |= set(kind.model_fields if hasattr(kind, "model_fields") else typing.get_type_hints(kind))
    # `from` is a word of Python's own.
    return {field.rstrip("_") for field in fields} - LEFT_OUT


for path, kinds in {
    "/v1/chat/completions": [chat_params.CompletionCreateParamsBase],
    "/v1/completions": [completion_create_params.CompletionCreateParamsBase],
    "/v1/embeddings": [embedding_create_params.EmbeddingCreateParams],
    "/v1/responses": [response_create_params.ResponseCreateParamsBase],
    "/v1/messages": [message_create_params.MessageCreateParamsBase],
    "/v1/messages/count_tokens": [message_count_tokens_params.MessageCountTokensParams],
    "/api/generate": [ollama.GenerateRequest],
    "/api/chat": [ollama.ChatRequest],
    "/api/embed": [ollama.EmbedRequest],
    "/api/embeddings": [ollama.EmbeddingsRequest],
    "/api/show": [ollama.ShowRequest],
    "/api/create": [ollama.CreateRequest],
}.items():
    lacking = known(*kinds) - described(path)
    assert not lacking, f"{path}: the description does not speak of {sorted(lacking)}"
