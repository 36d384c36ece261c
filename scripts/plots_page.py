"""Create .dvc/plots.html, a template for the page of `dvc plots` that contains all its JavaScript.

DVC's built-in template loads the JavaScript from the web, so that the page stays empty without internet access. The template is set in
.dvc/config.local: a checkout that does not have it falls back to the built-in one.
"""

import subprocess
import sys
from pathlib import Path

import vl_convert

TEMPLATE = Path(".dvc/plots.html")
# DVC replaces {plot_divs} by the plots. It would replace {scripts}, which is left out there, by links to the web.
# The bundle, an ES module, takes the place of %s. As a plain script it runs before the plots are drawn; a function keeps its names local.
PAGE = Path(__file__).with_suffix(".html")


def write(path: Path) -> None:
    """Write the template atomically: setup repeats this step only for a newer version of the page."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # In JavaScript's strings and patterns <\/ means </, but it does not end the script element of HTML.
    page = PAGE.read_text(encoding="utf-8").replace("%s", script.replace("</script", r"<\/script"), 1)
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)


def main() -> None:
    """Write the template and make DVC use it in this checkout."""
    write(TEMPLATE)
    # DVC reads the path as relative to .dvc.
    command = ["config", "--quiet", "--local", "plots.html_template", TEMPLATE.name]
    subprocess.run([sys.executable, "-m", "dvc", *command], check=True)


if __name__ == "__main__":
    main()
