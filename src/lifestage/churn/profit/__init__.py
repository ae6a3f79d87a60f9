"""What a retention campaign earns: expected gain of a contact, the best list, the published measures, the grade."""
