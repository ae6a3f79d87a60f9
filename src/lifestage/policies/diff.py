"""What a new policy would change, told: text tables, a CSV file of the movers, and a flow picture."""

import pyarrow as pa

from lifestage.lifecycle.comparison import Comparison, Move, flows, movers_of
from lifestage.lifecycle.policy import Policy
from lifestage.lists.spreadsheet import csv_pieces, text_cell
from lifestage.summary import text_table

COLUMNS = (
    *("customer_id", "old_stage", "new_stage", "clv", "churn_probability", "old_tier", "new_tier"),
    *("old_segment", "new_segment", "old_risk", "new_risk", "old_action", "new_action", "reasons"),
)
MOST = 8
"""Lines of each smaller table."""


def comparison_text(found: Comparison, old: Policy, new: Policy, currency: str, live: bool) -> str:
    """Everything a person should read before the new policy goes live."""
    whose = "live now" if live else "old"
    lines = [f"{found.customers:,} customers under {_title(old)} ({whose}) and under {_title(new)} (new)"]
    share = f" ({found.moved / found.customers:.1%})" if found.customers else ""
    lines.append(
        f"  {found.moved:,}{share} would be in another stage, {found.customers - found.moved:,} in the same"
    )
    if found.moved and found.moved_clv is not None and found.total_clv:
        lines.append(
            f"  those who move are worth {found.moved_clv:,.0f} {currency} (CLV), "
            f"{found.moved_clv / found.total_clv:.1%} of everybody's"
        )
    if found.unknown:
        stored = ", ".join(f"{name} {n:,}" for name, n in found.unknown.items())
        lines.append(
            f"  note: {sum(found.unknown.values()):,} customers are stored in stages that the new policy does not have "
            f"({stored}): it treats them as seen for the first time, so no 'exit' keeps them where they are, and their "
            "days in stage begin anew"
        )
    moves = [move for move in found.stages if move.old != move.new]
    if moves:
        lines += ["", "Who would move", _moves_table(moves, found.customers, currency)]
        lines += ["", "Customers by stage", _stages_table(found, old, new)]
    for name, changed in found.others.items():
        if changed:
            lines += ["", f"Changes of {name}", _moves_table(changed[:MOST], found.customers, currency)]
            if len(changed) > MOST:
                rest = sum(move.customers for move in changed[MOST:])
                lines.append(f"  and {len(changed) - MOST} more changes of {rest:,} customers")
    if not found.moved and not any(found.others.values()):
        lines += ["", "Nothing would change for anybody."]
    return "\n".join(lines)


def _title(policy: Policy) -> str:
    return f"{policy.name} version {policy.version}"


def _moves_table(moves: "list[Move] | tuple[Move, ...]", customers: int, currency: str) -> str:
    header = ["from", "to", "customers", "share", f"CLV, {currency}", "churn risk", "for example"]
    rows = [
        [
            move.old or "-",
            move.new or "-",
            f"{move.customers:,}",
            f"{move.customers / customers:.1%}",
            "-" if move.clv is None else f"{move.clv:,.0f}",
            "-" if move.churn is None else f"{move.churn:.0%}",
            ", ".join(move.examples),
        ]
        for move in moves
    ]
    return text_table(header, rows, left=(0, 1, 6))


def _stages_table(found: Comparison, old: Policy, new: Policy) -> str:
    names = {stage.name: stage.labels.zh for policy in (old, new) for stage in policy.stages}
    rows = []
    for name, zh in names.items():
        before = sum(move.customers for move in found.stages if move.old == name)
        after = sum(move.customers for move in found.stages if move.new == name)
        if not before and not after:
            continue
        rows.append(
            [name if zh == name else f"{name} {zh}", f"{before:,}", f"{after:,}", f"{after - before:+,}"]
        )
    return text_table(["stage", "old", "new", "change"], rows)


def movers_csv(both: pa.Table) -> str:
    """The customers who move (comparison.BOTH) as CSV text, the most valuable first; no cell runs or loses digits."""
    movers = movers_of(both).select(list(COLUMNS)).to_pylist()
    return "".join(csv_pieces(COLUMNS, ([_cell(name, row[name]) for name in COLUMNS] for row in movers)))


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}" if name == "clv" else f"{value:.4f}"
    return text_cell("; ".join(value) if isinstance(value, list) else str(value))


def flow_picture(found: Comparison, old: Policy, new: Policy, title: str, kind: str = "svg") -> bytes:
    """The flow from the old policy's stages to the new one's, as `svg` or `png`."""
    from lifestage.lifecycle.alluvial import Node, alluvial, picture

    left, right = (
        [Node(stage.name, stage.labels.en, stage.labels.zh) for stage in policy.stages]
        for policy in (old, new)
    )
    heads = (f"old: {_title(old)}", f"new: {_title(new)}")
    return picture(alluvial(flows(found), left, right, title=title, heads=heads), kind)
