"""The layers around the whole BentoML service, its health and metrics included, from the outermost inwards."""

from typing import Any

from bentoml import Service
from starlette.types import ASGIApp

from serving.observed import Observed
from serving.paths import Patterns


class LayeredService(Service[Any]):
    """A BentoML service behind the layers of this file."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        return Patterns(Observed(super().to_asgi(is_main=is_main)))
