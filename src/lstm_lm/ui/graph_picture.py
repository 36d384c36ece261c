"""A picture of the training graph and the batch-1 inference graph around their shared variables, read off the real functions."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.io import atomic
from lstm_lm.ui import png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLOCK_NAMES = ("embedding", "lstm_", "projection", "softmax")  # starts of name scopes
TRAINING_COLOR, VARIABLES_COLOR, INFERENCE_COLOR = "#2a6f97", "#444444", "#a4550f"
DOTS_PER_INCH = 180
COLORS = 64  # of the PNG file: white, four others and the shades between them
# Lengths in inches. Columns have fixed places, and rows are as high as what stands in them.
WIDTH = 11.0
TRAINING_X, VARIABLES_X, INFERENCE_X = 1.5, 5.5, 9.5
BLOCK_WIDTH, VARIABLE_WIDTH = 2.6, 3.5
COUNT_WIDTH = 0.95  # of a variable's number of parameters
VARIABLE_HEIGHT, LINE_HEIGHT = 0.3, 0.18
PADDING, GAP, MARGIN = 0.12, 0.28, 0.15
HEAD_HEIGHT = 0.75
FONT_SIZE = 9


@dataclass(frozen=True)
class Block:
    """A named part of a graph.

    Attributes:
        name: of its name scope.
        variables: names of the variables that its operations read.
        output: shape of what the next block takes from it, or None for the last block.
    """

    name: str
    variables: tuple[str, ...]
    output: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Row:
    """What stands side by side in the picture.

    Attributes:
        training, inference: lines of the boxes in the two graphs.
        variables: names of those that are counted in this row.
        shared: names of those that the blocks of this row read too, and that are counted in a row above.
    """

    training: Sequence[str]
    inference: Sequence[str]
    variables: Sequence[str] = ()
    shared: Sequence[str] = ()

    @property
    def height(self) -> float:
        lines = max(len(self.training), len(self.inference))
        return max(LINE_HEIGHT * lines + 2 * PADDING, (VARIABLE_HEIGHT + PADDING) * len([*self.variables, *self.shared]) - PADDING)


def blocks(function: Any) -> list[Block]:
    """Return the forward blocks of a graph, in order.

    Args:
        function: a concrete tf.function that calls a model.
    """
    captures = dict(zip((id(tensor) for tensor in function.graph.internal_captures), function.graph.external_captures, strict=True))
    variable_names = {id(variable.handle): variable.name.split(":")[0] for variable in function.graph.variables}
    reads: dict[str, dict[str, None]] = {}  # used as an ordered set
    outputs: dict[str, tuple[int | None, ...]] = {}
    for operation in function.graph.get_operations():
        name = _block_name(operation)
        if name is None:
            continue
        read = reads.setdefault(name, {})
        for tensor in operation.inputs:
            source = id(captures.get(id(tensor)))
            if source in variable_names:
                read[variable_names[source]] = None
            previous = _block_name(tensor.op)
            if previous not in (None, name) and tensor.shape.rank and tensor.dtype.is_floating:
                outputs.setdefault(str(previous), tuple(tensor.shape))
    return [Block(name, tuple(read), outputs.get(name)) for name, read in reads.items()]


def _block_name(operation: Any) -> str | None:
    scope, slash, _ = operation.name.partition("/")
    return scope if slash and scope.startswith(BLOCK_NAMES) else None


@dataclass(frozen=True)
class Parts:
    """What the picture does not draw.

    Attributes:
        members: of the ensemble, of which the first one is drawn.
        has_ngrams: the inference graph also mixes the probabilities with those of n-grams.
    """

    members: int = 1
    has_ngrams: bool = False

    @property
    def training_note(self) -> str:
        """What stands below the title of the training graph."""
        return f"1 of {self.members} models" if self.members > 1 else ""

    @property
    def inference_note(self) -> str:
        """What stands below the title of the inference graph."""
        if self.members > 1:
            return f"the probabilities of {self.members} models{' and n-grams' if self.has_ngrams else ''} are averaged"
        return "its probabilities and those of n-grams are averaged" if self.has_ngrams else ""


ONE_MODEL = Parts()


def draw(training: Any, inference: Any, variables: Mapping[str, Any], path: str | Path, parts: Parts = ONE_MODEL) -> None:
    """Draw two graphs and the variables between them; of an ensemble, those of its first member.

    Args:
        training: concrete function of the training step.
        inference: concrete function of the inference step, with an output `probabilities`.
        variables: {name: tf.Variable} of the model, or of the first member.
        path: of the PNG file.
        parts: what else there is.
    """
    from matplotlib import pyplot as plt
    from PIL import Image

    figure = compose(training, inference, variables, parts)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DOTS_PER_INCH)
    plt.close(figure)
    atomic.replace_file(Path(path), lambda file: file.write(png.encode(Image.open(buffer), COLORS)))


def compose(training: Any, inference: Any, variables: Mapping[str, Any], parts: Parts = ONE_MODEL) -> "Figure":
    """Return the picture as a figure of matplotlib, which the caller closes. The arguments are those of `draw`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    table = rows(training, inference, variables)
    height = HEAD_HEIGHT + sum(row.height for row in table) + GAP * (len(table) - 1) + MARGIN
    figure: Figure = plt.figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    total = sum(map(_size, variables.values()))
    each = f" in each of {parts.members} models" if parts.members > 1 else ", each counted once"
    _draw_title(axes, TRAINING_X, "training graph", parts.training_note, TRAINING_COLOR)
    _draw_title(axes, VARIABLES_X, "shared variables", f"{total:,} parameters{each}", VARIABLES_COLOR)
    _draw_title(axes, INFERENCE_X, "batch-1 inference graph", parts.inference_note, INFERENCE_COLOR)
    top = HEAD_HEIGHT
    for i, row in enumerate(table):
        _draw_row(axes, row, top + row.height / 2, variables)
        if i + 1 < len(table):
            for x, color, box, below in (
                (TRAINING_X, TRAINING_COLOR, row.training, table[i + 1].training),
                (INFERENCE_X, INFERENCE_COLOR, row.inference, table[i + 1].inference),
            ):
                start = top + row.height / 2 + _box_height(box) / 2
                end = top + row.height + GAP + table[i + 1].height / 2 - _box_height(below) / 2
                _draw_arrow(axes, (x, start), (x, end), color)
        top += row.height + GAP
    return figure


def rows(training: Any, inference: Any, variables: Mapping[str, Any]) -> list[Row]:
    """Return the rows of the picture, from the ids to the loss and the probabilities. variables: as for `draw`."""
    parts = {block.name: block for block in blocks(training)}
    inference_parts = {block.name: block for block in blocks(inference)}
    table = [Row([_ids_line(training)], [_ids_line(inference)])]
    counted: dict[str, None] = {}
    for name in {**parts, **inference_parts}:
        read = [part[name].variables for part in (parts, inference_parts) if name in part]
        own = [variable for variable in variables if any(variable in each for each in read)]
        new, shared = [each for each in own if each not in counted], [each for each in own if each in counted]
        counted |= dict.fromkeys(own)
        count = sum(_size(variables[each]) for each in new)
        lines = [f"{count:,} parameters", *(f"+ those of {each}" for each in shared)]
        boxes = [[_name_line(part[name]), *lines] if name in part else [] for part in (parts, inference_parts)]
        table.append(Row(boxes[0], boxes[1], new, shared))
    probabilities = f"probabilities  {_format_shape(inference.structured_outputs['probabilities'].shape)}"
    return [*table, Row(["loss, clipped gradient,", "update of the variables"], [probabilities])]


def _ids_line(function: Any) -> str:
    ids = next(tensor for tensor in function.inputs if tensor.dtype.is_integer and tensor.shape.rank == 2)
    return f"token ids  {_format_shape(ids.shape)}"


def _name_line(block: Block) -> str:
    return f"{block.name} \N{RIGHTWARDS ARROW} {_format_shape(block.output)}" if block.output else block.name


def _draw_title(axes: "Axes", x: float, title: str, note: str, color: str) -> None:
    axes.text(x, 0.28, title, ha="center", va="center", fontsize=12, weight="bold", color=color)
    axes.text(x, 0.53, note, ha="center", va="center", fontsize=FONT_SIZE, color=color)


def _draw_row(axes: "Axes", row: Row, y: float, variables: Mapping[str, Any]) -> None:
    """Draw the boxes of a row around the height `y`, and arrows from its variables to its blocks."""
    sides = ((row.training, TRAINING_X, TRAINING_COLOR, -1), (row.inference, INFERENCE_X, INFERENCE_COLOR, 1))
    for lines, x, color, _ in sides:
        if lines:
            _draw_box(axes, (x, y), (BLOCK_WIDTH, _box_height(lines)), color)
            axes.text(x, y, "\n".join(lines), ha="center", va="center", fontsize=FONT_SIZE, linespacing=1.35)
    names = [*row.variables, *row.shared]
    for i, name in enumerate(names):
        place = y + (VARIABLE_HEIGHT + PADDING) * (i - (len(names) - 1) / 2)
        _draw_variable(axes, place, name, variables[name], name in row.shared)
        for lines, x, color, side in sides:
            if lines:
                arrival = y + (place - y) * min(1.0, 0.7 * _box_height(lines) / row.height)
                start, end = VARIABLES_X + side * VARIABLE_WIDTH / 2, x - side * BLOCK_WIDTH / 2
                _draw_arrow(axes, (start, place), (end, arrival), color, linewidth=0.9)


def _draw_variable(axes: "Axes", y: float, name: str, variable: Any, is_shared: bool) -> None:
    """Draw a variable with its name, shape and number of parameters. Those of a shared one are counted above."""
    _draw_box(axes, (VARIABLES_X, y), (VARIABLE_WIDTH, VARIABLE_HEIGHT), VARIABLES_COLOR, is_filled=not is_shared, is_dashed=is_shared)
    style: dict[str, Any] = {"va": "center", "fontsize": FONT_SIZE, "color": VARIABLES_COLOR if is_shared else "white"}
    left, right = VARIABLES_X - VARIABLE_WIDTH / 2 + PADDING, VARIABLES_X + VARIABLE_WIDTH / 2 - PADDING
    axes.text(left, y, name, ha="left", **style)
    if is_shared:
        axes.text(right, y, "the same variable, counted above", ha="right", **style)
    else:
        axes.text(right - COUNT_WIDTH, y, _format_shape(variable.shape), ha="right", **style)
        axes.text(right, y, f"{_size(variable):,}", ha="right", **style)


def _draw_box(
    axes: "Axes", center: tuple[float, float], size: tuple[float, float], color: str, *, is_filled: bool = False, is_dashed: bool = False
) -> None:
    from matplotlib.patches import FancyBboxPatch

    (x, y), (width, height) = center, size
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            edgecolor=color,
            facecolor=color if is_filled else "white",
            linewidth=1.3,
            linestyle="--" if is_dashed else "-",
        )
    )


def _draw_arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float], color: str, linewidth: float = 1.3) -> None:
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "color": color, "linewidth": linewidth, "shrinkA": 1, "shrinkB": 1}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def _box_height(lines: Sequence[str]) -> float:
    return LINE_HEIGHT * len(lines) + 2 * PADDING


def _size(variable: Any) -> int:
    return int(variable.shape.num_elements())


def _format_shape(shape: Iterable[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
