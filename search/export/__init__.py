"""From a trained trial to a bundle: verified .tflite files, a report and a model card.

`conversion` makes the files, `verification` runs and compares them, at the export and later,
`report` tells of it; `bundle` does the three in turn, and `record` reads what lies on the disk.
"""
