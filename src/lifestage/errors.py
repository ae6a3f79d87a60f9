"""The one exception that means "the input, not the program, is at fault"."""


class InputError(ValueError):
    """Bad data, configuration or request.

    The message is one sentence for the person who can mend it: it names the column, key or file, the
    value, the expected range, and what to do. Scripts print it and exit with code 2; the service answers
    with a 4xx.
    """
