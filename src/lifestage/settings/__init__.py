"""The frozen configuration models: one YAML file a shop, typos refused with the nearest right name."""

from lifestage.settings.alerts import Alerts, Webhook
from lifestage.settings.gate import Gate
from lifestage.settings.models import DEFINED_BY, Churn, Clv, Features, Readiness
from lifestage.settings.monitoring import Monitoring
from lifestage.settings.privacy import Privacy
from lifestage.settings.scoring import Reasons, Scoring
from lifestage.settings.serving import Serving
from lifestage.settings.shop import Shop, load, parse
from lifestage.settings.tables import ENGINES, EngineOptions, Intake, Source, Sources

__all__ = [
    "DEFINED_BY",
    "ENGINES",
    "Alerts",
    "Churn",
    "Clv",
    "EngineOptions",
    "Features",
    "Gate",
    "Intake",
    "Monitoring",
    "Privacy",
    "Readiness",
    "Reasons",
    "Scoring",
    "Serving",
    "Shop",
    "Source",
    "Sources",
    "Webhook",
    "load",
    "parse",
]
