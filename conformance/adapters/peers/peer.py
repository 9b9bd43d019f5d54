"""What adapters of other projects' loaders share: the protocol awqc/1, and the way to their checkpoint directories.

A peer is given to `run` as one function that reads a directory. It may write nothing: what it returns is written only
when all of it is there, so that a refusal leaves nothing behind.

Two things are refused here, in front of every peer: a folder without any safetensors file, and what is no folder.
Beyond that only the peer's own diagnosis counts as a refusal (exit status 65): an exception that a ``raise`` or an
``assert`` of the peer's packages, or of the checks they call, has thrown; a file that the peer wants and that is not
there; safetensors' and JSON's own errors; and those of native code that the adapter lists. Any other exception is a
crash, for a loader that fails by accident has diagnosed nothing.
"""

from __future__ import annotations

import json
import linecache
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TextIO

Layers = Mapping[str, Mapping[str, Any]]
"""Layer name -> output, such as ``W.kn`` or ``q.nk`` -> NumPy array, of shape [N, K] or [K, N]."""

INDEX: Final = "model.safetensors.index.json"
_STATUS: Final = {0: "ok", 65: "reject", 69: "unsupported", 70: "error"}
_CRASH: Final = 70
_SAYS_SO: Final = re.compile(r"\s*(raise|assert)\b")


@dataclass(frozen=True)
class Peer:
    """A loader of another project.

    Attributes:
        distribution: the package that is certified, as pip names it; its version is told.
        profiles: what it is certified for.
        dtype: of W.
        layout: ``nk`` or ``kn``, as it comes from the peer.
        read: reads a directory for one op, ``dequant`` or ``unpack``.
        checks: import packages, or folders of them, whose ``raise`` and ``assert`` are the peer's diagnosis.
        errors: dotted names of exceptions of native code, which are its diagnosis as well.
        unpacks: whether the peer shows q, z and s.
        align: multiples that N and K must have.
        policies: documented choices, for the report.
    """

    distribution: str
    profiles: tuple[str, ...]
    dtype: str
    layout: str
    read: Callable[[Path, str], Layers]
    checks: tuple[str, ...]
    errors: tuple[str, ...] = ()
    unpacks: bool = False
    align: tuple[int, int] = (1, 8)
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def ops(self) -> tuple[str, ...]:
        """Return the operations it supports."""
        return ("dequant", "unpack") if self.unpacks else ("dequant",)

    @property
    def hello(self) -> str:
        """Return the words of its greeting."""
        words = {
            "proto": "1",
            "name": self.distribution,
            "version": version(self.distribution),
            "ops": ",".join(("serve", *self.ops)),
            "dtypes": self.dtype,
            "layouts": self.layout,
            "profiles": ",".join(self.profiles),
            "align": "{},{}".format(*self.align),
            **{f"policy.{name}": value for name, value in self.policies.items()},
        }
        return " ".join(f"{key}={value}" for key, value in words.items())


def run(peer: Peer) -> int:
    """Answer the command line, ``OP INPUT OUTDIR`` or ``serve``; return the exit status."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    op, source, out = (*words, "-", "-")[:3]
    with _own_output() as answers:
        if op == "serve":
            _serve(peer, answers)
            return 0
        if op == "hello":
            (Path(out) / "hello.txt").write_text(peer.hello)
            return 0
        status, text = _answer(peer, op, Path(source), Path(out))
        print(text, file=sys.stderr)
        return status


def tensors(folder: Path) -> dict[str, Any]:
    """Return every tensor of a directory as torch reads it, by name: for peers that are given tensors, not files."""
    from safetensors.torch import load_file

    index = folder / INDEX
    if not index.exists():
        return {k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()}
    weight_map: dict[str, str] = json.loads(index.read_text())["weight_map"]
    shards = {name: load_file(folder / name) for name in sorted({*weight_map.values()})}
    return {name: shards[shard][name] for name, shard in weight_map.items()}


def quantization(folder: Path) -> dict[str, Any]:
    """Return the quantisation part of a configuration, for peers that read none: wherever it stands, as spelt there."""
    config = json.loads((folder / "config.json").read_text())
    for place in (config, config.get("text_config", {}), config.get("llm_config", {})):
        if "quantization_config" in place:
            found: dict[str, Any] = place["quantization_config"]
            return found
    own = next(file for name in ("quant_config.json", "quantize_config.json") if (file := folder / name).exists())
    return dict(json.loads(own.read_text()))


def group_size_of(config: Mapping[str, Any], k: int) -> int:
    """Return the group size in either spelling; -1 means ``k``."""
    size: int = config["group_size"] if "group_size" in config else config["q_group_size"]
    return k if size == -1 else size


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of a directory, by name: for peers whose model is made from them."""
    from safetensors import safe_open

    found: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "numpy") as shard:
            found |= {name: tuple(shard.get_slice(name).get_shape()) for name in shard.keys()}  # noqa: SIM118
    return found


def grown(model: Any, modules: Mapping[str, Any]) -> Any:
    """Return ``model``, a module of torch, with ``modules`` hung in by their dotted names."""
    from torch.nn import Module

    for name, module in modules.items():
        *parents, last = name.split(".")
        parent = model
        for part in parents:
            if part not in dict(parent.named_children()):
                parent.add_module(part, Module())
            parent = parent.get_submodule(part)
        parent.add_module(last, module)
    return model


def prefixes(names: Sequence[str] | Mapping[str, Any], role: str) -> list[str]:
    """Return the layers that have a tensor of this role."""
    return [name.removesuffix(f".{role}") for name in names if name.endswith(f".{role}")]


def _answer(peer: Peer, op: str, folder: Path, out: Path) -> tuple[int, str]:
    if op not in peer.ops:
        return 69, ""
    if not folder.is_dir() or not any(folder.glob("*.safetensors")):
        return 65, f"{folder.name} holds no safetensors file"
    try:
        layers = peer.read(folder, op)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        return (65 if _diagnosed(error, peer) else _CRASH), told
    _write(layers, out)
    return 0, ""


def _write(layers: Layers, out: Path) -> None:
    import numpy as np

    for number, name in enumerate(sorted(layers, key=str.encode)):
        for what, array in layers[name].items():
            np.save(out / f"{number}.{what}.npy", np.ascontiguousarray(array))


def _diagnosed(error: Exception, peer: Peer) -> bool:
    """Return whether the peer says itself what is wrong: see the head of this module."""
    if isinstance(error, FileNotFoundError | json.JSONDecodeError):
        return True
    kind = type(error)
    if f"{kind.__module__}.{kind.__qualname__}" in ("safetensors._safetensors_rust.SafetensorError", *peer.errors):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    file = trace.tb_frame.f_code.co_filename
    said = _SAYS_SO.match(linecache.getline(file, trace.tb_lineno)) is not None
    return said and any(f"/site-packages/{package}/" in file for package in peer.checks)


def _serve(peer: Peer, answers: TextIO) -> None:
    for line in sys.stdin:
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 5 or fields[0] != "@awq":
            continue
        _, number, op, source, out = fields
        status, text = (0, peer.hello) if op == "hello" else _answer(peer, op, Path(source), Path(out))
        print("@awq", number, _STATUS[status], "", " ".join(text.split()), sep="\t", file=answers, flush=True)


@contextmanager
def _own_output() -> Iterator[TextIO]:
    """Keep standard output for answers: what peers print, progress bars without a line feed included, goes astray."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        yield answers
