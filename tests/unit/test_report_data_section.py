"""What the report says of the text and of how to make the model again."""

import pytest

from lstm_lm.ui.report.data_section import data_section
from lstm_lm.ui.report.reproduction import reproduction
from report_files import report_inputs, with_details


def test_splits_have_their_sizes_files_and_unknown_words() -> None:
    found = data_section(report_inputs(vocabulary={"train": {"oov_rate": 0.25}}))
    assert [(split["title"], split["words"], split["unknown"]) for split in found["splits"]] == [
        ("training", "1,000", "25.0%"),
        ("validation", "1,000", "5.0%"),
        ("test", "1,000", "5.0%"),
    ]
    assert found["splits"][0]["files"][0] == "train.txt"
    assert data_section(report_inputs())["splits"][0]["unknown"] == "-"


def test_reproduction_names_commit_and_parameters_by_section() -> None:
    found = reproduction(report_inputs(run={"run_id": "a", "seconds": 60, "energy_joules": 7200, "energy_of": ["package-0", "dram"]}))
    assert found["commands"] == ["git checkout 0123abc", "make repro"]
    assert found["parameters"] == [("train", [("clip_norm", "1.0")]), ("model", [("hidden_size", "8")])]
    assert ("energy", "2.00 Wh (7,200 J), of CPU package and memory") in found["facts"]
    assert ("energy", "not measured") in reproduction(report_inputs(run={"run_id": "a", "energy_joules": None}))["facts"]
    assert ("steps", "40") in found["facts"]
    unknown = reproduction(with_details(run=None))
    assert (unknown["commands"], unknown["parameters"], unknown["missing"]) == (["make repro"], [], "")


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"dirty": False, "text_in_commit": True}, []),
        ({"dirty": True, "text_in_commit": None}, ["uncommitted changes"]),
        ({"dirty": False, "text_in_commit": False}, ["text in data/own is not in this commit"]),
        ({"dirty": True, "text_in_commit": False}, ["uncommitted changes", "text in data/own is not in this commit"]),
    ],
)
def test_what_the_commit_lacks_is_named(facts: dict[str, bool | None], missing: list[str]) -> None:
    text = reproduction(with_details(run={"commit": "0123abc", **facts}))["missing"]
    assert [words for words in ("uncommitted changes", "text in data/own is not in this commit") if words in text] == missing
