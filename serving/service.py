"""The BentoML service: process model, health, metrics and packaging around the routes of `app`.

Start it with `python -m serving --config configs/<shop>.yaml`; where BentoML starts it, LIFESTAGE_CONFIG names
the shop's YAML.
"""

import os

# Before the imports that read them: no usage statistics; one thread a worker for the trees, which are small.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A caller's word for an address of their own counts for nothing, unless somebody names the proxy that says it.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

import sys

import bentoml

from lifestage.errors import InputError
from serving import access, logs, metrics, state
from serving.app import app
from serving.layers import LayeredService
from serving.reload import Reloader
from serving.warmup import warm_up


@bentoml.service(
    name="lifestage",
    service_class=LayeredService,
    workers=1,
    traffic={"timeout": 60},
    http={"host": "127.0.0.1", "port": 3000},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(app, path="/")
class Lifestage:
    """Churn, CLV and lifecycle stage of customers, from one release."""

    def __init__(self) -> None:
        logs.start()
        loaded = state.from_environment()
        warm_up(loaded)
        state.settle()
        app.state.serving = loaded
        app.state.reloader = self._reloader = Reloader(app.state, loaded)
        self._reloader.start()

    def __is_ready__(self) -> bool:
        return getattr(app.state, "serving", None) is not None

    def __metrics__(self, text: str) -> str:
        """BentoML's metrics and the counters of all workers, then what holds for this worker now."""
        about = self._reloader.status
        failing = about.failed is not None
        serving: state.State = app.state.serving
        return text + metrics.now_lines(serving, about.loaded_at, about.checked_at, failing, about.store_up)

    @bentoml.on_shutdown
    def end(self) -> None:
        """No new release any more; the last log lines."""
        self._reloader.stop()
        logs.stop()

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Refuse to start without a release, or a key where one is needed, before any worker does."""
        try:
            access.check(state.from_environment().shop, access.mode())
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(2) from None
