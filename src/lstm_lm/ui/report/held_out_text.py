"""What one calls held-out text: whole documents, or parts of documents of which the rest is training text."""

from lstm_lm.ui.report.inputs import Inputs


def name(inputs: Inputs, split: str = "test") -> str:
    """Return what each text of a split is: `document`, `held-out part` of one, or `held-out text` if that is unknown."""
    is_part = _is_part(inputs, split, None)
    return "held-out text" if is_part is None else "held-out part" if is_part else "document"


def of_document(inputs: Inputs, split: str, document: str) -> str:
    """Return what the positions of a document are counted in: `a.txt`, `the held-out part of a.txt`, or `the held-out text of a.txt`."""
    is_part = _is_part(inputs, split, document)
    return f"the held-out text of {document}" if is_part is None else f"the held-out part of {document}" if is_part else document


def _is_part(inputs: Inputs, split: str, document: str | None) -> bool | None:
    """Whether other splits have parts of a document of this one, or of any of them; None if their files are unknown."""
    files = {other: set((found or {}).get("files") or []) for other, found in inputs.mapping("splits").items()}
    own = files.pop(split, set())
    if not own or not files.get("train") or (document is not None and document not in own):
        return None
    return not (own if document is None else {document}).isdisjoint(set().union(*files.values()))
