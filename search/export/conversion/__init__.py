"""Keras networks as .tflite files: converted, quantised, in written order, small."""
