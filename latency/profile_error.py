"""`ProfileError`: what is wrong with a device profile or with what it is fitted on."""

from .graph import GraphError


class ProfileError(GraphError):
    """A device profile that does not exist or does not hold together."""
