"""What orders, spend and value came to beside what was foreseen, of the customers who had a purchase."""

import numpy as np
from scipy.stats import spearmanr

from lifestage.churn.metrics import calibration_error, perfect_calibration_error
from lifestage.clv.pit import promised_coverage
from lifestage.matured.matching import Matched
from lifestage.matured.ranking import captured, gini
from lifestage.ragged import Floats

TOP = 0.1
PAIRS = {
    "orders": ("expected_orders", "orders"),
    "spend": ("expected_spend", "spend"),
    "value": ("clv", "value"),
}
"""What is compared -> the forecast, what came. spend: currency, undiscounted, before margin; value: discounted and
times margin, as `clv` is."""


def value_figures(run: Matched) -> dict[str, float]:
    """Figures of one run's buyers; what is undefined is left out.

    buyers: customers. For each of PAIRS <name>_predicted, <name>_actual (totals), <name>_error_percent of the actual
    total, <name>_mae and <name>_rmse per customer and <name>_mae_of_mean, that of the actual mean for everybody. (A
    mean is judged by squares; where most bring nothing the least mae is had by saying 0.) value_top_share: share
    of the value that came held by the tenth with the highest clv, value_top_share_best by the best tenth;
    value_gini, value_gini_best likewise; value_spearman. spend_coverage: share of customers whose spend lay in
    [spend_low, spend_high]; spend_promised: what the interval promises, more than 0.8 for the atom at zero (pit.py).
    order_predicted, order_actual: mean of p_order, share with an order; order_calibration_error, and what it is if
    p_order is true. next_order_coverage: share of first orders within [next_order_low, next_order_high] of the
    next_orders that came (0.8 promised, given that one comes); next_order_before, next_order_after: too early, too
    late. spend_actual_now: the spend net of the refunds seen since. rate_<orders|spend>_error_percent, _mae, _rmse: the
    same errors of the own past rate, the plain rule.
    """
    at = np.flatnonzero(~np.isnan(run.clv))
    if not len(at):
        return {"buyers": 0.0}
    columns = {
        "expected_orders": run.expected_orders[at],
        "expected_spend": run.expected_orders[at] * run.expected_order_value[at],
        "clv": run.clv[at],
        "orders": run.orders[at],
        "spend": run.spend[at],
        "value": run.value[at],
    }
    found = {"buyers": float(len(at)), "spend_actual_now": float(run.spend_now[at].sum())}
    for name, (predicted, actual) in PAIRS.items():
        errors = _error(columns[predicted], columns[actual])
        found |= {f"{name}_{figure}": value for figure, value in errors.items()}
    for name, rule in (("orders", run.rate_orders[at]), ("spend", run.rate_spend[at])):
        found |= {
            f"rate_{name}_{figure}": value
            for figure, value in _error(rule, columns[name]).items()
            if figure in ("error_percent", "mae", "rmse")
        }
    clv, value = columns["clv"], columns["value"]
    found |= {
        "value_top_share": captured(clv, value, TOP),
        "value_top_share_best": captured(value, value, TOP),
        "value_gini": gini(clv, value),
        "value_gini_best": gini(value, value),
    }
    if len(at) > 1 and np.ptp(clv) > 0 and np.ptp(value) > 0:
        found["value_spearman"] = float(spearmanr(clv, value).statistic)
    low, high, p = run.spend_low[at], run.spend_high[at], run.p_order[at]
    came = columns["orders"] > 0
    found |= {
        "spend_coverage": float(((low <= columns["spend"]) & (columns["spend"] <= high)).mean()),
        "spend_promised": float(promised_coverage(p).mean()),
        "order_predicted": float(p.mean()),
        "order_actual": float(came.mean()),
        "order_calibration_error": calibration_error(p, came),
        "order_calibration_error_if_perfect": perfect_calibration_error(p),
        "next_orders": float(came.sum()),
    }
    if came.any():
        first = run.first_order[at][came]
        early = first < run.next_order_low[at][came]
        late = first > run.next_order_high[at][came]
        found |= {
            "next_order_coverage": float((~early & ~late).mean()),
            "next_order_before": float(early.mean()),
            "next_order_after": float(late.mean()),
        }
    return {name: number for name, number in found.items() if np.isfinite(number)}


def _error(predicted: Floats, actual: Floats) -> dict[str, float]:
    total = float(actual.sum())
    return {
        "predicted": float(predicted.sum()),
        "actual": total,
        "error_percent": 100 * (float(predicted.sum()) / total - 1) if total > 0 else float("nan"),
        "mae": float(np.abs(predicted - actual).mean()),
        "rmse": float(np.sqrt(((predicted - actual) ** 2).mean())),
        "mae_of_mean": float(np.abs(actual.mean() - actual).mean()),
    }
