"""A map of the most frequent tokens: their embeddings in two dimensions."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lstm_lm.ui.report import chart, numbers
from lstm_lm.ui.report.figure import Figure, Spec, Table
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.tokens import visible

HEIGHT = 520
LAYOUT_WIDTH = 960  # pixels for which labels are laid out; the page scales with the real width
CHARACTER, LINE, ROOM = 6.6, 14.0, 3.0  # pixels of a label, and around it
ZOOMS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
PARAMETER = "zoom"  # name of the selection that the page's buttons change
MARGIN = 0.06  # of the map's width and height

Place = Mapping[str, Any]


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none with fewer than three places."""
    places = [place for place in inputs.details.get("map") or [] if place.get("x") is not None and place.get("y") is not None]
    if len(places) < 3:
        return []
    units = numbers.units(inputs.unit)
    return [
        Figure(
            id="map",
            title=f"A map of the {len(places):,} most frequent {units}",
            finding=finding(places),
            reading=(
                f"{units.capitalize()} that the model uses alike are close; the axes have no meaning. Larger marks are more frequent. "
                "Zoom in for more names: with the buttons, or Ctrl and the mouse wheel; drag to move."
            ),
            chart=_chart(places, inputs.unit),
            table=Table.thinned(
                [numbers.units(inputs.unit, 1), "count", "x", "y"],
                [[visible(place["word"]), numbers.count(place.get("count")), f"{place['x']:.3f}", f"{place['y']:.3f}"] for place in places],
            ),
            controls=True,
        )
    ]


def label_zooms(places: Sequence[Place], width: float = LAYOUT_WIDTH, height: float = HEIGHT) -> list[float]:
    """Return for each place from which zoom on its label fits between those of the places before it. Below 1 is a smaller map.

    Args:
        places: the most important first.
        width, height: of the map in pixels.
    Returns:
        the zoom of each place; infinity if its label never fits.
    """
    xs, ys = _domain(places, "x"), _domain(places, "y")
    points = [
        (
            (place["x"] - xs[0]) / (xs[1] - xs[0]) * width,
            (place["y"] - ys[0]) / (ys[1] - ys[0]) * height,
            len(str(place["word"])) * CHARACTER / 2 + ROOM,
        )
        for place in places
    ]
    zooms: list[float] = []
    for i, (x, y, half) in enumerate(points):
        needed = ZOOMS[0]
        for (other_x, other_y, other_half), other_zoom in zip(points[:i], zooms, strict=True):
            # Zoomed by z, distances are z times as large, and labels stay as they are.
            across, down = abs(x - other_x), abs(y - other_y)
            apart = min((half + other_half) / across if across else float("inf"), LINE / down if down else float("inf"))
            if apart > max(needed, other_zoom):
                needed = apart
        zooms.append(next((zoom for zoom in ZOOMS if zoom >= needed), float("inf")))
    return zooms


def _domain(places: Sequence[Place], axis: str) -> tuple[float, float]:
    low, high = min(place[axis] for place in places), max(place[axis] for place in places)
    room = MARGIN * (high - low) or 1.0
    return low - room, high + room


def _chart(places: Sequence[Place], unit: str) -> Spec:
    rows = [
        {"word": visible(place["word"]), "x": place["x"], "y": place["y"], "count": place.get("count") or 1, "zoom": min(zoom, 1e9)}
        for place, zoom in zip(places, label_zooms(places), strict=True)
    ]
    (left, right), (bottom, top) = _domain(places, "x"), _domain(places, "y")
    axis: Any = None
    base = alt.Chart(chart.values(rows)).encode(
        x=alt.X("x:Q", axis=axis, scale=alt.Scale(domain=[left, right], nice=False, zero=False)),
        y=alt.Y("y:Q", axis=axis, scale=alt.Scale(domain=[bottom, top], nice=False, zero=False)),
        tooltip=[alt.Tooltip("word:N", title=numbers.units(unit, 1)), alt.Tooltip("count:Q", format=",")],
    )
    # Only the mouse moves the map: on a touch screen a finger scrolls the page.
    zoom = alt.selection_interval(
        name=PARAMETER,
        bind="scales",
        zoom="wheel![event.ctrlKey || event.metaKey]",
        translate="[pointerdown[event.pointerType === 'mouse'], window:pointerup] > window:pointermove!",
        clear="dblclick",
    )
    extent = f"({right!r} - {left!r}) / (isValid({PARAMETER}.x) ? abs({PARAMETER}.x[1] - {PARAMETER}.x[0]) : {right!r} - {left!r})"
    shown = f"datum.zoom <= {extent} * max(0.3, width / {LAYOUT_WIDTH})"
    marks = (
        base.mark_point(color=chart.COLORS[chart.MODEL], clip=True)
        .encode(
            size=alt.Size("count:Q", scale=alt.Scale(type="sqrt", range=[12, 160]), legend=None),
            opacity=alt.condition(shown, alt.value(0.14), alt.value(0.4)),
        )
        .properties(name="map_points")
        .add_params(zoom)
    )
    labels = base.mark_text(clip=True, fontSize=12).encode(text="word:N", opacity=alt.condition(shown, alt.value(1), alt.value(0)))
    return chart.spec(alt.layer(marks, labels), HEIGHT)


def finding(places: Sequence[Place]) -> str:
    """Name the two places that are closest on the map."""
    (left, right), (bottom, top) = _domain(places, "x"), _domain(places, "y")
    pairs = [((a["x"] - b["x"]) ** 2 + (a["y"] - b["y"]) ** 2, i, j) for i, a in enumerate(places) for j, b in enumerate(places[:i])]
    distance, i, j = min(pairs)
    names = " and ".join(f"“{visible(places[place]['word'])}”" for place in (j, i))
    return f"Closest together are {names}, {distance**0.5 / max(right - left, top - bottom):.1%} of the map's width apart."
