"""Alert rules of a policy: who enters a stage or a risk level is told about once.

Staging says which rules hold for a customer (they are in the stage or level now, and `when` is true); that they
have just entered it is for the store to say, which knows where they were at the as_of before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from pydantic import model_validator

from lifestage.documents import Model
from lifestage.lifecycle.columns import TEXT, Published
from lifestage.lifecycle.elements import Condition, Name, Texts

STAGE = Published("text", "stage of the policy", "阶段", TEXT)


class Alert(Model):
    """Tells about each customer who enters a stage, or a risk level."""

    name: Name
    """With the customer and the time of entry it is the alert's identity: a rule of another name starts anew."""
    labels: Texts
    stage: Name | None = None
    risk: Name | None = None
    """Instead of a stage."""
    when: Condition | None = None
    """Only those for whom this is true as they enter; looked at then, and never again until they enter anew."""
    first_sight: bool = False
    """Whoever is there the first time they are seen at all has entered too: for stages in which customers begin."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Alert":
        if (self.stage is None) == (self.risk is None):
            raise ValueError("give either stage or risk: the one whose entering is told")
        return self

    @property
    def kind(self) -> str:
        """The column it watches: stage or risk."""
        return "stage" if self.stage is not None else "risk"

    @property
    def state(self) -> str:
        """The stage or risk level it watches."""
        return str(getattr(self, self.kind))


def unknown_states(
    alerts: Sequence[Alert], known: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(path in the policy, what is wrong) of rules that watch what is not among `known`: names by stage and risk."""
    for i, alert in enumerate(alerts):
        names, kind, state = known[alert.kind], alert.kind, alert.state
        if state not in names:
            what = "stage" if kind == "stage" else "risk level"
            close = get_close_matches(state, names, n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(names) or 'none'}"
            yield (
                ("alerts", i, kind),
                f"alerts.{alert.name}.{kind}: '{state}' is no {what} of this policy; {hint}",
            )


def answer_of(name: str) -> str:
    """Result column that says whether an alert rule holds. The colon keeps it apart from published columns."""
    return f"alert:{name}"


def answers(alerts: Iterable[Alert], true: Callable[[str], str]) -> list[str]:
    """SQL of each rule's answer, over a step that has "stage" and "risk" as words; `true` makes SQL of a condition."""
    return [
        f"(\"{alert.kind}\" IS NOT DISTINCT FROM '{alert.state}'"
        f'{"" if alert.when is None else f" AND {true(alert.when)}"}) AS "{answer_of(alert.name)}"'
        for alert in alerts
    ]
