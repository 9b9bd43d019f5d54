"""The layouts in which public programs store AWQ weights: one table, one codec (spec: layouts)."""

from awqformat.dialects.codec import PADDING, SIGNED_ZEROS, Decoded, decode, encode
from awqformat.dialects.layer import Form, Layer, layer_of, specs, usual_form
from awqformat.dialects.recognition import fit, recognise
from awqformat.dialects.table import DIALECTS, Dialect, Rule

__all__ = [
    "DIALECTS",
    "PADDING",
    "SIGNED_ZEROS",
    "Decoded",
    "Dialect",
    "Form",
    "Layer",
    "Rule",
    "decode",
    "encode",
    "fit",
    "layer_of",
    "recognise",
    "specs",
    "usual_form",
]
