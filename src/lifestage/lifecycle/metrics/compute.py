"""Every lifecycle metric of a shop in one call: frames of staged customers and their history in, tables out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.errors import InputError
from lifestage.history import History
from lifestage.history_file import HistoryFile
from lifestage.lifecycle.metrics import behaviour
from lifestage.lifecycle.metrics.channels import Channels
from lifestage.lifecycle.metrics.cohorts import Cohorts
from lifestage.lifecycle.metrics.durations import SEEN_FROM_START, Durations
from lifestage.lifecycle.metrics.figures import Figures
from lifestage.lifecycle.metrics.levels import Grouping, Groups
from lifestage.lifecycle.metrics.moves import Moves, Roles, move_parts
from lifestage.lifecycle.metrics.orders import order_flow, order_state
from lifestage.lifecycle.metrics.people import Block, Frame, blocks, people
from lifestage.lifecycle.metrics.stays import Stays
from lifestage.lifecycle.metrics.sums import Part
from lifestage.lifecycle.metrics.tables import (
    CHANNELS,
    COHORTS,
    FLOW,
    STAYS,
    TRANSITIONS,
    LifecycleMetrics,
    table,
)
from lifestage.lifecycle.policy import Policy
from lifestage.ragged import Ints

MINIMUM = 30
"""Customers behind a rate below which chance rules it: with 30, a rate of 50 % is known to +- 18 points."""


def lifecycle_metrics(
    history: HistoryFile | History | Iterable[History],
    frames: Mapping[int, pa.Table],
    policy: Policy,
    group: str | None = None,
    *,
    minimum: int = MINIMUM,
    margin: float = 1.0,
    zone: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> LifecycleMetrics:
    """The metrics of every stage, period and group.

    history: of all customers, read once, block by block. frames: instant (UTC microseconds) -> scores as of it
    (customer_id and stage, and what else of schemas.SCORE there is: stage_since, clv, churn_probability, tier ...).
    A period lies between two frames that follow each other: what customers are at an instant comes from rows before
    it, what they do in a period from rows in [start, end). Rows at or after the newest instant change nothing. Who
    is in no frame is not counted; who is in a frame without a stage is not there yet.

    group: a column of the frames (as of the period's start), else of the profile, or "cohort" (month of the first
    order); figures of everybody stand beside it. minimum: customers below which a rate is left out (its counts stay).
    margin: share of what was spent that is contribution margin, as the CLV has it. zone: time zone, needed for
    plain blocks only. progress: gets the customers of each block done.

    Definitions stand in catalogue.METRICS and with the functions that count them. Raises InputError.
    """
    zone, histories = _source(history, zone)
    everybody = people(frames, policy, zone)
    all_frames, stages = everybody.frames, everybody.stages
    instants = [frame.as_of for frame in all_frames]
    grouping, roles = Grouping(group, everybody), Roles(policy, stages)
    figures = Figures(instants, stages)
    moves = [Moves(len(stages)) for _ in instants[1:]]
    stays, cohorts, channels = Stays(len(stages)), Cohorts(), Channels(margin)
    first_value = Durations()
    kinds: dict[str, bool] = {}
    for block in blocks(everybody, histories, zone):
        groups = grouping.of(block, all_frames)
        for kind, here in behaviour.present(block.history, instants[-1]).items():
            kinds[kind] = kinds.get(kind, False) or here
        _count(
            block, all_frames, groups, figures=figures, moves=moves, roles=roles, core_event=policy.core_event
        )
        stays.add(all_frames, block.at, groups, zone)
        newest = all_frames[-1]
        view, members = block.history.before(newest.as_of), newest.stage[block.at] >= 0
        cohorts.add(view, groups[-1], members)
        channels.add(view, groups[-1], newest.numbers("clv", block.at), members)
        started = behaviour.Activation(view, policy.core_event)
        kinds["core"] = kinds.get("core", False) or bool(started.came.any())
        who = members & started.seen
        first_value.add(
            groups[-1][who],
            np.full(int(who.sum()), SEEN_FROM_START),
            started.days[who].astype(np.int64),
            started.came[who],
        )
        if progress is not None:
            progress(len(block.at))
    names = grouping.groups
    stay_rows = stays.rows(names, stages)
    for row in stay_rows:
        if row["stays"] < minimum:
            row.update(dict.fromkeys(("quarter_days", "median_days", "three_quarter_days")))
    transitions, flow = _moved(moves, instants, names, stages=stages, roles=roles, minimum=minimum)
    return LifecycleMetrics(
        stages=figures.stage_table(names),
        figures=figures.table(
            names, minimum, kinds=kinds, roles=roles, stays=stay_rows, first_value=first_value
        ),
        transitions=table(transitions, TRANSITIONS),
        flow=table(flow, FLOW),
        stays=table(stay_rows, STAYS),
        cohorts=table(cohorts.rows(names, instants[-1], zone, minimum), COHORTS),
        channels=table(channels.rows(names, minimum), CHANNELS),
        group=group,
        minimum=minimum,
        instants=tuple(instants),
        orders=kinds.get("orders", False),
    )


def _source(
    history: HistoryFile | History | Iterable[History], zone: str | None
) -> tuple[str, Iterable[History]]:
    if isinstance(history, HistoryFile):
        return history.zone, history
    if isinstance(history, History):
        return history.zone, [history]
    if zone is None:
        raise InputError("metrics: zone is missing; give the shop's time zone with plain blocks of history")
    return zone, history


def _count(
    block: Block,
    frames: Sequence[Frame],
    groups: Sequence[Ints],
    *,
    figures: Figures,
    moves: Sequence[Moves],
    roles: Roles,
    core_event: str | None,
) -> None:
    """Add a block's customers to the figures of every instant and period, and to the moves."""
    history, at = block.history, block.at
    earlier: tuple[Frame, Ints, Any] | None = None
    for k, (frame, group) in enumerate(zip(frames, groups, strict=True)):
        view, stage = history.before(frame.as_of), frame.stage[at]
        clv, churn = frame.numbers("clv", at), frame.numbers("churn_probability", at)
        state = {
            "lifetime_value": Part(np.nan_to_num(clv), ~np.isnan(clv)),
            "churn_probability": Part(np.nan_to_num(churn), ~np.isnan(churn)),
            "customers": Part(np.ones(len(at)), np.ones(len(at))),
            **order_state(view),
            **behaviour.answer_state(view),
        }
        figures.state[k].add(state, figures.cells(group, stage))
        if earlier is not None:
            start, own, before_view = earlier
            before = start.stage[at]
            window = history.window(start.as_of, frame.as_of)
            parts = {
                **move_parts(roles, before, stage),
                **order_flow(before_view, window),
                **behaviour.event_flow(history, start.as_of, frame.as_of),
                **behaviour.answer_flow(history, start.as_of, frame.as_of),
                **behaviour.term_flow(history, start.as_of, frame.as_of),
                **behaviour.core_flow(view, start.as_of, core_event),
            }
            figures.period[k - 1].add(parts, figures.cells(own, before))
            activated = behaviour.Activation(view, core_event).completed(start.as_of, frame.as_of)
            figures.arrived[k - 1].add(activated, figures.cells(group, stage))
            moves[k - 1].add(before, stage, np.where(before >= 0, own, group))
        earlier = (frame, group, view)


def _moved(
    moves: Sequence[Moves],
    instants: Sequence[int],
    groups: Groups,
    *,
    stages: Sequence[str],
    roles: Roles,
    minimum: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    transitions, flow = [], []
    for moved, start, end in zip(moves, instants[:-1], instants[1:], strict=True):
        period = {"start": start, "end": end}
        transitions += [period | row for row in moved.transitions(groups, stages, minimum)]
        flow += [period | row for row in moved.flow(groups, roles)]
    return transitions, flow
