import pytest

from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.errors import UserError
from lstm_lm.text import encoded, splits
from lstm_lm.text.preparation import prepare
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.text.tokenization.vocabulary import Vocabulary

CONFIG = loading.load(PROJECT / "params.yaml").vocab
CONTENT = "the king and the queen, and the fool.\n" * 9 + "a rare word\n"


def prepared(folder, content=CONTENT, **changes):
    """Prepare a text of two documents: (Preparation, its folder)."""
    result = folder / "vocab"
    result.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(content)
    config = CONFIG.model_copy(update={"min_count": 2, "validation": 0.1, "test": 0.1, "split_by": "spans", **changes})
    return prepare([(name, folder / name) for name in ("a.txt", "b.txt")], config, result, cleaned=True), result


@pytest.mark.parametrize(
    "changes",
    [{}, {"punctuation": "separate", "newlines": True}, {"unit": "char"}, {"unit": "subword", "max_size": 30}],
    ids=["words", "punctuation and newlines", "characters", "subwords"],
)
def test_the_ids_encode_the_tokens_of_the_documents(tmp_path, changes):
    _, folder = prepared(tmp_path, **changes)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    vocabulary = Vocabulary.load(folder / "vocab.csv")
    text, _, size = encoded.load(folder)
    assert size == len(vocabulary)
    tokens = tokenizer.tokenize(CONTENT)
    assert text.documents == {"a.txt": len(tokens), "b.txt": len(tokens)}
    assert encoded.replace_unknown(text.ids, size).tolist() == 2 * vocabulary.encode(tokens).tolist()
    assert [span.document for span in splits.load(folder / "splits.json")["train"]] == ["a.txt", "b.txt"]


def test_the_metrics_include_the_coverage_of_each_split(tmp_path):
    preparation, _ = prepared(tmp_path)
    metrics = preparation.metrics()
    assert metrics["size"] == 6  # <unk>, the, and, king, queen, fool
    assert metrics["train"]["oov_rate"] == 0
    # The rare words are at the end of each document, which is the test split.
    assert metrics["test"] == {"documents": 2, "words": 16, "coverage": 0.625, "oov_rate": 0.375}
    assert sum(metrics[name]["words"] for name in splits.SPLITS) == sum(preparation.documents.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [("?!\n", "nothing is left of the text after cleaning"), ("king " * 50, "a vocabulary of 1 word besides <unk>")],
)
def test_a_text_that_is_too_small_is_rejected(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        prepared(tmp_path, content)
