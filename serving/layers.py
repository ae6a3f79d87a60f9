"""The layers around the whole BentoML service, its health and metrics included, from the outermost inwards."""

from typing import Any

from bentoml import Service
from starlette.types import ASGIApp

from serving import protocol
from serving.app import app
from serving.guard import Guard
from serving.observed import Observed
from serving.paths import Patterns
from serving.state import State
from serving.traces import Untraced, wanted


def loaded() -> State | None:
    """What this worker serves now, None until it does."""
    return getattr(app.state, "serving", None)


class LayeredService(Service[Any]):
    """A BentoML service behind the layers of this file."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        protocol.install()
        service = super().to_asgi(is_main=is_main)
        return Patterns(Observed(Guard(service if wanted() else Untraced(service), loaded)))
