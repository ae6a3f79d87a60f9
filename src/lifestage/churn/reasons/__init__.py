"""Why the churn model says what it says of a customer, and of a whole shop, in two languages."""
