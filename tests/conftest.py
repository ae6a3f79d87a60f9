"""Fixtures that any test may use; the plain functions behind them are in builders.py."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from lifestage.history import History
from tests import builders


@pytest.fixture(scope="session")
def make_history() -> Callable[..., History]:
    """make_history(rows, zone="UTC"): a block of whole customers from plain dicts."""

    def make(rows: Sequence[Mapping[str, Any]], zone: str = "UTC") -> History:
        return builders.make_history(rows, zone)

    return make
