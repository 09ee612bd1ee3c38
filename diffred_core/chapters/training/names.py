"""What the tables of the chapter call their methods and metrics, spelled once."""

SIMULATION = "simulation"  # in the column layer, of rows that are of no layer of the network
MEASURED, THEORY = "simulated", "closed form"  # methods: what was simulated, and what a formula says of the same

# Of the bridge: methods are the rules by which dimensions of a layer are kept; the column n_selected says how many.
RANDOM = "random features"
ACCURACY = "accuracy"  # of a ridge probe on what a rule keeps
GAIN = "gain_over_random"  # the same less that of as many random features, seed by seed
LAYER = "penultimate"  # of the network
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CLAIM_SIZE = 16  # dimensions at which the claims of the bridge are judged


def in_words(rule: str) -> str:
    """Return what people read for a rule of the bridge: tables say feature where the glossary says dimension."""
    return rule.replace("features", "dimensions")
