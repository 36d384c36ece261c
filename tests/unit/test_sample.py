import math
import re
from pathlib import Path

import pytest

from lstm_lm.commands import local_model, sample
from lstm_lm.commands.sample import Source
from lstm_lm.commands.text_printer import TextPrinter
from lstm_lm.errors import UserError
from lstm_lm.export.generator import Generator
from lstm_lm.export.text_model import load_text_model
from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm_serving.engine import Engine

LACKS = "the model does not know these words of the prompt: "


def test_each_generation_option_has_a_flag() -> None:
    received = []
    command = sample.with_generation_options(lambda *arguments: received.append(arguments))
    defaults = {row.name: row.default for row in options.options()}
    assert list(command.__annotations__) == ["prompt", *defaults, "stop", "url", "api_key"]
    command(prompt="to be", stop=["be", "to"], url=None, api_key="key", **defaults | {"top_k": 3})
    assert received == [("to be", GenerationOptions(top_k=3), Source(("be", "to"), None, "key"))]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top_p": 0.0}, "--top-p = 0.0: must be above 0 and at most 1"),
        ({"temperature": float("nan")}, "--temperature = nan: must be from 0 to 100"),
        ({"seed": -1}, "--seed = -1: must be from 0 to 2147483647"),
        ({"no_repeat_ngram": 101}, "--no-repeat-ngram = 101: must be from 0 to 100"),
        ({"beam_width": 2, "samples": 3}, "--samples = 3: must be at most --beam-width, which is 2"),
    ],
)
def test_an_invalid_value_is_reported_with_its_flag(values: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        sample.check_options(values)


def test_a_server_checks_values_itself_but_those_that_cannot_be_sent() -> None:
    received = []
    command = sample.with_generation_options(lambda *arguments: received.append(arguments))
    values = {row.name: row.default for row in options.options()} | {"max_words": -1, "top_p": 7.0}
    command(prompt="to be", stop=None, url="http://127.0.0.1:5001", api_key=None, **values)
    assert (received[0][1].max_words, received[0][1].top_p) == (-1, 7.0)
    with pytest.raises(UserError, match="--temperature = inf: must be from 0 to 100"):
        command(prompt="to be", stop=None, url="http://127.0.0.1:5001", api_key=None, **values | {"max_words": 3, "temperature": math.inf})


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "contains no words"),
        (" \n", "contains no words"),
        ("x" * 10_001, "the prompt has 10,001 characters: must be at most 10,000"),
        ("caf\udce9", "the prompt is not UTF-8"),
    ],
)
def test_an_invalid_prompt_is_rejected(prompt: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sample.check_prompt(prompt)


@pytest.mark.parametrize(
    ("tokens", "note"),
    [
        ({"the": True, "king": True}, ""),
        ({"xyzzy": False, "the": True, "plugh": False}, f"{LACKS}xyzzy plugh\n"),
        ({"xyzzy": False, " ": True}, "the model knows no word of the prompt: what follows has nothing to do with it\n"),
        ({"a": True, **dict.fromkeys("bcdefghijk", False)}, f"{LACKS}b c d e f g h i and 2 more\n"),
    ],
)  # fmt: skip
def test_unknown_words_of_a_prompt_are_reported(tokens: dict[str, bool], note: str, capsys: pytest.CaptureFixture[str]) -> None:
    sample.note_unknown_words([*tokens.items(), *list(tokens.items())[:1]], "word")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"note: {note}" if note else "")


@pytest.mark.slow
def test_a_prompt_is_checked_with_the_tokenizer_of_the_model(
    tiny_saved_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # data/vocab is of another text: experiments and `dvc checkout` leave it behind the model, or ahead of it.
    (tmp_path / "models").mkdir()
    (tmp_path / "models/saved_model").symlink_to(tiny_saved_models / "1/saved_model")
    (tmp_path / "data/vocab").mkdir(parents=True)
    Tokenizer(False, "", unit="char").save(tmp_path / "data/vocab/tokenizer.json")
    monkeypatch.chdir(tmp_path)
    import tensorflow as tf

    for name in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):  # too late: TensorFlow is in use already
        monkeypatch.setattr(tf.config.threading, name, lambda number: None)
    sample.sample("The KING", GenerationOptions(max_words=1), Source())
    printed = capsys.readouterr()
    assert printed.out.startswith("The KING ")
    assert printed.err == ""
    sample.sample("h", GenerationOptions(max_words=1, stop_at_sentence_end=True), Source())
    printed = capsys.readouterr()
    assert printed.out.startswith("h ")
    assert [line.partition(": ")[2][:40] for line in printed.err.splitlines()] == [
        "the model knows no word of the prompt: w",
        "--stop-at-sentence-end has no effect: no",
    ]
    with pytest.raises(UserError, match="contains no words"):
        sample.sample("?!", GenerationOptions(max_words=1), Source())


@pytest.mark.slow
def test_the_printed_texts_are_those_of_the_saved_model(tiny_saved_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, prompt = tiny_saved_models / "1/saved_model", "  Thou art "
    generate, engine = Generator(load_text_model(folder)), Engine(folder, local_model.LIMITS, warm_up=False)
    for values in (
        {"samples": 3, "max_words": 30},
        {"temperature": 0.0, "max_words": 0},
        {"beam_width": 3, "samples": 2, "max_words": 5},
        {"max_words": 1200},  # more than a server allows
    ):
        generation = GenerationOptions(**values)
        TextPrinter().print_all(local_model.complete(engine, prompt, generation))
        assert capsys.readouterr().out.splitlines() == generate([prompt], generation)
    [text] = generate([prompt], GenerationOptions())
    for stop in (text.split()[7], " ".join(text.split()[4:6])):
        TextPrinter().print_all(local_model.complete(engine, prompt, GenerationOptions(), ["xyzzy", stop]))
        place = len("Thou art") + text[len("Thou art") :].index(stop)
        assert capsys.readouterr().out == f"{text[:place].rstrip()}\n"
    with pytest.raises(UserError, match=r"^stop has 17 strings: must be at most 16$"):
        list(local_model.complete(engine, prompt, GenerationOptions(), ["x"] * 17))
    engine.close()


def test_an_empty_stop_string_is_reported() -> None:
    with pytest.raises(UserError, match=r"^--stop '': must be a text of at least one character$"):
        sample.sample("to be", GenerationOptions(), Source(("",)))
