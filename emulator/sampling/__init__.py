"""The quantum phase: rounds drawn from the exact joint probabilities."""
