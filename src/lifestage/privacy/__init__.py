"""Customer ids replaced by their keyed hash, and the list of those who were forgotten."""

from lifestage.privacy.folder import Privacy, open_privacy
from lifestage.privacy.forgotten import Forgotten
from lifestage.privacy.hashing import KEY, Hasher, fingerprint, hasher, key_from

__all__ = ["KEY", "Forgotten", "Hasher", "Privacy", "fingerprint", "hasher", "key_from", "open_privacy"]
