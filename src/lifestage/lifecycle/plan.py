"""A policy made ready to run: one query for the whole decision, and the sentences of its reasons.

The query goes in steps, each of which may read the ones before: signals, then the risk level, then every
stage's `enter` and `exit`, then the stage. It answers in numbers (positions in the policy; -1 = none).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lifestage.expressions import parse_expression, referenced, to_sql
from lifestage.lifecycle import alerts, columns
from lifestage.lifecycle.engine import BLOCK
from lifestage.lifecycle.policy import LEVELS, Policy, Signal, Stage
from lifestage.lifecycle.sentences import Sentence, sentence

RISK, STAGE = "risk:", "stage:"


def level_of(signal: str) -> str:
    """Result column of a signal's level. The colon keeps such names apart from every published column."""
    return f"level:{signal}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The query, the published columns it and the sentences read, and the sentences by position."""

    sql: str
    inputs: tuple[str, ...]
    stage_sentences: tuple[Sentence | None, ...]
    signal_sentences: tuple[Sentence | None, ...]


@lru_cache(maxsize=64)
def plan(policy: Policy) -> Plan:
    """The plan of a checked policy."""
    stages = _spoken(policy, policy.stages)
    signals = _spoken(policy, policy.signals)
    steps, read = _steps(policy)
    read |= {column for s in (*stages, *signals) if s is not None for column in s.columns}
    inputs = sorted((read & policy.published.keys()) | {"previous_stage"})
    return Plan(steps, tuple(inputs), stages, signals)


def _spoken(policy: Policy, items: Sequence[Stage | Signal]) -> tuple[Sentence | None, ...]:
    found: list[Sentence | None] = []
    for item in items:
        if item.because is None:
            found.append(None)
        else:
            text = item.because.en if policy.language == "en" else item.because.zh
            found.append(sentence(f"{item.name}: {text}", policy.published, f"policy {policy.name}"))
    return tuple(found)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _first(cases: Iterable[tuple[str, int]], default: int) -> str:
    """SQL of the number of the first case that is true, else `default`."""
    whens = " ".join(f"WHEN {case} THEN {number}" for case, number in cases)
    return f"CAST({f'CASE {whens} ELSE {default} END' if whens else default} AS SMALLINT)"


def _steps(policy: Policy) -> tuple[str, set[str]]:
    """The query, and every column its conditions read."""
    names = tuple(signal.name for signal in policy.signals)
    open_to = {**columns.for_stages(names, policy.published), "stage": alerts.STAGE}
    read: set[str] = set()

    def true(text: str) -> str:
        """SQL of a condition that is never NULL."""
        tree = parse_expression(text, open_to, f"policy {policy.name}")
        read.update(referenced(tree))
        return f"(({to_sql(tree)}) IS TRUE)"

    levels, on = ["*"], ["*"]
    for signal in policy.signals:
        level = _first(((true(text), LEVELS.index(level)) for level, text in signal.conditions()), -1)
        levels.append(f"{level} AS {_quoted(level_of(signal.name))}")
        on.append(f"{_quoted(level_of(signal.name))} >= 0 AS {_quoted(columns.signal_column(signal.name))}")
    risk = _first(((true(level.when), i) for i, level in enumerate(policy.risk)), -1)
    words = " ".join(f"WHEN {i} THEN '{level.name}'" for i, level in enumerate(policy.risk))
    risk_word = f"CASE {_quoted(RISK)} {words} END" if words else "CAST(NULL AS VARCHAR)"
    moves = ["*"]
    for stage in policy.stages:
        moves.append(f"{true(stage.enter)} AS {_quoted(f'enter:{stage.name}')}")
        if stage.exit is not None:
            moves.append(f"{true(stage.exit)} AS {_quoted(f'exit:{stage.name}')}")
    answers = [*(_quoted(level_of(name)) for name in names), _quoted(RISK)]
    stage_words = " ".join(f"WHEN {i} THEN '{stage.name}'" for i, stage in enumerate(policy.stages))
    sql = (
        f"WITH levels AS (SELECT {', '.join(levels)} FROM {BLOCK}), "
        f"signals AS (SELECT {', '.join(on)} FROM levels), "
        f"risks AS (SELECT *, {risk} AS {_quoted(RISK)} FROM signals), "
        f'worded AS (SELECT *, {risk_word} AS "risk" FROM risks), '
        f"moves AS (SELECT {', '.join(moves)} FROM worded), "
        f"staged AS (SELECT *, {_stage(policy)} AS {_quoted(STAGE)} FROM moves), "
        f'told AS (SELECT *, CASE {_quoted(STAGE)} {stage_words} END AS "stage" FROM staged) '
        f"SELECT {', '.join([*answers, _quoted(STAGE), *alerts.answers(policy.alerts, true)])} FROM told"
    )
    return sql, read


def _stage(policy: Policy) -> str:
    """SQL of the stage's position, by the four rules in their order."""
    preempting, staying, entering = [], [], []
    for i, stage in enumerate(policy.stages):
        enter = _quoted(f"enter:{stage.name}")
        stays = enter if stage.exit is None else f"NOT {_quoted(f'exit:{stage.name}')}"
        if stage.preempts:
            preempting.append((enter, i))
        staying.append((f"(\"previous_stage\" = '{stage.name}' AND {stays})", i))
        entering.append((enter, i))
    default = [stage.name for stage in policy.stages].index(policy.default)
    return _first([*preempting, *staying, *entering], default)
