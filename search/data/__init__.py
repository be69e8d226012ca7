"""Data: sample sets generated from photographs, the real data sets, batches."""
