"""The one exception that means "the input, not the program, is at fault"."""


class InputError(ValueError):
    """Bad data, configuration or request.

    The message is one sentence for the person who can mend it: it names the column, key or file, the
    value, the expected range, and what to do. Scripts print it and exit with code 2; the service answers
    with a 4xx.
    """


class PlacedError(InputError):
    """A mistake within one expression: `where` it stands, its `text`, the `offset` in it (None: all of it), and the
    `problem`."""

    def __init__(self, where: str, text: str, offset: int | None, problem: str) -> None:
        self.where, self.text, self.offset, self.problem = where, text, offset, problem
        at = ""
        if offset is not None:
            line = text.count("\n", 0, offset) + 1
            column = offset - text.rfind("\n", 0, offset)
            at = f"at line {line}, column {column} of the expression: "
        super().__init__(f"{where}: {at}{problem}")
