"""Tokens as the report shows them: one that is white space would be invisible."""

VISIBLE = {" ": "\u2423", "\n": "\u23ce", "\t": "\u21e5"}


def visible(token: object) -> str:
    """Return a token with a sign in place of each space, newline and tab."""
    text = str(token)
    return "".join(VISIBLE.get(character, character) for character in text) if text.strip() != text or not text else text
