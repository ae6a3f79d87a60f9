"""What a worker holds: one release, the shop's settings, the score store."""

import gc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lifestage import release as releases
from lifestage.errors import InputError
from lifestage.release import Release
from lifestage.settings import Shop
from lifestage.store import Store, open_store
from serving import ids
from serving import origin as origins
from serving.origin import Origin
from serving.shop import config_path, shop_of


@dataclass(frozen=True)
class State:
    """Loaded and checked once; an answer is made from one State throughout."""

    shop: Shop
    release: Release
    store: Store
    origin: Origin = field(default_factory=Origin)

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
        return current(shop, open_store(shop.store_url))
    except InputError as error:
        raise InputError(str(error).replace("<shop>.yaml", Path(config).as_posix())) from None


def current(shop: Shop, store: Store, before: Release | None = None) -> State:
    """The State of the release that the shop's pointer names now; `before` is the one served till now.

    Raises InputError where it cannot be served.
    """
    seen = origins.look(shop.releases)
    folder = releases.current(shop.releases)
    try:
        release = releases.load(folder, before)
        state = State(shop, release, store, origins.of(shop.releases, seen, folder))
        made_for = release.manifest.get("shop", shop.shop)
    except InputError:
        raise
    except Exception as error:  # whatever a file of another format makes its reader say
        raise InputError(
            f"release {folder.name} cannot be read ({type(error).__name__}: {error}); it may be of another version of "
            "Lifestage: publish again with 'python -m training.promote'"
        ) from error
    if made_for != shop.shop:
        raise InputError(
            f"release {folder.name} was made for shop '{made_for}', not for '{shop.shop}'; correct release_dir, or "
            "publish again with 'python -m training.promote'"
        )
    ids.check(shop, release)
    return state


def differences(state: State) -> list[str]:
    """Settings in which the shop's YAML has moved away from the release, which goes on with its own."""
    pairs = (
        ("timezone", state.release.timezone, state.shop.timezone),
        ("currency", state.release.currency, state.shop.currency),
    )
    return [
        f"{name} is {now} in the settings, {then} in the release: train and promote again"
        for name, then, now in pairs
        if then != now
    ]


def from_environment() -> State:
    """The State of the shop that LIFESTAGE_CONFIG names, else of the bento's. Raises InputError."""
    return load(config_path())


def settle() -> None:
    """Keep the garbage collector away from what stays loaded: walking it costs 200 ms now and then.

    Again after a reload, where only what came since is walked; an old release goes by its reference count. What a few
    hundred requests left is walked at once, within a millisecond: more of it would be memory, and a longer halt.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)
