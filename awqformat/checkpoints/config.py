"""What the configuration of a directory says of its quantised layers (spec: checkpoints, "Configuration")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from awqformat.checkpoints.strict_json import Refused, parse_object
from awqformat.errors import AwqError

METHOD: Final = ("quant_method", "method")
BITS: Final = ("bits", "w_bit", "num_bits")
GROUP_SIZE: Final = ("group_size", "q_group_size")
VERSION: Final = ("version", "checkpoint_format", "format")

NESTED: Final = ("text_config", "llm_config")
"""Members of config.json that can hold a configuration in place of the top."""

NOT_READ: Final = ("bitsandbytes", "gguf", "hqq")
"""Methods that are recognised, so that they can be refused by their name."""


@dataclass(frozen=True)
class QuantConfig:
    """One configuration, each fact under one name.

    Attributes:
        where: the file and key it stands in.
        method: ``awq``, ``gptq``, ``compressed-tensors`` or ``mlx``.
        group_size: -1 for K, None if it is not said.
        symmetric: whether absent zero points mean 8.
        version: in lower case, None if it is not said.
        llm_awq: whether llm-awq wrote the layers, whatever the version.
        reordered: whether the order of in_features may have been changed (``desc_act``).
        tool: the program that quantised, None if it is not said.
    """

    where: str
    method: str
    group_size: int | None
    symmetric: bool
    version: str | None
    llm_awq: bool = False
    reordered: bool = False
    tool: str | None = None

    def with_group_size(self, group_size: int) -> QuantConfig:
        """Return the same with a group size."""
        return replace(self, group_size=group_size)

    @property
    def dialects(self) -> tuple[str, ...]:
        """The dialects that the configuration names; more than one where it leaves the choice to the tensors.

        int4pack is none of them: it goes by the configuration of gemm.

        Raises:
            AwqError: E_DIALECT for a version that is not known, or that is needed and missing.
        """
        known = _DIALECTS[self.method]
        if self.method == "awq" and self.llm_awq:
            return known["llm-awq"]
        if self.method == "mlx":
            return known[""]
        if self.version not in known:
            expected = ", ".join(known) + " (--from names a dialect)"
            raise AwqError("E_DIALECT", self.where, "version", expected=expected, got=self.version or "nothing")
        return known[self.version]


_DIALECTS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "awq": {
        "gemm": ("gemm",),
        "gemv": ("gemv",),
        "gemv_fast": ("gemv_fast",),
        "llm-awq": ("gemv", "gemv_fast"),
        "marlin": ("marlin",),
    },
    "gptq": {"gptq": ("gptq",), "gptq_v2": ("gptq_v2",)},
    "compressed-tensors": {"pack-quantized": ("ct-pack",)},
    "mlx": {"": ("mlx",)},
}
"""Method -> version -> dialects."""


def parse_config(texts: Mapping[str, str]) -> QuantConfig | None:
    """Return what the configuration files say, or None if none of them says anything of quantisation.

    Args:
        texts: the text of each file by its name, in the order of their weight.

    Raises:
        AwqError: E_CONFIG if one is malformed or two disagree, E_DIALECT for a method that is not read.
    """
    found = [_Section(where, keys).config() for name, text in texts.items() for where, keys in _sections(name, text)]
    for other in found[1:]:
        _agree(found[0], other)
    if not found:
        return None
    given = (config for config in found if config.group_size is not None)
    said = (config for config in found if config.version is not None)
    return replace(
        found[0],
        group_size=next((config.group_size for config in given), None),
        version=next((config.version for config in said), "gemm" if found[0].method == "awq" else None),
        symmetric=any(config.symmetric for config in found),
        reordered=any(config.reordered for config in found),
        llm_awq=any(config.llm_awq for config in found),
        tool=next((config.tool for config in found if config.tool), None),
    )


def _sections(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each configuration of a file, with the place where it stands."""
    try:
        whole = parse_object(text)
    except Refused as error:
        raise AwqError("E_CONFIG", name, "text", expected="a JSON object", got=error) from None
    if name != "config.json":
        yield name, _with_method(name, whole)
        return
    for path, holder in [("", whole), *((f"{key}.", whole[key]) for key in NESTED if isinstance(whole.get(key), dict))]:
        for key in ("quantization_config", "quantization"):
            section = holder.get(key)
            if section is None:
                continue
            if not isinstance(section, dict):
                raise AwqError("E_CONFIG", name, path + key, expected="an object", got=section)
            if not _has_method(section) and holder.get("quantization") is not None:
                section = section | {"quant_method": "mlx"}  # mlx writes the same object under both keys, unsigned
            yield f"{name}: {path}{key}", section


def _with_method(name: str, keys: dict[str, Any]) -> dict[str, Any]:
    """Add the method where the tool that owns the file leaves it out: AutoAWQ and AutoGPTQ did."""
    if not _has_method(keys):
        if name == "quant_config.json" and "w_bit" in keys:
            return keys | {"quant_method": "awq"}
        if name == "quantize_config.json" and "desc_act" in keys:
            return keys | {"quant_method": "gptq"}
    return keys


def _has_method(keys: Mapping[str, Any]) -> bool:
    return any(keys.get(spelling) is not None for spelling in METHOD)


def _agree(first: QuantConfig, other: QuantConfig) -> None:
    for field in ("method", "group_size", "version"):
        expected, got = getattr(first, field), getattr(other, field)
        if expected is not None and got is not None and expected != got:
            raise AwqError("E_CONFIG", other.where, field, expected=f"{expected}, as in {first.where}", got=got)


@dataclass(frozen=True)
class _Section:
    """The keys of one configuration and where they stand."""

    where: str
    keys: Mapping[str, Any]

    def fault(self, key: str, expected: object, got: object, code: str = "E_CONFIG") -> AwqError:
        return AwqError(code, self.where, key, expected=expected, got="nothing" if got is None else repr(got))

    def config(self) -> QuantConfig:
        """Return what the section says."""
        method = self.method()
        if method == "compressed-tensors":
            return self._compressed_tensors()
        if self.keys.get("mode") not in (None, "affine"):
            got = f"mlx mode {self.keys['mode']}, which is recognised but not read"
            raise AwqError("E_DIALECT", self.where, "mode", expected="affine", got=got)
        self.bits()
        self._no_exceptions()
        version = None if method == "mlx" else self.text(VERSION)
        return QuantConfig(
            self.where,
            method,
            self.group_size(),
            self.symmetric(),
            version,
            llm_awq=method == "awq" and self.text(("backend",)) == "llm-awq",
            reordered=self.flag("desc_act") is True,
            tool=self._tool(),
        )

    def one(self, spellings: tuple[str, ...]) -> tuple[str, Any]:
        """Return the spelling in use and its value, (the first spelling, None) if there is none."""
        given = [(key, self.keys[key]) for key in spellings if self.keys.get(key) is not None]
        for key, value in given[1:]:
            if _folded(value) != _folded(given[0][1]):
                raise self.fault(key, f"{given[0][1]!r}, as {given[0][0]} says", value)
        return given[0] if given else (spellings[0], None)

    def text(self, spellings: tuple[str, ...]) -> str | None:
        key, value = self.one(spellings)
        if value is not None and not isinstance(value, str):
            raise self.fault(key, "a text", value)
        return None if value is None else value.lower()

    def flag(self, key: str) -> bool | None:
        value = self.keys.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.fault(key, "true or false", value)
        return value

    def method(self) -> str:
        method = self.text(METHOD)
        if method is None and ("load_in_4bit" in self.keys or "load_in_8bit" in self.keys):
            method = "bitsandbytes"
        if method in NOT_READ:
            got = f"{method}, which is recognised but not read"
            raise AwqError("E_DIALECT", self.where, METHOD[0], expected="awq, gptq or compressed-tensors", got=got)
        if method not in ("awq", "gptq", "compressed-tensors", "mlx"):
            raise self.fault(METHOD[0], "awq, gptq or compressed-tensors", method)
        return method

    def bits(self) -> None:
        key, value = self.one(BITS)
        if type(value) is not int:
            raise self.fault(key, 4, value)
        if value != 4:
            raise AwqError("E_CONFIG", self.where, key, expected=4, got=f"{value}, which is recognised but not read")

    def group_size(self) -> int | None:
        key, value = self.one(GROUP_SIZE)
        if value is None:
            return None
        if type(value) is not int or (value != -1 and value < 1):  # what else is illegal depends on K: E_GROUP
            raise self.fault(key, "-1 or a number from 1 up", value)
        return value

    def symmetric(self) -> bool:
        """Return whether absent zero points mean 8."""
        said = {key: self.flag(key) for key in ("zero_point", "sym", "symmetric")}
        meanings = {
            key: not value if key == "zero_point" else value for key, value in said.items() if value is not None
        }
        if len(set(meanings.values())) > 1:
            raise self.fault(list(meanings)[-1], "one meaning with zero_point", said)
        return any(meanings.values())

    def _tool(self) -> str | None:
        """Return the program that quantised, where GPTQModel or auto-round name themselves."""
        meta = self.keys.get("meta")
        said = meta.get("quantizer") if isinstance(meta, dict) else None
        if isinstance(said, list):
            said = ", ".join(map(str, said))
        if said is None and isinstance(self.keys.get("autoround_version"), str):
            said = f"auto-round {self.keys['autoround_version']}"
        return said if isinstance(said, str) and said else None

    def _no_exceptions(self) -> None:
        """Refuse layers with another width or group size than the rest (GPTQModel's dynamic, mlx's own keys)."""
        dynamic = self.keys.get("dynamic")
        if dynamic is not None and not isinstance(dynamic, dict):
            raise self.fault("dynamic", "an object", dynamic)
        for name, entry in {**(dynamic or {}), **self.keys}.items():
            if isinstance(entry, dict) and name not in ("dynamic", "meta"):
                for spellings in (BITS, GROUP_SIZE):
                    due = self.one(spellings)[1]
                    for key in spellings:
                        if entry.get(key) not in (None, due):
                            raise self.fault(f"{name}: {key}", f"{due!r} for every layer", entry[key])

    def _compressed_tensors(self) -> QuantConfig:
        groups = self.keys.get("config_groups")
        if not isinstance(groups, dict) or not groups:
            raise self.fault("config_groups", "an object of groups", groups)
        found = []
        for name, group in groups.items():
            if not isinstance(group, dict):
                raise self.fault(f"config_groups.{name}", "an object", group)
            for section in (self, _Section(f"{self.where}.config_groups.{name}", group)):
                layout = section.text(("format",))
                if layout != "pack-quantized" and (layout is not None or section is self):
                    raise section.fault("format", "pack-quantized", layout, "E_DIALECT")
            weights = group.get("weights")
            if isinstance(weights, dict):
                found.append(_Section(f"{self.where}.config_groups.{name}.weights", weights)._weights())
        if not found:
            raise self.fault("config_groups", "a group with weights", groups)
        for other in found[1:]:
            _agree(found[0], other)
        return replace(found[0], where=self.where, symmetric=any(config.symmetric for config in found))

    def _weights(self) -> QuantConfig:
        self.bits()
        if (kind := self.text(("type",))) not in (None, "int"):
            raise self.fault("type", "int", kind)
        strategy, size = self.text(("strategy",)), self.group_size()
        if strategy == "channel":
            if size not in (None, -1):
                raise self.fault("group_size", "none, as strategy says channel", size)
            size = -1
        elif strategy not in (None, "group"):
            raise self.fault("strategy", "group or channel", strategy)
        return QuantConfig(
            self.where, "compressed-tensors", size, self.flag("symmetric") is not False, "pack-quantized"
        )


def _folded(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
