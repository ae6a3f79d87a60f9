"""Every metric that a policy may name, in English and Chinese: what it is, its unit, and what it cannot be told from.

A metric that our tables do not hold is listed all the same, with what would be needed: a report then says "not
measured here" instead of making a figure up. A name that is not here is the user's own and is said to be unknown.
"""

from lifestage.lifecycle.metrics.metric import Metric
from lifestage.lifecycle.metrics.not_measured import NOT_MEASURED

__all__ = ["METRICS", "Metric"]

METRICS: dict[str, Metric] = {
    # --- who is there, and what they are worth ---------------------------------------------------------
    "customers": Metric("Customers", "客户数", "count", "customers in the stage", "处于该阶段的客户数"),
    "lifetime_value": Metric(
        "CLV, each",
        "人均终身价值",
        "currency",
        "mean predicted value of the orders to come, discounted, within the CLV horizon",
        "CLV期限内未来订单的预测折现价值，人均",
    ),
    "lifetime_value_total": Metric(
        "CLV, total", "终身价值合计", "currency", "sum of the predicted values", "预测价值之和"
    ),
    "plain_lifetime_value": Metric(
        "CLV by the plain formula",
        "简单公式终身价值",
        "currency",
        "average order value x orders a year x lifetime in years, of the last 365 days' buyers; no discount",
        "客单价 × 年购买频次 × 客户生命周期（年），按近365天买家计算，不折现",
    ),
    "lifetime": Metric(
        "Customer lifetime",
        "客户生命周期",
        "years",
        "customer-years at risk per customer lost, over all periods so far",
        "至今各期非流失客户年数 ÷ 流失人数",
    ),
    # --- moves ----------------------------------------------------------------------------------------
    "churn_rate": Metric(
        "Churn rate",
        "流失率",
        "share",
        "lost in the period / customers at its start who were not lost",
        "期内流失客户 ÷ 期初未流失客户",
    ),
    "retention_rate": Metric(
        "Retention rate",
        "留存率",
        "share",
        "customers at the start who were not lost, and are not at the end / those at the start",
        "期初未流失且期末仍未流失的客户 ÷ 期初未流失客户",
    ),
    "win_back_rate": Metric(
        "Win-back rate",
        "挽回率",
        "share",
        "lost at the start and not lost any more at the end / lost at the start",
        "期初已流失、期末已回归的客户 ÷ 期初已流失客户",
    ),
    "conversion_to_next_stage": Metric(
        "Conversion to the next stage",
        "下一阶段转化率",
        "share",
        "in the stage at the start, in the policy's next stage or a later one at the end / in it at the start",
        "期初处于该阶段、期末进入策略中下一个或更后阶段的客户 ÷ 期初处于该阶段的客户",
    ),
    "time_in_stage": Metric(
        "Time in stage",
        "阶段停留时间",
        "days",
        "Kaplan-Meier median over completed and running stays whose beginning was seen",
        "对起点已知的停留（含未结束者）的Kaplan-Meier中位数",
    ),
    # --- orders ---------------------------------------------------------------------------------------
    "repurchase_rate": Metric(
        "Repurchase rate",
        "复购率",
        "share",
        "ordered again within the period / buyers in the stage at its start",
        "期内再次下单的客户 ÷ 期初处于该阶段且已下过单的客户",
    ),
    "repeat_buyer_share": Metric(
        "Repeat buyers",
        "多次购买者占比",
        "share",
        "customers with two orders or more so far / with one or more",
        "累计下单两次及以上的客户 ÷ 下过单的客户",
    ),
    "first_order_conversion": Metric(
        "First-order conversion",
        "首单转化率",
        "share",
        "first order within the period / in the stage at its start without an order",
        "期内首次下单的客户 ÷ 期初处于该阶段且未下过单的客户",
    ),
    "average_order_value": Metric(
        "Average order value",
        "客单价",
        "currency",
        "net value of the period's orders / their number",
        "期内订单净额 ÷ 订单数",
    ),
    "purchase_frequency": Metric(
        "Purchase frequency",
        "购买频次",
        "orders a 30 days",
        "orders within the period / customers in the stage at its start, scaled to 30 days",
        "期内订单数 ÷ 期初客户数，折算为每30天",
    ),
    "cross_sell_rate": Metric(
        "Cross-sell rate",
        "交叉销售率",
        "share",
        "ordered a category for the first time within the period / buyers in the stage at its start",
        "期内购买从未买过品类的客户 ÷ 期初处于该阶段的买家",
    ),
    # --- where customers come from --------------------------------------------------------------------
    "acquisition_cost": Metric(
        "Acquisition cost (CAC)",
        "获客成本",
        "currency",
        "known costs, those of contacts who never ordered too / buyers among them",
        "已知获客成本（含从未下单者）÷ 其中买家数",
    ),
    "channel_conversion": Metric(
        "Conversion by channel",
        "渠道转化率",
        "share",
        "customers of the channel with an order / all customers of the channel",
        "该渠道有订单的客户 ÷ 该渠道全部客户",
    ),
    "lead_quality": Metric(
        "Lead quality by channel",
        "各渠道线索质量",
        "currency",
        "spent so far and predicted value / all customers of the channel, buyers or not",
        "累计消费与预测价值之和 ÷ 该渠道全部客户（含未购买者）",
    ),
    "first_order_value": Metric(
        "First order value", "首单金额", "currency", "mean net value of first orders", "首单净额均值"
    ),
    "first_order_value_by_channel": Metric(
        "First order value by channel",
        "各渠道首单金额",
        "currency",
        "mean net value of first orders of the channel's customers",
        "该渠道客户首单净额均值",
    ),
    "repurchase_potential_by_channel": Metric(
        "Repurchase potential by channel",
        "各渠道复购潜力",
        "share",
        "customers of the channel with two orders or more / with one or more",
        "该渠道下单两次及以上的客户 ÷ 下过单的客户",
    ),
    "lifetime_value_by_channel": Metric(
        "Long-term value by channel",
        "各渠道长期价值",
        "currency",
        "spent so far and predicted value / buyers of the channel",
        "累计消费与预测价值之和 ÷ 该渠道买家",
    ),
    "ltv_cac": Metric(
        "LTV / CAC",
        "LTV / CAC",
        "ratio",
        "spent so far and predicted value / acquisition cost, over customers whose cost is known",
        "（累计消费 + 预测价值）÷ 获客成本，仅限成本已知的客户",
    ),
    # --- what they do and say -------------------------------------------------------------------------
    "active_rate": Metric(
        "Active customers",
        "活跃率",
        "share",
        "with an event within the period / in the stage at its start",
        "期内有行为事件的客户 ÷ 期初客户",
    ),
    "core_feature_use": Metric(
        "Core-feature use",
        "核心功能使用率",
        "share",
        "with the policy's core event within the period (an order where it names none) / in the stage at its start",
        "期内有核心事件的客户（策略未指定时为下单）÷ 期初客户",
    ),
    "use_frequency": Metric(
        "Use frequency",
        "使用频率",
        "active days a 30 days",
        "days with an event within the period / customers in the stage at its start, scaled to 30 days",
        "期内有事件的天数 ÷ 期初客户数，折算为每30天",
    ),
    "breadth_of_use": Metric(
        "Breadth of use",
        "使用广度",
        "kinds",
        "kinds of events within the period, mean of those with any",
        "期内事件种类数，有事件客户的均值",
    ),
    "activation_completion": Metric(
        "Activation completed",
        "激活完成率",
        "share",
        "core event (or order) within 7 days of the first contact / customers whose 7 days ended in the period",
        "首次接触后7天内完成核心事件（或下单）的客户 ÷ 期内满7天的客户",
    ),
    "time_to_first_value": Metric(
        "Time to first value",
        "首次价值时间",
        "days",
        "Kaplan-Meier median of first contact to first core event (or order), those still without one included",
        "首次接触至首个核心事件（或下单）的Kaplan-Meier中位天数，含尚未发生者",
    ),
    "nps": Metric(
        "NPS",
        "净推荐值",
        "points",
        "% of last answers 9 or 10, less % of last answers 0 to 6",
        "最近一次评分9至10者占比减去0至6者占比（百分点）",
    ),
    "csat": Metric(
        "CSAT", "客户满意度", "score", "mean of last CSAT answers, 1 to 5", "最近一次满意度评分均值（1至5）"
    ),
    "survey_count": Metric(
        "Survey answers",
        "问卷回收数",
        "count",
        "NPS and CSAT answers within the period",
        "期内NPS与CSAT答卷数",
    ),
    "complaint_rate": Metric(
        "Complaints and tickets",
        "投诉与工单",
        "tickets a 30 days",
        "complaints and tickets within the period / customers in the stage at its start, scaled to 30 days",
        "期内投诉与工单数 ÷ 期初客户数，折算为每30天",
    ),
    # --- terms ----------------------------------------------------------------------------------------
    "renewal_rate": Metric(
        "Renewal rate",
        "续费率",
        "share",
        "with a term open at the period's end / whose term, open at its start, ended within it",
        "期末有有效订阅的客户 ÷ 期初有效订阅在期内到期的客户",
    ),
    "upgrade_rate": Metric(
        "Upgrade rate",
        "升级率",
        "share",
        "pay a higher monthly price at the period's end / with a term open at both its ends",
        "期末月价更高的客户 ÷ 期初期末均有有效订阅的客户",
    ),
    **NOT_MEASURED,
}
"""By name; a metric of several forms is listed under each name that a policy uses for it."""
