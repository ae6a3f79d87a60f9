"""Churn: a calibrated LightGBM classifier, trained and graded out of time."""
