"""Client of the Lifestage scoring service. The standard library is all it needs; no asyncio."""

from lifestage_client.client import Lifestage
from lifestage_client.errors import LifestageError
from lifestage_client.histories import batches, histories

__all__ = ["Lifestage", "LifestageError", "batches", "histories"]
