"""Which file of the project becomes which page of the documentation site, and how links between them change.

The Markdown pages are written for GitHub: their links name files of the repository, also outside docs/. On the site, README.md is the
front page, other files outside docs/ are pages below project/, and a module or package of the API reference is its page there.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

DOCS = "docs/"
FRONT_PAGE = "README.md"
API = "reference/api"
# What the API reference describes, by package below src/.
PACKAGES = (
    "lstm_lm/model",
    "lstm_lm/generation",
    "lstm_lm/data",
    "lstm_lm/evaluation",
    "lstm_lm/export",
    "lstm_lm/text/tokenization",
    "lstm_lm_serving",
)
AS_THEY_ARE = (".md", ".png", ".svg")  # other files become a page that shows their text
LANGUAGES = {".py": "python", ".sh": "sh", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
FENCE = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1 *$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))")


def map_links(text: str, change: Callable[[str], str]) -> str:
    """Apply a function to the target of each link and picture of a Markdown page, not to what stands in code."""

    def in_prose(prose: str) -> str:
        return LINK.sub(lambda link: link[1] + change(link[2]) + link[3], prose)

    # A link's text may hold code, so inline code is hidden, not split off.
    kept: list[str] = []

    def hide(code: re.Match[str]) -> str:
        kept.append(code[0])
        return f"\0{len(kept) - 1}\0"

    return re.sub(r"\0(\d+)\0", lambda mark: kept[int(mark[1])], in_prose(FENCE.sub(hide, text)))


def is_relative(target: str) -> bool:
    """Whether a link's target is a file of the project, with or without a heading."""
    return not re.match(r"[a-z][a-z0-9+.-]*:|/|#", target, re.IGNORECASE)


def resolve(page: str, target: str) -> str:
    """Return the file that a link of a page leads to, both as paths in the repository."""
    path = target.partition("#")[0]
    return os.path.normpath(PurePosixPath(page).parent / path)


def linked_files(page: str, text: str) -> set[str]:
    """Return the files of the repository that a page links to."""
    targets: list[str] = []

    def note(target: str) -> str:
        targets.append(target)
        return target

    map_links(text, note)
    return {resolve(page, target) for target in targets if is_relative(target)}


def api_page(path: str) -> str | None:
    """Return the page of the API reference for a package or one of its modules, given by its path, or None."""
    for package in PACKAGES:
        if path == f"src/{package}" or PurePosixPath(path).parent == PurePosixPath("src", package):
            return f"{API}/{module_name(package)}.md"
    return None


def module_name(path: str) -> str:
    """Return the name under which a module or package below src/ is imported."""
    return path.removesuffix(".py").replace("/", ".")


def site_path(path: str) -> str:
    """Return the source path on the site for a file of the repository."""
    if path == FRONT_PAGE:
        return "index.md"
    if path.startswith(DOCS):
        return re.sub(r"\.ipynb$", ".md", path.removeprefix(DOCS))
    if page := api_page(path):
        return page
    return f"project/{path}" if path.endswith(AS_THEY_ARE) else f"project/{path}.md"


def adapt_links(page: str, text: str) -> str:
    """Return a page's text with links that fit the site.

    Args:
        page: path in the repository.
        text: Markdown.
    """
    folder = PurePosixPath(site_path(page)).parent

    def adapt(target: str) -> str:
        if not is_relative(target):
            return target
        path = resolve(page, target)
        _, mark, heading = target.partition("#")
        if path.endswith(".py") and api_page(path):
            mark, heading = "#", module_name(path.removeprefix("src/"))
        return os.path.relpath(site_path(path), folder) + mark + heading

    return map_links(text, adapt)


def text_page(path: str, text: str) -> str:
    """Return a page that shows a text file of the project."""
    language = LANGUAGES.get(PurePosixPath(path).suffix, "text")
    return f"# {PurePosixPath(path).name}\n\n`{path}` of the project:\n\n{_fenced(text, language)}\n"


def _fenced(text: str, language: str) -> str:
    """Return a text as a block of code, whatever is in it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def notebook_page(path: str, text: str, printed: Sequence[str]) -> str:
    """Return a page that shows a notebook, what it drew and what it printed.

    Args:
        path: path in the repository. NOTEBOOK-1.png beside it is the picture of the first cell that draws, and so on.
        text: the notebook as JSON, without outputs.
        printed: by the first cell that prints, and so on.
    """
    name = PurePosixPath(path).stem
    parts, drawn, waiting = [], 0, list(printed)
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        if "print(" in source and waiting:
            parts.append(f"With the default model, this cell prints:\n\n{_fenced(waiting.pop(0), '{.text .printed}')}")
        if "plt.show()" in source:
            drawn += 1
            parts.append(f"![what this cell draws, with the default model]({name}-{drawn}.png)")
    parts.insert(1, f'<a class="md-button" href="{name}.ipynb" download>Download the notebook</a>')
    return "\n\n".join(parts) + "\n"


def api_pages(source: Path) -> Iterable[tuple[str, str]]:
    """Return the pages of the API reference: source path on the site, and Markdown for mkdocstrings.

    Args:
        source: folder that holds the packages.
    """
    for package in PACKAGES:
        modules = sorted(path for path in (source / package).glob("*.py") if not path.name.startswith("_"))
        name = module_name(package)
        lines = [f"# {name}", ""]
        for module in modules:
            lines += [f"::: {name}.{module.stem}", ""]
        yield f"{API}/{name}.md", "\n".join(lines)
