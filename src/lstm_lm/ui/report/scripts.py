"""The JavaScript of the report: Vega, Vega-Lite and Vega-Embed as vl-convert bundles them, and our own."""

import hashlib
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

import altair as alt
import vl_convert

from lstm_lm.io import atomic
from lstm_lm.paths import project_root

SNIPPET = "window.vegaEmbed = vegaEmbed;"
CACHE = Path(".dvc/tmp")  # bundling takes seconds; DVC keeps this folder out of Git
OWN = Path(__file__).parent / "report.js"


def script() -> str:
    """Return all the JavaScript of the page. It holds nothing that ends a script element of HTML."""
    # The bundle is an ES module. The function keeps its names local when it runs as a plain script.
    return f"(() => {{\n{bundle()}\n}})();\n{OWN.read_text(encoding='utf-8')}".replace("</script", r"<\/script").replace("<!--", r"<\!--")


@cache
def bundle() -> str:
    """Return the libraries as one ES module, from a file in .dvc/tmp if it has been made before."""
    vega_lite = vega_lite_version()
    key = hashlib.sha256(f"{version('vl-convert-python')} {vega_lite} {SNIPPET}".encode()).hexdigest()[:16]
    folder = project_root() / CACHE
    path = folder / f"vega-{key}.js"
    if path.is_file() and (text := path.read_text(encoding="utf-8")).rstrip().endswith(_END):
        return text
    text = f"{vl_convert.javascript_bundle(SNIPPET, vl_version=vega_lite)}\n{_END}\n"
    if folder.is_dir():
        atomic.write_text(path, text)
    return text


_END = "// complete"


def vega_lite_version() -> str | None:
    """The version of Vega-Lite that Vega-Altair writes, as vl-convert names it; None, its newest, if it lacks that one."""
    match = re.match(r"v(\d+\.\d+)", alt.SCHEMA_VERSION)
    written = match[1] if match else ""
    return written if written in vl_convert.get_vegalite_versions() else None
