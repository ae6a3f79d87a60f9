"""What a release keeps of the customers it was made of: bins of every column, and how many fell into each when.

One Parquet table, one row a column, with the instants and the rest in its metadata.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.drift.bins import Bins, Column, learn_bins
from lifestage.drift.population import STAGE, Population
from lifestage.errors import InputError
from lifestage.localtime import DAY, day_of, midnight
from lifestage.ragged import Ints

FILE = "drift.parquet"
KEY = b"lifestage"
STEP_DAYS, STEPS = 30, 12
"""Beside the training cutoffs the population is counted each so many days, so many times back."""
TRAINING = 6
"""Training cutoffs that are counted, evenly chosen where there are more."""
NEAR = 5 * DAY
SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("name", pa.string()),
        ("edges", pa.list_(pa.float64())),
        ("levels", pa.list_(pa.string())),
        ("counts", pa.list_(pa.list_(pa.int64()))),
    ]
)
"""One row a column; counts[i] are of instants[i]."""


@dataclass(frozen=True)
class Counted:
    """One column: its bins, and the customers in each at each instant, int64[instants, B]."""

    kind: str
    name: str
    bins: Bins
    counts: Ints


@dataclass(frozen=True)
class Profile:
    """The reference of a release."""

    as_of: int
    instants: tuple[int, ...]
    """Ascending; the last is as_of."""
    training: tuple[int, ...]
    """Those of them from which the shipped churn model learnt."""
    policy: str
    """Name, version and digest of the policy whose stages were counted."""
    report: Mapping[str, Mapping[str, int]]
    """Table -> rows kept and rejected."""
    columns: tuple[Counted, ...]

    def to_bytes(self) -> bytes:
        """Parquet."""
        rows = [
            {
                "kind": c.kind,
                "name": c.name,
                "edges": list(c.bins.edges),
                "levels": None if c.bins.levels is None else list(c.bins.levels),
                "counts": c.counts.tolist(),
            }
            for c in self.columns
        ]
        about = {
            "as_of": self.as_of,
            "instants": self.instants,
            "training": self.training,
            "policy": self.policy,
            "report": self.report,
        }
        table = pa.Table.from_pylist(rows, SCHEMA).replace_schema_metadata({KEY: json.dumps(about)})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        return bytes(sink.getvalue())


def from_bytes(content: bytes, where: str) -> Profile:
    """Inverse of `Profile.to_bytes`. Raises InputError, which names `where`."""
    try:
        table = pq.read_table(pa.BufferReader(content))
        about = json.loads((table.schema.metadata or {})[KEY])
        columns = tuple(
            Counted(
                row["kind"],
                row["name"],
                Bins(tuple(row["edges"]), None if row["levels"] is None else tuple(row["levels"])),
                np.array(row["counts"], np.int64).reshape(len(about["instants"]), -1),
            )
            for row in table.to_pylist()
        )
        return Profile(
            int(about["as_of"]),
            tuple(about["instants"]),
            tuple(about["training"]),
            str(about["policy"]),
            about["report"],
            columns,
        )
    except (pa.ArrowInvalid, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{where}: is no reference of drift ({error}); promote again") from None


def instants_of(training: Iterable[int], first: int, as_of: int, zone: str) -> tuple[list[int], list[int]]:
    """The instants at which a release's population is counted, ascending, and the training cutoffs among them.

    `first`: before it too little was known of anybody.
    """
    cutoffs = sorted({t for t in training if t <= as_of})
    if len(cutoffs) > TRAINING:
        cutoffs = [
            cutoffs[i] for i in np.linspace(0, len(cutoffs) - 1, TRAINING).round().astype(int).tolist()
        ]
    day = day_of(as_of, zone)
    grid = [midnight(day - timedelta(days=STEP_DAYS * k), zone) for k in range(1, STEPS + 1)]
    further = [t for t in grid if t >= first and all(abs(t - cutoff) > NEAR for cutoff in cutoffs)]
    return sorted({*cutoffs, *further, as_of}), cutoffs or [as_of]


def make_profile(
    at: Mapping[int, Population],
    training: Sequence[int],
    policy: str,
    report: Mapping[str, Mapping[str, int]],
) -> Profile:
    """Bins of the training cutoffs' and the newest customers together, and the counts of every instant."""
    instants = sorted(at)
    shown = [*training, instants[-1]]
    columns = []
    for kind, name in names_of(at[instants[-1]]):
        bins = learn_bins(np.concatenate([column_of(at[t], kind, name) for t in shown]))
        counts = np.array([bins.counts(column_of(at[t], kind, name)) for t in instants])
        columns.append(Counted(kind, name, bins, counts))
    return Profile(instants[-1], tuple(instants), tuple(training), policy, report, tuple(columns))


def names_of(population: Population) -> list[tuple[str, str]]:
    """Kind and name of every column."""
    return [
        *(("feature", name) for name in population.features),
        *(("score", name) for name in population.scores),
        ("stage", STAGE),
    ]


def column_of(population: Population, kind: str, name: str) -> Column:
    """One column of a population. Raises KeyError for a name that it lacks."""
    if kind == "stage":
        return population.stages
    return (population.features if kind == "feature" else population.scores)[name]


def rows_kept_and_rejected(report: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Of a history's report: table -> rows kept and rejected."""
    return {
        name: {"kept": int(counts["kept"]), "rejected": int(sum(counts["rejected"].values()))}
        for name, counts in report["tables"].items()
    }
