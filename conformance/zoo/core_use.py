"""The C++ core used wrongly: changes of its front door, its threads, its files and its adapter."""

from __future__ import annotations

from functools import partial
from typing import Final

from zoo.edit import Change, enter_edit

edit = partial(enter_edit, __name__.rpartition(".")[2])

ADAPTER: Final = "adapter.cpp"
CONTAINER: Final = "container.cpp"
DEQUANTIZE: Final = "dequantize.cpp"
FILE: Final = "file.cpp"
META: Final = "meta.cpp"
PARALLEL: Final = "parallel.cpp"
SHA256: Final = "sha256.cpp"
SOURCE: Final = "source.cpp"
SOURCE_HEADER: Final = "source.hpp"
TENSOR: Final = "tensor.cpp"

_OPEN: Final = "const awq::File file(arguments.input, {awq::Verify::All, arguments.mode});"

edit(
    "cpp-verifies-what-is-touched",
    "check-missing",
    "The adapter opens files with Verify::Touch: what no operation reads is not verified.",
    Change(ADAPTER, "awq::Verify::All, arguments.mode", "awq::Verify::Touch, arguments.mode"),
)
edit(
    "cpp-verifies-nothing",
    "check-missing",
    "The adapter opens files with Verify::None, for speed: nothing behind the index is verified.",
    Change(ADAPTER, "awq::Verify::All, arguments.mode", "awq::Verify::None, arguments.mode"),
)
edit(
    "cpp-leaves-what-it-wrote",
    None,
    "Tensors are verified as they are written, and what was written before a fault is not removed.",
    Change(ADAPTER, "awq::Verify::All, arguments.mode", "awq::Verify::Touch, arguments.mode"),
    Change(ADAPTER, "    for (const std::string& path : written_) std::remove(path.c_str());\n", ""),
    why="OUTPUT-ON-REJECT says it",
)
edit(
    "cpp-files-kept-by-path",
    "state-kept",
    "serve keeps files open by their path, and does not ask whether it is still the same file.",
    Change(ADAPTER, "#include <iostream>\n", "#include <iostream>\n#include <map>\n"),
    Change(
        ADAPTER,
        _OPEN,
        "static std::map<std::string, awq::File> files;\n"
        "  if (files.count(arguments.input) == 0) {\n"
        "    files.emplace(arguments.input, awq::File(arguments.input, {awq::Verify::All, arguments.mode}));\n"
        "  }\n"
        "  const awq::File& file = files.at(arguments.input);",
    ),
)
edit(
    "cpp-verified-by-number",
    "state-kept",
    "Which tensors are verified is kept in a static array, by their number in whatever file it was.",
    Change(FILE, "    verified = std::make_unique<std::atomic<bool>[]>(container.index.size());\n", ""),
    Change(
        FILE,
        "  std::unique_ptr<std::atomic<bool>[]> verified;\n",
        "  static inline std::atomic<bool> verified[1 << 20];\n",
    ),
)
edit(
    "cpp-faults-of-threads-lost",
    "check-missing",
    "What a thread throws is caught and never thrown again where its work is waited for.",
    Change(PARALLEL, "  if (fault) std::rethrow_exception(fault);\n", ""),
)
edit(
    "cpp-static-scratch",
    None,
    "The buffer that bytes are read into is static, and so shared by the threads that verify tensors.",
    Change(
        SOURCE_HEADER,
        "  std::vector<std::uint8_t> scratch;\n  for (std::uint64_t done = 0; done < size;) {",
        "  static std::vector<std::uint8_t> scratch;\n  for (std::uint64_t done = 0; done < size;) {",
    ),
    unit=TENSOR,
    options=("--mode", "pread"),
    why="what a race does is different each time",
    unsteady=True,
)
edit(
    "cpp-numbered-from-1",
    None,
    "Outputs are numbered from 1.",
    Change(
        ADAPTER, 'std::to_string(t.number) + "." + what + ".nk."', 'std::to_string(t.number + 1) + "." + what + ".nk."'
    ),
    stopped="the adapter, not the loader: good file",
)
edit(
    "cpp-experts-flattened",
    None,
    "Outputs of more than two dimensions are named as a matrix of all their rows.",
    Change(
        ADAPTER,
        '  for (unsigned i = 0; i + 1 < t.ndim; ++i) name += std::to_string(t.dims[i]) + "x";\n',
        '  name += std::to_string(t.rows()) + "x";\n',
    ),
    why="SHAPE says it",
)
edit(
    "cpp-last-block-written-whole",
    None,
    "The last block of a matrix is written at full length, whatever is left of it.",
    Change(
        ADAPTER,
        "      write(buffer.get(), static_cast<std::size_t>(count) * size);\n",
        "      write(buffer.get(), room);\n",
    ),
    why="MALFORMED-OUTPUT says it",
)
edit(
    "cpp-plain-with-padding",
    "padding-as-data",
    "The whole extent of a plain tensor is written.",
    Change(ADAPTER, '".P.bin", t.values.size, 1,', '".P.bin", t.extent_size, 1,'),
)
edit(
    "cpp-waits-for-a-pipe",
    "crashes",
    "The file is opened without O_NONBLOCK: a named pipe without a writer is waited for.",
    Change(SOURCE, " | O_NONBLOCK", ""),
    single="a named pipe is the one kind of file whose opening waits",
)
edit(
    "cpp-exits-1",
    None,
    "Every file that is refused ends in exit status 1, as an exception nobody catches does.",
    Change(ADAPTER, "kRejected = 65", "kRejected = 1"),
    stopped="the adapter, not the loader: empty file",
)
edit(
    "cpp-operation-unknown-is-usage",
    None,
    "An operation it does not know ends in a usage message and exit status 64.",
    Change(
        ADAPTER,
        'return {kUnsupported, "UNSUPPORTED", "unsupported operation"};',
        'return {kUsage, "", "unsupported operation"};',
    ),
    stopped="the adapter, not the loader: unknown operation",
)
edit(
    "cpp-answers-unflushed",
    None,
    "serve unties its input from its output, for speed, and answers without a flush.",
    Change(ADAPTER, "  std::string line, fields[5];\n", "  std::string line, fields[5];\n  std::cin.tie(nullptr);\n"),
    Change(ADAPTER, "<< '\\t' << OnOneLine(end.text) << std::endl;", "<< '\\t' << OnOneLine(end.text) << '\\n';"),
    stopped="the adapter, not the loader: unknown operation",
)
edit(
    "cpp-sha256-length-in-the-last-block",
    "rejects-valid",
    "The padding of SHA-256 has no room for the length where a message ends at byte 56 of a block.",
    Change(SHA256, "(held < 56 ? 56 : 120) - held", "(held <= 56 ? 56 : 120) - held"),
)

# What no file can show.

edit(
    "cpp-wrong-code",
    None,
    "Every fault is reported as E_SIZE.",
    Change(ADAPTER, "const std::string code = awq::Name(error.code());", 'const std::string code = "E_SIZE";'),
    survives="codes are counted, and never judged",
)
edit(
    "cpp-meta-of-another-key",
    None,
    "The value of another key of META is returned.",
    Change(META, "if (name == key) return value;", "if (name != key) return value;"),
    survives="no operation asks for META",
)
edit(
    "cpp-tensor-not-found",
    None,
    "A name is looked up with <=, which finds the tensor behind it, and so none.",
    Change(FILE, "return NameOf(c, r) < wanted; });", "return NameOf(c, r) <= wanted; });"),
    survives="outputs are named by number, and no operation asks for a name",
)
edit(
    "cpp-scale-punned",
    None,
    "A scale is read through a pointer to float, wherever its bytes lie.",
    Change(
        DEQUANTIZE,
        "    float scale;\n    std::memcpy(&scale, bytes, sizeof scale);\n    return scale;\n",
        "    return *reinterpret_cast<const float*>(bytes);\n",
    ),
    survives="undefined behaviour that does what was meant, with this compiler on this processor",
)
edit(
    "cpp-end-wraps",
    None,
    "offset + size of a section is computed in 64 bits and compared after it wrapped.",
    Change(CONTAINER, "s.offset > file_size || s.size > file_size - s.offset", "s.offset + s.size > file_size"),
    survives="where an end wraps, neither the next section nor the end of the file can be: other checks see it",
)
