"""How to make the model and this report again: commit, commands, parameters."""

from collections.abc import Mapping
from typing import Any

from lstm_lm.ui.report import energy
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.wording import duration


def reproduction(inputs: Inputs) -> dict[str, Any]:
    """Return facts as (name, value) pairs, the commands, and the parameters by section."""
    run = inputs.mapping("run")
    return {
        "facts": facts(inputs),
        "commands": commands(run),
        "missing": missing_from_commit(run),
        "parameters": by_section(run.get("parameters") or {}),
    }


def facts(inputs: Inputs) -> list[tuple[str, str]]:
    """What is known about the training, as (name, value) pairs."""
    run, config, model = inputs.mapping("run"), inputs.config, inputs.mapping("model")
    cpu = inputs.run.get("cpu_seconds")
    found = [
        ("commit", run.get("commit")),
        ("MLflow run", inputs.run.get("run_id")),
        ("steps", _steps(config, model)),
        ("precision", model.get("precision") or config.get("precision")),
        ("training time", duration(inputs.training_seconds) if inputs.training_seconds else None),
        ("processor time", duration(cpu) if cpu else None),
        ("energy", energy.consumption(inputs.run) if "energy_joules" in inputs.run else None),
        ("machine", inputs.run.get("machine")),
    ]
    return [(name, str(value)) for name, value in found if value]


def _steps(config: Any, model: Any) -> str | None:
    steps, best = (model.get(key) or config.get(key) for key in ("steps", "best_step"))
    if not steps:
        return None
    return f"{steps:,}" if best in (None, steps) else f"{steps:,}, weights of step {best:,}"


def commands(run: Any) -> list[str]:
    """The commands that make the model and this report again, with the parameters of the run."""
    checkout = [f"git checkout {run['commit']}"] if run.get("commit") else []
    return [*checkout, "make repro"]


def missing_from_commit(run: Mapping[str, Any]) -> str:
    """What a checkout of the commit would lack, in sentences; "" for nothing, or if that is unknown."""
    sentences = []
    if run.get("dirty"):
        sentences.append("The checkout had uncommitted changes, which the commit does not contain.")
    if run.get("text_in_commit") is False:
        sentences.append(
            "The text in data/own is not in this commit, or was another one then: "
            "check out the later commit with which you added it, or put its files back there."
        )
    return " ".join(sentences)


def by_section(parameters: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Group dotted parameters: [("train", [("epochs", "3"), ...]), ...]."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for key, value in parameters.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, []).append((name, "null" if value is None else str(value)))
    return list(sections.items())
