# ruff: noqa: RUF001 (ambiguous letters are intended)
"""The same text becomes the same tokens, files and texts in every locale."""

import json
import shutil
import sys

import pytest

from conftest import PROJECT, SMALL_TEXT, build_once, change_params, copy_project, digests, run, write_corpus
from locale_trial import PROMPTS
from lstm_lm.text.tokenization.tokenizer import Tokenizer

pytestmark = pytest.mark.slow
# {locale: models to load there; empty: all}. Each starts a process with TensorFlow, so there is one for each kind: ASCII only, and the two
# sets of rules of their own that ICU has for lower case (Azerbaijani shares the Turkish ones; Greek ones are for upper case).
# All models share the code for letters, so that one model is enough in the last.
LOCALES = {"C": [], "tr_TR": [], "lt_LT": ["word"]}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of three small SavedModels, one for each unit and each way to treat punctuation."""

    def build(folder):
        from conftest import make_tiny_model
        from lstm_lm.export.text_model import TextModel, save_vocabulary

        content = " ".join(PROMPTS) + " it is i the king of ink to be or not"
        for unit, punctuation in (("word", "drop"), ("char", "separate"), ("subword", "as_is")):
            subwords = tuple(dict.fromkeys([*"\u2581itskng", "it", "\u2581i", "in", "king"])) if unit == "subword" else ()
            tokenizer = Tokenizer(unit != "char", "-'", punctuation, unit != "word", unit, subwords)
            tokens = ["<unk>", *sorted({*tokenizer.tokenize(content), *subwords} - {"<unk>"})]
            work = folder.with_name(f"{folder.name}-{unit}")
            work.mkdir()
            model = make_tiny_model(vocabulary_size=len(tokens))
            TextModel(model, tokenizer, save_vocabulary(tokens, work / "vocabulary.txt")).save(folder / unit)

    return build_once(tmp_path_factory, "locale_models", build)


@pytest.mark.skipif(shutil.which("localedef") is None, reason="localedef is not installed")
@pytest.mark.parametrize("name", [name for name in LOCALES if name != "C"])
def test_the_locales_are_real_ones(locales, tmp_path, name):
    code = "import locale; print(locale.setlocale(locale.LC_ALL, ''))"
    assert run([sys.executable, "-c", code], tmp_path, **locales(name)).stdout.split() == [f"{name}.UTF-8"]


def test_python_graph_and_server_split_any_text_alike_in_every_locale(locales, models, tmp_path):
    written = {}
    for name, units in LOCALES.items():
        output = tmp_path / f"{name}.json"
        run([sys.executable, str(PROJECT / "tests/locale_trial.py"), str(models), str(output), *units], tmp_path, **locales(name))
        written[name] = json.loads(output.read_text(encoding="utf-8"))
    for name, units in LOCALES.items():
        assert written[name] == {unit: written["C"][unit] for unit in units or written["C"]}, name
    assert written["C"]["word"][0].startswith(PROMPTS[0])


def test_the_data_stages_write_the_same_bytes_in_every_locale(locales, tmp_path):
    folder = copy_project(tmp_path)
    own = folder / "data/own"
    write_corpus(own)
    (own / "Iğdır İ.txt").write_text("IT IS I, İstanbul’s KING OF INK\nΣΟΦΟΣ e\u0301te\u0301 1,234.5\n" * 9, encoding="utf-8")
    changes = {"download.clean": False, "vocab.punctuation": "separate", "vocab.unit": "subword", "vocab.max_size": 90}
    change_params(folder, SMALL_TEXT | changes)
    made = []
    for name in ("C", "tr_TR"):
        for stage in ("download", "vocab", "batching"):
            done = run([sys.executable, "-X", "warn_default_encoding", f"src/{stage}.py"], folder, **locales(name))
            assert "EncodingWarning" not in "".join(line for line in done.stdout.splitlines(True) if str(folder) in line)
        made.append({part: digests(folder / part) for part in ("data/raw", "data/vocab", "data/batches", "reports")})
        for part in ("data/raw", "data/vocab", "data/batches"):
            shutil.rmtree(folder / part)
    assert made[0] == made[1]
    assert "Iğdır İ.txt" in made[0]["data/raw"]
