"""Stop strings: found in a text that arrives in pieces."""

from collections.abc import Sequence


class StopMatcher:
    """Releases a text up to the first stop string in it, and holds back what may be the start of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        """stops: strings that are not empty."""
        self._stops = tuple(stops)
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """Add the next piece of the text.

        Returns:
            What may be shown now, and whether a stop string was found: the text ends there, and nothing may be pushed any more.
        """
        text = self._held + text
        # The one that is complete first, so that nothing depends on how the text is split.
        if found := [(place + len(stop), place) for stop in self._stops if (place := text.find(stop)) >= 0]:
            self._held = ""
            return text[: min(found)[1]], True
        held = max(map(lambda stop: _overlap(text, stop), self._stops))
        self._held = text[len(text) - held :]
        return text[: len(text) - held], False

    def finish(self) -> str:
        """Return what was held back: no more text comes."""
        held, self._held = self._held, ""
        return held


def stop(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """End a complete text before the first stop string in it. Returns the text, and whether there was one."""
    if not stops:
        return text, False
    matcher = StopMatcher(stops)
    text, was_found = matcher.push(text)
    return text + matcher.finish(), was_found


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of a text that is a beginning of a stop string, but not all of it."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
