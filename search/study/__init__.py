"""Studies: storage, candidates, workers, pruning, finals, and their results."""
