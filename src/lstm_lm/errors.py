"""Errors that are meant for the user: one line each, no stack trace."""


class UserError(Exception):
    """A mistake that the user can fix. The text is the one line shown: what, which value, what is allowed, where to change it."""


class SettingError(UserError):
    """A value of params.yaml that does not work.

    Args:
        key: dotted, such as `vocab.test`.
        problem: the value and what is allowed.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"params.yaml: {key}: {problem}")
        self.key = key


class Interrupted(Exception):
    """The process was asked to stop.

    Args:
        message: the one line that is shown.
        code: the exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Terminated(KeyboardInterrupt):
    """The process has to end: a signal, or nobody reads its output any more. As Ctrl-C, it passes every `except Exception`.

    Args:
        message: the one line that is shown; "": none.
        code: the exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message, self.code = message, code
