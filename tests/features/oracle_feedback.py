"""The feedback and profile families of one customer by slow, plain Python; shares no code with the library.

`answers` are (instant, kind, score or None, resolved_at or None) in order of time.
"""

from math import nan
from typing import Any

US_PER_DAY = 86_400_000_000
Answer = tuple[int, str, float | None, int | None]


def features(rows: list[Answer], cutoff: int) -> dict[str, float]:
    answers = [a for a in rows if a[0] < cutoff]

    def age(times: list[int]) -> float:
        return (cutoff - times[-1]) / US_PER_DAY if times else nan

    out: dict[str, float] = {
        "feedback_count": len(answers),
        "days_since_last_feedback": age([a[0] for a in answers]),
    }
    for kind in ("nps", "csat", "review"):
        scores = [a[2] for a in answers if a[1] == kind and a[2] is not None]
        out[f"{kind}_count"] = len(scores)
        out[f"{kind}_last"] = scores[-1] if scores else nan
        out[f"{kind}_mean"] = sum(scores) / len(scores) if scores else nan
        if kind == "nps":
            out["nps_detractor"] = float(scores[-1] <= 6) if scores else nan
    waiting, took = [], []
    for kind in ("ticket", "complaint"):
        own = [a for a in answers if a[1] == kind]
        for w in (30, 90, 365):
            out[f"{kind}s_{w}d"] = sum(cutoff - a[0] <= w * US_PER_DAY for a in own)
        out[f"{kind}s_open"] = sum(a[3] is None or a[3] >= cutoff for a in own)
        out[f"days_since_last_{kind}"] = age([a[0] for a in own])
    for a in answers:
        if a[1] in ("ticket", "complaint"):
            if a[3] is None or a[3] >= cutoff:
                waiting.append(a[0])
            else:
                took.append(max(a[3] - a[0], 0) / US_PER_DAY)
    out["oldest_open_days"] = (cutoff - waiting[0]) / US_PER_DAY if waiting else nan
    out["mean_resolution_days"] = sum(took) / len(took) if took else nan
    out["last_resolution_days"] = took[-1] if took else nan
    return out


def profile(row: dict[str, Any], cutoff: int, levels: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """`levels`: of each text column; other columns of `row` are numbers or truth values."""
    signed_up = row.get("signed_up_at")
    known = signed_up is not None and signed_up < cutoff
    out = {"profile_tenure_days": (cutoff - signed_up) / US_PER_DAY if known else nan}
    for name in ("acquisition_channel", "acquisition_cost", "city", "age", "vip"):
        value = row.get(name)
        if value is None:
            out[f"profile_{name}"] = nan
        elif name in levels:
            found = levels[name]
            out[f"profile_{name}"] = float(found.index(value) if value in found else len(found))
        else:
            out[f"profile_{name}"] = float(value)
    return out
