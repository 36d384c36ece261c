"""The engine over a real SavedModel: whatever else it does, a text stays the same, and a client that left costs nothing."""

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from conftest import TINY_VOCABULARY, build_once, make_tiny_model
from lstm_lm.export.generator import Generator
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.serving.app import engine_stream
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm_serving import decode_loop
from lstm_lm_serving import engine as engine_module
from lstm_lm_serving.engine import Engine
from lstm_lm_serving.errors import Busy, Cancelled, Closed, Expired, Refused
from lstm_lm_serving.limits import Limits
from lstm_lm_serving.stream import submitted
from lstm_lm_serving.texts import Text

pytestmark = pytest.mark.slow

VOCABULARY = [*TINY_VOCABULARY, ".", ",", "("]
TOKENIZER = Tokenizer(True, "-'", punctuation="separate")
OPTIONS = [
    {"max_words": 25, "temperature": 1.0},
    {"max_words": 40, "temperature": 1.2, "repetition_penalty": 1.3, "no_repeat_ngram": 2, "seed": 5},
    {"max_words": 33, "temperature": 0.0},
    {"max_words": 60, "temperature": 1.0, "stop_at_sentence_end": True, "seed": 3},
    {"max_words": 17, "temperature": 1.5, "top_k": 6, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.9},
    {"max_words": 9, "temperature": 1.0, "samples": 3},
    {"max_words": 0},
]
PROMPTS = ["the king", "Thou art,", "to be or not to be.", "é", "zounds (the", "don't and the king the king"]
TEXTS = [Text(prompt, options, echo=True) for prompt in PROMPTS for options in OPTIONS]
HUGE = Text("the king", {"max_words": 1000, "samples": 256, "temperature": 1.0})

LATER = 6_000.0  # seconds: a deadline that allows everything, on a slow machine too


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    from lstm_lm.export.text_model import TextModel, save_vocabulary

    def build(folder: Path) -> None:
        model = make_tiny_model(vocabulary_size=len(VOCABULARY))
        TextModel(model, TOKENIZER, save_vocabulary(VOCABULARY, folder / "vocabulary.txt")).save(folder / "model")

    return build_once(tmp_path_factory, "engine", build) / "model"


@pytest.fixture(scope="module")
def engine(saved_model):
    engine = Engine(saved_model)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def expected(engine):
    """Return what the SavedModel itself generates: a list of texts for each of TEXTS."""
    generate = Generator(engine._model.model)
    return [generate([text.prompt], GenerationOptions(**text.options)) for text in TEXTS]


@pytest.fixture(autouse=True)
def idle(engine):
    """Every test leaves the engine without work."""
    yield
    assert_idle(engine)


@pytest.fixture
def make_engine(engine, saved_model, monkeypatch):
    """A function that makes another engine over the same SavedModel, which is not loaded again."""
    monkeypatch.setattr(engine_module, "SavedModel", lambda _: engine._model)
    monkeypatch.setattr(engine_module.speed, "measure", lambda *_: engine._speed)
    return lambda **limits: Engine(saved_model, Limits(**limits))


def test_a_reader_far_behind_does_not_stop_its_event_loop(engine):
    """All words are there before the first one is read: signals and other requests must not wait for the last one."""
    stream = engine.submit([Text("the king", {"samples": 40, "max_words": 50})])
    expected = [completion.content for completion in stream.result()]
    turns = 0

    async def read():
        nonlocal turns
        reading = asyncio.create_task(read_all())
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)
        return await reading

    async def read_all():
        texts = [""] * 40
        async for pieces in engine_stream.pieces(stream):
            assert len(pieces) <= engine_stream.MAX_PIECES
            for piece in pieces:
                texts[piece.sample] += piece.new_text
        return texts

    assert asyncio.run(read()) == expected
    assert turns >= 40 / engine_stream.MAX_PIECES


def assert_idle(engine, seconds=5.0):
    end = time.monotonic() + seconds
    while (now := engine.statistics()).rows or now.waiting or now.requests:
        assert time.monotonic() < end, now
        time.sleep(0.01)


def contents(stream):
    return [completion.content.strip() for completion in stream.result()]


def joined(pieces):
    texts = {}
    for piece in pieces:
        texts[piece.text, piece.sample] = texts.get((piece.text, piece.sample), "") + piece.new_text
    return [texts[key].strip() for key in sorted(texts)]


def test_alone_together_and_in_pieces_a_text_is_that_of_the_saved_model(engine, expected):
    assert [contents(engine.submit([text])) for text in TEXTS] == expected
    everything = [content for contents in expected for content in contents]
    assert contents(engine.submit(TEXTS)) == everything
    assert joined(engine.submit(TEXTS)) == everything


def test_64_threads_get_the_same_texts(engine, expected):
    def read(number):
        text = number % len(TEXTS)
        stream = engine.submit([TEXTS[text]])
        return (joined(stream) if number % 2 else contents(stream)) == expected[text]

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(read, range(4 * len(TEXTS))))


def test_rows_that_leave_the_batch_for_others_resume_with_the_same_words(make_engine, expected, monkeypatch):
    monkeypatch.setattr(decode_loop, "TURN_SECONDS", 0.002)
    narrow = make_engine(max_rows=3)
    streams = [narrow.submit([text]) for text in TEXTS]
    assert [contents(stream) for stream in streams] == expected
    narrow.close()


def test_a_short_text_is_answered_at_once_beside_huge_requests(engine, expected):
    huge = [engine.submit([HUGE], LATER) for _ in range(6)]
    many = [engine.submit([Text("thou art", {"max_words": 1000, "temperature": 1.0, "seed": seed})], LATER) for seed in range(80)]
    time.sleep(0.3)
    for number in (0, 2, 4):
        start = time.monotonic()
        assert contents(engine.submit([TEXTS[number]])) == expected[number]
        assert time.monotonic() - start < 1.0
    assert not any(stream.has_ended for stream in huge)
    for stream in (*huge, *many):
        stream.cancel()


def test_nothing_is_computed_for_who_left(engine):
    before = engine.statistics()
    streams = [engine.submit([HUGE], LATER) for _ in range(2)]
    assert streams[0].next()
    assert engine.statistics().rows == engine.limits.max_rows
    for stream in streams:
        stream.cancel()
        stream.cancel()
        with pytest.raises(Cancelled, match="the request was cancelled"):
            stream.result()
        with pytest.raises(Cancelled):
            next(iter(stream))
    assert_idle(engine, seconds=1.0)
    words = engine.statistics().words
    time.sleep(0.2)
    after = engine.statistics()
    assert after.words == words < before.words + 2 * 256_000
    assert after.cancelled == before.cancelled + 2


def test_64_clients_that_leave_at_random_moments_leave_nothing_behind(engine, expected):
    def read(number):
        text = number % len(TEXTS)
        stream = engine.submit([HUGE] if number % 3 == 0 else [TEXTS[text]], LATER)
        if number % 3 == 2:
            return contents(stream) == expected[text]
        time.sleep(number % 7 / 1000)
        stream.cancel()
        return True

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(read, range(192)))
    assert_idle(engine, seconds=1.0)


def test_at_the_deadline_the_rows_leave(engine):
    engine._speed.slowdown = 1e-3  # the budget would refuse it
    stream = engine.submit([HUGE], deadline=0.3)
    start = time.monotonic()
    with pytest.raises(Expired, match=r"the deadline came before the texts were complete: \d+ of 256000 words were generated"):
        stream.result()
    assert time.monotonic() - start < 1.0
    assert_idle(engine, seconds=1.0)
    assert engine.statistics().expired >= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (Text("king", {"max_words": 1001}), "max_words = 1001: must be a whole number from 0 to 1000"),
        (Text("king", {"samples": 3}, best_of=2), "best_of = 2 with samples = 3: must be at least as many"),
        (Text("king", best_of=257), "best_of = 257: must be a whole number from 0 to 256"),
        (Text("king", logprobs=21), "logprobs = 21: must be a whole number from 0 to"),
        (Text("king", stop=("",)), 'stop = "": must be a string of 1 to 100 characters'),
        (Text("king", logit_bias={"queen": 1}), 'logit_bias of "queen": must be a word of the vocabulary or an id from 1 to 14'),
        (Text("king", {"beam_width": 2}, logprobs=1), "beam_width = 2: logprobs, best_of and logit_bias are for sampled texts only"),
        (Text("king", {"beam_width": 256, "max_words": 1000}), "= 256000 words of beam searches: must be at most 50000"),
    ],
)
def test_what_is_not_allowed_is_refused_at_once(engine, text, message):
    before = engine.statistics()
    with pytest.raises(Refused) as refused:
        engine.submit([text])
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    after = engine.statistics()
    assert (after.refused, after.accepted) == (before.refused + 1, before.accepted)


def test_what_cannot_be_done_before_its_deadline_is_refused(engine):
    with pytest.raises(Refused, match=r"256000 words would take about .* s on this machine"):
        engine.submit([HUGE], deadline=0.01)
    streams = [engine.submit([HUGE], LATER) for _ in range(2)]
    with pytest.raises(Busy, match="2 requests with 512000 words are being answered") as busy:
        engine.submit([HUGE], deadline=1.5 * streams[0].estimated_seconds)
    assert busy.value.retry_after > 0
    for stream in streams:
        stream.cancel()


def test_a_stop_string_is_found_across_words_and_pieces(engine):
    options = {"max_words": 60, "temperature": 1.0}
    [whole] = engine.submit([Text("the king", options)]).result()
    assert (whole.finish_reason, whole.count) == ("length", 60)
    for start, length in ((20, 7), (33, 1), (60, 12), (0, 3)):
        stop = whole.content[start : start + length]
        until = whole.content[: whole.content.index(stop)]
        text = Text("the king", options, stop=("no such text", stop))
        [stopped] = engine.submit([text]).result()
        assert (stopped.content, stopped.finish_reason) == (until, "stop")
        pieces = list(engine.submit([text]))
        assert "".join(piece.new_text for piece in pieces) == until
        assert [piece.finish_reason for piece in pieces] == [None] * (len(pieces) - 1) + ["stop"]


def test_the_end_of_a_sentence_is_a_stop(engine):
    ends = engine.submit([Text("king", {"max_words": 200, "stop_at_sentence_end": True, "temperature": 1.0, "samples": 20})]).result()
    assert all(end.finish_reason == "stop" and end.content.count(".") == 1 and end.content.endswith(".") for end in ends)
    assert all(end.count == len(end.content.replace(",", " ,").replace(".", " .").replace("(", "( ").split()) for end in ends)


def test_probabilities_are_those_of_the_model(engine):
    options = {"max_words": 20, "temperature": 0.5, "top_k": 5, "repetition_penalty": 1.2}
    [completion] = engine.submit([Text("the king", options, logprobs=4, echo=True)]).result()
    assert "".join(word.text for word in completion.words) == completion.content
    assert [completion.content[word.offset :].startswith(word.text) for word in completion.words] == [True] * 22
    score = engine.score(completion.content, TOKENIZER.tokenize)
    assert score.tokens == tuple(word.token for word in completion.words)
    assert completion.words[0].log_probability is None is score.nats[0]
    for word, nats in zip(completion.words[1:], score.nats[1:], strict=True):
        assert word.log_probability == pytest.approx(-nats, abs=1e-4)
    text = "the king"
    for word in completion.words[2:5]:
        [following] = engine.next_words([text], 4)
        assert [name.strip() for name, _ in word.top] == list(following.words)
        assert [value for _, value in word.top] == pytest.approx(following.log_probabilities, abs=1e-4)
        text += word.text
    pieces = list(engine.submit([Text("the king", options, logprobs=4, echo=True)]))
    assert tuple(word for piece in pieces for word in piece.words) == completion.words


def test_the_best_texts_are_those_with_the_highest_mean_log_probability(engine):
    options = {"max_words": 12, "temperature": 1.5, "stop_at_sentence_end": True}
    candidates = engine.submit([Text("thou", {**options, "samples": 10}, logprobs=0)]).result()
    ranked = sorted(candidates, key=lambda text: -sum(word.log_probability for word in text.words) / text.count)
    best = engine.submit([Text("thou", {**options, "samples": 3}, best_of=10)]).result()
    assert [text.content for text in best] == [text.content for text in ranked[:3]]
    assert [text.sample for text in best] == [0, 1, 2]
    assert joined(engine.submit([Text("thou", {**options, "samples": 3}, best_of=10)])) == [text.content.strip() for text in best]


def test_a_text_without_words_is_never_the_best(engine):
    options = {"max_words": 4, "temperature": 1.0, "samples": 1}
    texts = joined(engine.submit([Text("thou", {**options, "samples": 10})]))
    first = {text.split()[0] for text in texts}
    assert len(first) > 1
    [best] = engine.submit([Text("thou", options, stop=(f" {min(first)}",), best_of=10)]).result()
    assert best.content.strip()


def test_an_option_that_is_off_once_it_is_rounded_changes_nothing(engine):
    plain, rounded = (Text("thou art", {"max_words": 6, "repetition_penalty": value}) for value in (1.0, 1.00000001))
    assert joined(engine.submit([rounded])) == joined(engine.submit([plain]))


def test_the_logit_bias_forbids_and_forces_words(engine):
    options = {"max_words": 30, "temperature": 1.0}
    bias = dict.fromkeys(set(VOCABULARY[1:]) - {"king", "thou"}, -100)
    texts = [Text("the", options, logit_bias=bias), Text("the", options, logit_bias={"5": 100}), Text("the", options)]
    forbidden, forced, free = contents(engine.submit(texts))
    assert set(forbidden.split()) == {"king", "thou"}
    assert set(forced.split()) == {VOCABULARY[5]}
    assert [free] == contents(engine.submit(texts[2:]))


def test_beam_searches_are_those_of_the_saved_model(engine):
    options = {"max_words": 9, "beam_width": 4, "samples": 2}
    generate = Generator(engine._model.model)
    expected = generate(["the king", "thou art,"], GenerationOptions(**options))
    stream = engine.submit([Text("the king", options, echo=True), Text("thou art,", options, echo=True)])
    assert contents(stream) == expected
    assert [facts.words for facts in stream.prompts] == [2, 3]
    [first, _] = engine.submit([Text("the king", options, stop=(expected[0].split()[4],))]).result()
    assert first.finish_reason == "stop"
    assert first.count == len(first.content.split())
    assert len(first.content.split()) <= 2


def test_a_cancelled_beam_search_ends_between_its_prompts(engine):
    text = Text("the king", {"max_words": 40, "beam_width": 8})
    stream = engine.submit([text] * 30)
    assert stream.next()
    stream.cancel()
    words = engine.statistics().words
    time.sleep(0.5)
    assert engine.statistics().words <= words + 40
    with pytest.raises(Cancelled):
        stream.result()


def test_long_prompts_are_read_beside_the_decode_loop(engine):
    prompt = "the king and thou art " * 454  # 9,988 characters
    long = engine.submit([Text(prompt, {"max_words": 5})] * 8)
    start = time.monotonic()
    engine.submit([Text("the king", {"max_words": 5})]).result()
    assert time.monotonic() - start < 1.0
    texts = [completion.content for completion in long.result()]
    assert texts == [Generator(engine._model.model)([prompt], GenerationOptions(max_words=5))[0].removeprefix(prompt)] * 8
    assert [(facts.words, facts.known) for facts in long.prompts] == [(2270, 2270)] * 8


def test_a_prompt_that_ends_with_a_space_is_continued_without_another(engine):
    plain, spaced = (engine.submit([Text(prompt, {"max_words": 5})]).result()[0].content for prompt in ("the king", "the king "))
    assert plain == f" {spaced}"


def test_streams_wake_event_loops(engine):
    async def read():
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        stream = engine.submit([TEXTS[0]])
        stream.notify(lambda: loop.call_soon_threadsafe(ready.set))
        pieces = []
        while True:
            await asyncio.wait_for(ready.wait(), 5)
            ready.clear()
            try:
                new = stream.next(timeout=0)
            except TimeoutError:
                continue
            if not new:
                return pieces
            pieces += new
            if pieces[-1].finish_reason:
                return pieces

    assert joined(asyncio.run(read())) == contents(engine.submit([TEXTS[0]]))


def test_a_stream_that_nobody_drives_is_found_in_its_context(engine):
    streams = []
    token = submitted.set(streams)
    try:
        engine.submit([TEXTS[0]]).result()
    finally:
        submitted.reset(token)
    engine.submit([TEXTS[0]]).result()
    assert len(streams) == 1


def test_the_statistics_add_up(engine):
    before = engine.statistics()
    completions = engine.submit([Text("zounds the king", {"max_words": 30, "samples": 7})]).result()
    assert_idle(engine)
    after = engine.statistics()
    assert after.words - before.words == sum(completion.count for completion in completions) == 210
    assert (after.prompt_words - before.prompt_words, after.known_words - before.known_words) == (3, 2)
    assert 30 <= after.steps - before.steps < 40
    assert after.busy_seconds > before.busy_seconds
    assert after.words_per_second > 0
    assert (after.accepted - before.accepted, after.completed - before.completed) == (1, 1)
    assert sorted(after.step_seconds) == [1, 8, 64]


def test_scores_and_next_words_check_what_they_are_given(engine):
    with pytest.raises(Refused, match='prompt of row 0 = "": must contain at least one word'):
        engine.score("", TOKENIZER.tokenize)
    with pytest.raises(Refused, match="prompt of row 0 has 100001 characters: must be at most 100000"):
        engine.score("a" * 100_001, TOKENIZER.tokenize)
    with pytest.raises(Refused, match="k = 15: must be a whole number from 1 to 14"):
        engine.next_words(["king"], 15)


def test_the_thread_ends_when_idle_and_starts_again(engine, monkeypatch, expected):
    assert contents(engine.submit([TEXTS[0]])) == expected[0]
    monkeypatch.setattr(engine_module, "IDLE_SECONDS", 0.05)
    engine.submit([TEXTS[0]]).result()
    end = time.monotonic() + 40
    while any(thread.name == engine_module.THREAD for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert contents(engine.submit([TEXTS[0]])) == expected[0]


def test_a_closed_engine_ends_its_streams(make_engine):
    engine = make_engine(max_rows=4)
    stream = engine.submit([HUGE], LATER)
    assert stream.next()
    engine.close()
    with pytest.raises(Closed, match="the engine was closed"):
        stream.result()
    with pytest.raises(Closed):
        engine.submit([TEXTS[0]])
    with pytest.raises(Closed):
        engine.score("the king", TOKENIZER.tokenize)


def test_a_failure_ends_the_requests_and_not_the_engine(engine, monkeypatch, expected, caplog):
    def fail(*_):
        raise ValueError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(engine._model, "prefill", fail)
        with pytest.raises(Closed, match="the decode loop has failed: ValueError"):
            engine.submit([TEXTS[0]]).result()
    assert "out of order" in caplog.text
    assert contents(engine.submit([TEXTS[0]])) == expected[0]


def test_memory_stays_flat(engine):
    def work():
        streams = [engine.submit([Text("the king", {"max_words": 40, "samples": 20, "no_repeat_ngram": n % 3})]) for n in range(6)]
        for stream in streams:
            stream.result()
        gc.collect()

    for _ in range(3):
        work()
    before = psutil.Process().memory_info().rss
    for _ in range(9):
        work()
    assert psutil.Process().memory_info().rss < before + 25e6
