"""What may go wrong with a request. Every message is one line."""


class ServingError(Exception):
    """A request that does not end with texts."""


class Refused(ServingError):
    """The request is wrong or asks for too much: sending it again changes nothing.

    Attributes:
        param: the option, or the attribute of `Text`, that is to be changed; None: it is not one alone.
    """

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Busy(Refused):
    """The request is allowed, but there is too much to do at the moment.

    Attributes:
        retry_after: seconds after which sending it again is likely to succeed.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Expired(ServingError):
    """The deadline of the request came before its texts were complete."""


class Cancelled(ServingError):
    """The request was cancelled, by `Stream.cancel`."""


class Closed(ServingError):
    """The engine was closed, or has failed."""
