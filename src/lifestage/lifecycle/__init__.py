"""Lifecycle: a policy in YAML decides every customer's stage, tier, segment, risk and signals."""
