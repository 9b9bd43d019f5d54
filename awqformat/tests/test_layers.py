"""Which tensors are one layer follows from the tensors alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from awqformat import AwqError
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.layers import Layers, sort_out
from awqformat.tests.checkpoint import AWQ, directory

INTS, FLOATS = np.zeros((16, 4), np.int32), np.zeros((1, 32), np.float16)
WORDS = INTS.view(np.uint32)


@contextmanager
def sorted_out(folder: Path, tensors: dict[str, np.ndarray[Any, Any]], **config: Any) -> Iterator[Layers]:
    """Write tensors and sort them out."""
    with Directory(directory(folder, tensors, config=AWQ | config)) as opened:
        yield sort_out(opened.tensors)


LAYERS: dict[str, tuple[dict[str, np.ndarray[Any, Any]], dict[str, set[str]]]] = {
    "gemm": ({"p.qweight": INTS, "p.qzeros": INTS, "p.scales": FLOATS, "p.bias": FLOATS},
             {"p": {"qweight", "qzeros", "scales"}}),
    "llm-awq": ({"p.qweight": INTS, "p.scaled_zeros": FLOATS, "p.scales": FLOATS},
                {"p": {"qweight", "scaled_zeros", "scales"}}),
    "gptq": ({"p.qweight": INTS, "p.qzeros": INTS, "p.scales": FLOATS, "p.g_idx": INTS},
             {"p": {"qweight", "qzeros", "scales", "g_idx"}}),
    "compressed-tensors": ({"p.weight_packed": INTS, "p.weight_scale": FLOATS, "p.weight_shape": INTS},
                           {"p": {"weight_packed", "weight_scale", "weight_shape"}}),
    "mlx": ({"p.weight": WORDS, "p.scales": FLOATS, "p.biases": FLOATS}, {"p": {"weight", "scales", "biases"}}),
    "two layers": ({"a.qweight": INTS, "a.scales": FLOATS, "b.c.qweight": INTS, "b.c.scales": FLOATS},
                   {"a": {"qweight", "scales"}, "b.c": {"qweight", "scales"}}),
    "no prefix": ({"qweight": INTS, "scales": FLOATS}, {"": {"qweight", "scales"}}),
    "the head": ({"lm_head.qweight": INTS, "lm_head.scales": FLOATS}, {"lm_head": {"qweight", "scales"}}),
}  # fmt: skip


@pytest.mark.req("AWQ-CHK-021", "AWQ-CHK-023")
@pytest.mark.parametrize("what", LAYERS)
def test_layers_are_prefixes(what: str, tmp_path: Path) -> None:
    """Codes make a layer of their prefix, whatever a list of exceptions says; all else is plain."""
    tensors, expected = LAYERS[what]
    with sorted_out(
        tmp_path, tensors | {"norm.weight": FLOATS}, modules_to_not_convert=["a", "lm_head", "p"]
    ) as layers:
        assert {prefix: set(parts) for prefix, parts in layers.quantized.items()} == expected
        used = {part.name for parts in layers.quantized.values() for part in parts.values()}
        assert layers.plain.keys() == {*tensors, "norm.weight"} - used


PLAIN: dict[str, dict[str, np.ndarray[Any, Any]]] = {
    "AutoAWQ's activation scales": {"mlp.act.scales": FLOATS},
    "an ordinary weight with scales": {"p.weight": FLOATS, "p.scales": FLOATS},
    "what belongs to codes that are not there": {"p.weight_scale": FLOATS, "p.weight_zero_point": INTS},
    "8-bit floats with a scale": {"p.weight": INTS.view(np.uint8), "p.weight_scale": FLOATS},
    "words that are no codes": {"p.weight": WORDS},
}


@pytest.mark.req("AWQ-CHK-022", "AWQ-CHK-023")
@pytest.mark.parametrize("what", PLAIN)
def test_scales_alone_make_no_layer(what: str, tmp_path: Path) -> None:
    """Tensors with a name or a type of quantised layers are plain without codes."""
    with sorted_out(tmp_path, PLAIN[what]) as layers:
        assert layers.quantized == {}
        assert layers.plain.keys() == PLAIN[what].keys()


REFUSED: dict[str, tuple[dict[str, np.ndarray[Any, Any]], str]] = {
    "zero points alone": ({"p.qzeros": INTS}, "E_DIALECT p: tensors, expected qweight beside qzeros, got none"),
    "zero points of llm-awq alone": ({"p.scaled_zeros": FLOATS, "p.scales": FLOATS},
                                     "E_DIALECT p: tensors, expected qweight beside scaled_zeros, got none"),
    "an order alone": ({"p.g_idx": INTS, "p.scales": FLOATS}, "E_DIALECT p: tensors, expected qweight beside g_idx"),
    "two sorts of codes": ({"p.qweight": INTS, "p.weight_packed": INTS},
                           "E_DIALECT p: tensors, expected one layout of codes, got weight_packed beside qweight"),
    "bitsandbytes": ({"p.weight": INTS, "p.weight.absmax": FLOATS},
                     "E_DIALECT p.weight.absmax: format, expected a dialect of AWQ or GPTQ, got bitsandbytes"),
    "bitsandbytes' state": ({"p.weight": INTS, "p.weight.quant_state.bitsandbytes__nf4": FLOATS},
                            "E_DIALECT p.weight.quant_state.bitsandbytes__nf4: format, expected a dialect of"),
    "HQQ": ({"p.W_q": INTS, "p.meta": FLOATS}, "E_DIALECT p.W_q: format, expected a dialect of AWQ or GPTQ, got HQQ"),
}  # fmt: skip


@pytest.mark.req("AWQ-CHK-013", "AWQ-CHK-038")
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_by_its_names(what: str, tmp_path: Path) -> None:
    """Half a layer, two in one, and other formats."""
    tensors, message = REFUSED[what]
    with pytest.raises(AwqError) as caught, sorted_out(tmp_path, tensors):
        pass
    assert str(caught.value).startswith(message)
