"""Customer ids at the border: where intake hashes them, so does the service.

Raw ids stay in the request: the store knows hashes alone. Scores do not depend on ids, so POST /v1/score and
/v1/explain need none of this and answer with the caller's own.
"""

import os
from functools import lru_cache

from lifestage.errors import InputError
from lifestage.privacy import KEY, hasher, key_from, open_privacy
from lifestage.privacy.folder import agree
from lifestage.record_values import identifier
from lifestage.release import Release
from lifestage.settings import Shop

_hasher = lru_cache(maxsize=1)(hasher)


def check(shop: Shop, release: Release) -> None:
    """Raises InputError where ids are hashed and the key is missing or not that of the release and the scores."""
    privacy = open_privacy(shop.output, shop.privacy.hash_ids)
    kept = release.manifest.get("id_key")
    if privacy.key is None and kept:
        raise InputError(
            f"release {release.name}: was made with hashed ids, and privacy.hash_ids is off; set it to true, "
            f"and the key in {KEY}"
        )
    if privacy.key is not None and kept:
        agree(privacy.stamp, str(kept), f"release {release.name}")


def known_as(shop: Shop, customer_id: str) -> str:
    """The id under which the store has the customer whom the caller calls `customer_id`, read as intake reads ids."""
    name = (
        (identifier(customer_id) or "").encode(errors="replace").decode()
    )  # half a surrogate pair: nobody's id
    return _hasher(key_from(os.environ))([name])[0] if shop.privacy.hash_ids else name
