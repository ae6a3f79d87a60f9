"""Where a PostgreSQL store lies, as its URL says."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lifestage.errors import InputError

SCHEMES = ("postgresql", "postgres")
SCHEMA = "lifestage"
"""The store's own, so that a shop's tables of the same names are left alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A schema of a database."""

    conninfo: str
    """For libpq."""
    schema: str
    shown: str
    """Without the user."""

    @classmethod
    def of(cls, url: str) -> "Place":
        """`postgresql://user@host:5432/database?schema=name`, and whatever libpq understands.

        Raises InputError for a password, which belongs into the environment, and a schema that needs quoting.
        """
        parts = urlsplit(url)
        asked = parse_qsl(parts.query, keep_blank_values=True)
        if parts.password is not None or "password" in parts.query.lower():
            raise InputError(
                "store: a password does not belong into a file; take it out of the URL and set PGPASSWORD, or write it "
                "into ~/.pgpass"
            )
        schema = dict(asked).get("schema", SCHEMA)
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise InputError(
                f"store: schema '{schema}' is no plain name; expected small letters, digits and _, e.g. {SCHEMA}"
            )
        rest = urlencode([(name, value) for name, value in asked if name != "schema"])
        return cls(
            urlunsplit(parts._replace(query=rest)),
            schema,
            urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")),
        )
