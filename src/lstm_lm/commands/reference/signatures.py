"""The reference page of the SavedModel's signatures, read off a small model."""

import inspect
import tempfile
from pathlib import Path
from typing import Any

from lstm_lm.commands.reference.tables import table

INTRODUCTION = """\
# Signatures of the SavedModel

Call a signature with keyword arguments; every input is required. In shapes, `n` is a number of rows and `t` a number of words.
Every generation option is a vector with one value for each row.
`layers`, `hidden` and `vocabulary` are sizes of the model.
`serving_default` is the same function as `generate`. `options` in a description means one input for each generation option.
[Use the model without this project](../how-to/use-the-saved-model.md) has examples.
"""
# Sizes of the small model: all different, so that each is recognized in a shape.
LAYERS, HIDDEN, EMBEDDING = 3, 11, 7
WORDS = ["<unk>", "a", "b", "c", "."]
SIZES = {LAYERS: "layers", HIDDEN: "hidden", len(WORDS): "vocabulary"}


def page() -> str:
    """Return the page."""
    functions, docstrings = _signatures()
    parts = []
    for name, docstring in docstrings.items():
        inputs = functions[name].structured_input_signature[1]
        rows = [["input", f"`{key}`", *_described(spec)] for key, spec in sorted(inputs.items())]
        rows += [["output", f"`{key}`", *_described(spec)] for key, spec in sorted(functions[name].structured_outputs.items())]
        parts.append(f"## {name}\n\n```text\n{docstring}\n```\n\n{table(['', 'name', 'type', 'shape'], rows)}")
    return INTRODUCTION + "\n" + "\n\n".join(parts)


def _described(spec: Any) -> list[str]:
    rank = spec.shape.rank
    names = [SIZES.get(size, str(size)) if size is not None else "nt"[min(i, 1)] for i, size in enumerate(spec.shape)]
    if rank == 4:  # the state: [layers, 2, rows, hidden]
        names[2] = "n" if spec.shape[2] is None else str(spec.shape[2])
    return [spec.dtype.name, f"`[{', '.join(names)}]`" if rank else "scalar"]


def _signatures() -> tuple[dict[str, Any], dict[str, str]]:
    """Return the signatures of a small model, saved and loaded, and the docstring of each."""
    from lstm_lm.io import quiet

    with quiet.tensorflow_import():
        import tensorflow as tf

        from lstm_lm.export import text_model
        from lstm_lm.model.language_model import LanguageModel
        from lstm_lm.model.shape import Shape
        from lstm_lm.text.tokenization.tokenizer import Tokenizer

    with tempfile.TemporaryDirectory() as folder:
        words = text_model.save_vocabulary(WORDS, Path(folder) / "vocabulary.txt")
        shape = Shape(len(WORDS), EMBEDDING, HIDDEN, LAYERS, projection_size=None, tie_weights=False)
        text_model.TextModel(LanguageModel(shape), Tokenizer(True, "-'"), words).save(Path(folder) / "model")
        functions = dict(tf.saved_model.load(str(Path(folder) / "model")).signatures)
    docstrings = {name: inspect.getdoc(getattr(text_model.TextModel, f"_{name}")) or "" for name in text_model.SIGNATURES}
    return functions, docstrings
