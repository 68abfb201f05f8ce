"""What every key of this package takes for granted; carried by each report."""

ASSUMPTIONS = (
    "Quantum theory is correct.",
    "Settings, thinning coins and hash seeds are fresh, uniform as stated and independent of the "
    "devices.",
    "Whatever leaves a laboratory during the quantum phase (light, and heralds made there) leaves "
    "before the round's setting is drawn and carries nothing of past settings or outcomes (not "
    "covered by entropy accumulation).",
    "Settings, coins and outcomes stay inside the laboratories until all heralds are public and "
    "irrevocable and the quantum phase has ended; rounds are sequential.",
    "Unheralded pulses are discarded and their outcomes never published.",
    "Classical post-processing is trusted and the public channel authenticated.",
    "The devices are not used again for another key.",
)
