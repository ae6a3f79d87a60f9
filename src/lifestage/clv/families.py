"""The order models that a CLV model may hold, and what each of them must answer."""

# ruff: noqa: N802  a module holds them as constants

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lifestage.clv import bg_nbd, mbg_nbd, pareto_nbd
from lifestage.clv.compress import Compressed
from lifestage.clv.maximise import Objective
from lifestage.ragged import Floats


class Family(Protocol):
    """A module of one published model; `params` is its NamedTuple. Everything is elementwise over customers.

    x, t_x, T: frequency, recency and age; given alive at the cutoff the future hangs on (x, T) alone. BOUNDS and
    STARTS are log-parameters with times in units of the largest T; TIME: the parameters that are times; MOVED: those
    that covariates move, by which sign, the order rate's first and then that of leaving.
    """

    @property
    def NAMES(self) -> tuple[str, ...]: ...

    @property
    def MEANING(self) -> Mapping[str, str]: ...

    @property
    def BOUNDS(self) -> Floats: ...

    @property
    def STARTS(self) -> Floats: ...

    @property
    def TIME(self) -> tuple[int, ...]: ...

    @property
    def MOVED(self) -> tuple[tuple[int, int], tuple[int, int]]: ...

    @property
    def Params(self) -> Callable[..., Any]: ...

    def likelihood(self, customers: Compressed) -> Objective: ...

    def log_likelihood(self, params: Any, x: Floats, t_x: Floats, T: Floats) -> Floats: ...

    def probability_alive(self, params: Any, x: Floats, t_x: Floats, T: Floats) -> Floats: ...

    def time_scale(self, params: Any, T: Floats) -> Floats: ...

    def alive_later_given_alive(self, params: Any, t: float | Floats, x: Floats, T: Floats) -> Floats: ...

    def order_rate_given_alive(self, params: Any, t: Floats, x: Floats, T: Floats) -> Floats: ...

    def expected_purchases_given_alive(
        self, params: Any, t: float | Floats, x: Floats, T: Floats
    ) -> Floats: ...

    def probability_of_order_given_alive(
        self, params: Any, t: float | Floats, x: Floats, T: Floats
    ) -> Floats: ...

    def next_order_quantile(
        self,
        params: Any,
        share: float | Floats,
        t: float | Floats,
        x: Floats,
        T: Floats,
        *,
        some: Floats | None = None,
    ) -> Floats: ...

    def order_counts_given_alive(
        self, params: Any, t: float | Floats, x: Floats, T: Floats, most: int
    ) -> Floats: ...


FAMILIES: Mapping[str, Family] = {"bg_nbd": bg_nbd, "mbg_nbd": mbg_nbd, "pareto_nbd": pareto_nbd}
"""By name, the simplest first."""
LABELS = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}
