# Generated from awqformat/schema.py by `python tools/generate.py`; do not edit.
meta:
  id: awq
  title: "AWQ binary file"
  file-extension: awq
  license: "Apache-2.0"
  ks-version: "0.10"
  endian: le
doc: "4-bit, group-quantised weights and plain tensors. Where things are; container.md says when they are valid."
doc-ref: "container.md"
seq:
  - id: header
    type: header
  - id: sections
    type: "section(_index)"
    repeat: expr
    repeat-expr: "header.section_count"
    doc: "The section table, in ascending order of type."
  - id: tail
    type: tail
instances:
  alignment:
    value: "1 << header.align_log2"
    doc: "A: DATA and every extent start at a multiple of it."
  meta:
    value: "sections[sections.last.meta_number]"
    if: "sections.last.meta_number >= 0"
  strings:
    value: "sections[sections.last.strings_number]"
    if: "sections.last.strings_number >= 0"
  index:
    value: "sections[sections.last.index_number]"
    if: "sections.last.index_number >= 0"
  digest:
    value: "sections[sections.last.digest_number]"
    if: "sections.last.digest_number >= 0"
  meta_text:
    pos: "meta.offset"
    size: "meta.size"
    type: str
    encoding: UTF-8
    if: "sections.last.meta_number >= 0"
    doc: "META: a JSON object of strings in canonical form."
  tensors:
    pos: "index.offset"
    type: record
    repeat: expr
    repeat-expr: "header.tensor_count"
    doc: "INDEX: one record per tensor, in ascending order of name."
  chunk_digests:
    pos: "digest.offset"
    size: 32
    repeat: expr
    repeat-expr: "digest.size / 32"
    doc: "DIGEST: SHA-256 of every 1048576 bytes of each extent, in order of the index."
types:
  header:
    seq:
      - id: magic
        contents: [137, 65, 87, 81, 13, 10, 26, 10]
        doc: "`89 41 57 51 0D 0A 1A 0A`"
      - id: major
        type: u2
        doc: "major version, 1"
      - id: minor
        type: u2
        doc: "minor version, information only"
      - id: features
        type: u4
        doc: "bit 0 ENCRYPTED; no other bit is defined"
      - id: tensor_count
        type: u4
        doc: "number of index records"
      - id: section_count
        type: u2
        doc: "number of section entries, n"
      - id: align_log2
        type: u1
        doc: "A = 1 << align_log2 aligns DATA and every extent"
      - id: hash_alg
        type: u1
        doc: "1 = SHA-256"
      - id: file_size
        type: u8
        doc: "size of the whole file in bytes"
      - id: file_id
        size: 16
        doc: "zero unless ENCRYPTED"
      - id: reserved
        size: 16
        doc: zero
  section:
    seq:
      - id: type
        type: u4
        enum: section_type
        doc: "what the section is"
      - id: flags
        type: u4
        doc: "bit 0 CRITICAL; no other bit is defined"
      - id: offset
        type: u8
        doc: "from the start of the file, a multiple of 64"
      - id: size
        type: u8
        doc: "in bytes, without padding"
      - id: reserved
        type: u8
        doc: zero
      - id: digest
        size: 32
        doc: "SHA-256 of the section's bytes; zero for DATA"
    params:
      - id: number
        type: s4
        doc: "number of the entry in the table"
    instances:
      body:
        io: "_root._io"
        pos: offset
        size: size
        doc: "The section's bytes, without padding."
      meta_number:
        value: "type == section_type::meta ? number.as<s4> : (number == 0 ? -1 : _root.sections[number - 1].meta_number.as<s4>)"
      strings_number:
        value: "type == section_type::strings ? number.as<s4> : (number == 0 ? -1 : _root.sections[number - 1].strings_number.as<s4>)"
      index_number:
        value: "type == section_type::index ? number.as<s4> : (number == 0 ? -1 : _root.sections[number - 1].index_number.as<s4>)"
      digest_number:
        value: "type == section_type::digest ? number.as<s4> : (number == 0 ? -1 : _root.sections[number - 1].digest_number.as<s4>)"
  tail:
    seq:
      - id: root
        size: 32
        doc: "SHA-256 of header and section table"
      - id: mac
        size: 32
        doc: "zero unless ENCRYPTED"
  record:
    seq:
      - id: name_off
        type: u4
        doc: "offset of the name in STRINGS"
      - id: name_len
        type: u2
        doc: "length of the name in bytes, 1..255"
      - id: ndim
        type: u1
        doc: "number of dimensions"
      - id: dtype
        type: u1
        enum: dtype
        doc: "element type; U4 means quantised, any other plain"
      - id: scale_dtype
        type: u1
        enum: dtype
        doc: "F16, BF16 or F32 when quantised, else NONE"
      - id: zero_dtype
        type: u1
        enum: dtype
        doc: "U4, or NONE when symmetric or plain"
      - id: layout
        type: u1
        enum: layout
        doc: "0 linear"
      - id: reserved
        type: u1
        doc: zero
      - id: group_size
        type: u4
        doc: "codes per scale along in_features; 0 when plain"
      - id: dims
        type: u4
        repeat: expr
        repeat-expr: 8
        doc: "row-major shape; unused entries are 0"
      - id: data_off
        type: u8
        doc: "start of the extent, from the start of the file"
      - id: extent_size
        type: u8
        doc: "size of the extent in bytes, padding included"
    instances:
      name:
        io: "_root._io"
        pos: "_root.strings.offset + name_off"
        size: name_len
        type: str
        encoding: ASCII
      extent:
        io: "_root._io"
        pos: data_off
        size: extent_size
        doc: "The values, with padding."
enums:
  section_type:
    16: meta
    32: strings
    48: index
    64: crypt
    80: tags
    96: digest
    256: data
  dtype:
    0: none
    1: bool
    2: u8
    3: i8
    4: u16
    5: i16
    6: u32
    7: i32
    8: u64
    9: i64
    10: f16
    11: bf16
    12: f32
    13: f64
    14: f8_e4m3
    15: f8_e5m2
    16: u4
  layout:
    0: linear
