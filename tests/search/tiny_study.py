"""The smallest study that is one, for the tests that run studies."""

TINY = {
    "task": "isp",
    "trials": 3,
    "data": {"train": 16, "val": 4, "patch": 128},
    "space": {
        "choices": {
            "levels": [0, 1],
            "stacks": [1],
            "packing": [1],
            "conv": ["conv3"],
            "width_0": [8, 12],
            "width_1": [8, 16, 24],
            "convs_0": [1],
            "convs_1": [1],
            "head": ["conv3"],
        }
    },
    "sampler": {"name": "random"},
    "training": {"steps": 6, "batch": 2, "warmup_steps": 2, "closed_form_images": 4,
                 "rung_images": 2},
    "finals": {"top": 1, "steps": 8, "seeds": 2},
}  # fmt: skip


def tiny_study(name, changes, **defaults):
    """The mapping of a study file: `changes` are merged into the sections of a tiny one."""
    document = {"name": name, **TINY, **defaults}
    for key, value in changes.items():
        old = document.get(key)
        merge = isinstance(value, dict) and isinstance(old, dict) and key != "space"
        document[key] = {**old, **value} if merge else value
    return document
