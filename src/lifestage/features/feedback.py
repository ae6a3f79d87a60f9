"""The feedback family: scores given, tickets and complaints, what is still open, how long it took.

A resolution at or after the cutoff is not known yet: the case then counts as open.
"""

import numpy as np

from lifestage.block_rows import Known
from lifestage.features.feature import Feature
from lifestage.features.spec import FeatureSpec
from lifestage.features.windows import Windows
from lifestage.history import Before
from lifestage.localtime import DAY
from lifestage.ragged import Bools, Floats, Ints, at, places, segment_min, segment_sum
from lifestage.schemas import FEEDBACK_KINDS

Columns = dict[str, Floats]
FAMILY = "feedback"
WINDOWS = (30, 90, 365)
SCORED = {
    "nps": ("NPS (0 to 10)", "NPS评分"),
    "csat": ("satisfaction (1 to 5)", "满意度评分"),
    "review": ("review (1 to 5)", "评价分"),
}
CASES = {"ticket": ("tickets", "工单"), "complaint": ("complaints", "投诉")}
DETRACTOR = 6
"""An NPS answer of 0 to 6 is a detractor's (Reichheld 2003, Harvard Business Review 81-12)."""


def describe(spec: FeatureSpec) -> list[Feature]:
    """The catalogue's entries, in the model's order; none without feedback."""
    if not spec.feedback:
        return []
    found: list[tuple[str, str, str, str, int | None]] = [
        ("feedback_count", "answers", "answers, tickets and complaints so far", "累计反馈次数", None),
        ("days_since_last_feedback", "days", "time since the last answer or ticket", "距最近反馈天数", None),
    ]
    for kind, (en, zh) in SCORED.items():
        if kind in spec.feedback:
            found += [
                (f"{kind}_count", "answers", f"answers with a {en} score so far", f"累计{zh}次数", None),
                (f"{kind}_last", "score", f"last {en} score", f"最近一次{zh}", None),
                (f"{kind}_mean", "score", f"mean {en} score", f"平均{zh}", None),
            ]
    if "nps" in spec.feedback:
        found.append(
            (
                "nps_detractor",
                "flag",
                f"1 if the last NPS is {DETRACTOR} or less, else 0; missing without one",
                "是否为贬损者",
                None,
            )
        )
    cases = [kind for kind in CASES if kind in spec.feedback]
    for kind in cases:
        en, zh = CASES[kind]
        found += [
            (f"{en}_{w}d", "cases", f"{en} in the last {w} days", f"最近{w}天{zh}数", w) for w in WINDOWS
        ]
        found += [
            (f"{en}_open", "cases", f"{en} not resolved before the cutoff", f"未解决{zh}数", None),
            (f"days_since_last_{kind}", "days", f"time since the last {kind}", f"距最近{zh}天数", None),
        ]
    if cases:
        found += [
            (
                "oldest_open_days",
                "days",
                "age of the oldest open ticket or complaint; missing with none",
                "最早未解决工单天数",
                None,
            ),
            (
                "mean_resolution_days",
                "days",
                "mean time to resolve of the tickets and complaints resolved so far",
                "平均解决时长",
                None,
            ),
            (
                "last_resolution_days",
                "days",
                "time to resolve of the newest resolved ticket or complaint",
                "最近一次解决时长",
                None,
            ),
        ]
    return [Feature(name, FAMILY, unit, en, zh, window) for name, unit, en, zh, window in found]


def compute(view: Before, spec: FeatureSpec) -> Columns:
    """One value per customer of every feature above, name -> float64[n]."""
    if not spec.feedback:
        return {}
    n, rows = len(view), view.rows("feedback")
    windows = Windows(rows.owner, rows.t, n, view.cutoff, WINDOWS)
    kind = places(rows.codes("kind"), FEEDBACK_KINDS, -1)
    of = {name: kind == i for i, name in enumerate(FEEDBACK_KINDS)}
    columns = {
        "feedback_count": windows.counts()[None],
        "days_since_last_feedback": _age_of_last(view, rows, np.ones(len(kind), np.bool_)),
    }
    score = rows.numbers("score")
    for name in SCORED:
        if name in spec.feedback:
            columns |= _scores(name, score, rows, of[name] & ~np.isnan(score), n)
    if "nps" in spec.feedback:
        last = columns["nps_last"]
        columns["nps_detractor"] = np.where(np.isnan(last), np.nan, (last <= DETRACTOR).astype(np.float64))
    cases = [name for name in CASES if name in spec.feedback]
    if not cases:
        return columns
    resolved = _resolved(rows)
    for name in cases:
        counts = windows.counts(of[name])
        many = CASES[name][0]
        columns |= {f"{many}_{w}d": counts[w] for w in WINDOWS}
        columns[f"{many}_open"] = windows.counts(of[name] & np.isnan(resolved))[None]
        columns[f"days_since_last_{name}"] = _age_of_last(view, rows, of[name])
    return columns | _resolution(view, rows, resolved, of["ticket"] | of["complaint"])


def _segments(rows: Known, of: Bools, n: int) -> tuple[Ints, Ints, Bools]:
    """Bounds of each customer's rows among those picked."""
    counts = np.bincount(rows.owner[of], minlength=n)
    ends = np.cumsum(counts)
    return ends - counts, ends, counts > 0


def _age_of_last(view: Before, rows: Known, of: Bools) -> Floats:
    _, ends, has = _segments(rows, of, len(view))
    return (view.cutoff - at(rows.t[of], ends - 1, has)) / DAY


def _scores(name: str, score: Floats, rows: Known, of: Bools, n: int) -> Columns:
    starts, ends, has = _segments(rows, of, n)
    mean = np.full(n, np.nan)
    np.divide(segment_sum(score[of], starts, ends), ends - starts, out=mean, where=has)
    return {
        f"{name}_count": (ends - starts).astype(np.float64),
        f"{name}_last": at(score[of], ends - 1, has),
        f"{name}_mean": mean,
    }


def _resolved(rows: Known) -> Floats:
    """Days from a case's beginning to its resolution, NaN while it is open; never below 0."""
    return np.maximum(rows.instants("resolved_at") - rows.t, 0.0) / DAY


def _resolution(view: Before, rows: Known, resolved: Floats, cases: Bools) -> Columns:
    n = len(view)
    waiting = cases & np.isnan(resolved)
    starts, ends, _ = _segments(rows, waiting, n)
    oldest = segment_min(rows.t[waiting], starts, ends)
    done = cases & ~np.isnan(resolved)
    starts, ends, has = _segments(rows, done, n)
    mean = np.full(n, np.nan)
    np.divide(segment_sum(resolved[done], starts, ends), ends - starts, out=mean, where=has)
    return {
        "oldest_open_days": (view.cutoff - oldest) / DAY,
        "mean_resolution_days": mean,
        "last_resolution_days": at(resolved[done], ends - 1, has),
    }
