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
from lifestage.ragged import Bools, Floats, Ints, Segments, at, missing, places, ratio
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
    kind = places(rows.codes("kind"), FEEDBACK_KINDS, -1)
    last = missing((len(FEEDBACK_KINDS) + 1, n))
    last[kind, rows.owner] = rows.t  # rows are in order of time: of several the last one stays
    age = (view.cutoff - last) / DAY
    columns = {
        "feedback_count": np.bincount(rows.owner, minlength=n).astype(np.float64),
        "days_since_last_feedback": np.fmin.reduce(age),
        **_scores(rows, kind, n, spec),
    }
    cases = [name for name in CASES if name in spec.feedback]
    if not cases:
        return columns
    counts = Windows(rows.owner, rows.t, n, view.cutoff, WINDOWS).counts_by(kind, len(FEEDBACK_KINDS))
    resolved = _resolved(rows)
    is_case = (kind == FEEDBACK_KINDS.index("ticket")) | (kind == FEEDBACK_KINDS.index("complaint"))
    waits = np.isnan(resolved) & is_case
    waiting = np.bincount(kind[waits] * n + rows.owner[waits], minlength=len(FEEDBACK_KINDS) * n)
    open_cases = waiting.reshape(len(FEEDBACK_KINDS), n).astype(np.float64)
    for name in cases:
        many, code = CASES[name][0], FEEDBACK_KINDS.index(name)
        columns |= {f"{many}_{w}d": counts[w][code] for w in WINDOWS}
        columns[f"{many}_open"] = open_cases[code]
        columns[f"days_since_last_{name}"] = age[code]
    return columns | _resolution(view, rows, resolved, is_case & ~waits, waits)


def _scores(rows: Known, kind: Ints, n: int, spec: FeatureSpec) -> Columns:
    score = rows.numbers("score")
    given = (~np.isnan(score) & (kind >= 0)).nonzero()[0]
    cell = kind[given] * n + rows.owner[given]
    score = score[given[cell.argsort(kind="stable")]]  # by kind, then customer, then time
    counts = np.bincount(cell, minlength=len(FEEDBACK_KINDS) * n)
    ends, has = counts.cumsum(), counts > 0
    mean = ratio(Segments(ends - counts, ends).sum(score), counts, has)
    last = at(score, ends - 1, has)
    columns: Columns = {}
    for name in SCORED:
        if name in spec.feedback:
            code = FEEDBACK_KINDS.index(name)
            mine = slice(code * n, (code + 1) * n)
            columns[f"{name}_count"] = counts[mine].astype(np.float64)
            columns |= {f"{name}_last": last[mine], f"{name}_mean": mean[mine]}
    if "nps" in spec.feedback:
        newest = columns["nps_last"]
        columns["nps_detractor"] = np.where(np.isnan(newest), np.nan, newest <= DETRACTOR)
    return columns


def _resolved(rows: Known) -> Floats:
    """Days from a case's beginning to its resolution, NaN while it is open; never below 0."""
    return np.maximum(rows.instants("resolved_at") - rows.t, 0.0) / DAY


def _resolution(view: Before, rows: Known, resolved: Floats, done: Bools, waiting: Bools) -> Columns:
    n = len(view)
    oldest = missing(n)
    newest_first = waiting.nonzero()[0][::-1]
    oldest[rows.owner[newest_first]] = rows.t[newest_first]  # from the newest to the oldest, which stays
    counts = np.bincount(rows.owner[done], minlength=n)
    ends, has, resolved = counts.cumsum(), counts > 0, resolved[done]
    return {
        "oldest_open_days": (view.cutoff - oldest) / DAY,
        "mean_resolution_days": ratio(Segments(ends - counts, ends).sum(resolved), counts, has),
        "last_resolution_days": at(resolved, ends - 1, has),
    }
