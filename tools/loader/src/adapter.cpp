// awq-loader: the library behind the adapter protocol awqc/1, one-shot and serve (spec: conformance).
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "awq/awq.hpp"

namespace {

constexpr int kAccepted = 0, kUsage = 64, kRejected = 65, kUnsupported = 69;
constexpr int kInternal = 70, kOutput = 74;  // neither is a verdict on the file

constexpr const char* kHelp =
    "awq-loader [--dtype f32|f16|bf16] [--mode mmap|pread] OP INPUT OUTDIR\n"
    "awq-loader [--dtype f32|f16|bf16] [--mode mmap|pread] serve\n"
    "\n"
    "Reads the .awq file INPUT, verifies all of it and writes what OP asks for to the empty\n"
    "folder OUTDIR, as headerless little-endian files NUMBER.WHAT.nk.DTYPE.D0xD1.bin.\n"
    "\n"
    "  dequant  W of every quantized tensor, in the dtype of --dtype (default f32)\n"
    "  unpack   q and z (u8) and s (f32) of every quantized tensor\n"
    "  plain    NUMBER.P.bin, the bytes of every plain tensor\n"
    "  inspect  nothing: accept or reject only\n"
    "  hello    hello.txt, what this adapter can do (INPUT is -)\n"
    "  serve    requests from standard input until it ends, one a line\n"
    "\n"
    "Exit code: 0 accepted, 65 rejected (the reason is in OUTDIR/reject.txt), 69 unsupported,\n"
    "64 usage, 70 internal error, 74 OUTDIR cannot be written.\n";

struct Arguments {
  awq::Dtype dtype = awq::Dtype::F32;
  const char* dtype_name = "f32";
  awq::Mode mode = awq::Mode::Mmap;
  std::string op, input, outdir;
};

struct OutputError : std::runtime_error {
  explicit OutputError(const std::string& path)
      : std::runtime_error(path + ": " + std::strerror(errno)) {}
};

// The files of this run; those of a run that fails are removed again.
class Outputs {
 public:
  explicit Outputs(std::string folder) : folder_(std::move(folder)) {}

  // Calls fill(write), where write(bytes, size) appends to the file.
  template <typename Fill>
  void Write(const std::string& name, Fill fill) {
    const std::string path = folder_ + "/" + name;
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (!file) throw OutputError(path);
    written_.push_back(path);
    try {
      fill([&](const void* bytes, std::size_t size) {
        if (std::fwrite(bytes, 1, size, file) != size) throw OutputError(path);
      });
    } catch (...) {
      std::fclose(file);
      throw;
    }
    if (std::fclose(file) != 0) throw OutputError(path);
  }

  void WriteText(const std::string& name, const std::string& text) {
    Write(name, [&](auto write) { write(text.data(), text.size()); });
  }

  void Discard() {
    for (const std::string& path : written_) std::remove(path.c_str());
    written_.clear();
  }

 private:
  std::string folder_;
  std::vector<std::string> written_;
};

// NUMBER.WHAT.nk.DTYPE.D0xD1.bin; `columns` is the last dimension.
std::string OutputName(const awq::Tensor& t, const char* what, const char* dtype,
                       std::uint64_t columns) {
  std::string name = std::to_string(t.number) + "." + what + ".nk." + dtype + ".";
  for (unsigned i = 0; i + 1 < t.ndim; ++i) name += std::to_string(t.dims[i]) + "x";
  return name + std::to_string(columns) + ".bin";
}

// Writes a matrix of `total` elements in blocks, so that memory does not grow with the tensor.
// read(range, buffer, bytes) fills the buffer with elements of `size` bytes.
template <typename Read>
void WriteMatrix(Outputs& outputs, const std::string& name, std::uint64_t total, std::size_t size,
                 Read read) {
  constexpr std::uint64_t kElements = std::uint64_t{1} << 18;
  const auto room = static_cast<std::size_t>(std::min(kElements, total)) * size;
  const std::unique_ptr<std::byte[]> buffer(new std::byte[room]);
  outputs.Write(name, [&](auto write) {
    for (std::uint64_t first = 0; first < total; first += kElements) {
      const std::uint64_t count = std::min(kElements, total - first);
      read(awq::Range{first, count}, static_cast<void*>(buffer.get()), room);
      write(buffer.get(), static_cast<std::size_t>(count) * size);
    }
  });
}

void Dequantize(const awq::File& file, const awq::Tensor& t, const Arguments& arguments,
                Outputs& outputs) {
  WriteMatrix(outputs, OutputName(t, "W", arguments.dtype_name, t.in_features()), t.elements(),
              awq::Bits(arguments.dtype) / 8, [&](awq::Range range, void* out, std::size_t room) {
                file.Dequantize(t.number, range, arguments.dtype, out, room);
              });
}

void Unpack(const awq::File& file, const awq::Tensor& t, Outputs& outputs) {
  const std::uint64_t groups = t.rows() * t.groups();
  WriteMatrix(outputs, OutputName(t, "q", "u8", t.in_features()), t.elements(), 1,
              [&](awq::Range range, void* out, std::size_t room) {
                file.Codes(t.number, range, static_cast<std::uint8_t*>(out), room);
              });
  WriteMatrix(outputs, OutputName(t, "z", "u8", t.groups()), groups, 1,
              [&](awq::Range range, void* out, std::size_t room) {
                file.ZeroPoints(t.number, range, static_cast<std::uint8_t*>(out), room);
              });
  WriteMatrix(outputs, OutputName(t, "s", "f32", t.groups()), groups, sizeof(float),
              [&](awq::Range range, void* out, std::size_t room) {
                file.Scales(t.number, range, static_cast<float*>(out), room / sizeof(float));
              });
}

void Plain(const awq::File& file, const awq::Tensor& t, Outputs& outputs) {
  WriteMatrix(outputs, std::to_string(t.number) + ".P.bin", t.values.size, 1,
              [&](awq::Range range, void* out, std::size_t) {
                file.Read(t.number, {range.first, range.count}, out);
              });
}

std::string Hello(const Arguments& arguments) {
  return "proto=1 name=awq-loader version=" AWQ_VERSION
         " ops=serve,dequant,unpack,plain,inspect dtypes=" +
         std::string(arguments.dtype_name) + " layouts=nk profiles=core align=1,8";
}

void Perform(const Arguments& arguments, Outputs& outputs) {
  if (arguments.op == "hello") return outputs.WriteText("hello.txt", Hello(arguments) + "\n");
  const awq::File file(arguments.input, {awq::Verify::All, arguments.mode});
  for (std::size_t i = 0; i < file.size(); ++i) {
    const awq::Tensor t = file.tensor(i);
    if (arguments.op == "dequant" && t.quantized()) Dequantize(file, t, arguments, outputs);
    if (arguments.op == "unpack" && t.quantized()) Unpack(file, t, outputs);
    if (arguments.op == "plain" && !t.quantized()) Plain(file, t, outputs);
  }
}

bool Supported(const std::string& op) {
  const char* const ops[] = {"hello", "dequant", "unpack", "plain", "inspect"};
  return std::find(std::begin(ops), std::end(ops), op) != std::end(ops);
}

// How one request ended: an exit status, the error code if there is one, and a line for people.
struct Ending {
  int status;
  std::string code, text;
};

Ending Run(const Arguments& arguments) {
  if (!Supported(arguments.op)) return {kUnsupported, "UNSUPPORTED", "unsupported operation"};
  Outputs outputs(arguments.outdir);
  try {
    try {
      Perform(arguments, outputs);
      return {kAccepted, "", ""};
    } catch (const awq::Error& error) {
      outputs.Discard();
      const std::string code = awq::Name(error.code());
      if (error.code() == awq::Code::UNSUPPORTED) return {kUnsupported, code, error.what()};
      outputs.WriteText("reject.txt", code + "\n" + error.what() + "\n");
      return {kRejected, code, error.what()};
    }
  } catch (const OutputError& error) {
    outputs.Discard();
    return {kOutput, "", std::string("cannot write ") + error.what()};
  } catch (const std::exception& error) {
    outputs.Discard();
    return {kInternal, "", std::string("internal error: ") + error.what()};
  }
}

const char* StatusName(int status) {
  if (status == kAccepted) return "ok";
  if (status == kRejected) return "reject";
  return status == kUnsupported ? "unsupported" : "error";
}

// A line of the protocol may hold neither; names of tensors in an error could.
std::string OnOneLine(std::string text) {
  for (char& c : text) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

// One request: five fields, the first of which is the tag. What is none is ignored.
bool Parse(const std::string& line, std::string (&fields)[5]) {
  std::size_t start = 0;
  for (int i = 0; i < 5; ++i) {
    const std::size_t end = line.find('\t', start);
    if ((end == std::string::npos) != (i == 4)) return false;
    fields[i] = line.substr(start, end - start);
    start = end + 1;
  }
  return fields[0] == "@awq";
}

int Serve(Arguments arguments) {
  std::string line, fields[5];
  while (std::getline(std::cin, line)) {
    if (!Parse(line, fields)) continue;
    arguments.op = fields[2], arguments.input = fields[3], arguments.outdir = fields[4];
    const Ending end = arguments.op == "hello" ? Ending{kAccepted, "", Hello(arguments)}
                                               : Run(arguments);
    std::cout << "@awq\t" << fields[1] << '\t' << StatusName(end.status) << '\t' << end.code
              << '\t' << OnOneLine(end.text) << std::endl;
  }
  return kAccepted;
}

int Usage(const std::string& problem) {
  std::cerr << "awq-loader: " << problem << " (awq-loader --help)\n";
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  int i = 1;
  for (; i < argc && std::strncmp(argv[i], "--", 2) == 0; i += 2) {
    const std::string option = argv[i];
    if (option == "--help" || option == "--version") {
      std::cout << (option == "--help" ? kHelp : "awq-loader " AWQ_VERSION "\n");
      return kAccepted;
    }
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--dtype" && value == "f32") {
      arguments.dtype = awq::Dtype::F32, arguments.dtype_name = "f32";
    } else if (option == "--dtype" && value == "f16") {
      arguments.dtype = awq::Dtype::F16, arguments.dtype_name = "f16";
    } else if (option == "--dtype" && value == "bf16") {
      arguments.dtype = awq::Dtype::BF16, arguments.dtype_name = "bf16";
    } else if (option == "--mode" && (value == "mmap" || value == "pread")) {
      arguments.mode = value == "mmap" ? awq::Mode::Mmap : awq::Mode::Pread;
    } else {
      return Usage("unknown option or value: " + option + " " + value);
    }
  }
  if (i == argc) return Usage("no operation");
  arguments.op = argv[i];
  if (arguments.op == "serve" && argc - i == 1) return Serve(arguments);
  if (Supported(arguments.op)) {
    if (argc - i != 3) return Usage(arguments.op + " takes INPUT and OUTDIR");
    arguments.input = argv[i + 1];
    arguments.outdir = argv[i + 2];
  }
  const Ending end = Run(arguments);
  if (end.status != kAccepted) std::cerr << "awq-loader: " << end.text << '\n';
  return end.status;
}
