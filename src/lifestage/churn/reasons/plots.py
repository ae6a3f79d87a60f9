"""What drives churn in the whole shop: a table of importance by group, and value against contribution.

Figures without pyplot, in the style of `plots`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lifestage.churn.evaluation import MODEL
from lifestage.churn.model import ChurnModel
from lifestage.churn.plots import COLOURS, GREY
from lifestage.churn.reasons.merging import merge
from lifestage.churn.reasons.strongest import Grouping, model_contributions
from lifestage.features import FeatureSpec, catalogue
from lifestage.features.groups import label
from lifestage.ragged import Floats

SAMPLED = 2_000
"""Customers whose contributions are worked out: the mean of so many is known to a few per cent."""
BINS = 12


@dataclass(frozen=True)
class Drivers:
    """Contributions of a sample of customers: one row each, in log-odds, and the features' values."""

    names: tuple[str, ...]
    spec: FeatureSpec
    values: Floats
    contributed: Floats
    merged: Floats
    """The same with each customer's variants of one fact added up, as their reasons are."""
    grouping: Grouping

    def importance(self) -> pd.DataFrame:
        """One row a group, the largest first: `group`, `label`, `label_zh`, mean |contribution| in log-odds
        (`mean_absolute`), its `share` of all groups', `features`, and the `strongest` of them."""
        sums = np.abs(self.grouping.sums(self.merged)).mean(axis=0)
        single = np.abs(self.contributed).mean(axis=0)
        rows = []
        for i, group in enumerate(self.grouping.groups):
            members = np.flatnonzero(self.grouping.group == i)
            en, zh = label(group, self.spec)
            rows.append(
                {
                    "group": group,
                    "label": en,
                    "label_zh": zh,
                    "mean_absolute": sums[i],
                    "share": sums[i] / (sums.sum() or 1.0),
                    "features": len(members),
                    "strongest": self.names[members[np.argmax(single[members])]],
                }
            )
        return pd.DataFrame(rows).sort_values(
            "mean_absolute", ascending=False, kind="stable", ignore_index=True
        )


def drivers(
    model: ChurnModel,
    features: Mapping[str, Floats],
    *,
    seed: int = 7,
    num_threads: int = 1,
) -> Drivers:
    """Contributions of at most SAMPLED of the customers of `features` (one value each), drawn by `seed`."""
    names, spec = model.features, model.spec
    rows = np.column_stack([features[name] for name in names])
    if len(rows) > SAMPLED:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), SAMPLED, replace=False))]
    contributed = model_contributions(model, rows, num_threads=num_threads)[:, :-1]
    merged = contributed.copy()
    merge(merged, dict(zip(names, rows.T, strict=True)), names, spec)
    return Drivers(names, spec, rows, contributed, merged, Grouping(names, spec))


def reason_plots(found: Drivers, top: int = 6) -> dict[str, Figure]:
    """File stem -> figure, for a tracker or a report."""
    return {"drivers": drivers_figure(found), "dependence": dependence_figure(found, top)}


def drivers_figure(found: Drivers, top: int = 15) -> Figure:
    """Mean |contribution| of the `top` groups, as a share of all."""
    table = found.importance().head(top)[::-1]
    figure = Figure(figsize=(7.2, 1.4 + 0.28 * len(table)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(table["label"].tolist(), table["share"].to_numpy(), color=COLOURS[MODEL])
    axes.set_title("What drives churn, variants of one fact added up", loc="left")
    axes.set_xlabel("share of the mean absolute contribution")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def dependence_figure(found: Drivers, top: int = 6) -> Figure:
    """Value against contribution of the strongest feature of each of the `top` groups.

    Above zero: raises churn. The line is the mean contribution in bins of equal mass; customers without a value
    stand apart at the left.
    """
    shown = found.importance().head(top)["strongest"].tolist()
    columns = min(3, max(len(shown), 1))
    lines = -(-max(len(shown), 1) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.9 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes, name in zip(grid.flat, shown, strict=False):
        _dependence(axes, found, name)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(False)
    figure.suptitle("Value against contribution to churn (log-odds; above 0 raises)", x=0.01, ha="left")
    return figure


def _dependence(axes: Axes, found: Drivers, name: str) -> None:
    j = found.names.index(name)
    value, contribution = found.values[:, j], found.contributed[:, j]
    known = ~np.isnan(value)
    feature = catalogue(found.spec).get(name)
    axes.axhline(0, color=GREY, linewidth=1)
    if feature is not None and feature.levels is not None:
        axes.scatter(value[known], contribution[known], s=6, alpha=0.25, color=COLOURS[MODEL], linewidths=0)
        places = np.unique(value[known]).astype(int)
        axes.set_xticks(places, [feature.levels[i] for i in places], rotation=45, ha="right", fontsize=7)
    elif known.any():
        low, high = np.quantile(value[known], [0.01, 0.99])
        inside = known & (value >= low) & (value <= high)
        axes.scatter(value[inside], contribution[inside], s=6, alpha=0.25, color=COLOURS[MODEL], linewidths=0)
        order = np.flatnonzero(inside)[np.argsort(value[inside], kind="stable")]
        parts = [part for part in np.array_split(order, BINS) if len(part)]
        axes.plot(
            [value[part].mean() for part in parts],
            [contribution[part].mean() for part in parts],
            color="#D55E00",
            linewidth=1.8,
        )
    if (~known).any():
        left, right = axes.get_xlim()
        at = left - 0.08 * (right - left)
        axes.scatter(
            np.full(int((~known).sum()), at), contribution[~known], s=6, alpha=0.25, color=GREY, linewidths=0
        )
        axes.annotate(
            "none", (at, 0), xycoords=("data", "axes fraction"), fontsize=7, color=GREY, ha="center"
        )
    axes.set_xlabel(name, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
