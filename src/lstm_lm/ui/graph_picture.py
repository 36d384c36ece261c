"""A picture of the training graph and the batch-1 inference graph around one set of variables, read off the real functions."""

from dataclasses import dataclass
from itertools import pairwise

BLOCKS = ("embedding", "lstm_", "projection", "softmax")


@dataclass(frozen=True)
class Block:
    """A named part of a graph.

    Attributes:
        name: its name scope.
        operations: number of operations in it.
        variables: names of the variables its operations read.
        output: shape of what the following block takes from it, or None for the last.
    """

    name: str
    operations: int
    variables: tuple
    output: tuple | None


def blocks(function):
    """The forward blocks of a graph, in order.

    Args:
        function: a concrete tf.function that calls a LanguageModel.
    Returns:
        list of Block
    """
    captured = dict(zip((id(tensor) for tensor in function.graph.internal_captures), function.graph.external_captures, strict=True))
    variables = {id(variable.handle): variable.name.split(":")[0] for variable in function.graph.variables}
    counts, reads, outputs = {}, {}, {}
    for operation in function.graph.get_operations():
        name = _block(operation)
        if name is None:
            continue
        counts[name] = counts.get(name, 0) + 1
        for tensor in operation.inputs:
            source = captured.get(id(tensor))
            if source is not None and id(source) in variables:
                reads.setdefault(name, {})[variables[id(source)]] = None
            before = _block(tensor.op)
            if before not in (None, name) and before not in outputs and tensor.shape.rank and tensor.dtype.is_floating:
                outputs[before] = tuple(tensor.shape)
    return [Block(name, counts[name], tuple(reads.get(name, ())), outputs.get(name)) for name in counts]


def _block(operation):
    scope = operation.name.split("/")[0]
    return scope if "/" in operation.name and scope.startswith(BLOCKS) else None


def draw(training, inference, variables, path):
    """Draw two graphs and the variables between them.

    Args:
        training, inference: concrete functions.
        variables: {name: tf.Variable} of the model.
        path: where the PNG goes.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    columns = [("training graph", training, 0.16, "#2a6f97"), ("batch-1 inference graph", inference, 0.84, "#b5651d")]
    rows = {name: 0.84 - 0.76 * i / max(1, len(variables) - 1) for i, name in enumerate(variables)}
    figure, axes = plt.subplots(figsize=(11, 6.5), dpi=90)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")

    def box(x, y, text, color, filled=False):
        style = {"boxstyle": "round,pad=0.45", "edgecolor": color, "facecolor": color if filled else "white", "linewidth": 1.4}
        return axes.text(x, y, text, ha="center", va="center", fontsize=9, color="white" if filled else "black", bbox=style, zorder=3)

    def arrow(start, end, color, **style):
        # From centre to centre, cut where it meets the boxes.
        patches = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch(), "shrinkA": 1, "shrinkB": 2}
        axes.annotate(
            "",
            xy=end.get_position(),
            xytext=start.get_position(),
            zorder=1,
            arrowprops={"arrowstyle": "-|>", "color": color, **patches, **style},
        )

    axes.text(0.5, 0.96, "one set of variables", ha="center", fontsize=11, weight="bold")
    shared = {name: box(0.5, y, f"{name}  {_shape(variables[name].shape)}", "#444444", filled=True) for name, y in rows.items()}
    for title, function, x, color in columns:
        parts = blocks(function)
        window = next(tensor for tensor in function.inputs if tensor.dtype.is_integer and tensor.shape.rank == 2)
        axes.text(x, 0.96, title, ha="center", fontsize=11, weight="bold", color=color)
        labels = [f"word ids  {_shape(window.shape)}"]
        for part in parts:
            gives = f" -> {_shape(part.output)}" if part.output else ""
            labels.append(f"{part.name}{gives}\n{part.operations} operations")
        labels.append(
            "loss, clipped gradient,\nupdate of the variables"
            if x < 0.5
            else f"probabilities  {_shape(function.structured_outputs['probabilities'].shape)}"
        )
        boxes = [box(x, 0.86 - 0.78 * i / (len(labels) - 1), label, color) for i, label in enumerate(labels)]
        figure.canvas.draw()  # boxes have their size only now
        for start, end in pairwise(boxes):
            arrow(start, end, color)
        for part, end in zip(parts, boxes[1:-1], strict=True):
            for name in part.variables:
                arrow(shared[name], end, color, linewidth=0.9, alpha=0.75)
    figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _shape(shape):
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
