"""Errors that are meant for the user: one line each, no stack trace."""


class UserError(Exception):
    """A mistake the user can mend. Its text is the one line that is shown: what, which value, what is allowed, where."""


class Interrupted(Exception):
    """Asked to stop. Its text is the one line that is shown; `code` is the exit code."""

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code
