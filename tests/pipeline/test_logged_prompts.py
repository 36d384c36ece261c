"""From the prompts that a server has logged to a champion that was trained on them, as docs/how-to/monitor.md says."""

import json
import math
from pathlib import Path

import pytest

from conftest import client, run, runs
from drift_reports import logged
from lstm_lm.serving.prompts import page
from lstm_lm.serving.prompts.files import PromptWriter

pytestmark = pytest.mark.slow


def write_log(folder: Path, raw: Path) -> list[str]:
    """Log the beginning of lines of the text, and every fourth time something else: the different prompts."""
    lines = [line for path in sorted(raw.rglob("*.txt")) for line in path.read_text().splitlines() if len(line.split()) == 7]
    prompts = [" ".join(line.split()[: 3 + i % 5]) for i, line in enumerate(lines[:300])]
    prompts = [f"please reset my password {i}" if i % 4 == 0 else prompt for i, prompt in enumerate(prompts)]
    folder.mkdir()
    writer = PromptWriter(folder, 10**7)
    writer.write([each.encode() for each in logged(prompts)])
    writer.close()
    return list(dict.fromkeys(prompts))


def test_logged_prompts_are_compared_and_a_model_is_trained_on_them(project: Path) -> None:
    mistake = run(["python", "src/cli.py", "drift", "prompts"], project, check=False)
    assert (mistake.returncode, mistake.stdout.count("\n")) == (1, 1)
    assert "prompts: there is no such folder" in mistake.stdout
    prompts = write_log(project / "prompts", project / "data/raw")
    printed = run(["python", "src/cli.py", "drift", "prompts", "--export", "data/own/with-prompts/prompts.txt"], project).stdout
    held_out = json.loads((project / "reports/metrics.json").read_text())["validation"]
    unknown = next(line for line in printed.splitlines() if line.startswith("unknown words  ")).split()
    assert float(unknown[3].rstrip("%")) / 100 == pytest.approx(held_out["oov_rate"], abs=0.002)  # of all words, not the scored ones alone
    assert float(unknown[2].rstrip("%")) > float(unknown[3].rstrip("%"))
    surprisal = next(line for line in printed.splitlines() if line.startswith("surprisal, bits per word")).split()
    whole = math.log2(held_out["adjusted_perplexity"])
    assert whole - 0.1 < float(surprisal[5]) < whole + 2  # pieces have less context than documents
    assert "Train on such text." in printed
    html = (project / page.FILE).read_text()
    assert "please reset my password" in html
    assert (project / "data/own/with-prompts/prompts.txt").read_text().splitlines() == prompts
    assert page.FILE not in run(["git", "status", "--short"], project).stdout

    champion = client(project).get_model_version_by_alias("lstm_lm", "champion")
    run(["python", "src/cli.py", "experiment", "prompts"], project)
    [trained] = [each for each in runs(project) if each.info.run_id != champion.run_id]
    assert trained.data.params["train.init_from"] == "models:/lstm_lm@champion"
    assert "version 1" in trained.data.tags["lstm_lm.init_from"] or champion.run_id in trained.data.tags["lstm_lm.init_from"]
    table, _, rest = run(["python", "src/cli.py", "compare"], project).stdout.partition("\n\n")
    assert sorted(line.split()[0] for line in table.splitlines()) == ["model", "prompts", "this"]  # on the same test text
    assert "cannot be compared" not in rest
    assert "has changed since this run" not in rest
    run(["python", "src/cli.py", "promote", trained.info.run_id], project)
    assert client(project).get_model_version_by_alias("lstm_lm", "champion").run_id == trained.info.run_id
