"""How the service answers: limits, keys, how soon it takes up a new release."""

from typing import Annotated

from pydantic import Field

from lifestage.documents import Model


class Serving(Model):
    max_body_megabytes: Annotated[int, Field(ge=1, le=1_024)] = 64
    """Largest body of a request, in units of 2**20 bytes."""
    max_customers: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """Customers in one request."""
    max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Rows of one kind (purchases, events, ...) of one customer in a request."""
    keys: str = ""
    """File of the hashed API keys; by default <output_dir>/keys.json."""
    requests_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Requests a key may send at once, and in a minute in the long run, to each worker; 0 = as many as it likes."""
    reload_seconds: Annotated[float, Field(ge=0.1, le=86_400)] = 5.0
    """How often the service looks for a new release."""
