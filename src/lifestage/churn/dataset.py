"""What the churn model learns from: features and labels of eligible customers at one or several cutoffs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats


@dataclass(frozen=True, slots=True)
class Sample:
    """One row per eligible customer and cutoff; all arrays have one length n."""

    features: Mapping[str, Floats]
    """Feature name -> value, NaN = missing; the order of the names is the model's."""
    churned: Bools
    """No return within the horizon after the cutoff."""
    cutoff: npt.NDArray[np.int64]
    """The row's cutoff, UTC microseconds."""
    customer: npt.NDArray[np.uint64] | None = None
    """Key of the customer, the same at every cutoff; models never see it."""
    categorical: tuple[str, ...] = ()
    """The features whose values are places of levels."""

    def __post_init__(self) -> None:
        if not self.features:
            raise InputError("a churn sample needs at least one feature; found none")
        lengths = {name: len(values) for name, values in self.features.items()}
        lengths["cutoff"] = len(self.cutoff)
        if self.customer is not None:
            lengths["customer"] = len(self.customer)
        for name, length in lengths.items():
            if length != len(self):
                raise InputError(
                    f"'{name}' has {length} rows, but 'churned' has {len(self)}; give one each a customer"
                )

    def __len__(self) -> int:
        return len(self.churned)

    def take(self, rows: Bools) -> "Sample":
        """The rows for which `rows`, of shape (n,), is true."""
        return Sample(
            {name: column[rows] for name, column in self.features.items()},
            self.churned[rows],
            self.cutoff[rows],
            None if self.customer is None else self.customer[rows],
            self.categorical,
        )

    def having(self, columns: Mapping[str, Floats]) -> "Sample":
        """The same rows with further features, shape (n,) each."""
        return Sample(
            {**self.features, **columns}, self.churned, self.cutoff, self.customer, self.categorical
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.features)

    @property
    def base_rate(self) -> float:
        """Share of churned rows; NaN in an empty sample."""
        return float(np.mean(self.churned)) if len(self) else float("nan")


def sample_at(
    cutoff: int,
    features: Mapping[str, Floats],
    eligible: Bools,
    churned: Bools,
    customer: npt.NDArray[np.uint64] | None = None,
    *,
    categorical: tuple[str, ...] = (),
) -> Sample:
    """One row per eligible customer of a block at `cutoff` (UTC microseconds); the others are left out."""
    return Sample(
        features={name: np.asarray(values, np.float64)[eligible] for name, values in features.items()},
        churned=np.asarray(churned, np.bool_)[eligible],
        cutoff=np.full(int(np.count_nonzero(eligible)), cutoff, np.int64),
        customer=None if customer is None else customer[eligible],
        categorical=categorical,
    )


def concatenate(samples: Sequence[Sample]) -> Sample:
    """One row per customer and cutoff of all `samples`, in their order.

    Customers' keys are kept where every sample has them. Raises InputError where feature names or their order
    differ, since a column must mean the same in every row.
    """
    if not samples:
        raise InputError("there is no churn sample to join; give at least one cutoff")
    first = samples[0]
    for other in samples[1:]:
        if other.names != first.names:
            different = sorted(set(first.names) ^ set(other.names)) or ["the order"]
            raise InputError(
                f"churn samples differ in their features ({', '.join(different)}); build all alike"
            )
    ids = [s.customer for s in samples if s.customer is not None]
    return Sample(
        features={name: np.concatenate([s.features[name] for s in samples]) for name in first.names},
        churned=np.concatenate([s.churned for s in samples]),
        cutoff=np.concatenate([s.cutoff for s in samples]),
        customer=np.concatenate(ids) if len(ids) == len(samples) else None,
        categorical=first.categorical,
    )


def matrix(features: Mapping[str, Floats], names: Sequence[str]) -> Floats:
    """One row per customer, one column per name, in that order (C order: what LightGBM reads unchanged).

    Raises InputError naming the features that are missing, unknown, or of another length.
    """
    known = frozenset(names)
    missing = [name for name in names if name not in features]
    extra = [name for name in features if name not in known]
    if missing or extra:
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"unknown: {', '.join(extra)}"] if extra else []
        raise InputError(
            f"the features do not match the {len(names)} of the churn model ({'; '.join(parts)}); "
            "score with the features it was trained on, or train again"
        )
    n = len(features[names[0]])
    out = np.empty((n, len(names)), np.float64)
    for j, name in enumerate(names):
        if len(features[name]) != n:
            raise InputError(f"feature '{name}' has {len(features[name])} rows, but '{names[0]}' has {n}")
        out[:, j] = features[name]
    return out
