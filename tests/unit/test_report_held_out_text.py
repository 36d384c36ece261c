"""Whether held-out text is whole documents or parts of them."""

import pytest

from lstm_lm.ui.report import held_out_text
from report_files import with_details


@pytest.mark.parametrize(
    ("train", "validation", "name", "document"),
    [
        (["b.txt"], ["c.txt"], "document", "a.txt"),
        (["a.txt", "b.txt"], ["c.txt"], "held-out part", "the held-out part of a.txt"),
        (["b.txt"], ["a.txt"], "held-out part", "the held-out part of a.txt"),
        ([], ["c.txt"], "held-out text", "the held-out text of a.txt"),
    ],
)
def test_a_document_of_two_splits_is_held_out_in_part(train: list[str], validation: list[str], name: str, document: str) -> None:
    files = {"train": train, "validation": validation, "test": ["a.txt"]}
    inputs = with_details(splits={split: {"files": names} for split, names in files.items()})
    assert held_out_text.name(inputs) == name
    assert held_out_text.of_document(inputs, "test", "a.txt") == document


def test_unknown_files_and_documents_are_held_out_text() -> None:
    assert held_out_text.name(with_details(splits=None)) == "held-out text"
    whole = with_details(splits={"train": {"files": ["b.txt"]}, "test": {"files": ["a.txt"]}})
    assert held_out_text.of_document(whole, "test", "z.txt") == "the held-out text of z.txt"
