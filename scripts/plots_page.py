"""Write .dvc/plots.html, the page that `dvc plots` fills, with its JavaScript inside.

DVC's own page loads the JavaScript from the web, and stays empty without a network. .dvc/config.local makes the DVC of this checkout
use ours, so that a checkout without the page still has DVC's own.
"""

import subprocess
import sys
from pathlib import Path

import vl_convert

# DVC puts the plots in place of {plot_divs}. The {scripts} of its own page would come from the web.
# The bundle is an ES module. As a plain script it runs before the plots do, and within a function its names stay local.
PAGE = """<!DOCTYPE html>
<html>
<head>
    <meta charset="utf-8">
    {refresh_tag}
    <title>DVC Plot</title>
    <script>(() => {"use strict";
%s
    })();</script>
</head>
<body>
    {plot_divs}
</body>
</html>
"""


def write(path: Path) -> None:
    """Write the page, completely or not at all: a page that exists is not written again."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # In strings and patterns of JavaScript <\/ means </, but HTML does not end the script there.
    page = PAGE % script.replace("</script", r"<\/script")
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    write(Path(".dvc/plots.html"))
    # The path is relative to .dvc.
    subprocess.run([sys.executable, "-m", "dvc", "config", "--quiet", "--local", "plots.html_template", "plots.html"], check=True)
