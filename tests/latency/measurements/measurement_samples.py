"""Output of the tools, written as they write it."""
# ruff: noqa: E501

DEVICE = "Pixel 8"

GPU_LOG = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Min num runs: [50]
INFO: Graph: [/data/local/tmp/nets/mialgo.tflite]
INFO: Enable op profiling: [1]
INFO: Use gpu: [1]
INFO: Loaded model /data/local/tmp/nets/mialgo.tflite
INFO: Created TensorFlow Lite delegate for GPU.
VERBOSE: Replacing 4 out of 4 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 \
partitions for subgraph 0.
INFO: Initialized OpenCL-based API.
INFO: Created 1 GPU delegate kernels.
INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the \
delegate.
INFO: Initialized session in 355.447ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds
INFO: count=50 first=45401 curr=8772 min=8499 max=45401 avg=9580.26 std=5119 p5=8534 \
median=8894 p95=9062

INFO: Running benchmark for at least 50 iterations and at least 1 seconds
INFO: count=108 first=8622 curr=8726 min=8268 max=9464 avg=8708.66 std=193 p5=8407 \
median=8705 p95=8982

INFO: Inference timings in us: Init: 355447, First inference: 45401, Warmup (avg): 9580.26, \
Inference (avg): 8708.66
"""

INITIALIZATION = """\
INFO: Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t ModifyGraphWithDelegate\t  354.149\t  354.149\t 99.992%\t 99.992%\t 46900.000\t        1\tModify/0

Timings (microseconds): count=1 curr=354176
Memory (bytes): count=0
1 nodes observed

"""

KERNEL_TABLE = """\
INFO: Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\tconvolution_2d 0 -> relu 1\t    0.265\t    0.272\t 15.773%\t 15.773%\t     0.000\t        1\tDelegate/x:0
\tconvolution_2d 2 -> relu 3\t    0.367\t    0.365\t 21.173%\t 36.946%\t     0.000\t        1\tDelegate/x:1
\t        convolution_2d 4\t    0.452\t    0.455\t 26.418%\t 63.364%\t     0.000\t        1\tDelegate/x:2
\t        depth_to_space 5\t    0.629\t    0.631\t 36.636%\t100.000%\t     0.000\t        1\tDelegate/x:3

============================== Top by Computation Time ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t        depth_to_space 5\t    0.629\t    0.631\t 36.636%\t 36.636%\t     0.000\t        1\tDelegate/x:3

Number of nodes executed: 4
Timings (microseconds): count=108 first=1713 curr=1712 min=1692 max=2254 avg=1722.29 std=52
Memory (bytes): count=0
4 nodes observed
"""
KERNELS = (
    ("convolution_2d 0 -> relu 1", 0.272),
    ("convolution_2d 2 -> relu 3", 0.365),
    ("convolution_2d 4", 0.455),
    ("depth_to_space 5", 0.631),
)
PROFILED_LOG = GPU_LOG + INITIALIZATION + KERNEL_TABLE

# Of an older tool: a column more, and the delegate is one row.
START_COLUMN = """\
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t             [node type]\t          [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t     TfLiteGpuDelegateV2\t            0.000\t    6.102\t    6.250\t 89.286%\t 89.286%\t     0.000\t        1\t[rgb]:7
\t                 CONV_2D\t            6.251\t    0.741\t    0.750\t 10.714%\t100.000%\t     0.000\t        2\t[conv]:3

"""

PROFILE_CSV = """\
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
Convolution (NHWC, F32) IGEMM, 0.61, 0.6305, 63.05%, 63.05%, 0, 1, Delegate/Convolution (NHWC, F32) IGEMM:0
convolution_2d 4 -> add 5, 0.31, 0.3, 30%, 93.05%, 0, 1, [a, b, c]:1
RELU, 0.07, 6.95e-02, 6.95%, 100%, 0, 1, [d]:2

============================== Top by Computation Time ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
Convolution (NHWC, F32) IGEMM, 0.61, 0.6305, 63.05%, 63.05%, 0, 1, Delegate/Convolution:0

Number of nodes executed: 3
============================== Summary by node type ==============================
node type, count, avg_ms, avg %, cdf %, mem KB, times called
RELU, 1, 0.0695, 100%, 100%, 0, 1
"""

LITERT_LOG = """\
INFO: STARTING!
INFO: Graph: [/tmp/nets/tiny.tflite]
INFO: Use gpu: [1]
INFO: [./litert/tools/benchmark_litert_model.h:81] 
========== BENCHMARK RESULTS ==========
INFO: [./litert/tools/benchmark_litert_model.h:82] Model initialization: 4.48 ms
INFO: [./litert/tools/benchmark_litert_model.h:84] Warmup (first):       101.03 ms
INFO: [./litert/tools/benchmark_litert_model.h:86] Warmup (avg):         98.47 ms (5 runs)
INFO: [./litert/tools/benchmark_litert_model.h:88] Inference (avg):      71.45 ms (14 runs)
INFO: [./litert/tools/benchmark_litert_model.h:92] Inference (min):      70.44 ms
INFO: [./litert/tools/benchmark_litert_model.h:94] Inference (max):      72.98 ms
INFO: [./litert/tools/benchmark_litert_model.h:96] Inference (std):      0.51
INFO: [./litert/tools/benchmark_litert_model.h:126] ======================================
"""

AI_HUB = {
    "execution_summary": {
        "estimated_inference_time": 17600,
        "first_load_time": 5283661,
        "all_inference_times": [41700, 17600, 18000, 17900, 18100],
    },
    "execution_detail": [
        {"name": "conv", "type": "CONV_2D", "compute_unit": "GPU", "execution_time": 9000},
        {"name": "d2s", "type": "DEPTH_TO_SPACE", "compute_unit": "GPU", "execution_time": 2500},
        {"name": "pack", "type": "PACK", "compute_unit": "CPU", "execution_time": 400},
    ],
}

TYPED_CSV = """\
model,device,gpu_ms,runs,std_ms,notes
mialgo_track1,Pixel 8,6.4,20,0.1,"AI Benchmark 6, pro mode"
syenet.tflite,Pixel 8,11.25,20,2.5,
"""
