"""The one exception a user may see: a single line that says what, which file, why, and what to do."""


class UserError(Exception):
    """Bad input or an impossible request. `str(error)` is one line; the command line prints it and exits 1."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


class UsageError(UserError):
    """The command itself is wrong (an unknown name, a value out of its range); the command line exits 2."""
