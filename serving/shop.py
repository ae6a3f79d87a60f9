"""A shop's configuration as the service reads it: in a bento the one beside the code, the store by environment."""

import os
from pathlib import Path

from lifestage import settings
from lifestage.errors import InputError
from lifestage.settings import Shop

CONFIG = "LIFESTAGE_CONFIG"
"""Environment variable: path of the shop's YAML."""
STORE = "LIFESTAGE_STORE"
"""Environment variable: the score store, a URL or the path of a SQLite file, instead of the configured one."""
PACKAGED = Path(__file__).resolve().parents[1] / "lifestage.yaml"
"""In a bento: the configuration that names the release inside. A checkout has no such file."""


def config_path() -> Path:
    """The file that LIFESTAGE_CONFIG names, else the bento's own. Raises InputError."""
    named = os.environ.get(CONFIG)
    if named:
        return Path(named)
    if PACKAGED.is_file():
        return PACKAGED
    raise InputError(
        f"{CONFIG} is not set; start with 'python -m serving --config configs/<shop>.yaml', "
        f"or set {CONFIG} to the path of a shop's YAML"
    )


def shop_of(config: str | Path) -> Shop:
    """The checked configuration. Raises InputError."""
    shop = settings.load(config)
    changed = {}
    if Path(config).resolve() == PACKAGED:  # a bento is started in any directory
        changed["release_dir"] = str(PACKAGED.parent / shop.release_dir)
    store = os.environ.get(STORE)
    if store:
        changed["store"] = store if "://" in store else f"sqlite:///{store}"
    return shop.model_copy(update=changed)
