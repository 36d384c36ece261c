import ast
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from conftest import PROJECT
from lstm_lm.config.schema import Vocab
from lstm_lm.wording import UNITS, counted, counted_tokens, duration, joined, listed, make_command, unit_name


def test_every_unit_has_a_name() -> None:
    assert set(UNITS) == set(get_args(Vocab.model_fields["unit"].annotation))


def test_tokens_are_named_in_the_singular_and_the_plural() -> None:
    assert [unit_name("char"), unit_name("char", 1), unit_name("word", 0)] == ["characters", "character", "words"]
    assert [unit_name(None), counted_tokens(1, "subword"), counted_tokens(2000, "char")] == ["tokens", "1 subword", "2,000 characters"]


def test_names_are_joined_by_commas_and_a_last_and() -> None:
    assert [joined("abc"[:number]) for number in range(4)] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (83, "1 min 23 s"), (3599, "59 min 59 s"), (11_000, "3 h 3 min")],
)
def test_a_time_is_in_seconds_minutes_and_hours(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "nouns", "text"),
    [
        (1, ("word",), "1 word"),
        (0, ("word",), "0 words"),
        (2000, ("word",), "2,000 words"),
        (1, ("entry is", "entries are"), "1 entry is"),
        (3, ("entry is", "entries are"), "3 entries are"),
    ],
)
def test_a_number_is_followed_by_the_singular_or_the_plural(number: int, nouns: tuple[str, ...], text: str) -> None:
    assert counted(number, *nouns) == text


def test_no_message_leaves_the_choice_to_its_reader() -> None:
    texts_of_typer = PROJECT / "src/lstm_lm/commands/usage_errors.py"
    for path in (PROJECT / "src").rglob("*.py"):
        # The parts of an f-string are constants too. A docstring is no message.
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
        found = [text for text in texts if isinstance(text, str) and "(s)" in text.replace("http(s)", "")]
        assert path == texts_of_typer or not found, path


@pytest.mark.parametrize("name", ["slower", "lr=0.002", "it's $HOME", 'two "words" $(x);'])
def test_a_command_for_make_can_be_copied(name: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text('promote:\n\t@printf %s "$$RUN"\n')
    printed = subprocess.run(make_command("promote", RUN=name), shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed == name
    assert make_command("promote", RUN="slower") == "make promote RUN=slower"


def test_a_long_list_is_cut_and_the_rest_counted() -> None:
    assert listed(["a", "b", "c"], 3) == "a, b, c"
    assert listed(["a", "b", "c", "d", "e"], 3) == "a, b, c and 2 more"
    assert listed(["a", "b", "c"], 2, " ") == "a b and 1 more"
    assert listed([], 3) == ""
