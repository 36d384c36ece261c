"""The notebook in docs/notebooks, and scripts/run_notebook.py."""

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conftest import PROJECT

NOTEBOOK = PROJECT / "docs/notebooks/use-the-model.ipynb"


@pytest.fixture
def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return found


@pytest.fixture
def run_notebook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_notebook", PROJECT / "scripts/run_notebook.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_notebook_is_kept_without_outputs(cells: list[dict[str, Any]]) -> None:
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize(("call", "suffix"), [("plt.show()", "png"), ("print(", "txt")])
def test_what_every_cell_draws_and_prints_is_kept(cells: list[dict[str, Any]], call: str, suffix: str) -> None:
    number = sum(call in "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    kept = {path.name for path in NOTEBOOK.parent.glob(f"*.{suffix}")}
    assert kept == {f"{NOTEBOOK.stem}-{i}.{suffix}" for i in range(1, number + 1)}


@pytest.mark.slow
def test_the_notebook_runs_with_any_model_and_leaves_jupyter_alone(
    run_notebook: ModuleType, tiny_saved_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nbclient", reason="make site installs it")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    kernel = tmp_path / "home/jupyter/kernels/python3/kernel.json"  # the user's own, of another Python
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["false"], "display_name": "theirs", "language": "python"}))
    (tmp_path / "work").mkdir()
    before = dict(os.environ)
    content = run_notebook.run(NOTEBOOK, tmp_path / "work", LSTM_LM_MODEL=str(tiny_saved_models / "1/saved_model"))
    assert dict(os.environ) == before
    pictures = run_notebook.pictures(content)
    assert len(pictures) == 4
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 5000 for picture in pictures)
    vocabulary, texts = run_notebook.printed(content)
    assert vocabulary.startswith("12 words, the most frequent first: the, and, king")
    assert texts.count("T = ") == 4
    assert texts.endswith("\n") and not texts.endswith("\n\n")
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == [kernel]
    assert not list((tmp_path / "work").iterdir())
