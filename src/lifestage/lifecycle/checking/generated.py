"""Customers made up around a policy's own thresholds, and a directed search for those it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lifestage.lifecycle.checking.bounds import counted, possible
from lifestage.lifecycle.checking.plausible import Floats, Genes, settle
from lifestage.lifecycle.checking.thresholds import candidates, drawn_columns
from lifestage.lifecycle.matches import answers
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.staging import block_of
from lifestage.localtime import DAY
from lifestage.schemas import INSTANT, PREVIOUS

AS_OF = 1_700_000_000_000_000
"""UTC microseconds; nothing that a policy reads depends on it."""
SEED = 6
GENERATIONS, PARENTS, CHILDREN = 40, 60, 600
PATIENCE = 8
"""Generations without any progress after which a search gives up."""


@dataclass(frozen=True)
class Customers:
    """Published columns (with customer_id) and previous stages, as staging wants them."""

    columns: pa.Table
    previous: pa.Table
    as_of: int

    def __len__(self) -> int:
        return len(self.columns)


class Maker:
    """Draws and changes made-up customers of one policy; the same seed gives the same ones."""

    def __init__(self, policy: Policy, seed: int = SEED) -> None:
        self.policy = policy
        self.random = np.random.default_rng(seed)
        self.names = drawn_columns(policy)
        self.values = {name: candidates(policy, name) for name in self.names}
        self.pools: dict[str, Floats] = {}
        for name, values in self.values.items():
            text = any(isinstance(v, str) for v in values) or name == "previous_stage"
            pool = [i if text else v for i, v in enumerate(values[:-1])]
            self.pools[name] = np.array(pool, np.float64)

    def _drawn(self, name: str, n: int) -> Floats:
        pool = self.pools[name]
        values = self.random.choice(pool, n)
        values[self.random.random(n) < 0.12] = np.nan
        return values

    def draw(self, n: int) -> Genes:
        """`n` customers, each column by itself."""
        genes = {name: self._drawn(name, n) for name in self.names}
        settle(genes)
        return genes

    def changed(self, parents: Genes, n: int, wanted: Sequence[str]) -> Genes:
        """`n` children: each of two parents, with one to three columns drawn anew, most often of `wanted`."""
        many = len(parents[self.names[0]])
        first, second = self.random.integers(0, many, n), self.random.integers(0, many, n)
        genes = {}
        for name, values in parents.items():
            genes[name] = np.where(self.random.random(n) < 0.15, values[second], values[first])
        weights = np.array([4.0 if name in wanted else 0.3 for name in self.names])
        expected = 2.0 * weights / weights.sum()
        for name, share in zip(self.names, expected, strict=True):
            hit = self.random.random(n) < share
            genes[name][hit] = self._drawn(name, int(hit.sum()))
            self._nudge(name, genes[name], self.random.random(n) < share / 2)
        settle(genes)
        return genes

    def _nudge(self, name: str, values: Floats, hit: npt.NDArray[np.bool_]) -> None:
        """Numbers moved a little, on all scales."""
        if any(isinstance(v, str) for v in self.values[name]) or name == "previous_stage":
            return
        published = self.policy.base[name]
        if pa.types.is_boolean(published.type):
            return
        moved = values[hit] * (
            1 + self.random.normal(size=int(hit.sum())) * 10.0 ** -self.random.integers(0, 4)
        )
        low, high = possible(name, published)
        values[hit] = np.clip(np.round(moved) if counted(name, published) else np.round(moved, 4), low, high)

    def table(self, genes: Genes, first: int = 0) -> Customers:
        """The customers as columns; ids say that they are made up."""
        n = len(genes[self.names[0]])
        ids = pa.array([f"generated {first + i + 1}" for i in range(n)])
        columns: dict[str, pa.Array] = {"customer_id": ids}
        for name in self.names:
            if name in self.policy.given:
                columns[name] = self._array(name, genes[name])
        since = np.full(n, AS_OF, np.int64)
        if "days_in_stage" in genes:
            since = AS_OF - np.nan_to_num(genes["days_in_stage"] * DAY).astype(np.int64)
        was = self._array("previous_stage", genes["previous_stage"])
        instants = pa.array(since, pa.int64(), mask=np.isnan(genes["previous_stage"])).cast(INSTANT)
        return Customers(pa.table(columns), pa.table([ids, was, instants], schema=PREVIOUS), AS_OF)

    def _array(self, name: str, values: Floats) -> pa.Array:
        missing = np.isnan(values)
        type_ = self.policy.base[name].type
        if pa.types.is_string(type_):
            places = pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing)
            texts = [v for v in self.values[name] if v is not None]
            return pa.array(texts, pa.string()).take(places)
        if pa.types.is_boolean(type_):
            return pa.array(np.where(missing, 0, values).astype(bool), mask=missing)
        return pa.array(values, type_, mask=missing)

    def search(self, score: str, wanted: Sequence[str], start: Genes, fixed: Genes | None = None) -> Genes:
        """The customer that comes nearest to a wish, one row. `score` is SQL from 0 to 1, 1 = satisfied.

        Local search over the candidate values: what it does not find may exist all the same.
        """
        pool = start
        reached, since = -1.0, 0
        for generation in range(GENERATIONS + 1):
            if fixed:
                pool = {**pool, **{k: np.full(len(pool[k]), v[0]) for k, v in fixed.items()}}
                settle(pool)
            made = self.table(pool)
            block = block_of(self.policy, made.columns, made.as_of, made.previous)
            scores = _computed(self.policy, block, score)
            order = np.argsort(-scores, kind="stable")[:PARENTS]
            best = {name: values[order] for name, values in pool.items()}
            top = float(scores[order[0]])
            reached, since = (top, generation) if top > reached else (reached, since)
            if top >= 1 - 1e-9 or generation - since >= PATIENCE or generation == GENERATIONS:
                break
            children = self.changed(best, CHILDREN, wanted)
            pool = {name: np.concatenate([values, children[name]]) for name, values in best.items()}
        return {name: values[:1] for name, values in best.items()}


def _computed(policy: Policy, block: pa.Table, score: str) -> Floats:
    try:
        answer = answers(policy, block, [f"CAST({score} AS DOUBLE) AS score"])["score"]
    except duckdb.Error:  # some condition fails on a made-up value; staging has said so for the drawn ones
        return np.zeros(len(block))
    return np.asarray(answer, np.float64)


def joined(parts: Sequence[Genes]) -> Genes:
    """The customers of all parts, in their order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
