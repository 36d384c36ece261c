"""What a token of this checkout's model is."""

from pathlib import Path

TOKENIZERS = (Path("models/saved_model/assets/tokenizer.json"), Path("data/vocab/tokenizer.json"))


def trained_unit() -> str:
    """Return the `vocab.unit` with which the model of this checkout was trained, whatever params.yaml says by now.

    Without a model, that of the prepared text, or of params.yaml.
    """
    from lstm_lm.config import loading
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    for path in TOKENIZERS:
        if path.exists():
            return Tokenizer.load(path).unit
    return loading.load().vocab.unit
