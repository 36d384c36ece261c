"""Notes on parameters and prompts that fit the shipped text only."""

import re
from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading
from lstm_lm.config.schema import Params
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.ui import data_stages, own_text_notes

SHIPPED = loading.read(PROJECT / "params.yaml")
OWN = {"download.source": {"path": "data/own"}}


def settings_of(changes: dict[str, object]) -> Params:
    return loading.check(keys.with_changes(SHIPPED, changes))


def test_a_short_text_is_noted_with_the_parameters_that_are_not_changed_yet() -> None:
    line = own_text_notes.short_text_line(90_964, settings_of({"vocab.min_count": 2, "model.dropout_input": 0.6}))
    assert line is not None
    assert line.startswith("90,964 words of training text are few for the default parameters")
    assert ": model.dropout_output (0.15), train.epochs (3);" in line
    assert own_text_notes.SHORT_TEXT_PAGE in line
    assert "vocab.min_count (6)" in str(own_text_notes.short_text_line(90_964, settings_of({})))
    assert "vocab.min_count" not in str(
        own_text_notes.short_text_line(90_964, settings_of({"vocab.unit": "subword", "vocab.max_size": 99}))
    )


def test_nothing_is_noted_of_a_long_text_or_where_all_is_changed() -> None:
    changed = {name: 2 if name in ("vocab.min_count", "train.epochs") else 0.3 for name in PARAMETERS}
    assert own_text_notes.short_text_line(90_964, settings_of(changed)) is None
    assert own_text_notes.short_text_line(900_000, settings_of({})) is None
    assert own_text_notes.short_text_line(900_001, settings_of({"vocab.unit": "char"})) is None


def test_characters_are_counted_as_characters() -> None:
    line = own_text_notes.short_text_line(550_000, settings_of({"vocab.unit": "char"}))
    assert line is not None and line.startswith("550,000 characters of training text are few")


PARAMETERS = own_text_notes.SHORT_TEXT_PARAMETERS


def test_the_page_on_short_texts_has_a_value_for_each_of_the_parameters() -> None:
    path, _, anchor = own_text_notes.SHORT_TEXT_PAGE.partition("#")
    heading = f"## {anchor.replace('-', ' ').capitalize()}\n"
    section = (PROJECT / path).read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0]
    assert section
    assert [name for name in PARAMETERS if not re.search(rf"\b{name.partition('.')[2]}: ", section)] == []


def test_prompts_of_the_shipped_text_are_noted_with_another_one() -> None:
    assert own_text_notes.shipped_prompts_line(settings_of({})) is None
    line = own_text_notes.shipped_prompts_line(settings_of(OWN))
    assert line is not None and "set reporting.prime_texts and evaluate_sample.prime_texts in params.yaml" in line
    line = own_text_notes.shipped_prompts_line(settings_of({**OWN, "reporting.prime_texts": ["if the file"]}))
    assert line is not None and "set evaluate_sample.prime_texts in" in line
    both = {**OWN, "reporting.prime_texts": ["if the file"], "evaluate_sample.prime_texts": ["returns a"]}
    assert own_text_notes.shipped_prompts_line(settings_of(both)) is None


def test_the_stage_download_has_the_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    data_stages.show_raw_text(1, 2_000_000, {})  # without params.yaml
    assert capsys.readouterr().err == ""
    text = (PROJECT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(re.sub(r"(?m)^  source: .*$", "  source: {path: data/own}", text), encoding="utf-8")
    data_stages.show_raw_text(1, 2_000_000, {})
    assert capsys.readouterr().err.startswith("note: the prompts of the samples are still those for Shakespeare's plays: set ")


def test_words_of_the_prompts_that_the_model_does_not_know_are_named(tmp_path: Path) -> None:
    assert own_text_notes.unknown_prompt_words_line(["to be"], tmp_path) is None  # there is no model
    (tmp_path / "assets").mkdir()
    Tokenizer(True, "-'").save(tmp_path / "assets/tokenizer.json")
    (tmp_path / "assets/vocabulary.txt").write_text("<unk>\nto\nbe\n")
    assert own_text_notes.unknown_prompt_words_line(["To be!", "be to"], tmp_path) is None
    line = own_text_notes.unknown_prompt_words_line(["thou art", "to be, thou"], tmp_path)
    assert line is not None and line.startswith("the model does not know these words of the prompts: thou art; evaluate_sample.prime_texts")
    many = [" ".join(f"w{'abcdefghijkl'[i]}" for i in range(12))]
    assert "wh and 4 more;" in str(own_text_notes.unknown_prompt_words_line(many, tmp_path))
