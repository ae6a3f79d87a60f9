"""Fit of an order model with static covariates: one likelihood over groups of customers with the same levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import chi2

from lifestage.clv.compress import Compressed, compress
from lifestage.clv.covariates import Covariate, design, groups, learn_all
from lifestage.clv.families import FAMILIES
from lifestage.clv.maximise import Objective, maximise
from lifestage.clv.order_fit import OrderFit
from lifestage.clv.summary import Trait
from lifestage.ragged import Floats

SD = 1.0
"""Standard deviation of the prior on a level's logarithm: a factor of 7 either way at two of them."""
RANGE = 4.0
SIGNIFICANT = 0.01
MOST_GROUPS = 150
"""Combinations of levels with a likelihood of their own, each of which costs a pass."""


@dataclass(frozen=True, slots=True)
class CovariateFit:
    """params: of the customers of each covariate's first level; covariates: () where the plain model stands.

    report: JSON; its `why` is a sentence.
    """

    params: Any
    covariates: tuple[Covariate, ...]
    report: dict[str, Any]
    standard_errors: dict[str, float | None] | None = None
    """Of `params`; None where they are the plain model's."""


def fit_covariates(plain: OrderFit, everyone: Compressed, traits: Mapping[str, Trait]) -> CovariateFit:
    """The plain fit with those covariates that a likelihood-ratio test each finds to matter, or the plain fit.

    everyone: one row per customer (counts are 1); traits: likewise. Maximum likelihood under N(0, 1) on the
    logarithm of each level's factor.
    """
    if plain.diagnostics["priors"]:
        return CovariateFit(
            plain.params, (), {"why": "covariates left out: the data do not identify the plain model"}
        )
    learnt = learn_all(traits)
    alone = {one.name: _search(plain, everyone, traits, [one]) for one in learnt}
    report: dict[str, Any] = {name: found.report() for name, found in alone.items()}
    report |= {name: {"why": "too few customers on a second level"} for name in traits if name not in alone}
    kept = [one for one in learnt if alone[one.name].matters]
    if not kept:
        said = "; ".join(f"{name}: {one['why']}" for name, one in report.items())
        return CovariateFit(plain.params, (), {**report, "why": f"covariates left out: {said}"})
    kept.sort(key=lambda one: -alone[one.name].ratio)
    while len(kept) > 1 and len(groups(kept, traits, len(everyone))[0]) > MOST_GROUPS:
        report[kept.pop().name]["why"] += f"; left out: together they make more than {MOST_GROUPS} groups"
    found = _search(plain, everyone, traits, kept)
    if not found.settled and len(kept) > 1:  # two that say the same: the one that says more
        report["together"] = found.report()
        kept = kept[:1]
        found = alone[kept[0].name]
    fitted = _with_effects(kept, found.effects)
    said = "; ".join(_told(covariate) for covariate in fitted)
    report["why"] = f"covariates ({found.why}): {said}"
    return CovariateFit(found.params, tuple(fitted), report, found.errors)


@dataclass(frozen=True, slots=True)
class _Found:
    params: Any
    effects: Floats
    ratio: float
    p_value: float
    settled: bool
    errors: dict[str, float | None]

    @property
    def matters(self) -> bool:
        return self.settled and self.p_value < SIGNIFICANT

    @property
    def why(self) -> str:
        if not self.settled:
            return "the search did not settle inside its bounds"
        return f"likelihood ratio {self.ratio:.1f}, p = {self.p_value:.2g}"

    def report(self) -> dict[str, Any]:
        return {"likelihood_ratio": self.ratio, "p_value": self.p_value, "why": self.why}


def _search(
    plain: OrderFit, everyone: Compressed, traits: Mapping[str, Trait], covariates: Sequence[Covariate]
) -> _Found:
    family, unit = FAMILIES[plain.name], float(everyone.T.max())
    combinations, number = groups(covariates, traits, len(everyone))
    rows = design(covariates, combinations)
    likelihoods = [family.likelihood(_part(everyone, number == g, unit)) for g in range(len(rows))]
    k, levels = len(plain.params), 2 * rows.shape[1]
    start = np.concatenate([np.log(np.array(plain.params)), np.zeros(levels)])
    start[list(family.TIME)] -= np.log(unit)
    objective = _joint(likelihoods, rows, k, family.MOVED)
    bounds = np.vstack([family.BOUNDS, np.array([[-RANGE, RANGE]] * levels)])
    best = maximise(objective, [start], bounds, everyone.customers)
    values = best.log_params[:k].copy()
    values[list(family.TIME)] += np.log(unit)
    ratio = 2 * (best.log_likelihood - objective(start)[0])
    params = family.Params(*(float(v) for v in np.exp(values)))
    spread = None if best.covariance is None else np.sqrt(np.diag(best.covariance)[:k]) * np.array(params)
    return _Found(
        params=params,
        effects=best.log_params[k:],
        ratio=ratio,
        p_value=float(chi2.sf(max(ratio, 0.0), levels)),
        settled=best.converged and not best.at_bound.any(),
        errors=dict.fromkeys(family.NAMES)
        if spread is None
        else dict(zip(family.NAMES, (float(e) for e in spread), strict=True)),
    )


def _part(everyone: Compressed, mine: Any, unit: float) -> Compressed:
    x, t_x, T = everyone.frequency[mine], everyone.recency[mine] / unit, everyone.T[mine] / unit
    return compress(x, t_x, T, everyone.count[mine])


def _joint(
    likelihoods: Sequence[Objective], rows: Floats, k: int, how: tuple[tuple[int, int], tuple[int, int]]
) -> Objective:
    """(log-parameters, effects on the rate, effects on leaving) -> penalised log-likelihood and gradient."""
    levels = rows.shape[1]

    def value_and_gradient(z: Floats) -> tuple[float, Floats]:
        effects = (z[k : k + levels], z[k + levels :])
        value, gradient = -0.5 * float(np.sum(z[k:] ** 2)) / SD**2, np.zeros(len(z))
        gradient[k:] = -z[k:] / SD**2
        for likelihood, row in zip(likelihoods, rows, strict=True):
            own = z[:k].copy()
            for (place, sign), effect in zip(how, effects, strict=True):
                own[place] += sign * float(np.sum(row * effect))
            found, slope = likelihood(own)
            value += found
            gradient[:k] += slope
            for i, (place, sign) in enumerate(how):
                gradient[k + i * levels : k + (i + 1) * levels] += sign * slope[place] * row
        return value, gradient

    return value_and_gradient


def _with_effects(learnt: Sequence[Covariate], effects: Floats) -> list[Covariate]:
    rate, leaving = effects[: len(effects) // 2], effects[len(effects) // 2 :]
    fitted, at = [], 0
    for covariate in learnt:
        own = slice(at, at + len(covariate.levels) - 1)
        fitted.append(
            replace(covariate, rate=(0.0, *rate[own].tolist()), leaving=(0.0, *leaving[own].tolist()))
        )
        at = own.stop
    return fitted


def _told(covariate: Covariate) -> str:
    levels = zip(covariate.levels[1:], covariate.rate[1:], covariate.leaving[1:], strict=True)
    said = ", ".join(
        f"{level} orders x {np.exp(rate):.2f}, leaving x {np.exp(leaving):.2f}"
        for level, rate, leaving in levels
    )
    return f"{covariate.name} (beside {covariate.levels[0]}): {said}"
