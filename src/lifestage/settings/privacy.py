"""What Lifestage may know of who a customer is."""

from lifestage.documents import Model


class Privacy(Model):
    hash_ids: bool = False
    """Customer ids are replaced by their keyed hash at intake; the key is in the environment variable
    LIFESTAGE_ID_KEY (privacy.KEY)."""
