"""Architectures: how they are described, sampled, built in Keras and traced without it."""
