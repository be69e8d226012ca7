"""The `Ops` protocol that networks are written against, and its two backends.

`spaces.ops.trace` needs no TensorFlow; `spaces.ops.keras_backend` does.
"""
