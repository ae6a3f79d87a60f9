"""A policy made ready to run: one query for the whole decision and its sentences.

The query goes in steps, each of which may read the ones before: named columns, tier and segment, signals, health, the
risk level, every stage's `enter` and `exit`, the stage, its rule and action, and the sentences. It answers in numbers
(positions in the policy; -1 = none), health in points, the sentences in text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from lifestage.expressions import parse_expression, referenced, to_sql
from lifestage.lifecycle import alerts, columns
from lifestage.lifecycle.columns import Published
from lifestage.lifecycle.elements import DEFAULT, LEVELS, STAYS, Stage
from lifestage.lifecycle.engine import BLOCK
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.sentences import Sentence, sentence

RISK, STAGE, RULE, TIER, SEGMENT, ACTION = "risk:", "stage:", "rule:", "tier:", "segment:", "action:"
HEALTH, REASONS = "health", "reasons:"


def level_of(signal: str) -> str:
    """Result column of a signal's level. The colon keeps such names apart from every published column."""
    return f"level:{signal}"


def part_of(part: str) -> str:
    """Result column of a part of the health score."""
    return f"part:{part}"


@dataclass(frozen=True, slots=True)
class Speaker:
    """A sentence, and for whom it is: SQL over the columns of the block that is never NULL."""

    sentence: Sentence
    when: str
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)  # kept by policy; what else is kept of one is kept by identity
class Plan:
    """The query, the published columns it reads with their types, and the names that its numbers stand for."""

    sql: str
    inputs: tuple[str, ...]
    types: tuple[pa.DataType, ...]
    rules: tuple[str, ...]
    actions: tuple[str, ...]


@lru_cache(maxsize=64)
def plan(policy: Policy, more: tuple[Speaker, ...] = ()) -> Plan:
    """The plan of a checked policy; `more` speak after the policy's own sentences."""
    made = Steps(policy)
    rules, actions = made.decided()
    made.alerted()
    made.told(more)
    return Plan(made.sql(), made.inputs, made.types, rules, actions)


@lru_cache(maxsize=64)
def stage_plan(policy: Policy) -> Plan:
    """The plan of a checked policy that answers STAGE alone."""
    made = Steps(policy)
    made.decided()
    return Plan(made.sql(_quoted(STAGE)), made.inputs, made.types, (), ())


def _quoted(name: str) -> str:
    return f'"{name}"'


def _first(cases: Iterable[tuple[str, int]], default: int | str = -1) -> str:
    """SQL of the number of the first case that is true, else `default`."""
    whens = " ".join(f"WHEN {case} THEN {number}" for case, number in cases)
    return f"CAST({f'CASE {whens} ELSE {default} END' if whens else default} AS SMALLINT)"


def _words(code: str, names: Sequence[str]) -> str:
    """SQL of the name that a number stands for, NULL for -1."""
    words = " ".join(f"WHEN {i} THEN '{name}'" for i, name in enumerate(names))
    return f"CASE {code} {words} END" if words else "CAST(NULL AS VARCHAR)"


class Steps:
    """The query in the making: its steps, and every column that its conditions and sentences read."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.read: set[str] = set()
        self.handed = {**policy.given, **columns.BEFORE, **columns.RFM_SCORES}
        """What staging may put into the block."""
        if not policy.segments:
            self.handed["segment"] = columns.GROUPED["segment"]
        self._steps: list[str] = []
        self._answers: list[str] = []
        self._named()
        self._grouped()
        self._signals()
        self._health()
        self._risk()
        self._moves()

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(sorted(self.read & self.handed.keys()))

    @property
    def types(self) -> tuple[pa.DataType, ...]:
        """Of the inputs."""
        return tuple(self.handed[name].type for name in self.inputs)

    def sql(self, answers: str = "") -> str:
        steps = f"WITH {', '.join(self._steps)} " if self._steps else ""
        return f"{steps}SELECT {answers or ', '.join(self._answers)} FROM {self._last()}"

    def _last(self) -> str:
        return self._steps[-1].split(" ", 1)[0] if self._steps else BLOCK

    def _step(self, name: str, added: Sequence[str]) -> None:
        if added:
            self._steps.append(f"{name} AS (SELECT *, {', '.join(added)} FROM {self._last()})")

    def _sql(self, text: str, open_to: dict[str, Published]) -> str:
        tree = parse_expression(text, open_to, f"policy {self.policy.name}")
        self.read.update(referenced(tree))
        return to_sql(tree)

    def _true(self, text: str, open_to: dict[str, Published]) -> str:
        """SQL of a condition that is never NULL."""
        return f"(({self._sql(text, open_to)}) IS TRUE)"

    def _named(self) -> None:
        base = self.policy.base
        for i, item in enumerate(self.policy.columns):
            type_ = base[item.name].type
            cast = "CAST({} AS DOUBLE)" if pa.types.is_floating(type_) else "{}"
            self._step(
                f"named_{i}", [f"{cast.format(f'({self._sql(item.value, base)})')} AS {_quoted(item.name)}"]
            )

    def _grouped(self) -> None:
        tiers, base = self.policy.tiers, self.policy.base
        if tiers and tiers[0].when is None:
            self.read.add("clv_percentile")
        cases = [
            (
                f'"clv_percentile" >= {tier.min_percentile}'
                if tier.when is None
                else self._true(tier.when, base),
                i,
            )
            for i, tier in enumerate(tiers)
        ]
        codes = [f"{_first(cases)} AS {_quoted(TIER)}"]
        words = [f'{_words(_quoted(TIER), [tier.name for tier in tiers])} AS "tier"']
        if groups := self.policy.segments:
            own = _first((self._true(group.when, base), i) for i, group in enumerate(groups))
            codes.append(f"{own} AS {_quoted(SEGMENT)}")
            words.append(f'{_words(_quoted(SEGMENT), [group.name for group in groups])} AS "segment"')
            self._answers.append(_quoted(SEGMENT))
        self._answers.append(_quoted(TIER))
        self._step("coded", codes)
        self._step("grouped", words)

    def _signals(self) -> None:
        open_to = self.policy.open_to_signals
        levels, on = [], []
        for signal in self.policy.signals:
            answer = _quoted(level_of(signal.name))
            cases = ((self._true(text, open_to), LEVELS.index(level)) for level, text in signal.conditions())
            levels.append(f"{_first(cases)} AS {answer}")
            on.append(f"{answer} >= 0 AS {_quoted(columns.signal_column(signal.name))}")
            self._answers.append(answer)
        self._step("levels", levels)
        self._step("signals", on)

    def _health(self) -> None:
        parts, open_to = self.policy.health, self.policy.open_to_risk
        if not parts:
            return
        points = []
        for part in parts:
            points.append(
                f"CAST(({self._sql(part.points, open_to)}) AS DOUBLE) AS {_quoted(f'raw:{part.name}')}"
            )
        self._step("raw", points)
        kept = []
        for part in parts:
            raw, answer = _quoted(f"raw:{part.name}"), _quoted(part_of(part.name))
            kept.append(
                f"CASE WHEN isnan({raw}) THEN NULL WHEN {raw} < 0 THEN 0.0 WHEN {raw} > 100 THEN 100.0"
                f" ELSE {raw} END AS {answer}"
            )
            self._answers.append(answer)
        self._step("parts", kept)
        answers = [(_quoted(part_of(part.name)), float(part.weight)) for part in parts]
        total = " + ".join(f"coalesce({answer} * {weight}, 0.0)" for answer, weight in answers)
        weights = " + ".join(
            f"CASE WHEN {answer} IS NULL THEN 0.0 ELSE {weight} END" for answer, weight in answers
        )
        self._step("healthy", [f"({total}) / nullif({weights}, 0.0) AS {_quoted(HEALTH)}"])
        self._answers.append(_quoted(HEALTH))

    def _risk(self) -> None:
        open_to, levels = self.policy.open_to_risk, self.policy.risk
        code = _first((self._true(level.when, open_to), i) for i, level in enumerate(levels))
        self._step("risks", [f"{code} AS {_quoted(RISK)}"])
        self._step("worded", [f'{_words(_quoted(RISK), [level.name for level in levels])} AS "risk"'])
        self._answers.append(_quoted(RISK))

    def _moves(self) -> None:
        """Step `rules`: enter:<stage>:<rule> of each; step `moves`: enter:<stage> and exit:<stage>."""
        open_to = self.policy.open_to_stages
        rules, moves = [], []
        for stage in self.policy.stages:
            names = [_quoted(f"enter:{stage.name}:{rule.rule}") for rule in stage.enter]
            rules += [
                f"{self._true(r.when, open_to)} AS {name}" for r, name in zip(stage.enter, names, strict=True)
            ]
            moves.append(f"({' OR '.join(names)}) AS {_quoted(f'enter:{stage.name}')}")
            if stage.exit is not None:
                moves.append(f"{self._true(stage.exit, open_to)} AS {_quoted(f'exit:{stage.name}')}")
        self._step("rules", rules)
        self._step("moves", moves)

    def decided(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Steps `staged` and `acted`: the stage, then its rule and action; the names of all rules and actions."""
        self.read.add("previous_stage")
        self._step("staged", [f"{_stage(self.policy)} AS {_quoted(STAGE)}"])
        rules: list[str] = []
        actions: list[str] = []
        which, what = [], []
        for i, stage in enumerate(self.policy.stages):
            first = len(rules)
            rules += [f"{stage.name}.{rule.rule}" for rule in stage.enter]
            fired = [
                (_quoted(f"enter:{stage.name}:{rule.rule}"), first + j) for j, rule in enumerate(stage.enter)
            ]
            stays = (f"{_quoted('previous_stage')} = '{stage.name}' AND {_stays(stage)}", len(rules))
            rules += [f"{stage.name}.{STAYS}", f"{stage.name}.{DEFAULT}"]
            which.append(f"WHEN {i} THEN {_first([*fired, stays], len(rules) - 1)}")
            chosen = [
                (
                    "TRUE" if a.when is None else self._true(a.when, self.policy.open_to_stages),
                    len(actions) + j,
                )
                for j, a in enumerate(stage.actions)
            ]
            actions += [action.name for action in stage.actions]
            what.append(f"WHEN {i} THEN {_first(chosen)}")
        code = _quoted(STAGE)
        self._step(
            "acted",
            [
                f"CASE {code} {' '.join(which)} END AS {_quoted(RULE)}",
                f"CASE {code} {' '.join(what)} END AS {_quoted(ACTION)}",
            ],
        )
        self._answers += [code, _quoted(RULE), _quoted(ACTION)]
        return tuple(rules), tuple(actions)

    def alerted(self) -> None:
        """Step `placed`: the stage as a word, for what alert rules hold."""
        rules, open_to = self.policy.alerts, self.policy.open_to_alerts
        if rules:
            names = [stage.name for stage in self.policy.stages]
            self._step("placed", [f'{_words(_quoted(STAGE), names)} AS "stage"'])
            self._answers += alerts.answers(rules, lambda text: self._true(text, open_to))

    def told(self, more: Sequence[Speaker]) -> None:
        """The sentences of the stage (of the rule that fired, else the stage's own), of signals, and of `more`."""
        policy, language, number = self.policy, self.policy.language, 0
        of_stage: list[str] = []
        said: list[str] = []

        def made(name: str, texts: object) -> Sentence:
            text = getattr(texts, language)
            found = sentence(f"{name}: {text}", policy.open_to_stages, f"policy {policy.name}")
            self.read.update(found.columns)
            return found

        for i, stage in enumerate(policy.stages):
            here = f"{_quoted(STAGE)} = {i}"
            own = []
            for j, rule in enumerate(stage.enter):
                if rule.because is not None:
                    own.append(number + j)
                    of_stage.append(made(stage.name, rule.because).case(f"{_quoted(RULE)} = {number + j}"))
            number += len(stage.enter) + 2
            if stage.because is not None:
                others = f" AND {_quoted(RULE)} NOT IN ({', '.join(map(str, own))})" if own else ""
                of_stage.append(made(stage.name, stage.because).case(here + others))
        for signal in policy.signals:
            if signal.because is not None:
                on = f"{_quoted(level_of(signal.name))} >= 0"
                said.append(made(signal.name, signal.because).sql(on))
        if of_stage:  # whose cases exclude one another
            said.insert(0, f"CASE {' '.join(of_stage)} END")
        for speaker in more:
            self.read.update((*speaker.sentence.columns, *speaker.reads))
            said.append(speaker.sentence.sql(speaker.when))
        whole = (
            f"list_filter([{', '.join(said)}], lambda x: x IS NOT NULL)" if said else "CAST([] AS VARCHAR[])"
        )
        self._answers.append(f"{whole} AS {_quoted(REASONS)}")


def _stays(stage: Stage) -> str:
    return _quoted(f"enter:{stage.name}") if stage.exit is None else f"NOT {_quoted(f'exit:{stage.name}')}"


def _stage(policy: Policy) -> str:
    """SQL of the stage's position, by the four rules in their order."""
    preempting, staying, entering = [], [], []
    for i, stage in enumerate(policy.stages):
        enter = _quoted(f"enter:{stage.name}")
        if stage.preempts:
            preempting.append((enter, i))
        staying.append((f"({_quoted('previous_stage')} = '{stage.name}' AND {_stays(stage)})", i))
        entering.append((enter, i))
    default = [stage.name for stage in policy.stages].index(policy.default)
    return _first([*preempting, *staying, *entering], default)
