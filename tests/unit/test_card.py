import ast
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from card_inputs import DETAILS, PARAMETERS, RUN_ID, card_inputs, run_files
from lstm_lm.generation import options
from lstm_lm.ui.report import card
from lstm_lm.ui.report.inputs import GeneratedText


def sections(text: str) -> dict[str, str]:
    """Return the sections of a card by their titles."""
    _, *parts = text.strip().split(f"\n\n{card.HEADING}")
    return {part.partition("\n\n")[0]: part.partition("\n\n")[2] for part in parts}


def test_the_first_line_is_the_result_as_plain_text() -> None:
    first = card.build(card_inputs()).splitlines()[0]
    assert first.startswith("Perplexity 166.4 per word on the test text (95% interval 158.7 to 174.4)")
    assert not re.search(r"[*_`#<|]", first)


def test_the_card_has_the_sections_of_a_model_card_and_says_what_the_model_is() -> None:
    found = sections(card.build(card_inputs()))
    assert list(found) == list(card.SECTIONS)
    details = found["Model details"]
    assert "1,856,348" in details
    assert "an embedding of 160, 1 LSTM layer of 320 units, a projection to 160, and a softmax over all words" in details
    assert "step 1,450 (epoch 2) of 2,175 steps" in details
    assert RUN_ID in details
    assert "started from" not in details


def test_held_out_files_are_named_and_many_are_counted() -> None:
    found = sections(card.build(card_inputs()))["Splits"]
    assert "Test text, whole files: `` histories/king`john.txt ``." in found
    assert "Validation text, whole files: `roman/julius_caesar.txt`." in found
    names = [f"{number}.txt" for number in range(card.MAX_FILES + 1_000)]
    assert card.file_list(names).endswith("`19.txt` and 1,000 more")


def test_files_that_are_in_both_splits_are_held_out_in_part() -> None:
    part = {"words": 9, "documents": 1, "files": ["a.txt"]}
    found = sections(card.build(card_inputs({"splits": {"train": part, "test": part, "validation": part}})))["Splits"]
    assert "Test text, the end of each of these files: `a.txt`." in found


def test_costs_come_from_the_run_where_it_has_them_and_else_from_its_history() -> None:
    found = sections(card.build(card_inputs()))["Training"]
    assert "- **time**: 6 s" in found  # 60,000 words at 20,000 a second, 90,000 at 30,000
    assert "- **energy**: not measured" in found
    assert "- **machine**: not recorded" in found
    assert "- **dropout**: input 0.15" in found
    used = {"seconds": 81.2, "cpu_seconds": 150.0, "energy_joules": 7200.0, "energy_of": ["package-0", "NVIDIA A"], "machine": "2 cores"}
    measured = sections(card.build(card_inputs(**used)))["Training"]
    assert "- **time**: 1 min 21 s" in measured
    assert "- **CPU time**: 2 min 30 s" in measured
    assert "- **energy**: 2.00 Wh (7,200 J), of CPU package and GPU (NVIDIA A)" in measured
    assert "- **machine**: 2 cores" in measured


def test_all_generation_options_are_listed_with_their_defaults() -> None:
    found = sections(card.build(card_inputs()))["Generation options"]
    for option in options.options():
        value = str(option.default).lower() if option.type is bool else f"{option.default:g}"
        assert f"`{option.name}` {value}" in found.partition("\n")[0]
        assert f"| `{option.name}` | {value} |" in found


def test_the_commit_is_named_where_it_is_known() -> None:
    assert "git checkout abc123\nmake repro" in card.build(card_inputs())
    assert "uncommitted changes" not in card.build(card_inputs())
    assert "uncommitted changes" in card.build(card_inputs({"run": {"commit": "abc123", "dirty": True}}))
    assert "git checkout" not in card.build(card_inputs({"run": {"commit": None}}))
    assert "text in data/own" not in card.build(card_inputs({"run": {"commit": "abc123", "text_in_commit": True}}))
    assert "text in data/own is not in this commit" in card.build(card_inputs({"run": {"commit": "abc123", "text_in_commit": False}}))


def test_a_start_from_other_weights_is_named_without_its_password() -> None:
    parameters = {**PARAMETERS, "train.init_from": "http://me:secret@host/weights"}
    text = card.build(card_inputs({"run": {"parameters": parameters}}))
    assert "started from" in text
    assert "secret" not in text


@pytest.mark.parametrize("empty", [None, {}])
def test_a_run_about_which_little_is_known_has_a_card_too(empty: dict[str, object] | None) -> None:
    unknown = dict.fromkeys(DETAILS, empty)
    text = card.build(card.CardInputs(run_files({**unknown, "unit": None, "run": empty}, {}), "lstm_lm"))
    assert list(sections(text)) == list(card.SECTIONS)
    assert "None" not in text
    assert "Not computed for this run." in text


@pytest.mark.parametrize(("unit", "name"), [("char", "character"), ("subword", "subword")])
def test_tokens_are_called_what_they_are(unit: str, name: str) -> None:
    text = card.build(card_inputs({"unit": unit}))
    assert f"Perplexity 166.4 per {name} on the test text" in text
    assert f"7,388 {name}s" in text
    text = text.replace("4-grams of words between spaces", "")  # those of sampled texts, which are read as text
    assert not re.search(r"\bwords?\b", text.partition("## Generation options")[0])


def test_the_examples_load_this_model_and_survive_any_prompt(tmp_path: Path) -> None:
    prompt = '\'tis "so"\\ 😀\n$HOME `id`'
    inputs = card_inputs()
    files = replace(inputs.files, samples=[GeneratedText("Greedy", prompt, " on")])
    found = sections(card.build(replace(inputs, files=files)))["How to use"]
    serve, curl = found.split("```\n")[1].splitlines()
    assert serve == f"make serve MODEL={RUN_ID}"
    assert json.loads(shlex.split(curl)[-1]) == {"prompt": prompt, "max_tokens": 20}
    load, predict = ast.parse(found.split("```python\n")[1].removesuffix("```")).body[1:]
    assert ast.literal_eval(load.value.args[0]) == f"runs:/{RUN_ID}/model"  # type: ignore[attr-defined]
    assert prompt in [node.value for node in ast.walk(predict) if isinstance(node, ast.Constant)]
    unknown = sections(card.build(replace(inputs, files=replace(files, run={}))))["How to use"]
    assert 'load_model("models:/lstm_lm@champion")' in unknown
    assert unknown.startswith("The registry's champion, which may be another model, served")


@pytest.mark.parametrize("limit", [400, 1_500, 3_000, 5_000, 100_000])
def test_a_card_is_shortened_to_what_the_registry_keeps(limit: int) -> None:
    whole = card.build(card_inputs()).strip()
    short = card.shortened(whole, limit, "The whole card is elsewhere.")
    assert len(short.encode()) <= limit
    assert short.startswith(whole.splitlines()[0])
    assert (short == whole) == (len(whole) <= limit)
    if short != whole:
        assert short.endswith("The whole card is elsewhere.")
    if limit == 5_000:
        assert {"Evaluation", "Limits", "How to use"} <= set(sections(short))


def test_the_limit_is_in_bytes() -> None:
    assert card.cut("aéb", 2) == "a"
    assert card.cut("aéb", 3) == "aé"
    names = {"train": {"files": []}, "test": {"files": ["пьеса.txt"] * 20}, "validation": {"files": ["пьеса.txt"] * 20}}
    short = card.shortened(card.build(card_inputs({"splits": names})), 5_000, "elsewhere")
    assert len(short) < len(short.encode()) <= 5_000


def test_every_section_can_be_left_out_of_a_shortened_card() -> None:
    assert {title for title, paragraphs in card.STEPS if not paragraphs} == set(card.SECTIONS)


def test_writing_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    card.write(run_files(), "lstm_lm", tmp_path)
    first = (tmp_path / card.FILE).read_bytes()
    card.write(run_files(), "lstm_lm", tmp_path)
    assert (tmp_path / card.FILE).read_bytes() == first == card.build(card_inputs()).encode()
