"""Weights that a candidate starts from: another candidate's, or a super-network's."""
