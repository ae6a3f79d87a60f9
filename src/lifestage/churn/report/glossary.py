"""The six terms that a reader of the churn report may ask about, in English and Chinese."""

from lifestage.pages import Words

GLOSSARY: tuple[tuple[Words, Words], ...] = (
    (
        Words("Churn probability", "流失概率"),
        Words(
            "Of 100 customers given 30 %, 30 should leave. It says nothing of one customer for certain.",
            "若100名客户的概率均为30%，应有约30名流失；对单个客户并非定论。",
        ),
    ),
    (
        Words("ROC-AUC", "ROC-AUC"),
        Words(
            "How often the model ranks a customer who left above one who stayed: 0.5 is a coin, 1 never errs.",
            "流失客户排在留存客户之前的机会：0.5等于抛硬币，1为从不出错。",
        ),
    ),
    (
        Words("Average precision", "平均精确率"),
        Words(
            "How pure the top of a list is, of the rarer outcome; at random it is that outcome's share.",
            "名单前部针对较少一类结果的纯度；随机排序时等于该类占比。",
        ),
    ),
    (
        Words("Calibration error", "校准误差"),
        Words(
            "How far the foreseen and the observed share lie apart on average, over ten groups from low to high risk.",
            "按风险从低到高分十组，预测比例与实际比例的平均差距。",
        ),
    ),
    (
        Words("95 % interval", "95 % 区间"),
        Words(
            "Where the figure would lie on other customers of the same kind, 19 times in 20. A lead whose interval "
            "holds 0 may be luck.",
            "换一批同类客户时，20次中有19次落在此范围。若领先幅度的区间包含0，可能只是运气。",
        ),
    ),
    (
        Words("Grade A, B, C", "等级A、B、C"),
        Words(
            "A: at least a tenth better than the plain rule and no baseline better. B: significantly better than the "
            "rule. C: not proven.",
            "A：比简单规则至少好十分之一，且没有基线更好。B：显著优于简单规则。C：未能证明。",
        ),
    ),
)
