"""How many customers are in each stage, what they are worth and how many are likely to leave."""

from typing import Any

from lifestage.store.shares import Share
from serving.customers import about, no_scores, reading
from serving.rows import to_json
from serving.state import State


def stages(state: State) -> bytes:
    """The distribution of the current run. Raises ProblemError: 503 no scores yet, or none to be had."""
    with reading():
        found = state.store.distribution()
    if found is None:
        raise no_scores()
    head = about(state, found.run, found.as_of, found.release, found.policy)
    named = {stage.name: stage.labels for stage in state.release.policy.stages}
    listed = []
    for share in found.stages:
        labels = named.get(share.name)
        listed.append({
            "stage": share.name,
            "label": None if labels is None else {"en": labels.en, "zh": labels.zh},
            **_figures(share),
            "tiers": [{"tier": tier.name, **_figures(tier)} for tier in share.tiers],
        })  # fmt: skip
    return to_json({**head, "customers": found.customers, "stages": listed})


def _figures(share: Share) -> dict[str, Any]:
    return {
        "customers": share.customers,
        "share": share.share,
        "eligible": share.eligible,
        "clv": share.clv,
        "churn_probability": share.churn_probability,
    }
