"""ENERZAi track 1: found by architecture search with a latency penalty."""

from spaces.zoo.system import ISP_INPUT, ZooSystem, in_space, register

register(
    ZooSystem(
        name="enerzai_track1",
        task="isp",
        title="ENERZAi, track 1: searched UNet with channel attention",
        published_team="ENERZAi (track 1)",
        input_shape=ISP_INPUT,
        confidence="low",
        note="The report names the family (UNet, hourglass, channel attention); this point of "
        "it has the published file size, but is 2.4 times faster than published.",
        parameters=17_772,
        training="L1, MS-SSIM, ResNet-50 features and histogram, Adam at 1e-3 halved every "
        "several epochs; the weights of the losses are assumed.",
        recipe={
            "loss": {"l1": 1.0, "ms_ssim": 0.2, "resnet50": 0.01, "histogram": 0.01},
            "schedule": "steps",
        },
        **in_space(
            "unet_isp",
            {
                "packing": 1,
                "stem": "strided3",
                "stem_activation": "same",
                "activation": "relu",
                "conv": "conv3",
                "levels": 1,
                "stacks": 1,
                "down": "strided",
                "up": "transposed",
                "skip": "add",
                "width_0": 12,
                "convs_0": 1,
                "attention_0": True,
                "width_1": 24,
                "convs_1": 1,
                "attention_1": True,
                "head": "conv3",
                "global_path": "none",
            },
        ),
    )
)
