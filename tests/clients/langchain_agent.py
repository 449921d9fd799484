"""LangChain against the daemon at argv[1]: an agent that calls a tool and answers, in both families, and the rest of its interfaces."""
import asyncio
import sys

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

url = sys.argv[1]
of_openai = ChatOpenAI(model="smollm2", base_url=url + "/v1", api_key="unused", temperature=0, max_tokens=60, max_retries=0)
of_ollama = ChatOllama(model="smollm2", base_url=url, temperature=0, num_predict=60)
asked = []


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    asked.append(city)
    return f"It rains in {city}."


@wrap_model_call
def calls_first(request, handler):
    """So small a model does not choose well: it is told to call first, and then to answer."""
    called = any(isinstance(message, ToolMessage) for message in request.messages)
    return handler(request.override(tool_choice="none" if called else "required"))


agent = create_agent(of_openai, [weather], middleware=[calls_first])
said = agent.invoke({"messages": [HumanMessage("What is the weather in Oslo?")]})["messages"]
question, called, *results, answer = said
assert called.tool_calls and all(call["name"] == "weather" for call in called.tool_calls), said
assert [result.tool_call_id for result in results] == [call["id"] for call in called.tool_calls], said
assert len(asked) == len(results) and answer.content and not answer.tool_calls, said
assert answer.usage_metadata["output_tokens"] > 0, said
# Ollama's API has no word for a call that must be, so there the same session is gone on with.
answer = of_ollama.bind_tools([weather]).invoke(said[:-1])
assert answer.usage_metadata["output_tokens"] > 0, answer


class Person(BaseModel):
    name: str = Field(max_length=20)
    years: int = Field(ge=1, le=99)


for model in (of_openai, of_ollama):
    person = model.with_structured_output(Person, method="json_schema").invoke("Make up a person.")
    assert isinstance(person, Person) and 1 <= person.years <= 99, person
    whole = model.invoke("Why is the sky blue?")
    streamed = None
    for piece in model.stream("Why is the sky blue?"):
        streamed = piece if streamed is None else streamed + piece
    assert isinstance(whole, AIMessage) and streamed.content == whole.content, (streamed, whole)
    assert asyncio.run(model.ainvoke("Why is the sky blue?")).content == whole.content
    assert len(model.batch(["Hi", "Ho"])) == 2

if "--embeddings" in sys.argv:
    texts = ["How warm is it today?", "What is the temperature outside?"]
    by_ollama = OllamaEmbeddings(model="minilm", base_url=url).embed_documents(texts)
    # It sends tokens of OpenAI's own vocabulary unless told not to.
    by_openai = OpenAIEmbeddings(model="minilm", base_url=url + "/v1", api_key="unused", check_embedding_ctx_length=False)
    by_openai = by_openai.embed_documents(texts)
    assert all(abs(one - other) < 1e-4 for one, other in zip(by_ollama[0], by_openai[0])), "the families differ"
