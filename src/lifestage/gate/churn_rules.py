"""From the figures of a churn challenger to a verdict with its reasons."""

from collections.abc import Iterator

from lifestage.churn.grade import COLUMN
from lifestage.gate.churn import ChurnComparison
from lifestage.gate.ranking import About, rank
from lifestage.gate.verdict import Verdict, grade_holds_back, letter, signed
from lifestage.settings import Gate

MEASURES = {"average_precision": "average precision of the rarer outcome", "roc_auc": "ROC-AUC"}


def churn_verdict(found: ChurnComparison, about: About, limits: Gate) -> Verdict:
    """Of a challenger beside a champion that both answer the same question: its ranking, and what speaks against it."""
    figures, grade = found.to_json(), letter(about.challenger_grade)
    if found.champion is None or found.gain is None:
        why = f"The champion cannot score today's customers: {'; '.join(found.missing[:3])}"
        return Verdict("new", (f"{why}. The challenger, of grade {grade}, takes its place.",), figures)
    name = COLUMN[found.measure]
    word, first = rank(
        found.gain,
        about,
        limits,
        f"{MEASURES[found.measure]} {found.challenger[name]:.3f} against the champion's {found.champion[name]:.3f} "
        f"on {found.customers:,} customers",
    )
    if word == "kept" and (truer := _truer(found, about, limits)):
        word, first = "better", f"{truer} {first[:1].lower()}{first[1:]}"
    against = [*([first] if word == "kept" else []), *_against(found, about, limits)]
    notes = [about.champion_saw] if about.champion_saw else []
    if against:
        return Verdict("kept", (*against, *notes), figures)
    quality = (
        f"Grade {grade}, calibration error {found.challenger['ece']:.3f}, none of {len(found.segments)} segments "
        "surely much worse."
    )
    return Verdict(word, (first, quality, *notes), figures)


def _truer(found: ChurnComparison, about: About, limits: Gate) -> str:
    """Why a challenger that does not surely rank better is better all the same: its probabilities are surely truer,
    and it does not surely rank worse. So a model that learnt before customers changed does not stay for its order
    alone. Empty where that is not so, or where a person or the comparison speaks against it."""
    if found.truth is None or found.gain is None or about.rolled_back or about.champion_saw:
        return ""
    value, low, high = found.truth
    if not low > max(limits.min_gain, 0.0) or found.gain[2] < 0:  # NaN is no gain
        return ""
    return (
        f"Better: its probabilities are surely truer, by the Brier score {signed(value)} (95 % interval {signed(low)} "
        f"to {signed(high)}). By the order of the customers it is"
    )


def _against(found: ChurnComparison, about: About, limits: Gate) -> Iterator[str]:
    """What speaks against the challenger however it ranks, one sentence each."""
    if grade_holds_back(about.challenger_grade, about.champion_grade):
        other = letter(about.champion_grade)
        yield f"It has grade C (not proven better than the plain rule), the champion has grade {other}."
    error, theirs = found.challenger["ece"], (found.champion or {}).get("ece", 0.0)
    perfect = found.challenger["ece_if_perfect_high"]
    if error > max(limits.max_calibration_error, perfect, theirs):
        yield (
            f"Its calibration error is {error:.3f}: more than gate.max_calibration_error "
            f"{limits.max_calibration_error:g}, than chance alone makes ({perfect:.3f}), and than the champion's "
            f"{theirs:.3f}."
        )
    speed = found.speed
    if speed is not None and speed.too_slow(limits.max_slowdown, limits.fast_enough_ms):
        yield (
            f"It takes {speed.challenger:,.0f} ms for 1,000 customers, {speed.ratio:.1f} times the champion's "
            f"{speed.champion:,.0f} (gate.max_slowdown {limits.max_slowdown:g})."
        )
    for row in found.segments:
        if not row.lost(limits.max_segment_loss):
            continue
        what, gain, high = MEASURES[found.measure], row.gain, row.gain_high
        if not high < -limits.max_segment_loss:
            what, gain, high = "Brier score", row.brier_gain, row.brier_gain_high
        yield (
            f"Segment {row.dimension} {row.level} ({row.customers:,} customers) is served worse: {what} "
            f"{signed(gain)}, at best {signed(high)} (gate.max_segment_loss {limits.max_segment_loss:.0%})."
        )
