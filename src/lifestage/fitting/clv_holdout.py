"""The holdout of a CLV model: its forecasts, beside naive ones and plain lifetimes, against what came."""

from collections.abc import Sequence

from lifestage.clv.baselines import YEAR_DAYS, last_year
from lifestage.clv.evaluation import Evaluation, evaluate
from lifestage.clv.model import ClvModel
from lifestage.clv.pit import drawn_customers, order_pit, spend_pit
from lifestage.clv.plain_lifetimes import lifetimes_forecast
from lifestage.clv.weekly import weekly_orders
from lifestage.history_file import HistoryFile
from lifestage.labels import Definition
from lifestage.labels.definitions import after_days
from lifestage.samples import Buyers, Progress, buyers, shop_days


def held_out(
    file: HistoryFile,
    cutoff: int,
    horizon_days: int,
    *,
    definition: Definition,
    covariates: Sequence[str] = (),
    share: float = 1.0,
    progress: Progress | None = None,
) -> Buyers:
    """Buyers at the cutoff, with what they did in the horizon and in the same days one year before."""
    year_ago = after_days(cutoff, -YEAR_DAYS, file.zone)
    past = (year_ago, after_days(year_ago, horizon_days, file.zone)) if horizon_days <= YEAR_DAYS else None
    end = after_days(cutoff, horizon_days, file.zone)
    return buyers(
        file,
        cutoff,
        end,
        definition=definition,
        covariates=covariates,
        earlier=past,
        share=share,
        progress=progress,
    )


def grade(
    file: HistoryFile, model: ClvModel, known: Buyers, horizon_days: int, progress: Progress | None = None
) -> Evaluation:
    """The figures of a model fitted on the days before `known.cutoff`; known: of `held_out`."""
    summary, came, past = known.summary, known.outcome, known.earlier
    days = shop_days(file, known.end, came_before=known.cutoff, share=known.share, progress=progress)
    # intervals of spend cost more than all else: of a larger shop they are judged on as many as their law is
    drawn = drawn_customers(len(summary))
    predictions = model.predict(
        summary, horizon_days, only=("expected_orders", "expected_order_value", "p_order")
    )
    predictions |= model.predict(summary.take(drawn), horizon_days, only=("spend_low", "spend_high"))
    return evaluate(
        predictions,
        summary,
        came.purchase_days,
        came.spend,
        horizon_days=horizon_days,
        others={
            "last_year": last_year(
                summary,
                horizon_days,
                None if past is None else past.purchase_days,
                None if past is None else past.spend,
            ),
            "lifetimes": lifetimes_forecast(summary, horizon_days),
        },
        order_pit=order_pit(model, summary, came.purchase_days, horizon_days),
        spend_pit=spend_pit(model, summary, came.spend, horizon_days),
        weekly=weekly_orders(model, summary, days, horizon_days),
        drawn=drawn,
    )
