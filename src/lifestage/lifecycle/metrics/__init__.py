"""What each lifecycle stage is judged by: moves, rates, time in stage, cohorts, channels; and the report on them."""
