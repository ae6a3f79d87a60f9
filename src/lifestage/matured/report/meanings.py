"""What the figures of the page mean."""

from lifestage.pages import Words

MEANINGS = (
    (
        Words("Round", "轮次"),
        Words(
            "One scoring run whose release had seen nothing from the run's day on. Runs scored later by a newer "
            "release (past months staged anew, back-fills) are hindsight and never counted.",
            "一次评分，其模型版本未见过评分日及之后的任何数据。事后用更新的版本补评的（如重新划分的历史月份）属事后评分，从不计入。",
        ),
    ),
    (
        Words("Left", "流失"),
        Words(
            "By the definition and horizon of the run's own release, whatever the configuration says today.",
            "以该次评分所用版本的定义和期限为准，与现在的配置无关。",
        ),
    ),
    (
        Words("Calibration error (ECE)", "校准误差（ECE）"),
        Words(
            "Mean distance between foreseen and observed share over ten bins of equal size. Even true probabilities "
            "show some, by chance; the page gives how much.",
            "十个等量分组中预测与实际比例的平均差距。即使概率完全准确也会因偶然而有一些误差，页面给出其大小。",
        ),
    ),
    (
        Words("Lift", "提升度"),
        Words(
            "How many times as many left of the riskiest tenth as of all. Where most leave anyway it cannot be high: "
            "with 75 % leaving at most 1.33.",
            "风险最高10%客户的流失率是全体的多少倍。若多数客户本就流失则不可能很高：流失率75%时最多1.33。",
        ),
    ),
    (
        Words("Orders", "订单"),
        Words(
            "Days with an order in the CLV horizon, of customers who had bought before: what order models count.",
            "CLV预测期内有订单的天数，仅限此前买过的客户：与订单模型的口径一致。",
        ),
    ),
    (
        Words("Spend, CLV", "消费、CLV"),
        Words(
            "Spend is in full money, net of refunds seen by the horizon's end. CLV is the same discounted to the run's "
            "day and times margin, both for the forecast and for what came.",
            "消费为未折现金额，扣除预测期内的退款；CLV再折现到评分日并乘以毛利率，预测与实际口径相同。",
        ),
    ),
    (
        Words("Intervals", "区间"),
        Words(
            "From the 10 % to the 90 % point: 80 % is promised. Spend of nothing has a chance of its own: where the "
            "interval begins at 0 it holds all of that chance and promises 90 %, and for customers who hardly ever "
            "order more. The next order is judged among those that came.",
            "为10%至90%分位点，应覆盖80%。零消费自有概率：区间从0开始时应覆盖90%，几乎不下单的客户更高。下次下单时间仅就已下单者评估。",
        ),
    ),
    (
        Words("Rounds overlap", "轮次重叠"),
        Words(
            "Rounds closer together than their horizon share outcomes: they are not independent, and totals over "
            "several rounds count an order in each round that foresaw it.",
            "间隔短于预测期的轮次共享部分结果，并不独立；多轮合计时，同一订单在每个预测它的轮次中各计一次。",
        ),
    ),
    (
        Words("Actions", "营销动作"),
        Words(
            "Whoever was contacted because of a forecast may have stayed for that reason: a forecast that was acted "
            "upon looks too dark. Groups of control tell the two apart.",
            "因预测而被触达的客户可能因此留下，使预测看起来偏悲观；需借助对照组区分。",
        ),
    ),
)
