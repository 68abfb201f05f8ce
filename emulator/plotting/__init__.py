"""Pictures: figures of the papers, results of runs and sweeps, in one style."""
