"""Alerts on their way: the outbox in the store, its delivery, signed webhooks."""
