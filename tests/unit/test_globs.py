import pytest

from lstm_lm.errors import SettingError
from lstm_lm.io.globs import compile_pattern


def test_patterns_match_as_in_gitignore():
    assert list(compile_pattern("plays/**/*.txt", "vocab.test").match_files(["plays/a/b.txt", "plays/c.md", "d.txt"])) == ["plays/a/b.txt"]


def test_an_invalid_pattern_is_an_error_that_names_the_key():
    with pytest.raises(SettingError, match=r"^params.yaml: vocab.test: '!' is not a file name pattern"):
        compile_pattern("!", "vocab.test")
