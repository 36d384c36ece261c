"""The file of changes, the figures that are kept, the tables; and a real ablation on a small project."""

import json
import shutil

import pytest

from conftest import PROJECT, change_params, copy_project, run, write_corpus
from kill_and_resume import SMALL
from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.experiments import ablation
from lstm_lm.experiments.ablation import Entry, Results
from lstm_lm.ui import markdown

VALUES = loading.read(PROJECT / "params.yaml")
PLAN = """\
seeds: [1]
common: {train.epochs: 1}
presets: [default]
changes:
  untied:
    set: {model.tie_weights: false}
    why: its own weights
    source: P & W
"""


def plan(tmp_path, old="", new=""):
    path = tmp_path / "ablation.yaml"
    path.write_text(PLAN.replace(old, new, 1) if old else PLAN)
    return ablation.load(path, VALUES)


def test_the_file_that_comes_with_the_project_is_sound(monkeypatch):
    monkeypatch.chdir(PROJECT)
    found = ablation.load(PROJECT / "ablation.yaml", VALUES)
    assert found.entries[0] == Entry("default", {})
    for entry in found.entries[1:]:
        assert keys.with_changes(VALUES, entry.changes) != VALUES, entry.name


@pytest.mark.parametrize(
    "old, new, line",
    [
        ("seeds: [1]", "seeds: []", r"seeds = \[\]: must be whole numbers from 0"),
        ("seeds: [1]", "sedes: [1]", "sedes: unknown key"),
        ("common: {train.epochs: 1}", "common: 3", "common: must be keys and values, but is 3"),
        ("untied:", "Un tied:", "Un tied: a name has small letters"),
        ("untied:", "default:", "default: a name has small letters, digits and '-', and is not default"),
        ("    source: P & W\n", "", "untied: must have set .*, why and source"),
        ("tie_weights: false", "tie_weight: false", r"\(untied\): model.tie_weight: unknown key; did you mean tie_weights"),
        ("{model.tie_weights: false}", "{}", "untied: set: changes nothing"),
        ("{model.tie_weights: false}", "{train.epochs: 1}", "untied: set: changes nothing"),
        ("{model.tie_weights: false}", "{train.seed: 3}", "train.seed: give seeds instead"),
        ("[default]", "[nonsense]", "there is no presets/nonsense.yaml"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, old, new, line):
    monkeypatch.chdir(PROJECT)
    with pytest.raises(UserError, match=line) as error:
        plan(tmp_path, old, new)
    assert "\n" not in str(error.value)


def facts(validation, test, key="now", **more):
    figures = {"perplexity": validation}, {"perplexity": test, "adjusted_perplexity": 2 * test, "bits_per_character": 1.5, **more}
    return {
        "key": key,
        "experiment": "x",
        "figures": dict(zip(("validation", "test"), figures, strict=True)),
        "minutes": 2.0,
        "words_per_second": 3000,
        "weights": 1234567,
    }


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")][2:]


def test_the_table_has_means_changes_and_marks_what_is_old(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    found, results = plan(tmp_path), Results(tmp_path / "reports/ablation.json")
    for seed, reference, untied in ((1, 100, 110), (2, 200, 180)):
        results.put("default", seed, facts(reference, 90))
        results.put("untied", seed, facts(untied, 95, "before"))
    again = Results(tmp_path / "reports/ablation.json")
    keys = {(name, seed): "now" for name in ("default", "untied") for seed in (1, 2)}
    text = ablation.ablation_table(found, [1, 2], again, keys, markdown.table)
    default, untied = rows(text)
    assert default[:4] == ["default", "params.yaml as it stands", "150.0 (100.0..200.0)", ""]
    # The mean of +10% and -10%.
    assert untied[:4] == ["untied *", "`model.tie_weights: false`", "145.0 (110.0..180.0)", "+0.0%"]
    assert untied[4:] == ["95.0 (95.0..95.0)", "2.0", "1,234,567", "2", "its own weights; P & W"]
    assert "with `train.epochs: 1`" in text and "Lines with a *" in text
    (default, untied) = rows(ablation.ablation_table(found, [1], again, keys | {("untied", 1): "before"}, markdown.table))
    assert untied[0] == "untied" and untied[3] == "+10.0%" and untied[2] == "110.0"


def test_the_presets_table_has_intervals_where_there_are_any(tmp_path):
    results = Results(tmp_path / "ablation.json")
    results.put("preset default", 1, facts(100, 90, perplexity_low=85.0, perplexity_high=96.0))
    results.put("preset cookbook", 1, facts(200, 190, perplexity_interval=[180.0, 201.0]))
    entries = [Entry(name, {}) for name in ("default", "cookbook", "not-run")]
    keys = {(f"preset {entry.name}", 1): "now" for entry in entries}
    found = rows(ablation.preset_table(entries, [1], results, keys, markdown.table))
    assert [row[:2] for row in found] == [["default", "90.0 (85.0..96.0)"], ["cookbook", "190.0 (180.0..201.0)"]]
    assert found[0][2:] == ["180.0", "1.500", "100.0", "2.0", "3,000", "1,234,567", "1"]


def test_time_is_read_off_the_history():
    history = "step,words_seen,words_per_second\n1,100,10\n2,300,20\n3,600,5\n"
    assert ablation.training_time(history) == ((10 + 10 + 60) / 60, 10)


def test_a_page_keeps_the_text_around_its_table(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table:a -->\nold\n<!-- /table:a -->\nafter\n")
    markdown.write(page, "a", "new")
    assert page.read_text() == "before\n<!-- table:a -->\nnew\n<!-- /table:a -->\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        markdown.write(page, "b", "new")


@pytest.mark.slow
def test_an_ablation_is_run_once_and_written(tmp_path):
    folder = copy_project(tmp_path)
    write_corpus(folder / "data/own")
    change_params(folder, {**SMALL, "model.hidden_size": 32})
    (folder / "ablation.yaml").write_text(PLAN)
    shutil.rmtree(folder / "data/raw", ignore_errors=True)
    run(["git", "add", "--all"], folder)
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--all", "--message", "mine"], folder)
    printed = run(["python", "src/ablation.py"], folder).stdout
    assert "2 of 2: untied, seed 1" in printed
    page = (folder / "docs/ablation.md").read_text()
    found = rows(page)
    kept = json.loads((folder / "reports/ablation.json").read_text())
    assert [row[0] for row in found] == ["default", "untied"]
    for row in found:
        figures = kept[row[0]]["1"]["figures"]
        assert row[2].startswith(f"{figures['validation']['perplexity']:.1f}")
        assert row[4].startswith(f"{figures['test']['perplexity']:.1f}")
    again = run(["python", "src/ablation.py"], folder).stdout
    assert "0 run; the table is in docs/ablation.md" in again and "Running stage" not in again
    refused = run(["python", "src/ablation.py", "--only", "tied"], folder, check=False)
    assert refused.returncode == 1
    assert refused.stdout == "error: ONLY=tied: ablation.yaml has no such name; there are: default, untied\n"
