"""The peer: a BentoML service whose one endpoint does nothing, every setting at its default."""

import sys
from typing import Any

import bentoml


@bentoml.service
class Empty:
    """JSON in, JSON out."""

    @bentoml.api
    def nothing(self, body: dict[str, Any]) -> dict[str, Any]:
        return body


if __name__ == "__main__":
    # Imported by name: BentoML's worker imports the service anew, and cannot import `__main__`.
    from tests.benchmarks.serving_empty import Empty as Served

    Served.serve_http(host="127.0.0.1", port=int(sys.argv[1]))
