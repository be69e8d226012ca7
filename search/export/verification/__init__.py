"""Files run as their user will, and held against Keras, the targets and the delegate."""
