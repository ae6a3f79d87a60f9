"""From the figures of a CLV challenger to a verdict with its reasons."""

from collections.abc import Mapping

from lifestage.gate.clv import ClvComparison
from lifestage.gate.ranking import About, rank
from lifestage.gate.verdict import Verdict
from lifestage.settings import Gate


def clv_verdict(found: ClvComparison, about: About, limits: Gate) -> Verdict:
    """Of a challenger beside a champion: each customer's orders decide, the totals may not get much worse."""
    figures = found.to_json()
    if found.champion is None or found.gain is None:
        why = found.missing or "there is nothing to compare it with"
        return Verdict(
            "new", (f"The champion is not compared: {why}. The challenger takes its place.",), figures
        )
    word, first = rank(
        found.gain,
        about,
        limits,
        f"deviance of orders {found.challenger['orders_deviance']:.4f} a customer against the champion's "
        f"{found.champion['orders_deviance']:.4f} on {found.customers:,} buyers over {found.horizon_days} days",
    )
    against = [first] if word == "kept" else []
    limit = limits.max_total_loss
    for of, further in (("orders", found.further_orders), ("spend", found.further_spend)):
        if further is not None and further[1] > limit:
            against.append(
                f"{_totals(found, of)}: surely much further off (gate.max_total_loss {limit:.0%})."
            )
    notes = (about.champion_saw,) if about.champion_saw else ()
    if against:
        return Verdict("kept", (*against, *notes), figures)
    return Verdict(word, (first, f"{_totals(found, 'orders')}.", *notes), figures)


def _totals(found: ClvComparison, of: str) -> str:
    own, other = _off(found.challenger, of), _off(found.champion or {}, of)
    return f"It foresaw {own} {of} in all than came, the champion {other}"


def _off(figures: Mapping[str, float], of: str) -> str:
    error = figures.get(f"{of}_total_error_percent")
    return "other" if error is None else f"{abs(error):.1f} % {'more' if error > 0 else 'fewer'}"
