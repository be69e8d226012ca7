"""MiAlgo track 1: three convolutions, the fastest entry of the learned-ISP challenge."""

from spaces.zoo.system import ISP_INPUT, ZooSystem, in_space, register

register(
    ZooSystem(
        name="mialgo_track1",
        task="isp",
        title="MiAlgo, track 1: three convolutions",
        published_team="MiAlgo (track 1)",
        input_shape=ISP_INPUT,
        confidence="high",
        note="Convolutions and widths as in the report; tanh and ReLU as in the MAI 2021 "
        "Smallnet it derives from; no activation on the output assumed.",
        parameters=3_060,
        training="L1 over 10 K epochs, batch 32, Adam at 1e-4; misaligned pairs removed, how "
        "is not said: here the worst 5 % by phase correlation.",
        recipe={"loss": "l1", "keep_pairs": 0.95},
        **in_space(
            "unet_isp",
            {
                "packing": 1,
                "stem": "conv3",
                "stem_activation": "tanh",
                "activation": "relu",
                "conv": "conv3",
                "levels": 0,
                "width_0": 12,
                "convs_0": 1,
                "attention_0": False,
                "head": "conv3",
                "global_path": "none",
            },
        ),
    )
)
