"""Texts of published results: where their files belong, and whether they are what was published."""

from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading, presets, standard_corpora
from lstm_lm.config.schema import Params, PathSource, PypiSource, UrlSource
from lstm_lm.errors import UserError

TOKENS = {
    "ptb": ({"train": 929_589, "validation": 73_760, "test": 82_430}, 10_000),
    "wikitext2": ({"train": 2_088_628, "validation": 217_646, "test": 245_569}, 33_278),
}


def settings(preset: str, **changes: object) -> Params:
    """Return the parameters with a preset and some changes; `__` in a name is the dot."""
    values = keys.with_changes(loading.read(PROJECT / "params.yaml"), presets.load(preset, PROJECT / "presets"))
    return loading.check(keys.with_changes(values, {name.replace("__", "."): value for name, value in changes.items()}))


def line(path: str) -> str | None:
    return standard_corpora.missing_text_line(PathSource(path=path))


@pytest.mark.parametrize("preset", ["ptb", "ptb-best", "wikitext2", "wikitext2-best"])
def test_counts_of_a_standard_corpus_are_compared_with_the_published_ones(preset: str) -> None:
    tokens, vocabulary = TOKENS[preset.removesuffix("-best")]
    name = {"p": "the Penn Treebank", "w": "WikiText-2"}[preset[0]]
    done = standard_corpora.check_counts(settings(preset), tokens, vocabulary)
    assert done == f"token counts and vocabulary are those of {name} as published"
    with pytest.raises(UserError) as error:
        standard_corpora.check_counts(settings(preset), tokens | {"test": 7}, 44_000)
    expected = f"there are 7 test tokens (published: {tokens['test']:,}) and 44,000 distinct tokens (published: {vocabulary:,}): put "
    assert str(error.value).startswith(f"params.yaml: download.source: this is not {name} as published, because {expected}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab__unit": "char"},
        {"vocab__newlines": False},
        {"vocab__lowercase": True},
        {"vocab__min_count": 2},
        {"vocab__max_size": 500},
        {"vocab__punctuation": "drop"},
        {"vocab__validation": 0.1, "vocab__test": 0.1},
        {"vocab__test": ["*valid*"], "vocab__validation": ["*test*"]},
        {"download__clean": True},
        {"download__source": {"path": "data/own/mine"}},
        {"download__source": {"path": "data/own"}},
        {"download__source": {"url": "https://example.org/wikitext-103-v1.zip"}},
    ],
)
def test_other_texts_and_other_tokens_are_not_compared(changes: dict[str, object]) -> None:
    assert standard_corpora.check_counts(settings("ptb", **changes), {"train": 1, "validation": 2, "test": 3}, 4) is None


def test_for_an_archive_from_an_address_the_advice_is_to_check_it() -> None:
    tokens, vocabulary = TOKENS["wikitext2"]
    from_address = settings("wikitext2", download__source={"url": "https://example.org/wikitext-2-v1.zip"})
    assert standard_corpora.check_counts(from_address, tokens, vocabulary) is not None
    with pytest.raises(UserError) as error:
        standard_corpora.check_counts(from_address, tokens | {"test": 7}, vocabulary)
    assert "7 test tokens (published: 245,569): check that the address has the whole published archive, and set " in str(error.value)
    assert "data/own" not in str(error.value)


def test_a_corpus_is_known_by_its_folder_or_its_archive() -> None:
    names = {
        "ptb": PathSource(path="data/own/ptb"),
        "wikitext-2": UrlSource(url="https://example.org/texts/wikitext-2-v1.zip?x=1"),
        "zip": PathSource(path="./data/own/wikitext-2/wikitext-2-v1.zip"),
    }
    found = {name: getattr(standard_corpora.find(source), "name", None) for name, source in names.items()}
    assert found == {"ptb": "the Penn Treebank", "wikitext-2": "WikiText-2", "zip": "WikiText-2"}
    assert standard_corpora.find(PathSource(path="data/own/ptb-of-mine")) is None
    assert standard_corpora.find(PypiSource(pypi="a==1", members="*", sha256="0" * 64)) is None


def test_missing_files_are_named_with_where_to_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = "ptb.train.txt, ptb.valid.txt and ptb.test.txt"
    end = f"which this project cannot ship: put {files} there (docs/how-to/standard-corpora.md)"
    assert line("data/own/ptb") == f"data/own/ptb lacks {files} of the Penn Treebank, {end}"
    (tmp_path / "data/own/ptb/sub").mkdir(parents=True)
    for name in ("ptb.train.txt.gz", "sub/ptb.test.txt"):
        (tmp_path / "data/own/ptb" / name).write_text("x")
    assert line("data/own/ptb") == f"data/own/ptb lacks ptb.valid.txt of the Penn Treebank, {end}"
    (tmp_path / "data/own/ptb/ptb.valid.txt").write_text("x")
    assert line("data/own/ptb") is None


def test_an_archive_is_as_good_as_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/own/wikitext-2").mkdir(parents=True)
    assert "put wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens, or the archive wikitext-2-v1.zip, there" in line(
        "data/own/wikitext-2"
    )
    (tmp_path / "data/own/wikitext-2/wikitext-2-v1.zip").write_text("x")
    assert line("data/own/wikitext-2") is None
    assert line("data/own/wikitext-2/wikitext-2-v1.zip") is None


def test_another_text_is_looked_for_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert line("data/own/mine") == "data/own/mine: no such file or folder: put your text there, or change download.source"
    (tmp_path / "data/own/mine").mkdir(parents=True)
    assert line("data/own/mine") is None
    assert standard_corpora.missing_text_line(UrlSource(url="https://example.org/a.txt")) is None
