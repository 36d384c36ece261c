import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from conftest import COMMIT, PROJECT, run
from lstm_lm.commands import summary
from lstm_lm.config import loading
from lstm_lm.errors import UserError
from lstm_lm.evaluation.samples import Sample, SampleSettings, samples_page
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from terminal_window import run_in_window

PAGE = """# Samples

## Greedy

- **to be** the the
- **thou** the the

## Temperature 0.7

- **to be** a king
- **to be** a ghost
- **thou** art  
  mine
- **thou** wert

## Temperature 1

- **to be** or
- **to be** not
- **thou** who
- **thou** what
"""


def test_the_first_text_of_each_prompt_at_the_middle_temperature_is_shown() -> None:
    assert summary.first_samples(PAGE, temperatures=[0, 0.7, 1.0], samples=2, prompts=2) == ["to be a king", "thou art / mine"]


def test_without_results_the_error_explains_how_to_create_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"reports/metrics.json is missing: run the pipeline first, with: make repro"):
        summary.summary()


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder with the results of the committed run, with all that the summary can show: other predictors, reports, long samples."""
    for name in ("models/saved_model/assets", "reports"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    metrics = json.loads((PROJECT / "reports/metrics.json").read_text())
    for name in ("loss", "perplexity", "adjusted_perplexity", "bits_per_character"):
        for predictor in ("ngram_mixture", "dynamic_evaluation", "neural_cache"):
            metrics["test"][f"{predictor}_{name}"] = metrics["test"][f"kneser_ney_{name}"]
    (tmp_path / "reports/metrics.json").write_text(json.dumps(metrics))
    settings = loading.load(tmp_path / "params.yaml").evaluate_sample
    wanted = SampleSettings(settings.prime_texts, settings.temperatures, settings.generation_options(temperature=0.0))
    texts: list[Sample] = [
        {"prompt": prompt, "temperature": temperature, "text": f"{prompt} " + "lovely and more temperate " * 20}
        for temperature in settings.temperatures
        for prompt in settings.prime_texts
    ]
    (tmp_path / "reports/samples.md").write_text(samples_page(texts, wanted))
    for name in ("report.html", "model_card.md"):
        (tmp_path / "reports" / name).touch()
    (tmp_path / "models/run.json").write_text('{"run_id": "632cecd95c1846108ede5209dc69c520"}')
    Tokenizer(True, "-'").save(tmp_path / "models/saved_model/assets/tokenizer.json")
    return tmp_path


def test_a_model_that_loses_against_counting_and_unknown_prompts_are_noted(finished: Path) -> None:
    metrics = json.loads((finished / "reports/metrics.json").read_text())
    for end in ("", "_low"):
        metrics["test"][f"gain_over_kneser_ney{end}"] = -0.2
    metrics["test"]["loss"] = metrics["test"]["kneser_ney_loss"] + 0.2
    (finished / "reports/metrics.json").write_text(json.dumps(metrics))
    (finished / "models/saved_model/assets/vocabulary.txt").write_text("<unk>\nto\nbe\nor\nnot\nmore\nart\n")
    lines = run_in_window([sys.executable, str(PROJECT / "src/cli.py"), "summary"], finished, 80)
    text = " ".join(" ".join(lines).split())
    assert "worse than counting n-grams (Kneser-Ney): try more dropout" in text
    assert "the model does not know these words of the prompts: thou wherefore;" in text
    assert len(lines) < 45


@pytest.mark.parametrize("columns", [80, 120])
def test_the_summary_fits_into_a_window(columns: int, finished: Path) -> None:
    run(["git", "init", "--quiet"], finished)
    lines = run_in_window([sys.executable, str(PROJECT / "src/cli.py"), "summary"], finished, columns)
    assert any(line.startswith('  git add -A && git commit -m "my run"') for line in lines)
    assert len(lines[1:]) < 40  # the prompt of the shell comes after them, and the empty line before them may be out of sight
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert re.search(r"^test +(43,628 +)?5\.\d{3} +1\d\d\.\d\d ", text, re.MULTILINE)
    assert len(re.findall(r"^  .* lovely$", text, re.MULTILINE)) + text.count(" ...\n") >= 3  # samples break between words
    assert "  http://127.0.0.1:5000/#/runs/632cecd95c1846108ede5209dc69c520" in lines
    assert "reports/report.html" in text and "reports/model_card.md" in text
    assert ("this window is too narrow" in text) == (columns == 80)


def test_the_next_steps_name_what_is_not_committed(finished: Path) -> None:
    def last_lines() -> list[str]:
        lines = run([sys.executable, str(PROJECT / "src/cli.py"), "summary"], finished, GIT_CEILING_DIRECTORIES=str(finished.parent)).stdout
        return lines[lines.index("next steps\n") :].splitlines()

    assert "git" not in " ".join(last_lines())  # no repository
    run(["git", "init", "--quiet"], finished)
    (finished / ".gitignore").write_text("/models\n/reports/report.html\n")
    commit = 'git add -A && git commit -m "my run"'
    assert last_lines()[-1] == f"  {commit}  for experiments: params.yaml, reports/"
    run(["sh", "-c", f"git add -A && {' '.join(COMMIT)} first"], finished)
    assert "git" not in " ".join(last_lines())
    (finished / "data/own").mkdir(parents=True)
    for name in ("data/own/mine.txt", "dvc.lock", "reports/report.html", "notes.txt"):
        (finished / name).write_text("text")
    assert last_lines()[-1] == f"  {commit}  for experiments: dvc.lock, data/own/"
    assert "  make models    list the versions: models:/lstm_lm@champion is the one to use" in last_lines()
