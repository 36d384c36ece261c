"""The picture of the graphs in the report, and the counts of parameters beside it."""

import base64
from typing import Any

import pytest

from lstm_lm.ui.report import graphs, page, scripts
from report_files import ATTACKS, report_inputs

SHAPE = {"vocabulary_size": 100, "embedding_size": 8, "hidden_size": 16, "layers": 1, "projection_size": 8, "tie_weights": True}
LAYER = (8 + 16 + 1) * 4 * 16
SECOND_LAYER = (16 + 16 + 1) * 4 * 16


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"embedding": 800, "LSTM layer 1": LAYER, "projection": 128, "softmax biases": 100}),
        (
            {"layers": 2, "projection_size": None, "tie_weights": False},
            {"embedding": 800, "LSTM layer 1": LAYER, "LSTM layer 2": SECOND_LAYER, "softmax": 100 * (16 + 1)},
        ),
        (
            {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": [40]},
            # The head decides among 40 words and one cluster, whose vectors are a quarter as wide.
            {"embedding": 800, "LSTM layer 1": LAYER, "softmax": 41 * (16 + 1) + 16 * 4 + 60 * (4 + 1)},
        ),
    ],
)
def test_parameters_of_each_part(changes: dict[str, Any], expected: dict[str, int]) -> None:
    assert graphs.parameters(report_inputs(config={"shape": {**SHAPE, **changes}})) == expected


def test_the_picture_is_embedded_with_a_text_for_those_who_cannot_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "script", lambda: "")
    inputs = report_inputs(graph=b"picture", config={"shape": {**SHAPE, "embedding_size": 80, "projection_size": 80}})
    (figure,) = graphs.figures(inputs)
    total = 8_000 + (80 + 16 + 1) * 64 + 16 * 80 + 100
    assert figure.finding == f"{total:,} parameters: {8_000 / total:.0%} are in the embedding, which the softmax shares."
    assert figure.table is not None
    assert figure.table.rows[0] == ["embedding", "8,000", f"{8_000 / total:.1%}"]
    html = page.page(inputs)
    assert '<section id="model">' in html
    assert f'<img src="data:image/png;base64,{base64.b64encode(b"picture").decode()}" alt="The two graphs. {total:,} parameters' in html


def test_without_the_picture_there_is_no_section() -> None:
    assert graphs.figures(report_inputs()) == []


@pytest.mark.parametrize("config", [{}, {"shape": None}, {"shape": {"width": ATTACKS[0]}}])
def test_a_shape_that_is_not_recorded_leaves_out_the_counts(config: dict[str, Any]) -> None:
    (figure,) = graphs.figures(report_inputs(graph=b"picture", config=config))
    assert (figure.finding, figure.table) == ("", None)
