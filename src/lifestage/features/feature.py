"""What a feature is called, measured in and means."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. `window_days` is None where it reads the whole history before the cutoff."""

    name: str
    family: str
    unit: str
    meaning: str
    meaning_zh: str
    window_days: int | None = None
    levels: tuple[str, ...] | None = None
    """Of a category: value i stands for levels[i]; None for a number."""
    as_given: bool = False
    """A static attribute, taken as it stands in the table today, whatever it was at the cutoff."""

    @property
    def categorical(self) -> bool:
        return self.levels is not None
