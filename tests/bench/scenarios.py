"""What is measured. Each scenario is a function of one server that returns rows: a name, a figure, and which way is better."""
import functools, json, pathlib, random, statistics, sys, threading, time

from servers import at_once, busy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
from schemas import SCHEMAS

WORDS = ("the moon pulls sea wind and an old house by river where people read long letters of ships that came from far "
         "away with salt bread tea silk maps stars rain songs lamps stones bridges gardens winter summer night day").split()


def text(seed, words):
    """Words that no other seed begins with, so that no cache helps by accident."""
    random_words = random.Random(seed)
    return f"{seed}: " + " ".join(random_words.choice(WORDS) for _ in range(words))


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def stream(server, turn):
    """One client: reading, answering, and the wait for the first word of a prompt that was read before."""
    cold = server.ask(text(f"stream {turn}", 600), 1)
    question = "Why is the sky blue?"
    answer = [server.ask(question, 128) for _ in range(2)][1]
    first = statistics.median(server.ask(question, 1).first for _ in range(5))
    yield "decode, tokens/s", answer.rate, "more"
    yield "prompt, tokens/s", cold.prompt_tokens / cold.first, "more"
    yield "warm first token, ms", first * 1000, "less"


def clients(server, turn):
    """Many clients that each ask four questions, the next when the last is answered."""
    for count in (1, 2, 4, 8, 16):
        # As long in each turn, but of other words.
        lengths = random.Random(count)
        prompts = [[text(f"clients {turn} {count} {client} {at}", lengths.randint(20, 300)) for at in range(4)]
                   for client in range(count)]
        answers, seconds = at_once([functools.partial(one_after_the_other, server, own) for own in prompts])
        answers = sum(answers, [])
        gaps = [gap for answer in answers for gap in answer.gaps]
        firsts = [answer.first for answer in answers]
        yield f"{count} clients, tokens/s", sum(answer.tokens for answer in answers) / seconds, "more"
        yield f"{count} clients, first token p50, ms", percentile(firsts, 0.5) * 1000, "less"
        yield f"{count} clients, first token p99, ms", percentile(firsts, 0.99) * 1000, "less"
        yield f"{count} clients, gap p50, ms", percentile(gaps, 0.5) * 1000, "less"
        yield f"{count} clients, gap p99, ms", percentile(gaps, 0.99) * 1000, "less"


def one_after_the_other(server, prompts):
    return [server.ask(prompt, 48) for prompt in prompts]


def intruder(server, turn):
    """The longest silence in an answer while a prompt of 4,000 tokens arrives."""
    long = text(f"intruder {turn}", 3500)
    thread = threading.Thread(target=lambda: server.ask(long, 1))
    answer = server.ask(text(f"beside {turn}", 20), 160, on_first=thread.start)
    thread.join()
    yield "4k prompt beside a stream, worst gap, ms", max(answer.gaps) * 1000, "less"


def beside(server, turn):
    """A machine that is not ours alone: other programs on its cores, and a second model that answers too."""
    question = "Why is the sky blue?"
    server.ask(question, 1)
    with busy(2):
        answer = server.ask(question, 128)
    yield "beside 2 busy processes, tokens/s", answer.rate, "more"
    with server.twin() as ask_twin:
        ask_twin(question, 1)
        answers, seconds = at_once([functools.partial(ask, question, 128) for ask in (server.ask, ask_twin)])
    yield "two models at once, tokens/s in sum", sum(answer.tokens for answer in answers) / seconds, "more"


def prefix(server, turn):
    """A beginning of 2,000 tokens that the second request shares: at once, after unloading, after a restart."""
    shared = text(f"prefix {turn}", 1800)
    cold = server.go_on(shared + " the moon", 4)
    warm = server.go_on(shared + " an old house", 4)
    yield "2k prefix, cold, first token, ms", cold.first * 1000, "less"
    yield "2k prefix, shared, first token, ms", warm.first * 1000, "less"
    for name, interrupt in (("unload", server.unload), ("restart", server.restart)):
        # Time to put away what it has, which is not the request's.
        time.sleep(1)
        interrupt()
        # The model's own loading is not what is measured.
        server.ask("Hello.", 1)
        again = server.go_on(shared + f" the {name} by the", 4)
        yield f"2k prefix, after {name}, first token, ms", again.first * 1000, "less"


SENTENCES = ("The ferry leaves the harbour at nine and comes back before the rain. An old man sells bread and tea on deck. "
             "Children count the gulls, and the captain tells them where the wrecks lie. Nobody is in a hurry here. ")


def rewrite(server, turn):
    """A text that is written again with an edit or two, and one that is made up: with guessing, and without."""
    edited = SENTENCES.replace("nine", ("ten", "noon", "dawn")[turn % 3])
    again = server.go_on(f"{SENTENCES}\n\n{SENTENCES}\n\n{edited}\n\n{edited}\n\n{edited[:60]}", 120)
    free = server.go_on(f"{turn}. Once upon a time, in a house by the river, there lived", 160)
    yield "rewriting, tokens/s", again.rate, "more"
    yield "free text, tokens/s", free.rate, "more"
    server.said = getattr(server, "said", []) + [again.text, free.text]


def forms(server, turn):
    """Answers that are bound to fifty schemas, one after the other, and free ones as long."""
    prompt, of_form, of_free, forced = "Make something up: a short example.", [], [], []
    server.ask(prompt, 1, schema=SCHEMAS[0])
    for schema in SCHEMAS:
        answer = server.ask(prompt, 160, schema=schema)
        of_form.append(answer)
        if said_by_the_form(answer.text) >= 0.6:
            forced.append(answer)
        of_free.append(server.ask(prompt, max(answer.tokens, 2)))
    rate = lambda answers: sum(answer.tokens for answer in answers) / sum(answer.seconds for answer in answers)
    yield "free text beside them, tokens/s", rate(of_free), "more"
    yield "bound to 50 schemas, tokens/s", rate(of_form), "more"
    yield "of these, mostly forced, tokens/s", rate(forced), "more"
    yield "bound by free, times", rate(of_form) / rate(of_free), "more"
    yield "mostly forced by free, times", rate(forced) / rate(of_free), "more"


def said_by_the_form(text):
    """The part of an object's text that is names and signs, and no value."""
    try:
        values = leaves(json.loads(text))
    except ValueError:
        return 0
    return 1 - sum(len(str(value)) for value in values) / max(len(text), 1)


def leaves(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for item in inner for leaf in leaves(item)]


def embed(server, turn):
    """256 sentences for all-MiniLM-L6-v2: all in one request, and each in one of its own, by 8 callers."""
    lengths = random.Random(turn)
    sentences = [text(f"{turn} {number}", lengths.randint(4, 40)) for number in range(256)]
    server.embed(sentences[:8])
    begun = time.monotonic()
    server.embed(sentences)
    yield "embedding 256 sentences, a second", 256 / (time.monotonic() - begun), "more"
    jobs = [functools.partial(one_by_one, server, sentences[first::8]) for first in range(8)]
    yield "embedding, one by one, by 8 callers, a second", 256 / at_once(jobs)[1], "more"


def one_by_one(server, sentences):
    for sentence in sentences:
        server.embed([sentence])


def overhead(server, turn):
    """A request of one token, beyond what the engine itself took for it."""
    if server.name != "hob":
        return
    beyond = []
    for _ in range(200):
        begun = time.monotonic()
        body = {"model": "bench", "prompt": "Hello.", "raw": True, "stream": False, "options": {"num_predict": 1}}
        answer = json.load(server.request("POST", "/api/generate", body))
        engine = answer["prompt_eval_duration"] + answer["eval_duration"]
        beyond.append((time.monotonic() - begun) * 1000 - engine / 1e6)
    yield "a request beyond the engine, p50, ms", percentile(beyond, 0.5), "less"


ALL = {
    "stream": (stream, 1, 4096),
    "clients": (clients, 8, 1024),
    "intruder": (intruder, 2, 8192),
    "beside": (beside, 1, 4096),
    "prefix": (prefix, 1, 4096),
    "rewrite": (rewrite, 1, 4096),
    "forms": (forms, 1, 4096),
    "overhead": (overhead, 1, 4096),
    "embed": (embed, 8, 512),
}
