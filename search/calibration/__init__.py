"""Calibrating the oracle: choosing and writing the networks to be timed."""
