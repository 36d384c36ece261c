"""The documentation against the project: its commands run, its code runs, its links and file names lead somewhere."""

import contextlib
import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT, move_copy, run
from lstm_lm.ui.metric_catalog import METRICS, OTHER_PREDICTORS, Metric

PAGES = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "benchmarks/README.md",
    *sorted((PROJECT / "docs").rglob("*.md")),
]
REASONS = {
    "slow",
    "interactive",
    "needs a running server",
    "needs another package",
    "output",
    "sets up a new checkout",
    "changes the checkout",
}
FENCE = re.compile(r"^ *```")
SKIPPED = re.compile(r"<!-- not run by the tests: (.+) -->")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"^[\w.-]+(/[\w.*-]+)*/?$")
SUFFIXES = (".py", ".yaml", ".yml", ".md", ".json", ".csv", ".npz", ".npy", ".toml", ".lock", ".png", ".txt", ".sh", ".html")
# Named in the documentation, but made by the user, by another tool or only on request.
ELSEWHERE = {
    *("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt", "assets/merges.txt", "ngrams.npz", "presets/wide.yaml", "presets/searched.yaml"),
    *("dvc_plots/index.html", ".dvc/plots.html", ".dvc/config.local", "trials.json", ".training/KEY/", ".training/KEY/weights"),
    *(".search/", "src/lstm_lm/jobs/NAME.py", "src/NAME.py", "data/vocab/spacing.npy", "spacing.npy", ".bench/plays.txt"),
    *(".tracking/RUN_ID/", "book.txt", "my.zip/book.txt", "MODELS/NAME/VERSION/", "serving_models/batching_parameters.txt"),
    *("serving_models/session.txt", "site/", "samples.json", "training_samples.json", "tensorboard_logs/"),
    *("data/own/prompts.txt", "data/own/prompts*.txt", "data/own/with-prompts/", "prompts.txt", "presets/prompts.yaml"),
    *("data/own/ptb/", "data/own/wikitext-2/", "reports/drift.html", ".bench/records.json", "docs/records.png"),
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page. `skipped` is the reason why the tests do not run it, or None."""

    page: Path
    line: int
    language: str
    text: str
    skipped: str | None

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    blocks, start, indent, skipped = [], None, 0, None
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if FENCE.match(line):
            if start is None:
                start, indent = number, len(line) - len(line.lstrip())
            else:
                text = "\n".join(each[indent:] for each in lines[start : number - 1])
                blocks.append(Block(page, start, lines[start - 1].strip().strip("`"), text, skipped))
                start = skipped = None
        elif start is None and line.strip():
            found = SKIPPED.search(line)
            skipped = found[1] if found else None
    assert start is None, f"{page}: the block of line {start} does not end"
    return blocks


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PAGES_WITH_CODE = sorted({block.page for block in BLOCKS if block.language == "python" and not block.skipped})
COMMANDS = [block for block in BLOCKS if block.language in ("", "sh", "console") and not block.skipped]


def test_a_block_is_left_out_only_for_a_known_reason():
    unknown = {f"{block.name}: {block.skipped}" for block in BLOCKS if block.skipped and block.skipped not in REASONS}
    assert not unknown


@pytest.fixture(scope="module")
def project(finished_experiment, tmp_path_factory):
    """A copy of a finished small project, in which the commands of the documentation may change things.

    DVC's cache has the experiment `slow`, with the learning rate that the commands try: its model is not trained once more.
    """
    folder = move_copy(finished_experiment, tmp_path_factory.mktemp("docs") / "project")
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: block.name)
def test_commands_run(block, project):
    # `make` takes the environment of the tests as it is.
    script = f'make() {{ command make -o setup "$@"; }}\nset -e\n{block.text}\n'
    done = run(["bash", "-c", script], project, check=False)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.name)
def test_python_code_runs(page, project, monkeypatch):
    monkeypatch.chdir(project)
    names: dict = {}
    for block in blocks_of(page):
        if block.language == "python" and not block.skipped:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(block.text, block.name, "exec"), names)
            assert printed.getvalue().strip(), block.name


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "yaml"], ids=lambda block: block.name)
def test_yaml_names_parameters_that_exist(block):
    values = YAML(typ="safe").load(block.text)
    known = YAML(typ="safe").load((PROJECT / "params.yaml").read_text())
    assert {(section, key) for section, keys in values.items() for key in keys} <= {
        (section, key) for section, keys in known.items() for key in keys
    }


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors_of(linked), target


def reported_names(metric: Metric) -> set[str]:
    """Return every key under which a metric can be reported."""
    names = {metric.name}
    if metric.interval:
        names |= {f"{metric.name}_{end}" for end in ("low", "high")}
    if metric.of_predictors:
        names |= {f"{predictor}_{metric.name}" for predictor in OTHER_PREDICTORS}
    if metric.of_test_text:
        names.add(f"test_text_{metric.name}")
    return names


@pytest.mark.slow
def test_every_reported_metric_is_in_the_table(finished_project):
    reported = json.loads((finished_project / "reports/metrics.json").read_text())
    for section, values in reported.items():
        known = set().union(*(reported_names(metric) for metric in METRICS if section in metric.sections))
        assert set(values) <= known


def exists(name: str, page: Path, made: Path) -> bool:
    places = [
        PROJECT,
        page.parent,
        PROJECT / "src",
        PROJECT / "src/lstm_lm",
        made,
        made / "models/saved_model",
        made / "data/vocab",
        made / "data/batches",
        made / "models",
        made / "reports",
        made / "models/weights",
    ]
    return any((place / name).exists() or ("*" in name and any(place.glob(name))) for place in places)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_files_that_are_named_exist(page, finished_project):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {span for span in SPAN.findall(text) if FILE.match(span) and (span.endswith(SUFFIXES) or span.endswith("/"))}
    missing = sorted(name for name in named - ELSEWHERE if not exists(name, page, finished_project))
    assert not missing
