"""`dvc plots` draws this project's curves on a page that needs no network."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conftest import copy_project, run

pytestmark = pytest.mark.slow
TITLES = ["Training loss", "Training text covered by the most frequent words", "Validation perplexity"]
HEADER = "step,words_seen,epoch,loss,learning_rate,gradient_norm,words_per_second,validation_loss,validation_perplexity"


def write_history(folder: Path, loss: float) -> None:
    """Write three epochs of three rows. The last row of each epoch has a perplexity: 50, 40 and 30 times `loss`."""
    rows = [
        f"{step},{step * 100},{(step + 2) // 3},{loss / step},0.1,1.0,1000.0," + ("," if step % 3 else f"1.0,{(60 - step / 3 * 10) * loss}")
        for step in range(1, 10)
    ]
    (folder / "models/history.csv").write_text("\n".join([HEADER, *rows]) + "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page, a history in its last commit and another one in its working tree."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    run(["python", "scripts/plots_page.py"], folder)
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports/graph.png").write_bytes(b"\x89PNG")
    (folder / "reports/coverage.csv").write_text("vocabulary_size,coverage\n1,0.5\n2,1.0\n")
    write_history(folder, 2)
    # Here, Git stores the history instead of DVC. `dvc plots` can read both.
    run(["git", "add", "--all"], folder)
    run(["git", "add", "--force", "models/history.csv"], folder)
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--message", "history"], folder)
    write_history(folder, 1)
    return folder


class Page(HTMLParser):
    """The content of a page for a browser: the addresses that it loads, the scripts, and the plots in the scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str | None] = []
        self.scripts: list[str] = []
        self.in_script = False
        self.feed(path.read_text(encoding="utf-8"))
        specs = [re.search(r"var spec = (.*);\s*vegaEmbed\(", script) for script in self.scripts]
        self.plots = [json.loads(match[1]) for match in specs if match]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name in ("src", "href", "data")]
        self.in_script = tag == "script"
        if self.in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.scripts[-1] += data


@pytest.mark.parametrize(("command", "revisions"), [(["show"], ["workspace"]), (["diff", "HEAD"], ["HEAD", "workspace"])])
def test_the_page_is_complete_and_shows_every_plot_once(project: Path, command: list[str], revisions: list[str]) -> None:
    run(["python", "-m", "dvc", "plots", *command], project)
    page = Page(project / "dvc_plots/index.html")
    assert page.addresses
    assert all((project / "dvc_plots" / address).is_file() for address in page.addresses)
    assert "window.vegaEmbed=" in page.scripts[0]
    assert len(page.scripts) == 1 + len(page.plots)
    assert sorted(plot["title"]["text"] for plot in page.plots) == TITLES
    for plot in page.plots:
        assert sorted({row["rev"] for row in plot["data"]["values"]}) == revisions


def test_empty_cells_are_not_points_of_a_curve(project: Path) -> None:
    import vl_convert

    printed = run(["python", "-m", "dvc", "plots", "diff", "HEAD", "--targets", "validation perplexity", "--show-vega"], project).stdout
    picture = vl_convert.vegalite_to_svg(json.loads(printed[printed.index("{") :]))
    lines = re.findall(r'aria-roledescription="line mark" d="([^"]*)"', picture)
    assert [re.sub(r"[^A-Z]", "", line) for line in lines] == ["MLL", "MLL"]
    points = re.findall(r'aria-label="[^"]*perplexity: (\d+)[^"]*" role="graphics-symbol" aria-roledescription="point"', picture)
    assert sorted(map(int, points)) == [30, 40, 50, 60, 80, 100]
