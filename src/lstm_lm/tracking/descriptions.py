"""The texts that MLflow's pages show: the note of a run, and the descriptions of a logged model, a version and the registered model.

What a user has written stays: a text of ours ends with a comment that holds its digest, so that an edited one is recognized.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lstm_lm.tracking import champion
from lstm_lm.tracking.store import DESCRIPTION_TAG
from lstm_lm.ui.report import card

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CARD = Path(card.FILE).name
# In bytes, although most databases count characters: one that does not would refuse the model.
MAX_DESCRIPTION = 5000  # of a registered model, and of a version
MAX_NOTE = 8000  # of a tag of a run
OLD_MODEL_DESCRIPTIONS = ("Word-level LSTM language model: prompt in, text out.",)  # of earlier versions of this project
SIGNATURE = "\n\n<!-- Replaced by the pipeline, unless you edit it. {digest} -->"
SIGNED = re.compile(r"\s*<!-- Replaced by the pipeline, unless you edit it\. ([0-9a-f]{12}) -->\s*$")
RUN_LINK = re.compile(r"\]\(run:([^)]*)\)")
MODE = "workflowType=machine_learning"  # a link opens a new tab, which would be in MLflow's mode for agents
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
FIGURE_SPACE = "\N{FIGURE SPACE}"  # as wide as a digit


def signed(text: str) -> str:
    """Return a text with its digest, in a comment that MLflow's pages do not show."""
    return text.strip() + SIGNATURE.format(digest=_digest(text.strip()))


def is_replaceable(text: str | None) -> bool:
    """Whether nobody has written a text by hand, nor edited ours."""
    if not (text or "").strip():
        return True
    match = SIGNED.search(text or "")
    return match is not None and match[1] == _digest((text or "")[: match.start()])


def _digest(text: str) -> str:
    normalized = "\n".join(line.rstrip() for line in text.strip().splitlines())  # a browser may send other newlines
    return hashlib.sha256(normalized.encode()).hexdigest()[:12]


def set_note(client: MlflowClient, run_id: str, text: str) -> bool:
    """Give a run a note, unless a user has written one. Returns whether it has this note now.

    Args:
        client: see `store.connect`.
        run_id: of the run.
        text: Markdown of `ui.report.note`.
    """
    run = client.get_run(run_id)
    present = run.data.tags.get(DESCRIPTION_TAG)
    if not is_replaceable(present):
        return False
    shown = for_pages(text, run.info.experiment_id, run_id)
    note = signed(card.cut(shown, MAX_NOTE - len(signed(""))))
    if note != present:
        client.set_tag(run_id, DESCRIPTION_TAG, note)
    return True


def of_version(client: MlflowClient, run_id: str, model_card: str) -> str:
    """Return the description of a version: the card, shortened to what the registry keeps.

    Args:
        client: see `store.connect`.
        run_id: of the run whose artifact the whole card is.
        model_card: Markdown of `ui.report.card`.
    """
    experiment = client.get_run(run_id).info.experiment_id
    pointer = for_pages(f"Shortened: the whole card is [{CARD}](run:artifacts/{CARD}) of the run.", experiment, run_id)
    return signed(card.shortened(for_pages(model_card, experiment, run_id), MAX_DESCRIPTION - len(signed("")), pointer))


def describe_version(client: MlflowClient, name: str, version: ModelVersion, description: str | None) -> None:
    """Give an existing version its description, unless a user has written one."""
    if description and version.description != description and is_replaceable(version.description):
        client.update_model_version(name, version.version, description)


def describe_logged_model(client: MlflowClient, model_id: str, run_id: str, model_card: str | None) -> None:
    """Give a logged model the first line of its card, and a link to the card, unless a user has described it.

    MLflow's page of a logged model shows the description as a whole, above the metrics: the card would push them out of sight.

    Args:
        client: see `store.connect`.
        model_id: of the logged model.
        run_id: of the run whose artifact the card is.
        model_card: Markdown of `ui.report.card`; None if there is none.
    """
    if not model_card:
        return
    model = client.get_logged_model(model_id)
    present = model.tags.get(DESCRIPTION_TAG)
    text = f"{model_card.strip().splitlines()[0]} More: [{CARD}](run:artifacts/{CARD})."
    description = signed(for_pages(text, model.experiment_id, run_id))
    if present != description and is_replaceable(present):
        client.set_logged_model_tags(model_id, {DESCRIPTION_TAG: description})


def card_of_run(client: MlflowClient, run_id: str) -> str | None:
    """Return the model card among the artifacts of a run, or None."""
    if CARD not in [item.path for item in client.list_artifacts(run_id)]:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, CARD, folder)).read_text(encoding="utf-8")


def of_model(name: str) -> str:
    """Return the description of the registered model."""
    return signed(
        "LSTM language models: a prompt in, a text out. Each version is one trained model, described by its model card.\n\n"
        f"The alias `{champion.ALIAS}` marks the version to serve. A new version takes it if its adjusted perplexity is lower than the "
        "champion's on the same test text. A version that was measured on another test text takes it only by "
        "`make promote RUN=VERSION`; `make rollback` undoes that. "
        "The tags of a version say why it is the champion, or why not.\n\n"
        f"`make models` lists the versions. `make serve MODEL=models:/{name}@{champion.ALIAS}` serves the champion."
    )


def describe_model(client: MlflowClient, name: str, present: str | None) -> None:
    """Give an existing registered model its description, unless a user has written one."""
    description = of_model(name)
    if present != description and (is_replaceable(present) or present in OLD_MODEL_DESCRIPTIONS):
        client.update_registered_model(name, description)


def for_pages(text: str, experiment_id: str, run_id: str) -> str:
    """Return Markdown as MLflow's pages need it: links to a run's pages, and tables whose columns do not touch each other.

    Args:
        text: Markdown, whose links to the run's pages begin with `run:`.
        experiment_id, run_id: of the run.
    """
    pages = f"#/experiments/{experiment_id}/runs/{run_id}"
    text = RUN_LINK.sub(lambda match: f"]({pages}/{quote(match[1])}?{MODE})", text)
    blocks = text.split("\n\n")
    return "\n\n".join(f"{_spaced(block)}\n\n&nbsp;" if block.startswith("| ") else block for block in blocks)


def _spaced(table: str) -> str:
    """Space the cells of a Markdown table: MLflow's pages show tables without padding, and with all cells aligned left."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    aligned_right = [cell.endswith("-:") for cell in rows[1]]
    widths = [max(len(row[i]) for row in (rows[0], *rows[2:])) for i in range(len(rows[0]))]

    def spaced(i: int, cell: str) -> str:
        if i == 0 or not cell:
            return cell
        if not aligned_right[i]:
            return f"&emsp;{cell}"
        return f"&emsp;{FIGURE_SPACE * (widths[i] - len(cell))}{cell.replace(' ', NO_BREAK_SPACE)}"

    lines = [[spaced(i, cell) for i, cell in enumerate(row)] for row in rows]
    lines[1] = rows[1]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)
