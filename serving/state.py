"""What a worker holds: one release, the shop's settings, the score store."""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifestage import release as releases
from lifestage.errors import InputError
from lifestage.release import Release
from lifestage.settings import Shop
from lifestage.store import Store, open_store
from serving.shop import config_path, shop_of


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
    shop = shop_of(config)
    try:
        release = releases.load(releases.current(shop.releases))
    except InputError as error:
        raise InputError(str(error).replace("<shop>.yaml", Path(config).as_posix())) from None
    return State(shop, release, open_store(shop.store_url))


def from_environment() -> State:
    """The State of the shop that LIFESTAGE_CONFIG names, else of the bento's. Raises InputError."""
    return load(config_path())


def settle() -> None:
    """Keep the garbage collector away from what stays loaded: walking it costs 200 ms now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
