"""Checks that everything splits text alike in the locale of this process, and writes what the served models generate.

Run by test_locales.py: python locale_trial.py FOLDER_OF_MODELS OUTPUT [NAME_OF_MODEL ...]
"""

from __future__ import annotations

import json
import locale
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import pandas as pd
from hypothesis import given, settings

from lstm_lm.serving.pyfunc import ServedModel
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from unicode_texts import text_lists

PROMPTS = [
    "IT IS I THE KING OF INK",
    "İstanbul I\u0307 IJ ÌÍĨ Į\u0301",
    "ΣΟΦΟΣ ΟΔΟΣ ΑΣ",
    "don\u2019t \u201cso\u201d don't",
    "e\u0301te\u0301 été ÉTÉ E\u0301",
    "to be,\nor not \u00a0 to\u3000be\x00 <unk> ￭ \ue000",
    "q\u0307\u0323 H\u0331 \u1100\u1161\u11a8 \U0001fa77 \ua7dc",
]


def check_all_texts(served: Any, tokenizer: Tokenizer, tokens: list[str]) -> None:
    """Check that the SavedModel's graph has the ids of the Python tokenizer, for any text."""
    ids = {token: i for i, token in enumerate(tokens)}

    @settings(deadline=None, max_examples=15, derandomize=True, database=None)
    @given(texts=text_lists())
    def check(texts: list[str]) -> None:
        history = served.engine._model.prefill([text.encode() for text in texts], [1] * len(texts)).history
        for text, row in zip(texts, history.tolist(), strict=True):
            expected = [ids.get(token, 0) for token in tokenizer.tokenize(text)] or [0]
            assert [i for i in row if i >= 0] == expected, ascii(text)

    check()


def main(models: Path, output: Path, names: Sequence[str]) -> None:
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:  # it is not installed; TensorFlow reads the environment
        print("not installed")
    texts = {}
    for folder in sorted(models / name for name in names) if names else sorted(models.iterdir()):
        served = ServedModel()
        served.load_context(SimpleNamespace(artifacts={"saved_model": str(folder)}))
        tokenizer = Tokenizer.load(folder / "assets/tokenizer.json")
        check_all_texts(served, tokenizer, vocabulary.read_tokens(folder / "assets/vocabulary.txt"))
        predicted = served.predict(None, pd.DataFrame({"prompt": PROMPTS}), {"max_words": 12, "temperature": 1.0})
        texts[folder.name] = predicted["text"].tolist()
    output.write_text(json.dumps(texts), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
