"""A picture of the training graph and the batch-1 inference graph around their shared variables, read off the real functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

BLOCK_NAMES = ("embedding", "lstm_", "projection", "softmax")  # starts of name scopes
TRAINING_X, VARIABLES_X, INFERENCE_X = 0.16, 0.5, 0.84
TITLE_Y = 0.96
TRAINING_COLOR, VARIABLES_COLOR, INFERENCE_COLOR = "#2a6f97", "#444444", "#b5651d"


@dataclass(frozen=True)
class Block:
    """A named part of a graph.

    Attributes:
        name: of its name scope.
        operations: number of its operations.
        variables: names of the variables that its operations read.
        output: shape of what the next block takes from it, or None for the last block.
    """

    name: str
    operations: int
    variables: tuple[str, ...]
    output: tuple[int | None, ...] | None


def blocks(function: Any) -> list[Block]:
    """Return the forward blocks of a graph, in order.

    Args:
        function: a concrete tf.function that calls a LanguageModel.
    """
    captures = dict(zip((id(tensor) for tensor in function.graph.internal_captures), function.graph.external_captures, strict=True))
    variable_names = {id(variable.handle): variable.name.split(":")[0] for variable in function.graph.variables}
    counts: dict[str, int] = {}
    reads: dict[str, dict[str, None]] = {}  # used as an ordered set
    outputs: dict[str, tuple[int | None, ...]] = {}
    for operation in function.graph.get_operations():
        name = _block_name(operation)
        if name is None:
            continue
        counts[name] = counts.get(name, 0) + 1
        for tensor in operation.inputs:
            source = id(captures.get(id(tensor)))
            if source in variable_names:
                reads.setdefault(name, {})[variable_names[source]] = None
            previous = _block_name(tensor.op)
            if previous not in (None, name) and tensor.shape.rank and tensor.dtype.is_floating:
                outputs.setdefault(str(previous), tuple(tensor.shape))
    return [Block(name, count, tuple(reads.get(name, ())), outputs.get(name)) for name, count in counts.items()]


def _block_name(operation: Any) -> str | None:
    scope, slash, _ = operation.name.partition("/")
    return scope if slash and scope.startswith(BLOCK_NAMES) else None


def draw(training: Any, inference: Any, variables: Mapping[str, Any], path: str | Path) -> None:
    """Draw two graphs and the variables between them.

    Args:
        training: concrete function of the training step.
        inference: concrete function of the inference step, with an output `probabilities`.
        variables: {name: tf.Variable} of the model.
        path: of the PNG file.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(11, 6.5), dpi=90)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    variable_boxes = _draw_variables(axes, variables)
    probabilities = f"probabilities  {_format_shape(inference.structured_outputs['probabilities'].shape)}"
    for title, function, x, color, last in (
        ("training graph", training, TRAINING_X, TRAINING_COLOR, "loss, clipped gradient,\nupdate of the variables"),
        ("batch-1 inference graph", inference, INFERENCE_X, INFERENCE_COLOR, probabilities),
    ):
        axes.text(x, TITLE_Y, title, ha="center", fontsize=11, weight="bold", color=color)
        window = next(tensor for tensor in function.inputs if tensor.dtype.is_integer and tensor.shape.rank == 2)
        parts = blocks(function)
        labels = [f"word ids  {_format_shape(window.shape)}", *map(_label, parts), last]
        boxes = [_draw_box(axes, x, 0.86 - 0.78 * i / (len(labels) - 1), label, color) for i, label in enumerate(labels)]
        figure.canvas.draw()  # boxes have no size before
        for start, end in pairwise(boxes):
            _draw_arrow(axes, start, end, color)
        for part, end in zip(parts, boxes[1:-1], strict=True):
            for name in part.variables:
                _draw_arrow(axes, variable_boxes[name], end, color, linewidth=0.9, alpha=0.75)
    figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _draw_variables(axes: "Axes", variables: Mapping[str, Any]) -> dict[str, "Text"]:
    """Draw the column of variables: {name: its box}."""
    axes.text(VARIABLES_X, TITLE_Y, "shared variables", ha="center", fontsize=11, weight="bold")
    gap = 0.76 / max(1, len(variables) - 1)
    return {
        name: _draw_box(axes, VARIABLES_X, 0.84 - gap * i, f"{name}  {_format_shape(variable.shape)}", VARIABLES_COLOR, filled=True)
        for i, (name, variable) in enumerate(variables.items())
    }


def _draw_box(axes: "Axes", x: float, y: float, text: str, color: str, filled: bool = False) -> "Text":
    style = {"boxstyle": "round,pad=0.45", "edgecolor": color, "facecolor": color if filled else "white", "linewidth": 1.4}
    return axes.text(x, y, text, ha="center", va="center", fontsize=9, color="white" if filled else "black", bbox=style, zorder=3)


def _draw_arrow(axes: "Axes", start: "Text", end: "Text", color: str, **style: float) -> None:
    # From centre to centre, clipped where it meets the boxes.
    clipping = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch(), "shrinkA": 1, "shrinkB": 2}
    arrow = {"arrowstyle": "-|>", "color": color, **clipping, **style}
    axes.annotate("", xy=end.get_position(), xytext=start.get_position(), zorder=1, arrowprops=arrow)


def _label(block: Block) -> str:
    output = f" -> {_format_shape(block.output)}" if block.output else ""
    return f"{block.name}{output}\n{block.operations} operations"


def _format_shape(shape: Iterable[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
