"""A policy tried on a shop as it is now: current release, its history, the stages stored so far. Writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lifestage import release as releases
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.lifecycle import comparison
from lifestage.lifecycle.checking.generated import Customers
from lifestage.lifecycle.policy import Policy, parse_text, read
from lifestage.policies.shop_columns import own_blocks
from lifestage.release import Release
from lifestage.settings import Shop

MOST_CHECKED = 200_000
"""A check looks at about so many customers of a larger shop."""
Progress = Callable[[int], Any] | None


@dataclass(frozen=True)
class Live:
    """What scores the shop today."""

    shop: Shop
    release: Release
    file: HistoryFile

    @property
    def as_of(self) -> int:
        """The end of the history, UTC microseconds: staged as the next scoring run would."""
        return int(self.file.facts["as_of"])

    def read(self, name_or_path: str) -> Policy:
        """A policy for the features of this release. Raises InputError."""
        return parse_text(*read(name_or_path), self.release.churn.spec)


def live(shop: Shop) -> Live:
    """The shop's current release and history. Raises InputError where one is missing."""
    found = releases.load(releases.current(shop.releases))
    file = HistoryFile(Path(shop.output) / "history.parquet")
    _ = file.facts
    return Live(shop, found, file)


def own_customers(policy: Policy, at: Live, progress: Progress = None) -> Customers | None:
    """The shop's customers as a check wants them, MOST_CHECKED at the most; None where nobody is known."""
    blocks = own_blocks(
        *(at.file, at.release, at.as_of, at.shop.store_url, (policy,)), most=MOST_CHECKED, progress=progress
    )
    found = [block for block in blocks if len(block.previous)]
    if not found:
        return None
    columns = pa.concat_tables([block.columns[0] for block in found]).combine_chunks()
    previous = pa.concat_tables([block.previous for block in found]).combine_chunks()
    return Customers(columns, previous, at.as_of)


def difference(old: Policy, new: Policy, at: Live, progress: Progress = None) -> pa.Table:
    """One row per customer: comparison.BOTH, staged under both policies. Raises InputError for nobody."""
    blocks = own_blocks(
        *(at.file, at.release, at.as_of, at.shop.store_url, (old, new)),
        more=comparison.TOLD,
        progress=progress,
    )
    parts = [
        comparison.stage_both((old, new), block.columns, at.as_of, block.previous)
        for block in blocks
        if len(block.previous)
    ]
    if not parts:
        raise InputError(f"{at.file.path}: holds nobody known before its as_of; nothing to compare")
    return pa.concat_tables(parts)
