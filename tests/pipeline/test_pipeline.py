"""The real pipeline: `dvc repro` in a Git repository of its own, on a tiny corpus."""

import json
import re
import shutil
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import DOCUMENTS, TINY, change_params, client, copy_project, digests, first_output, run, run_id, runs, write_corpus
from lstm_lm.config import loading
from lstm_lm.events import ROW_METRICS
from lstm_lm.text import encoded, splits
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.tracking.training_run import SYSTEM_METRICS
from lstm_lm.ui.metric_catalog import CURVES, LOGGED
from lstm_lm.ui.report import card, inputs, numbers
from plain import PlainKneserNey, PlainModel, log_softmax

pytestmark = pytest.mark.slow


def stages(output: str) -> list[str]:
    """The stages that ran, according to what `dvc repro` printed."""
    return re.findall(r"^Running stage '(.*)':", output, re.MULTILINE)


def repro(folder: Path, *arguments: str, **variables: str) -> tuple[list[str], str]:
    """Run `dvc repro`. Returns the stages that ran and what was printed."""
    output = run(["python", "-m", "dvc", "repro", *arguments], folder, **variables).stdout
    return stages(output), output


@pytest.fixture
def new_project(tmp_path: Path) -> Path:
    """A project whose pipeline has not run."""
    return copy_project(tmp_path / "new_project")


def test_a_first_run_reports_what_it_does_and_nothing_else(finished_project: Path) -> None:
    printed = first_output(finished_project).read_text()
    assert stages(printed) == ["download", "vocab", "batching", "train", "evaluate-sample"]
    assert "data/raw: 20 documents" in printed
    assert re.search(r"train +18 +", printed)
    assert re.search(r"step +\d+/\d+ +epoch 1/2 +loss .* words/s .* left", printed)
    assert re.search(r"epoch 2/2: validation loss [\d.]+, perplexity [\d.]+", printed)
    assert "lstm_lm version 1 in the model registry" in printed
    for noise in ("oneDNN", "WARNING", "Warning", "Traceback", "\r", "INFO"):
        assert noise not in printed


def test_every_output_exists(finished_project: Path) -> None:
    folder = finished_project
    history = pd.read_csv(folder / "models/history.csv")
    assert history.validation_perplexity.notna().sum() == 2
    assert set(pd.read_csv(folder / "models/samples.csv").temperature) == {0.0, 0.8}
    assert (folder / "reports/graph.png").read_bytes().startswith(b"\x89PNG")
    samples = (folder / "reports/samples.md").read_text()
    assert samples.count("- **to be or not to** ") == 3
    config = json.loads((folder / "models/weights/config.json").read_text())
    assert config["precision"] in ("float32", "bfloat16")


def test_reported_metrics_equal_those_of_a_plain_numpy_evaluation(finished_project: Path) -> None:
    folder = finished_project
    reported = json.loads((folder / "reports/metrics.json").read_text())
    plain = PlainModel.load(folder / "models/weights")
    about = json.loads((folder / "data/batches/batches.json").read_text())
    for split in ("validation", "test"):
        ids = np.load(folder / f"data/batches/{split}.npy")
        costs = np.concatenate([plain.nats(ids[d["start"] : d["start"] + d["words"]]) for d in about[split]["documents"]])
        assert reported[split]["perplexity"] == pytest.approx(np.exp(costs.mean()), rel=1e-5)
        assert reported[split]["words"] == len(costs) == about[split]["scored"]


def test_baselines_intervals_and_text_statistics_are_reported_too(finished_project: Path) -> None:
    folder = finished_project
    reported = json.loads((folder / "reports/metrics.json").read_text())
    whole, _, vocabulary_size = encoded.load(folder / "data/vocab")
    parts = {name: whole.part(spans) for name, spans in splits.load(folder / "data/vocab/splits.json").items()}
    words = {
        name: [np.where(part.ids[start:stop] < vocabulary_size, part.ids[start:stop], 0) for _, start, stop in part.ranges]
        for name, part in parts.items()
    }
    baseline = PlainKneserNey(words["train"], vocabulary_size, 5)
    for split in ("validation", "test"):
        costs = np.concatenate([baseline.nats(document) for document in words[split]])
        assert reported[split]["kneser_ney_perplexity"] == pytest.approx(np.exp(costs.mean()), rel=1e-5)
        assert reported[split]["gain_over_kneser_ney"] == pytest.approx(costs.mean() - reported[split]["loss"], abs=1e-5)
        for name in ("loss", "perplexity", "adjusted_perplexity", "bits_per_character"):
            assert reported[split][f"{name}_low"] < reported[split][name] < reported[split][f"{name}_high"]
        counts = np.bincount(np.concatenate(words["train"]), minlength=vocabulary_size) + 1
        costs = -np.log(counts / counts.sum())[np.concatenate([document[1:] for document in words[split]])]
        assert reported[split]["unigram_perplexity"] == pytest.approx(np.exp(costs.mean()), rel=1e-5)
        assert not [name for name in reported[split] if name.startswith(("ngram_mixture", "dynamic_evaluation", "neural_cache"))]
    # The training text is as long as the validation text: the first 213 words of the first document.
    costs = PlainModel.load(folder / "models/weights").nats(words["train"][0][: len(words["validation"][0])])
    assert reported["validation"]["training_text_loss"] == pytest.approx(costs.mean(), rel=1e-4)
    assert reported["validation"]["generalization_gap"] == pytest.approx(reported["validation"]["loss"] - costs.mean(), abs=1e-4)
    names = {
        f"{prefix}{name}" for prefix in ("", "test_text_") for name in ("repetition_4", "distinct_1", "distinct_2", "copied_4", "copied_8")
    }
    assert set(reported["samples"]) == names | {"words"}
    assert all(0 <= reported["samples"][name] <= 1 for name in names)
    logged = runs(folder)[0].data.metrics
    shown = [name for name in LOGGED if name.partition("/")[2] in reported[name.partition("/")[0]]]
    # A training that takes longer than a reading of the machine's load has metrics of it.
    assert {name for name in logged if not name.startswith(SYSTEM_METRICS)} == {*ROW_METRICS, *shown}
    assert {name: logged[name] for name in shown} == {name: reported[name.partition("/")[0]][name.partition("/")[2]] for name in shown}
    steps = {name: client(folder).get_metric_history(run_id(folder), name)[-1].step for name in shown}
    assert {name for name, step in steps.items() if step} == set(CURVES)


def test_the_details_equal_those_of_plain_evaluations(finished_project: Path) -> None:
    folder = finished_project
    text = (folder / "reports/details.json").read_text(encoding="utf-8")
    details, metrics = json.loads(text), json.loads((folder / "reports/metrics.json").read_text())
    whole, _, vocabulary_size = encoded.load(folder / "data/vocab")
    [span] = splits.load(folder / "data/vocab/splits.json")["test"]
    [train] = [whole.part(spans) for name, spans in splits.load(folder / "data/vocab/splits.json").items() if name == "train"]
    documents = [np.where(train.ids[start:stop] < vocabulary_size, train.ids[start:stop], 0) for _, start, stop in train.ranges]
    test = np.load(folder / "data/batches/test.npy")
    model, baseline = PlainModel.load(folder / "models/weights"), PlainKneserNey(documents, vocabulary_size, 5)
    nats, other = model.nats(test), baseline.nats(test)

    for split in ("validation", "test"):
        for rows in (details["documents"][split], details["frequency_bands"][split], details["positions"][split]):
            for prefix in ("", "kneser_ney_", "unigram_"):
                sums = sum(row["words"] * row[f"{prefix}loss"] for row in rows)
                assert sums / metrics[split]["words"] == pytest.approx(metrics[split][f"{prefix}loss"], abs=1e-5)
    assert [row["name"] for row in details["documents"]["test"]] == details["splits"]["test"]["files"] == [span.document]
    counts = np.bincount(np.concatenate(documents), minlength=vocabulary_size)
    for row in details["frequency_bands"]["test"]:
        low, high = row["low"], row["high"] or np.inf
        in_band = test[1:] == 0 if low is None else (test[1:] > 0) & (counts[test[1:]] >= low) & (counts[test[1:]] <= high)
        assert (row["words"], row["loss"]) == (in_band.sum(), pytest.approx(nats[in_band].mean(), abs=1e-5))
        assert row["kneser_ney_loss"] == pytest.approx(other[in_band].mean(), abs=1e-5)
    for row in details["positions"]["test"]:
        here = slice(max(row["start"], 1) - 1, row["end"] - 1)
        assert (row["words"], row["loss"]) == (len(nats[here]), pytest.approx(nats[here].mean(), abs=1e-5))

    passage = details["passage"]
    words = Tokenizer.load(folder / "data/vocab/tokenizer.json").tokenize((folder / "data/raw" / span.document).read_text())
    here = slice(passage["start"], passage["start"] + len(passage["words"]))
    assert [word["text"] for word in passage["words"]] == words[here]
    np.testing.assert_allclose([word["bits"] for word in passage["words"]], nats[here.start - 1 : here.stop - 1] / np.log(2), atol=1e-4)
    np.testing.assert_allclose(
        [word["kneser_ney_bits"] for word in passage["words"]], other[here.start - 1 : here.stop - 1] / np.log(2), atol=1e-4
    )

    top, rank, state = [], [], model.initial_state(1)
    for word, target in pairwise(test):
        logits, state = model.step(np.array([word]), state)
        top.append(np.exp(log_softmax(logits)).max())
        rank.append(np.sum(logits[0] > logits[0, target]))
    calibration = details["calibration"]["test"]
    assert [calibration[f"top_{k}"] for k in (1, 5, 10)] == pytest.approx([np.mean(np.array(rank) < k) for k in (1, 5, 10)], abs=1e-5)
    mean = sum(row["words"] * row["mean_probability"] for row in calibration["bins"]) / calibration["words"]
    assert mean == pytest.approx(np.mean(top), abs=1e-4)
    assert details["references"] == {"champion": None, "parent": None}
    assert details["source"] == {"path": "data/own"}


def test_the_card_describes_the_run_and_its_version_and_the_note_sums_it_up(finished_project: Path) -> None:
    folder = finished_project
    model_card = (folder / "reports/model_card.md").read_text()
    assert model_card == card.build(card.CardInputs(inputs.load(folder), "lstm_lm"))  # it can be made again without a training
    first = model_card.splitlines()[0]
    test = json.loads((folder / "reports/metrics.json").read_text())["test"]
    assert first.startswith(f"Perplexity {numbers.perplexity(test['perplexity'])} per word on the test text (95% interval ")
    assert f"- **batch size**: {loading.load(folder / 'params.yaml').batching.batch_size}" in model_card
    assert f"git checkout {run(['git', 'rev-parse', 'HEAD~1'], folder).stdout.strip()}" in model_card
    store, [found] = client(folder), runs(folder)
    version = store.get_model_version("lstm_lm", "1")
    for text in (version.description, found.data.tags["mlflow.note.content"]):
        assert text.splitlines()[0] == first
        assert (
            f"(#/experiments/{found.info.experiment_id}/runs/{found.info.run_id}/artifacts/model_card.md?workflowType=machine_learning)"
            in text
        )
    files = json.loads((folder / "reports/details.json").read_text())["splits"]["test"]["files"]
    assert files[0] in found.data.tags["mlflow.note.content"]
    assert "The alias `champion`" in store.get_registered_model("lstm_lm").description


def test_the_test_document_affects_neither_vocabulary_nor_training_nor_early_stopping(finished_project: Path, tmp_path: Path) -> None:
    """A test document of another length and with other words changes nothing but the test split."""
    folder = finished_project
    again = copy_project(tmp_path / "again")
    write_corpus(again / "data/own")
    trained = json.loads((folder / "models/weights/config.json").read_text())
    change_params(again, {**TINY, "train.precision": trained["precision"]})  # so that it is not measured again
    [document] = {span["document"] for span in json.loads((folder / "data/vocab/splits.json").read_text())["test"]}
    (again / "data/own" / document).write_text("quite different vocabulary without any known token whatsoever\n" * 50)
    assert repro(again, "train")[0] == ["download", "vocab", "batching", "train"]
    for name in ("raw", "vocab", "batches"):
        before, after = digests(folder / "data" / name), digests(again / "data" / name)
        assert {file for file in before | after if before.get(file) != after.get(file)} == {
            "raw": {document, "source.json"},
            "vocab": {"text.npy", "text.json", "lengths.npy", "splits.json"},
            "batches": {"test.npy", "batches.json"},
        }[name]
    before, after = (json.loads((place / "data/batches/batches.json").read_text()) for place in (folder, again))
    assert {key for key in before if before[key] != after[key]} == {"test", "raw"}
    before, after = (json.loads((place / "data/vocab/splits.json").read_text()) for place in (folder, again))
    assert {key for key in before if before[key] != after[key]} == {"test"}
    # The same weights, bit for bit, and the same step, which the validation loss chooses.
    assert digests(folder / "models/weights") == digests(again / "models/weights")
    assert (folder / "models/samples.csv").read_bytes() == (again / "models/samples.csv").read_bytes()
    before, after = (pd.read_csv(place / "models/history.csv").drop(columns="words_per_second") for place in (folder, again))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_held_out_documents_never_reach_the_vocabulary(finished_project: Path) -> None:
    folder = finished_project
    splits = json.loads((folder / "data/vocab/splits.json").read_text())
    known = set(pd.read_csv(folder / "data/vocab/vocab.csv", keep_default_na=False).word)
    own = {name: {f"own{span['document'][5:7]}" for span in splits[name]} for name in splits}
    assert own["train"] <= known  # each occurs three times, and min_count is 2
    assert not (own["validation"] | own["test"]) & known
    assert len(own["validation"]) == len(own["test"]) == 1


def test_a_training_is_one_finished_mlflow_run_with_everything_in_it(finished_project: Path) -> None:
    folder = finished_project
    store = client(folder)
    [found] = [each for each in runs(folder) if each.info.run_id == run_id(folder)]
    assert found.info.status == "FINISHED"
    assert found.data.params["batching.batch_size"] == "4"
    reported = json.loads((folder / "reports/metrics.json").read_text())
    assert found.data.metrics["test/perplexity"] == pytest.approx(reported["test"]["perplexity"], abs=1e-5)
    history = pd.read_csv(folder / "models/history.csv")
    logged = store.get_metric_history(found.info.run_id, "train/loss")
    assert [metric.step for metric in logged] == history.step.tolist()
    assert {item.path for item in store.list_artifacts(found.info.run_id)} >= {
        "graph.png",
        "history.csv",
        "metrics.json",
        "params.yaml",
        "samples.json",
        "samples.md",
        "model_card.md",
        "report.html",
    }
    assert [each.dataset.name for each in found.inputs.dataset_inputs] == [
        f"own text: {context} ({files})" for context, files in (("training", "18 files"), ("validation", "1 file"), ("test", "1 file"))
    ]
    assert [key for key in found.data.tags if not key.startswith("mlflow.")] == ["git.dirty", "evaluate_sample"]
    [version] = store.search_model_versions(f"run_id = '{found.info.run_id}'")
    assert version.name == "lstm_lm"
    assert version.tags["run"] == found.info.run_name
    assert version.tags["ppl"] == f"{reported['test']['perplexity']:.4g}"
    model = store.get_logged_model(found.outputs.model_outputs[0].model_id)
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "lstm_lm", "version": 1}]
    assert {"test/perplexity", "validation/bits_per_character"} <= {metric.key for metric in model.metrics}


def test_a_training_says_what_it_used_and_logs_the_load_of_the_machine(finished_project: Path) -> None:
    folder = finished_project
    used = json.loads((folder / "models/run.json").read_text())
    assert set(used) == {"run_id", "seconds", "cpu_seconds", "energy_joules", "energy_of", "machine"}
    assert used["seconds"] > 0
    assert used["cpu_seconds"] > 0
    assert (used["energy_joules"] is None) == (used["energy_of"] == [])
    assert "core" in used["machine"]
    logged = client(folder).get_run(used["run_id"]).data.metrics
    assert 0 < logged["system/system_memory_usage_percentage"] <= 100


def test_the_second_time_nothing_runs(project: Path) -> None:
    folder = project
    ran, printed = repro(folder)
    assert ran == []
    assert "up to date" in printed


def test_reports_drawn_again_are_the_same_and_a_difference_is_noted(project: Path) -> None:
    before = digests(project / "reports")
    printed = run(["python", "src/cli.py", "report"], project).stdout
    assert printed.splitlines() == ["reports/report.html", "reports/model_card.md"]
    assert digests(project / "reports") == before
    style = project / "src/lstm_lm/ui/report/report.css"
    style.write_text(style.read_text() + "p { color: black; }\n")
    printed = run(["python", "src/cli.py", "report"], project).stdout
    assert "note: reports/report.html differs from the one that dvc.lock records" in printed
    assert "model_card.md differs" not in printed
    run(["python", "-m", "dvc", "checkout", "--force", "reports/report.html"], project)
    assert digests(project / "reports") == before


def test_the_summary_shows_metrics_samples_and_next_steps(project: Path) -> None:
    folder = project
    printed = run(["python", "src/cli.py", "summary"], folder).stdout
    assert re.search(r"^test +\d+ +[\d.]+ +[\d.]+ +[\d.]+-[\d.]+ +[\d.]+% +[\d.]+ +[\d.]+$", printed, re.MULTILINE)
    assert re.search(r"^  Kneser-Ney n-grams +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$", printed, re.MULTILINE)
    assert re.search(r"^loss on training text: [\d.]+ nats per word; on validation text: [\d.]+ (more|less)$", printed, re.MULTILINE)
    assert re.search(r"^generated, [\d,]+ words( +[\d.]+%?){5}$", printed, re.MULTILINE)
    assert len(re.findall(r"^  (thou art more|to be or not to|wherefore art thou) ", printed, re.MULTILINE)) == 3
    assert run_id(folder) in printed
    assert "make serve" in printed


def test_sampling_from_the_checkouts_model(project: Path) -> None:
    folder = project
    assert run(["python", "src/cli.py", "sample"], folder).stdout.startswith("thou art more ")  # the first prompt of params.yaml
    options = ["--samples", "3", "--no-repeat-ngram", "1", "--repetition-penalty", "1.2", "--min-p", "0.01", "--stop-at-sentence-end"]
    note, *texts = run(["python", "src/cli.py", "sample", "--max-words", "8", *options, "Thou ART"], folder).stdout.splitlines()
    assert note == "note: --stop-at-sentence-end has no effect: none of . ! ? <eos> is a word of the model"
    assert len(set(texts)) == len(texts) == 3
    assert all(text.startswith("Thou ART ") and len(set(text.split())) == len(text.split()) == 10 for text in texts)
    for arguments, message in (
        (["--top-p", "0", "x"], "--top-p = 0.0: must be above 0 and at most 1"),
        (["--beam-width", "2", "--samples", "3", "x"], "--samples = 3: must be at most --beam-width, which is 2"),
        ([" "], "contains no words"),
        ([""], "contains no words"),
        (["to be " * 2000], "the prompt has 12,000 characters: must be at most 10,000"),
    ):
        done = run(["python", "src/cli.py", "sample", *arguments], folder, check=False)
        assert done.returncode == 1
        assert message in done.stdout
        assert done.stdout.count("\n") == 1


def test_an_incomplete_model_folder_is_reported_and_dvc_restores_it(project: Path) -> None:
    folder = project
    before = digests(folder / "models")
    sample, evaluate = ["python", "src/cli.py", "sample", "to be"], ["python", "src/evaluate_sample.py"]
    missing = "is incomplete: variables/variables.index is missing: restore it with dvc checkout"
    for name, spoil, message, commands in (
        ("variables/variables.index", None, missing, [sample, evaluate]),
        ("saved_model.pb", b"nonsense", "cannot be loaded: ", [sample]),
        ("variables/variables.data-00000-of-00001", b"short", "cannot be loaded: ", [evaluate]),
    ):
        file = folder / "models/saved_model" / name
        whole = file.read_bytes()
        file.unlink()  # it may be a link into DVC's cache, so it must not be overwritten
        if spoil is not None:
            file.write_bytes(spoil)
        for command in commands:
            done = run(command, folder, check=False)
            assert (done.returncode, done.stdout.count("\n")) == (1, 1), done.stdout
            assert message in done.stdout
        file.unlink(missing_ok=True)
        file.write_bytes(whole)
    file.write_bytes(b"nonsense")
    (folder / "models/saved_model/variables/variables.index").unlink()
    run(["python", "-m", "dvc", "checkout", "--force"], folder)
    assert digests(folder / "models") == before


def test_a_tracking_server_that_is_down_is_reported_before_any_training(project: Path, free_port: int) -> None:
    folder = project
    before = digests(folder / "models")
    unused = f"127.0.0.1:{free_port}"
    for address, line in (
        (f"http://{unused}", f"error: no MLflow server answers at http://{unused}: connection refused"),
        (f"postgresql://user:secret@{unused}/mlflow", f"error: the tracking store postgresql://***@{unused}/mlflow does not answer"),
    ):
        began = time.monotonic()
        done = run(["python", "src/train.py"], folder, check=False, MLFLOW_TRACKING_URI=address)
        assert time.monotonic() - began < 30
        assert done.returncode == 1
        assert done.stdout.count("\n") == 1
        assert line in done.stdout
    assert digests(folder / "models") == before


def test_an_evaluation_does_not_need_the_tracking_server_and_its_results_are_kept_for_it(
    finished_project: Path, project: Path, free_port: int
) -> None:
    folder, address = project, f"http://127.0.0.1:{free_port}"
    done = run(["python", "src/evaluate_sample.py"], folder, MLFLOW_TRACKING_URI=address)
    assert f"warning: no MLflow server answers at {address}: connection refused" in done.stdout
    assert "evaluating all the same" in done.stdout
    assert re.search(rf"warning: \d+ records of MLflow run {run_id(folder)} not in the tracking store yet .*: make resend", done.stdout)
    assert "Traceback" not in done.stdout
    before, after = ((place / "reports/details.json").read_text(encoding="utf-8") for place in (finished_project, folder))
    commits = [json.loads(text)["run"]["commit"] for text in (before, after)]
    assert after == before.replace(*commits)
    done = run(["python", "src/cli.py", "resend"], folder, check=False)
    assert done.returncode == 1
    assert f"of {address}: " in done.stdout
    assert "it belongs to another store: name that one in MLFLOW_TRACKING_URI" in done.stdout


def test_serve_reports_what_is_missing(project: Path, new_project: Path) -> None:
    folder = project
    done = run(["python", "src/cli.py", "serve"], new_project, check=False)
    assert (done.returncode, done.stdout) == (1, "error: there is no model in models/saved_model: train one first, with: make repro\n")
    done = run(["python", "src/cli.py", "serve", "--port", "99999"], folder, check=False)
    assert done.returncode == 2
    assert done.stdout.startswith("error: --port = 99999: must be a whole number from 1 to 65535 (help: ")
    done = run(["python", "src/cli.py", "ui"], folder, check=False, MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    assert done.stdout == "error: the tracking store is a server with its own web interface: open http://127.0.0.1:1\n"


def test_a_stage_without_its_inputs_is_a_one_line_error(new_project: Path) -> None:
    for script, file in (
        ("vocab", "data/raw/source.json"),
        ("batching", "data/vocab/text.json"),
        ("train", "data/vocab/vocab.csv"),
    ):
        done = run(["python", f"src/{script}.py"], new_project, check=False)
        assert (done.returncode, done.stdout) == (
            1,
            f"error: {file}: No such file or directory (an output of the pipeline; to create it, run: make repro)\n",
        )


def test_a_bad_parameter_is_a_one_line_error_and_an_exit_code(new_project: Path) -> None:
    change_params(new_project, {"batching.batch_size": 0})
    done = run(["python", "-m", "dvc", "repro"], new_project, check=False)
    assert done.returncode != 0
    assert "error: params.yaml: batching.batch_size = 0: must be greater than or equal to 1\n" in done.stdout
    assert "Traceback" not in done.stdout


def test_data_outputs_are_byte_equal_in_a_fresh_copy(finished_project: Path, new_project: Path) -> None:
    write_corpus(new_project / "data/own")
    change_params(new_project, TINY)
    for stage in ("download", "vocab", "batching"):
        run(["python", f"src/{stage}.py"], new_project)
    for name in ("raw", "vocab", "batches"):
        assert digests(new_project / "data" / name) == digests(finished_project / "data" / name)


def test_a_change_runs_only_what_depends_on_it(project: Path, empty_store: Path) -> None:
    """Each change is made on top of the previous one."""
    folder = project
    first_run, metrics = run_id(folder), json.loads((folder / "reports/metrics.json").read_text())

    # A setting of the last stage: no retraining, the same run, the same model version.
    prompts = loading.load(folder / "params.yaml").evaluate_sample.prime_texts
    change_params(
        folder,
        {
            "evaluate_sample.max_words": 9,
            "evaluate_sample.prime_texts": [*prompts, "xyzzy plugh"],
            "evaluate_sample.ngram_mixture": "auto",
            "evaluate_sample.dynamic_evaluation": {"learning_rate": 0.1, "decay": 0.001, "segment": 20},
            "evaluate_sample.neural_cache": {"size": 100, "theta": 0.2, "weight": 0.1},
        },
    )
    ran, printed = repro(folder)
    assert ran == ["evaluate-sample"]
    assert printed.count("note: the vocabulary contains no word of") == 1
    assert "'xyzzy plugh'" in printed
    assert "lstm_lm version 1 in the model registry is already this model" in printed
    # The three options add metrics; all others stay as they are.
    after = json.loads((folder / "reports/metrics.json").read_text())
    assert 0 <= after["validation"].pop("ngram_mixture_weight") <= 1
    assert after["validation"]["ngram_mixture_loss"] <= min(after["validation"]["loss"], after["validation"]["kneser_ney_loss"])
    for split in ("validation", "test"):
        for option in ("ngram_mixture", "dynamic_evaluation", "neural_cache"):
            names = [f"{option}_{name}" for name in ("loss", "perplexity", "adjusted_perplexity", "bits_per_character")]
            assert all(after[split].pop(name) > 0 for name in names)
    assert after == metrics
    assert client(folder).get_run(first_run).data.tags["evaluate_sample"].startswith('{"max_words": 9, ')

    # The serving code: a new version of the model of the same run, and still no retraining.
    serving = folder / "src/lstm_lm/serving/pyfunc.py"
    serving.write_text(serving.read_text() + "# changed\n")
    ran, printed = repro(folder)
    assert ran == ["evaluate-sample"]
    assert re.search(r"^lstm_lm version 2 in the model registry$", printed, re.MULTILINE)
    assert client(folder).get_model_version("lstm_lm", "2").run_id == first_run
    assert run_id(folder) == first_run

    # No output depends on where runs are tracked.
    change_params(folder, {"tracking.experiment": "other"})
    assert repro(folder)[0] == []

    # A store that does not know the run gets a proxy for it.
    shutil.copy(empty_store, folder / "elsewhere.db")
    ran, printed = repro(folder, "--force", "--single-item", "evaluate-sample", MLFLOW_TRACKING_URI=f"sqlite:///{folder / 'elsewhere.db'}")
    assert f"run {first_run}, which trained the weights, is not in this tracking store" in printed
    assert run_id(folder) == first_run

    # A new line in a training document: everything, in a new run.
    text = folder / "data/own" / json.loads((folder / "data/vocab/splits.json").read_text())["train"][0]["document"]
    text.write_text(text.read_text() + "a ghost more\n")
    ran, printed = repro(folder)
    assert ran == ["download", "vocab", "batching", "train", "evaluate-sample"]
    assert run_id(folder) != first_run

    # Back to the previous text: DVC restores the model, and nothing is trained.
    text.write_text(text.read_text().removesuffix("a ghost more\n"))
    ran, printed = repro(folder)
    assert "Stage 'train' is cached" in printed
    assert run_id(folder) == first_run


def test_make_clean_keeps_the_users_text_and_the_runs(project: Path) -> None:
    folder = project
    printed = run(["make", "clean"], folder).stdout
    assert "data/raw" in printed
    assert not any(
        (folder / name).exists()
        for name in (
            "data/raw",
            "data/vocab",
            "data/batches",
            "models/weights",
            "models/run.json",
            "reports/metrics.json",
            "reports/details.json",
            "reports/summary.json",
        )
    )
    assert len(list((folder / "data/own").glob("*.txt"))) == DOCUMENTS
    assert (folder / "mlflow.db").exists()
    assert (folder / "models/.gitkeep").exists()
