"""Headers that tell a browser to do nothing with an answer but show it."""

from serving.page import SCRIPT_HASH
from serving.scopes import DESCRIPTION

Headers = tuple[tuple[bytes, bytes], ...]

# The page's own script by its hash, the rest from this host alone. Swagger UI sets styles inline and draws with data:.
PAGE_POLICY = (
    f"default-src 'none'; script-src 'self' '{SCRIPT_HASH}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


def _headers(policy: str, *more: tuple[bytes, bytes]) -> Headers:
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-frame-options", b"DENY"),
        (b"content-security-policy", policy.encode()),
        *more,
    )


_PAGE = _headers(PAGE_POLICY)
_DATA = _headers(DATA_POLICY, (b"cache-control", b"no-store"))


def headers_of(path: str) -> Headers:
    """What every answer at this path carries besides its own."""
    return _PAGE if path in DESCRIPTION else _DATA
