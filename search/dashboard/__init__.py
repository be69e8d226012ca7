"""Live pages of the studies in a browser; every figure is one of `search.report`."""

from .pages import pages as pages
