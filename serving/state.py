"""What a worker holds: one release, the shop's settings, the score store."""

import gc
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifestage import release as releases
from lifestage import settings
from lifestage.errors import InputError
from lifestage.release import Release
from lifestage.settings import Shop
from lifestage.store import Store, open_store

CONFIG = "LIFESTAGE_CONFIG"
"""Environment variable: path of the shop's YAML."""


@dataclass(frozen=True)
class State:
    """Loaded and checked once; an answer is made from one State throughout."""

    shop: Shop
    release: Release
    store: Store

    @property
    def facts(self) -> dict[str, Any]:
        """What every answer says about the release."""
        return {
            "release": self.release.name,
            "churn_horizon_days": float(self.release.churn.horizon_days),
            "clv_horizon_days": None if self.release.clv is None else float(self.release.clv.horizon_days),
            "currency": self.release.currency,
        }


def load(config: str | Path) -> State:
    """The current release and the store of a shop's YAML. Raises InputError: what is missing, what to run."""
    shop = settings.load(config)
    try:
        release = releases.load(releases.current(shop.releases))
    except InputError as error:
        raise InputError(str(error).replace("<shop>.yaml", Path(config).as_posix())) from None
    return State(shop, release, open_store(shop.store_url))


def from_environment() -> State:
    """The State of the shop that LIFESTAGE_CONFIG names. Raises InputError."""
    config = os.environ.get(CONFIG)
    if not config:
        raise InputError(
            f"{CONFIG} is not set; start with 'python -m serving --config configs/<shop>.yaml', "
            f"or set {CONFIG} to the path of a shop's YAML"
        )
    return load(config)


def settle() -> None:
    """Keep the garbage collector away from what stays loaded: walking it costs 200 ms now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
