"""What a metric is called in English and Chinese, its unit and meaning, and what it would take to measure it."""

from typing import NamedTuple


class Metric(NamedTuple):
    """One metric; `needs` is empty where it is measured here."""

    en: str
    zh: str
    unit: str
    """share (0 to 1), points (-100 to 100), score (1 to 5), currency, days, years, ratio, count, kinds, or "... a 30
    days"."""
    meaning: str
    meaning_zh: str
    needs: str = ""
    needs_zh: str = ""

    @property
    def measured(self) -> bool:
        """Whether our tables hold what it takes."""
        return not self.needs
