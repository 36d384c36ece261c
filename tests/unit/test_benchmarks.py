"""The benchmarks at tiny sizes. Nothing is timed, but every worker runs that can run in this environment."""

import json
import math
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from conftest import PROJECT, SMALL_TEXT, run, write_corpus

sys.path += [str(PROJECT / "benchmarks"), str(PROJECT / "benchmarks" / "peers")]

import bench
import corpus
import driver
import environments
import generation
import layouts
import page
import preparation
import processes
import quality
import records
import records_picture
import schedules
import softmax
import systems
import timing
import training
import unfinished
from driver import Peer
from session import Session
from unfinished import Unfinished

from lstm_lm.config import keys, loading
from lstm_lm.ui import softmax_note

TINY = {"vocabulary": 50, "batch_size": 4, "sequence_length": 5, "embedding_size": 8, "hidden_size": 8}
SESSION = Session(rounds=1, quick=True)
NOT_MEASURED = "not measured: not available"


@pytest.fixture
def no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Python 3.7 and PyTorch."""

    def unavailable() -> str:
        raise environments.Unavailable("not available")

    monkeypatch.setattr(environments, "tf1", unavailable)
    monkeypatch.setattr(environments, "torch", unavailable)
    monkeypatch.setattr(systems, "auto_precision", lambda: "float32")
    monkeypatch.setattr(driver, "PAUSE_SECONDS", 0.0)  # nothing is timed


def cells_of(text: str) -> list[list[str]]:
    """Return the cells of a Markdown table's rows, without its headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_replacing_a_section_of_the_page_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# Title\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nby hand\n<!-- bench:b -->\n<!-- /bench:b -->\nend\n")
    page.write(path, "b", "\nnew\n")
    page.write(path, "a", "| x |")
    expected = "# Title\n<!-- bench:a -->\n| x |\n<!-- /bench:a -->\nby hand\n<!-- bench:b -->\nnew\n<!-- /bench:b -->\nend\n"
    assert path.read_text() == expected
    page.write(path, "a", "| x |")
    assert path.read_text() == expected
    with pytest.raises(ValueError, match="bench:c"):
        page.write(path, "c", "x")


def test_the_page_has_a_place_for_every_section(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text(page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    for name in bench.SECTIONS:
        page.write(copy, name, f"table of {name}")
    assert all(f"table of {name}" in copy.read_text(encoding="utf-8") for name in bench.SECTIONS)


def test_the_description_of_the_machine_does_not_identify_it() -> None:
    description = page.machine()
    assert "GiB" in description and platform.node() not in description.split() and str(PROJECT) not in description


def test_ratios_compare_the_same_rounds() -> None:
    assert timing.ratios([1.0, 2.0, 4.0], [2.0, 8.0, 4.0]) == timing.Spread(median=2.0, minimum=1.0, maximum=4.0)
    assert timing.ratios([1.0], []) is None


def test_operations_follow_the_formula() -> None:
    book = systems.settings_of("cookbook")
    assert systems.operations(book) == 6 * (4 * 128 * 256 + 128 * 8084)
    projected = {**book, "embedding_size": 256, "hidden_size": 512, "projection_size": 256}
    assert systems.operations(projected) == 6 * (4 * 512 * (256 + 512) + 512 * 256 + 256 * 8084)


WORKER = """
import json, sys
print(json.dumps({"ready": 0.1}), flush=True)
for line in sys.stdin:
    if json.loads(sys.argv[1])["fails"]:
        sys.exit("no luck")
    print(json.dumps({"seconds": 2.0, "steps": int(line)}), flush=True)
print(json.dumps({"peak_mib": 7}), flush=True)
"""


@pytest.mark.parametrize("measure", [driver.run_interleaved, driver.run_separately])
def test_a_failing_or_missing_peer_is_reported_in_its_row(
    measure: Callable[..., None], tmp_path: Path, no_peers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "PAUSE_SECONDS", 0)
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    good, bad = (driver.Peer(name, str(script), {**TINY, "fails": name == "bad"}) for name in ("good", "bad"))
    absent = driver.Peer("absent", str(script), TINY, environments.torch)
    measure([good, bad, absent], 2, 4)
    assert [result["steps"] for result in good.results] == [4, 4] and good.peak_mib == 7
    assert bad.problem == "exit code 1: no luck" and absent.problem == "not available"
    for peer in (bad, absent):
        assert training.row(peer, good, {})[1] == f"not measured: {peer.problem}"


def test_a_command_that_fails_or_needs_too_much_memory_is_an_error(tmp_path: Path) -> None:
    assert processes.run([sys.executable, "-c", "pass"], tmp_path).peak_mib > 1
    with pytest.raises(RuntimeError, match=r"^exit code 1: no luck$"):
        processes.run([sys.executable, "-c", "import sys; sys.exit('no luck')"], tmp_path)
    with pytest.raises(RuntimeError, match="of memory"):
        processes.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, max_mib=1)


def test_gpus_are_hidden_from_all_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    script = tmp_path / "peer.py"
    script.write_text("import json, os, sys; print(json.dumps({**os.environ}), flush=True); print(json.dumps({'peak_mib': 1}))")
    peer = driver.Peer("x", str(script), {}, environment={"OWN": "1"})
    peer.start()
    peer.stop()
    assert peer.ready["CUDA_VISIBLE_DEVICES"] == "" and peer.ready["OWN"] == "1"
    processes.run([sys.executable, "-c", "import os, sys; sys.exit(os.environ['CUDA_VISIBLE_DEVICES'] != '')"], tmp_path)


@pytest.mark.slow
def test_all_systems_start_alike_and_learn(no_peers: None) -> None:
    settings = training.with_rounds({**systems.settings_of("cookbook"), **TINY}, 1, 2)
    peers = [*systems.ours(settings), systems.cookbook(settings), systems.keras(settings), systems.pytorch(settings)]
    text = training.compare(SESSION, settings, peers, 2)
    *workers, absent = peers
    assert absent.problem and NOT_MEASURED in text and "compat.v1" in text
    for peer in workers:
        assert peer.problem is None
        assert peer.ready["first_loss"] == pytest.approx(math.log(TINY["vocabulary"]), rel=0.03)
        (result,) = peer.results
        assert result["steps"] == 2 and result["seconds"] > 0 and result["loss"] < peer.ready["first_loss"]
        assert peer.peak_mib is not None and peer.peak_mib > 100


@pytest.mark.slow
def test_each_softmax_is_measured_in_both_precisions(no_peers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {**systems.settings_of(), **TINY, "projection_size": 8}
    monkeypatch.setattr(systems, "SAMPLED_WORDS", 20)
    rows = cells_of(softmax.softmax(SESSION, tiny, [50]))
    assert [row[:2] for row in rows] == [["50", "float32"], ["50", "bfloat16"]]
    for row in rows:
        assert all(float(row[i].replace(",", "")) > 0 for i in (2, 3, 5))
        exact, adaptive, sampled = (float(row[i].replace(",", "")) for i in (2, 3, 5))
        # One round: the ratio is that of the speeds, as far as these are printed.
        assert float(row[4].split()[0]) == pytest.approx(adaptive / exact, rel=0.02, abs=0.01)
        assert float(row[6].split()[0]) == pytest.approx(sampled / exact, rel=0.02, abs=0.01)


def test_a_sample_larger_than_the_vocabulary_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[driver.Peer] = []
    monkeypatch.setattr(driver, "run_interleaved", lambda peers, *_: started.extend(peers))
    small, large = (
        softmax.measure(SESSION, {**systems.settings_of(), "vocabulary": size, "precision": "float32"}) for size in (8192, 8193)
    )
    assert len(small) == len(large) == len(softmax.HEADINGS)
    assert small[5:] == [None, None] and large[5] is not None
    assert [peer.settings.get("sampled_words") for peer in started] == [None, None, None, None, 8192]


def test_training_advises_the_cutoffs_and_the_sample_that_were_measured() -> None:
    peer = systems.adaptive({"vocabulary": 33_278, "precision": "float32"})
    advice = softmax_note.settings_of("adaptive", 33_278)
    assert advice == f"model.adaptive_cutoffs: {peer.settings['adaptive_cutoffs']} and model.tie_weights: false"
    assert softmax_note.settings_of("sampled", 33_278) == f"train.sampled_words: {systems.SAMPLED_WORDS}"


def test_a_vocabulary_that_does_not_fit_into_memory_is_not_measured() -> None:
    (row,) = cells_of(
        softmax.table(softmax.HEADINGS, [softmax.measure(SESSION, {**systems.settings_of(), "vocabulary": 10**9, "precision": "x"})])
    )
    assert row[2].startswith("not measured: needs ") and row[3:] == [""] * 4


PROFILED = ["temperature 1", "greedy", "top-k 40", "top-p 0.9", "min-p 0.05"]


@pytest.mark.slow
def test_all_systems_generate_text(no_peers: None) -> None:
    generated, profile = generation.generation(SESSION, {**systems.settings_of("cookbook"), **TINY}, words=8).split("| where the time goes")
    profiled = cells_of("| where the time goes" + profile)
    assert [row[:2] for row in profiled] == [[name, count] for count in ("1", "32") for name in PROFILED]
    assert all(float(row[2].replace(",", "")) > 0 for row in profiled)
    rows = cells_of(generated)
    assert len(rows) == 28 and all(float(row[2].replace(",", "")) > 0 for row in rows)
    references = ["", "", *["temperature 1", "greedy"] * 3, *["temperature 1"] * 6]
    assert [row[4] for row in rows] == references * 2 and all(bool(row[3]) == bool(row[4]) for row in rows)


@pytest.mark.slow
def test_the_scripts_prepare_the_same_text_as_the_stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(corpus, "WORK", tmp_path)
    lines = [f"the king and queen, of england: did not see a ghost-{i % 7}" for i in range(300)]
    text = preparation.preparation(SESSION, {0.2: 1}, lines)
    rows = cells_of(text)
    assert "not measured" not in text and [row[0] for row in rows] == list(preparation.LABELS.values())
    assert [bool(row[5]) for row in rows] == [False, False, False, False, True, True]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_data_stages_are_measured_on_one_file_and_on_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(corpus, "WORK", tmp_path)
    lines = [f"the king and queen, of england: did not see a ghost-{i % 7}" for i in range(300)]
    rows = cells_of(layouts.layouts(SESSION, 0.2, 30, lines))
    assert [row[0].split(" in ")[1] for row in rows] == ["one file", "30 files", "one file with one emoji"]
    assert all(float(cell.removesuffix(" s")) > 0 for row in rows for cell in row[1:4])


def test_the_text_has_the_requested_size(tmp_path: Path) -> None:
    lines = ["to be or not to be", "é" * 40, "x"]
    corpus.write_text(tmp_path, lines, 50_000)
    files = sorted(tmp_path.iterdir())
    assert len(files) == corpus.MIN_FILES
    assert sum(file.stat().st_size for file in files) == pytest.approx(50_000, rel=0.05)
    assert {line for file in files for line in file.read_text(encoding="utf-8").splitlines()} == set(lines)


def test_an_unknown_section_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["trainig"])
    assert "unknown section trainig: choose from peak, training" in capsys.readouterr().err


def test_a_quick_run_does_not_change_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text("<!-- bench:peak -->\n<!-- /bench:peak -->\n")
    monkeypatch.setattr(page, "PAGE", copy)
    monkeypatch.setattr(bench, "SECTIONS", {"peak": lambda session: f"{session.rounds} rounds"})
    bench.main(["--quick"])
    assert "2 rounds" in capsys.readouterr().out and "rounds" not in copy.read_text()
    bench.main(["--rounds", "3"])
    assert "3 rounds" in copy.read_text()


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """The outputs of the data stages for a text of some documents."""
    (tmp_path / "data/own").mkdir(parents=True)
    write_corpus(tmp_path / "data/own")
    values = keys.with_changes(loading.read(PROJECT / "params.yaml"), SMALL_TEXT)
    (tmp_path / "params.yaml").write_text(json.dumps(values))
    for name in ("download", "vocab", "batching"):
        run([sys.executable, str(PROJECT / "src" / f"{name}.py")], tmp_path)
    return tmp_path / "data"


TINY_MODEL = {
    **{f"model.{name}_size": 8 for name in ("embedding", "hidden", "projection")},
    **{"batching.batch_size": 4, "batching.sequence_length": 8, "train.validate_every": 20},
}


@pytest.mark.slow
def test_quality_trains_ours_and_the_cookbook_on_the_same_text(
    no_peers: None, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "WORK", tmp_path / "work")
    rows = cells_of(quality.quality(SESSION, tiny_data, TINY_MODEL))
    assert [row[0].split(",")[0] for row in rows] == [
        "ours: `params.yaml`",
        "the cookbook's recipe",
        "PyTorch's example word_language_model",
        "interpolated Kneser-Ney",
    ]
    ours, book, example, ngrams = rows
    assert NOT_MEASURED in example[1]
    assert book[3] == "1.000"
    for row in (ours, book, ngrams):
        validation, test, relative = map(float, row[1:4])
        assert 1 < validation < 100
        assert relative == pytest.approx(test / float(book[2]), abs=0.01)
        # This text's test document has a single unknown word, so predicting which one it is costs nothing.
        assert float(row[4]) == pytest.approx(test, abs=0.1)
    assert float(ours[6].removesuffix(" s")) >= 0


@pytest.mark.slow
def test_records_keep_the_numbers_of_all_systems_and_draw_them(
    no_peers: None, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "WORK", tmp_path / "work")
    monkeypatch.setattr(records, "RESULTS", tmp_path / "records.json")
    monkeypatch.setattr(records, "QUICK_RESULTS", tmp_path / "quick.json")
    monkeypatch.setattr(records, "PICTURE", tmp_path / "docs.png")
    monkeypatch.setattr(records, "UNFINISHED", tmp_path / "unfinished.json")
    earlier = {"machine": "a machine", "systems": [{"name": "ours", "short": "ours", "curve": [[1, 9], [2, 5]], "cells": ["5.0"]}]}
    records.RESULTS.write_text(json.dumps({"earlier": earlier}))
    session = Session(rounds=1, quick=False, minutes=0.1, texts=((tiny_data, None),))
    text = records.records(session, {**TINY_MODEL, "model.ngrams": {"order": 2, "weight": "auto"}})
    assert text.startswith("**earlier**") and "a machine." in text and page.machine() in text
    kept = json.loads(records.RESULTS.read_text())
    name, facts = list(kept.items())[-1]
    assert kept["earlier"] == earlier and f"**{name}**" in text and name.endswith("words, 0.1 min")
    ours, alone, *others = cells_of(text)[3:]  # below the headings of the second table
    assert [row[0] for row in others] == [
        "PyTorch, word_language_model, tied",
        "PyTorch, plain LSTM, our sizes, AdamW and cosine",
        "PyTorch, AWD-LSTM's recipe, one cycle",
        "PyTorch, Transformer",
    ]
    assert all(row[1] == NOT_MEASURED for row in others)
    minutes, perplexities = zip(*facts["systems"][0]["curve"], strict=True)
    assert re.fullmatch(r"ours: `params.yaml` \(float32; [\d,]+ n-grams with a weight of 0\.\d\d\)", ours[0]) and ours[3] == "1.000"
    assert alone[0] == "ours: `params.yaml`, without its n-grams (float32)" and float(alone[1]) > float(ours[1])
    assert float(alone[3]) == pytest.approx(float(alone[2]) / float(ours[2]), abs=0.02) and not facts["systems"][1]["curve"]
    assert len(minutes) > 1 and list(minutes) == sorted(minutes) and float(ours[5]) == pytest.approx(minutes[-1], abs=0.005)
    assert float(ours[1]) == pytest.approx(min(perplexities), abs=0.05) and 1 < min(perplexities) < 100
    assert not records.QUICK_RESULTS.exists() and not records.UNFINISHED.exists()
    with Image.open(records.PICTURE) as picture:
        assert picture.size == (640, 600)  # a panel for each text


def test_records_that_were_stopped_resume_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def run(peers: list[Peer], rounds: int, steps: int) -> None:
        for peer in peers:
            measured.append(peer.name)
            if peer.name == "fails":
                peer.problem = "no memory"
            else:
                peer.results = [{"trained": 60.0}]

    monkeypatch.setattr(unfinished, "run_separately", run)
    kept = Unfinished(tmp_path / "new" / "unfinished.json", "digest")

    def measure(kept: Unfinished, name: str, minutes: float = 1) -> Peer:
        peer = Peer(name, "tied_lstm.py", {"minutes": minutes})
        kept.measure(peer)
        return peer

    assert measure(kept, "ours").results == [{"trained": 60.0}] and measure(kept, "fails").problem
    assert measure(kept, "ours").results == [{"trained": 60.0}] and measured == ["ours", "fails"]
    measure(kept, "fails")
    measure(kept, "ours", minutes=2)
    measure(Unfinished(kept.path, "another text"), "ours")
    assert measured == ["ours", "fails", "fails", "ours", "ours"]
    kept.clear()
    kept.clear()
    measure(kept, "ours")
    assert measured[5:] == ["ours"]


def test_systems_are_validated_less_often_on_a_long_text() -> None:
    assert records.validations_in(3.5, 46_648) == 10
    assert records.validations_in(0.1, 46_648) == records.MIN_VALIDATIONS
    assert records.validations_in(60, 46_648) == records.MAX_VALIDATIONS
    assert records.validations_in(15, 217_646) == 9
    assert records.validations_in(15, 10**9) == records.MIN_VALIDATIONS


def test_the_text_of_records_is_checked_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in (("batches/batches.json", "{}"), ("vocab/tokenizer.json", '{"unit": "char"}')):
        with pytest.raises(SystemExit):
            bench.main(["records", "--data", str(tmp_path)])
        assert f"there is no {tmp_path / name}" in capsys.readouterr().err
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    for preset, message in (("", "its unit is char, and params.yaml has word"), (":ptbb", "there is no")):
        with pytest.raises(SystemExit):
            bench.main(["records", "--data", f"{tmp_path}{preset}"])
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        bench.main(["records", "--minutes", "0"])
    assert "--minutes 0.0: must be > 0" in capsys.readouterr().err


def test_labels_at_the_ends_of_curves_do_not_overlap() -> None:
    assert records_picture.spread([0.5, 0.1, 0.52], 0.25) == pytest.approx([0.5, 0.1, 0.75])


def test_the_peers_schedules_rise_and_fall() -> None:
    assert [schedules.cosine(progress) for progress in (0, 0.025, 0.05, 0.525, 1)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    expected = [(0.04, 0.8), (1, 0.7), (0.500005, 0.75), (1e-5, 0.8)]
    assert [schedules.one_cycle(progress) for progress in (0, 0.25, 0.625, 1)] == [pytest.approx(each) for each in expected]


@pytest.mark.parametrize(("words", "context"), [(2, 8), (9, 8), (10, 8), (100, 8), (101, 7), (57, 2)])
def test_sliding_windows_score_each_word_once_with_half_a_context(words: int, context: int) -> None:
    scored = []
    for start, stop, skipped in schedules.sliding_windows(words, context):
        assert stop - start - 1 <= context
        for predicted in range(start + 1 + skipped, stop):
            assert predicted - start >= min(predicted, context // 2)
            scored.append(predicted)
    assert scored == list(range(1, words))
