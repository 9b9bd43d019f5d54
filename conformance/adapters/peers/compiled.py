"""Have GPTQModel compile its native code now: at first use it takes minutes, for which no time limit allows."""

import sys

from gptqmodel.nn_modules.qlinear.torch_cpu_avx512_awq import TorchCpuAvx512AwqLinear

usable, why = TorchCpuAvx512AwqLinear.cached_validate_once()
if not usable:
    print(f"gptqmodel-layers cannot be certified here: {why}", file=sys.stderr)
