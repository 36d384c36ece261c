"""The picture of the training graph and the inference graph, and where the parameters are."""

import base64
from typing import Any

from lstm_lm.model.shape import Shape, count_parameters
from lstm_lm.ui.report import numbers
from lstm_lm.ui.report.figure import Figure, Table
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.wording import counted

EMBEDDING = "embedding"


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without the picture."""
    if inputs.graph is None:
        return []
    parts = parameters(inputs)
    total = sum(parts.values())
    return [
        Figure(
            id="graphs",
            title="The two graphs",
            finding=finding(inputs, parts),
            reading=(
                "On the left the training step, on the right the step that reads one token and predicts the next, as they are in "
                "TensorFlow. Both use the variables between them. An arrow after a name leads to the shape of the output. "
                "A parameter that two blocks use is counted once."
            ),
            template="graphs.html",
            data={"picture": "data:image/png;base64," + base64.b64encode(inputs.graph).decode()},
            table=Table(
                ["part", "parameters", "of all"],
                [[name, numbers.count(count), numbers.percent(count / total)] for name, count in parts.items()],
            )
            if total
            else None,
        )
    ]


def parameters(inputs: Inputs) -> dict[str, int]:
    """Return the number of parameters of each part of all members, each counted once; empty if the shape is not recorded."""
    try:
        shape = Shape(**inputs.config.get("shape") or {})
    except TypeError:
        return {}
    parts = {EMBEDDING: shape.vocabulary_size * shape.embedding_size}
    parts |= {f"LSTM layer {layer + 1}": shape.layer_parameters(layer) for layer in range(shape.layers)}
    if shape.projection_size:
        parts["projection"] = shape.hidden_size * shape.projection_size
    rest = count_parameters(shape.member) - sum(parts.values())
    parts["softmax biases" if shape.tie_weights else "softmax"] = rest
    return {name: count * shape.members for name, count in parts.items()}


def finding(inputs: Inputs, parts: dict[str, int]) -> str:
    """Say how many parameters there are, and where most of them are."""
    if not parts:
        return ""
    total = sum(parts.values())
    largest = max(parts, key=lambda name: parts[name])
    shape: dict[str, Any] = inputs.config["shape"]
    shared = ", which the softmax shares" if largest == EMBEDDING and shape["tie_weights"] else ""
    return f"{counted(total, 'parameter')}: {parts[largest] / total:.0%} are in the {largest}{shared}."
