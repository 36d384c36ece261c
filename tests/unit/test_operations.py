"""What the page asks of a server."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lstm_lm.serving.app.metrics import Metrics
from lstm_lm.serving.app.models import Models, ServedModel
from lstm_lm.serving.app.operations import Operations
from lstm_lm.text.tokenization.tokenizer import Tokenizer

PROMPTS = ("Thou art more", "To be, or", "if the file")


def operations(known: set[str]) -> Operations:
    """Of a server whose model knows some words."""
    engine = SimpleNamespace(table={"options": []}, limits=SimpleNamespace(max_score_characters=9))
    loaded = SimpleNamespace(tokenizer=Tokenizer(True, "-'"))
    model = SimpleNamespace(engine=engine, checker=SimpleNamespace(rows={}), known=frozenset(known), loaded=loaded)
    model.knows = lambda text: ServedModel.knows(cast(ServedModel, model), text)
    served = SimpleNamespace(served=[model], prompt_log=None)
    return Operations(cast(Models, served), cast(Metrics, None), example_prompts=PROMPTS)


@pytest.mark.parametrize(
    ("known", "example"), [({"to", "be", "or", "thou"}, "To be, or"), ({"if", "the", "file"}, "if the file"), ({"to", "be"}, None)]
)
def test_the_example_is_the_first_prompt_of_which_the_model_knows_all_words(known: set[str], example: str | None) -> None:
    answer: dict[str, Any] = json.loads(bytes(asyncio.run(operations(known).options()).body))
    assert answer["example_prompt"] == example
