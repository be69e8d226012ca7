"""Building blocks, each written once against `Ops` and found by name in a registry.

A block that belongs to a family (`convs`, `down`, `up`, `skip`, `attention`) is
registered under the name that search spaces use for it.
"""
