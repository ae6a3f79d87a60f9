"""The scoring runs that a shop has kept, and which of them are real forecasts.

A run is a forecast only where its release had seen nothing from the run's day on: the release's own as_of is not later.
Past months that were staged with a newer release, and back-fills, are hindsight.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.errors import InputError
from lifestage.lifecycle.policy import Policy
from lifestage.localtime import day_of
from lifestage.matured.terms import Terms, read_terms
from lifestage.pages import Words

NEEDED = (
    "customer_id", "eligible", "churn_probability", "expected_orders", "expected_order_value", "clv", "spend_low",
    "spend_high", "p_order", "next_order_low", "next_order_high", "stage", "release",
)  # fmt: skip
KINDS = {
    "waiting": Words("not over yet", "尚未到期"),
    "hindsight": Words("hindsight", "事后评分"),
    "release_gone": Words("release gone", "版本已不存在"),
    "damaged": Words("damaged", "已损坏"),
    "empty": Words("nobody in it", "无客户"),
}
"""Why a run is left out -> what a reader calls it."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A whole run whose release had not seen its future."""

    name: str
    as_of: int
    folder: Path
    customers: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run that is not judged, and why."""

    name: str
    as_of: int | None
    kind: str
    """One of KINDS."""
    sentence: str


class _UnfitError(Exception):
    def __init__(self, kind: str, sentence: str, as_of: int | None = None) -> None:
        super().__init__(sentence)
        self.kind, self.sentence, self.as_of = kind, sentence, as_of


def past_runs(runs: Path, releases: Path) -> tuple[list[PastRun], list[LeftOut]]:
    """The real runs below `runs` in the order of their as_of, and those left out."""
    found: list[PastRun] = []
    left: list[LeftOut] = []
    known: dict[str, Terms | InputError] = {}
    policies: dict[str, Policy] = {}
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        try:
            found.append(_read(folder, releases, known, policies))
        except _UnfitError as unfit:
            left.append(LeftOut(folder.name, unfit.as_of, unfit.kind, unfit.sentence))
    return sorted(found, key=lambda run: (run.as_of, run.name)), left


def _read(
    folder: Path, releases: Path, known: dict[str, Terms | InputError], policies: dict[str, Policy]
) -> PastRun:
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        name, as_of, customers = str(facts["release"]), int(facts["as_of"]), int(facts["customers"])
    except (OSError, ValueError, KeyError, TypeError):
        raise _UnfitError("damaged", f"{folder.name}: has no whole run.json; score that day again") from None
    parts = sorted(folder.glob("part-*.parquet"))
    rows, releases_met = _parts(folder, parts, as_of)
    if rows != customers:
        raise _UnfitError(
            "damaged",
            f"{folder.name}: holds {rows:,} customers, its run.json says {customers:,}: half copied or altered; score "
            "that day again",
            as_of,
        )
    if not customers:
        raise _UnfitError("empty", f"{folder.name}: nobody was known then", as_of)
    if releases_met != {name}:
        raise _UnfitError(
            "damaged",
            f"{folder.name}: its rows name release {', '.join(sorted(releases_met))}, its run.json {name}: altered; "
            "score that day again",
            as_of,
        )
    if not (releases / name).is_dir():
        raise _UnfitError(
            "release_gone",
            f"{folder.name}: its release {name} is gone, so nobody can tell what it had seen and what its horizons "
            "were; keep releases as long as runs",
            as_of,
        )
    terms = known.get(name)
    if terms is None:
        try:
            terms = read_terms(releases / name, policies)
        except InputError as error:
            terms = error
        known[name] = terms
    if isinstance(terms, InputError):
        raise _UnfitError("release_gone", f"{folder.name}: its release cannot be trusted: {terms}", as_of)
    if terms.seen_until > as_of:
        raise _UnfitError(
            "hindsight",
            f"{folder.name}: scored with {name}, which knows the data up to "
            f"{day_of(terms.seen_until - 1, terms.zone)}: it had seen what came",
            as_of,
        )
    return PastRun(folder.name, as_of, folder, customers, terms)


def _parts(folder: Path, parts: Iterable[Path], as_of: int) -> tuple[int, set[str]]:
    """Rows of all parts, and the releases that they name."""
    rows, named = 0, set[str]()
    for part in parts:
        try:
            with pq.ParquetFile(part) as file:
                if lacking := [c for c in NEEDED if c not in file.schema_arrow.names]:
                    raise _UnfitError(
                        "damaged",
                        f"{folder.name}: {part.name} lacks column '{lacking[0]}'; score that day again",
                        as_of,
                    )
                rows += file.metadata.num_rows
                release = pq.read_table(part, columns=["release"], read_dictionary=["release"])["release"]
                named.update(v for chunk in release.chunks for v in chunk.dictionary.to_pylist())
        except (OSError, pa.ArrowInvalid) as error:
            raise _UnfitError(
                "damaged",
                f"{folder.name}: {part.name} cannot be read ({error}); score that day again",
                as_of,
            ) from None
    return rows, named
