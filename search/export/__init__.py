"""From a trained trial to verified .tflite files with a model card."""
