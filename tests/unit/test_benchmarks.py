"""The benchmarks' code, at tiny sizes: nothing is timed here, but every worker that this environment can run does run."""

import json
import math
import sys

import pytest

from conftest import PROJECT, SMALL_TEXT, run, write_corpus

sys.path.append(str(PROJECT / "benchmarks"))

import bench
import driver
import environments
import generation
import page
import preparation
import quality
import recipes
import training

from lstm_lm.config import keys, loading

TINY = {"vocabulary": 50, "batch_size": 4, "sequence_length": 5, "embedding_size": 8, "hidden_size": 8}
SITTING = bench.Sitting(rounds=1, quick=True)


@pytest.fixture
def no_peers(monkeypatch):
    """As on a machine without Python 3.7 and PyTorch."""

    def missing():
        raise environments.Missing("not here")

    monkeypatch.setattr(environments, "tf1", missing)
    monkeypatch.setattr(environments, "torch", missing)
    monkeypatch.setattr(recipes, "auto_precision", lambda: "float32")


def test_a_section_of_the_page_is_replaced_and_nothing_else(tmp_path):
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


def test_the_page_has_a_place_for_every_section(tmp_path):
    copy = tmp_path / "performance.md"
    copy.write_text(page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    for name in bench.SECTIONS:
        page.write(copy, name, f"table of {name}")
    assert all(f"table of {name}" in copy.read_text(encoding="utf-8") for name in bench.SECTIONS)


def test_the_machine_is_told_by_its_kind_alone():
    import platform

    told = page.machine()
    assert "GiB" in told and platform.node() not in told.split() and str(PROJECT) not in told


def test_ratios_are_of_the_rounds():
    assert driver.ratios([1.0, 2.0, 4.0], [2.0, 8.0, 4.0]) == (2.0, 1.0, 4.0)
    assert driver.ratios([1.0], []) is None


def test_operations_are_counted_by_the_formula():
    book = recipes.settings_of("cookbook")
    assert recipes.operations(book) == 6 * (4 * 128 * 256 + 128 * 8084)
    projected = {**book, "embedding_size": 256, "hidden_size": 512, "projection_size": 256}
    assert recipes.operations(projected) == 6 * (4 * 512 * (256 + 512) + 512 * 256 + 256 * 8084)


WORKER = """
import json, sys
print(json.dumps({"ready": 0.1}), flush=True)
for line in sys.stdin:
    if json.loads(sys.argv[1])["fails"]:
        sys.exit("no luck")
    print(json.dumps({"seconds": 2.0, "steps": int(line)}), flush=True)
print(json.dumps({"peak_mib": 7}), flush=True)
"""


@pytest.mark.parametrize("alternate", [driver.alternate, driver.alternate_apart])
def test_a_peer_that_fails_or_is_missing_is_a_line_and_no_more(alternate, tmp_path, no_peers, monkeypatch):
    monkeypatch.setattr(driver, "REST", 0)
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    good, bad = (driver.Peer(name, str(script), {**TINY, "fails": name == "bad"}) for name in ("good", "bad"))
    absent = driver.Peer("absent", str(script), TINY, environments.torch)
    alternate([good, bad, absent], 2, 4)
    assert [found["steps"] for found in good.rounds] == [4, 4] and good.peak_mib == 7
    assert "no luck" in bad.problem and absent.problem == "not here"
    for peer in (bad, absent):
        assert training.row(peer, good, {})[1] == f"none: {peer.problem}"


@pytest.mark.slow
def test_all_start_alike_and_learn(no_peers):
    chosen = training.paced({**recipes.settings_of("cookbook"), **TINY}, 1, 2)
    peers = [*recipes.ours(chosen), recipes.cookbook(chosen), recipes.keras(chosen), recipes.pytorch(chosen)]
    text = training.compared(SITTING, chosen, peers, 2)
    *workers, absent = peers
    assert absent.problem and "none: not here" in text and "compat.v1" in text
    for peer in workers:
        assert peer.problem is None
        assert peer.ready["first_loss"] == pytest.approx(math.log(TINY["vocabulary"]), rel=0.03)
        (found,) = peer.rounds
        assert found["steps"] == 2 and found["seconds"] > 0 and found["loss"] < peer.ready["first_loss"] and peer.peak_mib > 100


@pytest.mark.slow
def test_texts_are_written_by_all(no_peers):
    text = generation.generation(SITTING, {**recipes.settings_of("cookbook"), **TINY}, words=8)
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) == 14 and all(float(row[2].replace(",", "")) > 0 for row in rows)


@pytest.mark.slow
def test_scripts_prepare_what_the_stages_do(monkeypatch, tmp_path):
    monkeypatch.setattr(preparation, "WORK", tmp_path)
    lines = [f"the king and queen, of england: did not see a ghost-{i % 7}" for i in range(300)]
    text = preparation.preparation(SITTING, {0.2: 1}, lines)
    assert "none" not in text and len(text.splitlines()) == 2 + 6
    assert list(tmp_path.iterdir()) == []


def test_a_text_has_the_size_that_is_asked_for(tmp_path):
    lines = ["to be or not to be", "é" * 40, "x"]
    preparation.write_text(tmp_path, lines, 50_000)
    files = sorted(tmp_path.iterdir())
    assert len(files) == preparation.FEWEST_FILES
    assert sum(file.stat().st_size for file in files) == pytest.approx(50_000, rel=0.05)
    assert {line for file in files for line in file.read_text(encoding="utf-8").splitlines()} == set(lines)


def test_an_unknown_section_is_refused(capsys):
    with pytest.raises(SystemExit):
        bench.main(["trainig"])
    assert "no section trainig: there are roof, training" in capsys.readouterr().err


def test_a_trial_leaves_the_page_alone(monkeypatch, tmp_path, capsys):
    copy = tmp_path / "performance.md"
    copy.write_text("<!-- bench:roof -->\n<!-- /bench:roof -->\n")
    monkeypatch.setattr(page, "PAGE", copy)
    monkeypatch.setattr(bench, "SECTIONS", {"roof": lambda sitting: f"{sitting.rounds} rounds"})
    bench.main(["--quick"])
    assert "2 rounds" in capsys.readouterr().out and "rounds" not in copy.read_text()
    bench.main(["--rounds", "3"])
    assert "3 rounds" in copy.read_text()


@pytest.mark.slow
def test_quality_trains_ours_and_the_cookbook_on_the_same_text(no_peers, tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "WORK", tmp_path / "work")
    (tmp_path / "data/own").mkdir(parents=True)
    write_corpus(tmp_path / "data/own")
    values = keys.with_changes(loading.read(PROJECT / "params.yaml"), SMALL_TEXT)
    (tmp_path / "params.yaml").write_text(json.dumps(values))
    for name in ("download", "vocab", "batching"):
        run([sys.executable, str(PROJECT / "src" / f"{name}.py")], tmp_path)
    sizes = {f"model.{name}_size": 8 for name in ("embedding", "hidden", "projection")}
    cut = {"batching.batch_size": 4, "batching.sequence_length": 8, "train.validate_every": 20}
    text = quality.quality(SITTING, tmp_path / "data", {**sizes, **cut})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    assert [row[0].split(",")[0] for row in rows] == [
        "ours: `params.yaml`",
        "the cookbook's recipe",
        "PyTorch's example word_language_model",
        "interpolated Kneser-Ney",
    ]
    ours, book, example, counted = rows
    assert "none: not here" in example[1]
    assert book[3] == "1.000"
    for row in (ours, book, counted):
        validation, test, share = map(float, row[1:4])
        assert 1 < validation < 100
        assert share == pytest.approx(test / float(book[2]), abs=0.01)
        assert float(row[4]) == pytest.approx(test, abs=0.1)  # of this text's test document one word is unknown, which is no choice
    assert float(ours[6].removesuffix(" s")) >= 0
