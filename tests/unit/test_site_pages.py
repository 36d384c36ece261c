"""scripts/site_pages.py: the pages of the documentation site, and links between them."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from conftest import PROJECT


@pytest.fixture(scope="module")
def site_pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_pages", PROJECT / "scripts/site_pages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "link", "adapted"),
    [
        ("README.md", "docs/tutorial.md#1-train-the-default-model", "tutorial.md#1-train-the-default-model"),
        ("README.md", "LICENSE", "project/LICENSE.md"),
        ("README.md", "CONTRIBUTING.md", "project/CONTRIBUTING.md"),
        ("README.md", "https://dvc.org", "https://dvc.org"),
        ("docs/explanation/architecture.md", "../../CONTRIBUTING.md#tests", "../project/CONTRIBUTING.md#tests"),
        ("docs/explanation/architecture.md", "../../reports/graph.png", "../project/reports/graph.png"),
        ("docs/explanation/architecture.md", "../how-to/serve.md", "../how-to/serve.md"),
        ("docs/explanation/architecture.md", "../../README.md", "../index.md"),
        ("docs/explanation/architecture.md", "#tracking", "#tracking"),
        ("docs/tutorial.md", "notebooks/use-the-model.ipynb", "notebooks/use-the-model.md"),
        ("docs/reference/params.md", "../../params.yaml", "../project/params.yaml.md"),
        ("docs/reference/api.md", "../../src/lstm_lm/model/", "api/lstm_lm.model.md"),
        ("docs/tutorial.md", "../src/lstm_lm/model/lstm.py", "reference/api/lstm_lm.model.md#lstm_lm.model.lstm"),
        ("docs/tutorial.md", "../src/lstm_lm/ui/results.py", "project/src/lstm_lm/ui/results.py.md"),
        ("CONTRIBUTING.md", "docs/explanation/architecture.md", "../explanation/architecture.md"),
    ],
)
def test_links_lead_to_the_same_file_on_the_site(site_pages: ModuleType, page: str, link: str, adapted: str) -> None:
    assert site_pages.adapt_links(page, f"See [it](that), [*it* and `code`]({link}).").endswith(f"[*it* and `code`]({adapted}).")


def test_pictures_inside_links_are_adapted_and_code_stays(site_pages: ModuleType) -> None:
    kept = "`[a](x.md)` and\n\n```\n[b](x.md)\n```\n\n  ````md\n  ```\n  [c](x.md)\n  ```\n  ````\n"
    changed = site_pages.map_links(f"[d](x.md) {kept}![e](y.png)", str.upper)
    assert changed == f"[d](X.MD) {kept}![e](Y.PNG)"


def test_links_of_a_page_are_found_as_paths_in_the_repository(site_pages: ModuleType) -> None:
    text = "[a](../../dvc.yaml) [b](serve.md#x) [c](#here) [d](https://a.example/b.md) [e](mailto:a@b.example) `[f](g.md)`"
    assert site_pages.linked_files("docs/how-to/run.md", text) == {"dvc.yaml", "docs/how-to/serve.md"}


def test_a_text_file_is_shown_whole_whatever_it_contains(site_pages: ModuleType) -> None:
    page = site_pages.text_page("presets/a.yaml", "a: 1\n````\n")
    assert page == "# a.yaml\n\n`presets/a.yaml` of the project:\n\n`````yaml\na: 1\n````\n`````\n"


def test_a_notebook_becomes_a_page_with_its_outputs(site_pages: ModuleType) -> None:
    cells = [("markdown", "# Title"), ("code", "x = 1\n"), ("markdown", "Text."), ("code", "plt.show()"), ("code", "plt.show()")]
    cells[2:2] = [("code", "print(x)"), ("code", "print(x + 1)")]
    notebook = {"cells": [{"cell_type": kind, "source": source.splitlines(keepends=True)} for kind, source in cells]}
    page = site_pages.notebook_page("docs/notebooks/a.ipynb", json.dumps(notebook), ["1\n", "```\n"])
    code = "```python\nplt.show()\n```\n\n![what this cell draws, with the default model]"
    assert page.startswith('# Title\n\n<a class="md-button" href="a.ipynb" download>Download the notebook</a>\n\n```python\nx = 1\n')
    prints = "With the default model, this cell prints:"
    assert f"```python\nprint(x)\n```\n\n{prints}\n\n```{{.text .printed}}\n1\n```\n\n" in page
    assert f"```python\nprint(x + 1)\n```\n\n{prints}\n\n````{{.text .printed}}\n```\n````\n\nText." in page
    assert page.endswith(f"Text.\n\n{code}(a-1.png)\n\n{code}(a-2.png)\n")


def test_the_api_reference_has_a_page_for_each_package_and_its_public_modules(site_pages: ModuleType) -> None:
    pages = dict(site_pages.api_pages(PROJECT / "src"))
    assert len(pages) == len(site_pages.PACKAGES)
    for package in site_pages.PACKAGES:
        text = pages[site_pages.api_page(f"src/{package}")]
        modules = {path.stem for path in (PROJECT / "src" / package).glob("*.py") if path.stem != "__init__"}
        assert {line.rpartition(".")[2] for line in text.splitlines() if line.startswith(":::")} == modules


def test_every_page_is_in_the_navigation(site_pages: ModuleType) -> None:
    yaml = YAML()  # keeps the tags that name Python functions
    listed: list[str] = []

    def collect(entry: object) -> None:
        if isinstance(entry, str):
            listed.append(entry)
        else:
            for inner in entry.values() if isinstance(entry, dict) else entry:  # type: ignore[attr-defined]
                collect(inner)

    collect(yaml.load(PROJECT / "mkdocs.yml")["nav"])
    pages = {path.relative_to(PROJECT).as_posix() for kind in ("*.md", "*.ipynb") for path in (PROJECT / "docs").rglob(kind)}
    expected = {site_pages.site_path(page) for page in (*pages, "README.md", "CONTRIBUTING.md", "CHANGELOG.md")}
    assert expected <= set(listed)
    assert len(listed) == len(set(listed))
    made = {page for page, _ in site_pages.api_pages(PROJECT / "src")}
    others = {name.removeprefix("project/") for name in set(listed) - expected - made}
    assert all((PROJECT / name).is_file() for name in others)


def test_the_script_needs_no_package() -> None:
    """The fast tests import it where the packages of the site are not installed."""
    text = Path(PROJECT / "scripts/site_pages.py").read_text(encoding="utf-8")
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names
