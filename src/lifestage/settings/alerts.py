"""Where alerts go."""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from lifestage.documents import Model


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Webhook(Model):
    """A receiver of signed HTTP requests; the secret stands in the environment variable LIFESTAGE_WEBHOOK_SECRET."""

    url: str
    timeout_seconds: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)] = 15
    """For one attempt as a whole."""
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    """After the first attempt, with growing waits."""
    batch: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Alerts a request at most."""
    allow_http: bool = False
    """Send without encryption to another host."""

    @model_validator(mode="after")
    def _safe(self) -> "Webhook":
        # No message shows the URL: many receivers' paths are secrets.
        try:
            url = urlsplit(self.url)
            host, _ = url.hostname, url.port
        except ValueError:
            host = None
        if host is None or url.scheme not in ("http", "https") or not self.url.isascii() or " " in self.url:
            raise ValueError(
                "url: expected https:// and a host, e.g. https://crm.example.com/hooks/lifestage"
            )
        if url.username is not None or url.password is not None:
            raise ValueError("url: user and password do not belong into it; requests are signed instead")
        if url.scheme == "http" and not self.allow_http and not _loopback(host):
            raise ValueError(
                "url: http:// would send customers' data readable to all on the way; use https://, or set "
                "allow_http: true"
            )
        return self


class Alerts(Model):
    """Destinations of `python -m training.alerts`."""

    webhook: Webhook | None = None
    folder: str = ""
    """Of files and dead letters; by default <output_dir>/alerts."""
