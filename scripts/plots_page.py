"""Make .dvc/plots.html, the page that `dvc plots` fills, with its JavaScript inside: DVC's own page loads that from the web, and
shows nothing without. This checkout's DVC is told to use it in .dvc/config.local, so that a checkout without the page has DVC's own.
"""

import subprocess
import sys
from pathlib import Path

import vl_convert

# DVC puts the plots in place of {plot_divs}. The {scripts} of its own page are those from the web.
# The bundle was written as a module: as a plain script it is run before the plots are, and in a function its names stay its own.
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


def write(path):
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # In JavaScript's strings and patterns <\/ is </, but HTML does not end the script there.
    page = PAGE % script.replace("</script", r"<\/script")
    # Whole or not at all: a page that is there is not made again.
    part = path.with_name(f"{path.name}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    write(Path(".dvc/plots.html"))
    # Relative to .dvc.
    subprocess.run([sys.executable, "-m", "dvc", "config", "--quiet", "--local", "plots.html_template", "plots.html"], check=True)
