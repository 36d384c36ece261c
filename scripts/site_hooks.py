"""What MkDocs does besides: README.md and other linked files become pages, the API reference gets its pages, diagrams are drawn offline."""

import re
from importlib.resources import files as resources
from itertools import count, takewhile
from pathlib import Path

import site_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

MERMAID = "assets/javascripts/mermaid.js"
# Where the theme's own script starts. It takes the global `mermaid` that is there, and would otherwise load it from another host.
THEME_SCRIPT = re.compile(r'(?=<script src="[^"]*assets/javascripts/bundle\.)')

# `file:` is for pages that are opened as files, where nothing counts as 'self'.
POLICY = """<meta http-equiv="Content-Security-Policy" content="default-src 'self' file: data: blob: 'unsafe-inline'">"""
# On a phone, a wide diagram scrolls: without a frame around it, it would shrink to the width of the screen.
DIAGRAM = re.compile(r'(<pre class="mermaid">.*?</pre>)', re.DOTALL)
LEADING_COMMENTS = re.compile(r"\A(\s*<!--.*?-->)+\s*", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    root = Path(config.config_file_path).parent
    for page, markdown in site_pages.api_pages(root / "src"):
        files.append(File.generated(config, page, content=markdown))
    for notebook in [file.src_uri for file in files if file.src_uri.endswith(".ipynb")]:
        path = f"{site_pages.DOCS}{notebook}"
        content = site_pages.notebook_page(path, (root / path).read_text(encoding="utf-8"), printed_texts(root / path))
        files.append(File.generated(config, site_pages.site_path(path), content=content))
    script = resources("mermaidx") / "assets/mermaid.js"
    files.append(File.generated(config, MERMAID, content=script.read_text(encoding="utf-8")))
    in_docs = [file.src_uri for file in files.documentation_pages() if not file.generated_by]
    waiting = [site_pages.FRONT_PAGE, *(f"{site_pages.DOCS}{path}" for path in in_docs)]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        if not path.startswith(site_pages.DOCS):
            add_file(root, path, files, config)
        if path.endswith(".md"):
            linked = site_pages.linked_files(path, (root / path).read_text(encoding="utf-8")) - seen
            waiting += [other for other in linked if (root / other).is_file() and not site_pages.api_page(other)]
            seen |= linked
    return files


def printed_texts(notebook: Path) -> list[str]:
    """Return what the cells of a notebook printed, from the files that scripts/run_notebook.py keeps beside it."""
    paths = takewhile(Path.is_file, (notebook.with_name(f"{notebook.stem}-{number}.txt") for number in count(1)))
    return [path.read_text(encoding="utf-8") for path in paths]


def add_file(root: Path, path: str, files: Files, config: MkDocsConfig) -> None:
    """Add a file of the repository that is not in docs/ to the site."""
    source = site_pages.site_path(path)
    if path.endswith(site_pages.AS_THEY_ARE):
        files.append(File.generated(config, source, abs_src_path=str(root / path)))
    else:
        files.append(File.generated(config, source, content=site_pages.text_page(path, (root / path).read_text(encoding="utf-8"))))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Adapt the links of a page. Its title is found only where the page begins with it, not with a comment."""
    path = page.file.src_uri
    markdown = LEADING_COMMENTS.sub("", markdown)
    if path.startswith(f"{site_pages.API}/"):
        return markdown
    if path == "index.md":
        page.meta["hide"] = ["navigation"]  # there is one page under Home
        origin = site_pages.FRONT_PAGE
    elif path.startswith("project/"):
        origin = path.removeprefix("project/")
    else:
        origin = f"{site_pages.DOCS}{path}"
    return site_pages.adapt_links(origin, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Allow a page no other host, and load Mermaid where there is a diagram: it is 3.5 MB."""
    output = output.replace("<head>", f"<head>\n{POLICY}", 1)
    output, diagrams = DIAGRAM.subn(r'<div class="diagram">\1</div>', output)
    if not diagrams:
        return output
    return THEME_SCRIPT.sub(f'<script src="{get_relative_url(MERMAID, page.url)}"></script>\n', output, count=1)
