"""Metrics that lifecycle models name and our tables cannot tell, each with what would be needed."""

from lifestage.lifecycle.metrics.metric import Metric

NOT_MEASURED: dict[str, Metric] = {
    "member_sign_up_rate": Metric(
        "Member sign-up rate",
        "会员注册率",
        "share",
        "joined the membership / customers in the stage",
        "加入会员的客户 ÷ 该阶段客户",
        "an event of joining the membership (signed_up_at is the registration, which members and others have)",
        "加入会员的事件（signed_up_at只是注册时间）",
    ),
    "referral_rate": Metric(
        "Referral rate",
        "转介绍率",
        "share",
        "brought somebody / customers in the stage",
        "带来新客户的客户 ÷ 该阶段客户",
        "who was brought by whom: a column referred_by of the customers table",
        "客户表中的推荐人列referred_by",
    ),
    "referral_conversion": Metric(
        "Referral conversion",
        "推荐转化率",
        "share",
        "referred who became customers / all referred",
        "成为客户的被推荐人 ÷ 全部被推荐人",
        "a table of referrals with those who did not become customers",
        "含未成交者的推荐记录表",
    ),
    "shares": Metric(
        "Shares",
        "分享次数",
        "count",
        "times that customers shared",
        "客户分享次数",
        "which event type is a share; events of it are counted in use_frequency only",
        "标明哪种事件为分享",
    ),
    "first_contact_cost": Metric(
        "First-contact cost",
        "首次触达成本",
        "currency",
        "spending of a channel / people it reached",
        "渠道投入 ÷ 触达人数",
        "a table of spending and reach by channel (acquisition_cost is of those who became known)",
        "各渠道投入与触达人数表",
    ),
    "reach": Metric(
        "Reach",
        "触达人数",
        "count",
        "people a channel reached",
        "渠道触达人数",
        "impressions or visitors by channel; who never became known is in no table here",
        "各渠道曝光或访客数",
    ),
    "campaign_response": Metric(
        "Response to a campaign",
        "活动响应率",
        "share",
        "responded / contacted",
        "响应者 ÷ 触达者",
        "a table of contacts made, with a control group",
        "触达记录（含对照组）",
    ),
}
