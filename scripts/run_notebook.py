"""Run the notebook in docs/notebooks with this checkout's model, and keep its pictures and what it prints.

usage: run_notebook.py [FOLDER]

They go into FOLDER, by default docs/notebooks: NOTEBOOK-1.png is from the first cell that draws, NOTEBOOK-1.txt from the first cell that
prints. The notebook itself stays without outputs. The kernel is this Python. Jupyter's own folders are not read or changed.
"""

import base64
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

NOTEBOOK = Path(__file__).parent.parent / "docs/notebooks/use-the-model.ipynb"


def run(notebook: Path, folder: Path, **variables: str) -> Any:
    """Run a notebook in its own kernel.

    Args:
        notebook: the file.
        folder: where the kernel is started.
        variables: further environment variables of the kernel.
    Returns:
        the notebook with its outputs, an nbformat.NotebookNode.
    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    import nbclient
    import nbformat
    from traitlets.config import Config

    content = nbformat.read(notebook, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        own = {name: str(Path(scratch, name.lower())) for name in names}
        # The kernel talks through files, so that no port is opened.
        config = Config({"KernelManager": {"transport": "ipc", "ip": f"{scratch}/kernel"}})
        resources = {"metadata": {"path": str(folder)}}
        with patch.dict(os.environ, own):  # this process looks for the kernel, and writes its connection file
            client = nbclient.NotebookClient(content, kernel_name="python3", timeout=300, resources=resources, config=config)
            client.execute(env={**os.environ, **variables})
        return content


def pictures(content: Any) -> list[bytes]:
    """Return the PNG files that the cells of a notebook drew, in order."""
    drawn = [output["data"] for cell in content.cells for output in cell.get("outputs", []) if "data" in output]
    return [base64.b64decode(data["image/png"]) for data in drawn if "image/png" in data]


def printed(content: Any) -> list[str]:
    """Return what the cells of a notebook printed, in order, without the empty lines at the end of each."""
    streams = [[output["text"] for output in cell.get("outputs", []) if output.get("name") == "stdout"] for cell in content.cells]
    return ["".join(stream).rstrip() + "\n" for stream in streams if stream]


def main() -> int:
    """Run the notebook, and write its pictures and what it prints."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else NOTEBOOK.parent
    content = run(NOTEBOOK, NOTEBOOK.parent)
    texts = [text.encode() for text in printed(content)]
    for suffix, files in (("png", pictures(content)), ("txt", texts)):
        for number, file in enumerate(files, 1):
            path = folder / f"{NOTEBOOK.stem}-{number}.{suffix}"
            path.write_bytes(file)
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
