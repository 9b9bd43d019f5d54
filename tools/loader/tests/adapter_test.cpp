// The executable: exit codes, names and contents of outputs (protocol awqc/1).
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "builder.hpp"
#include "check.hpp"

namespace {

using namespace builder;
namespace fs = std::filesystem;

struct Outcome {
  int exit;
  std::vector<std::string> files;  // sorted
};

class OutDir {
 public:
  OutDir() {
    path_ = (fs::temp_directory_path() / "awq-out-XXXXXX").string();
    if (!mkdtemp(path_.data())) throw std::runtime_error("no temporary folder");
  }
  ~OutDir() { fs::remove_all(path_); }
  Outcome Run(const std::string& arguments) const { return Run(arguments, path_); }
  Outcome Run(const std::string& arguments, const std::string& outdir) const {
    const std::string command =
        "'" AWQ_LOADER "' " + arguments + " '" + outdir + "' >/dev/null 2>&1 </dev/null";
    const int status = std::system(command.c_str());
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, {}};
    for (const auto& entry : fs::directory_iterator(path_)) {
      outcome.files.push_back(entry.path().filename().string());
    }
    std::sort(outcome.files.begin(), outcome.files.end());
    return outcome;
  }
  const std::string& path() const { return path_; }
  std::string Read(const std::string& name) const {
    std::ifstream in(path_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string path_;
};

using Names = std::vector<std::string>;

TEST(adapter, "each op writes its outputs under the names of the protocol and exits 0") {
  const OnDisk disk(Build(Rich()).bytes);
  struct {
    const char* arguments;
    Names files;
    std::size_t size;  // of the first
  } const rows[] = {
      {"dequant", {"1.W.nk.f32.24x64.bin", "2.W.nk.f32.2x8x24.bin", "3.W.nk.f32.8x32.bin"}, 6144},
      {"--dtype f16 dequant",
       {"1.W.nk.f16.24x64.bin", "2.W.nk.f16.2x8x24.bin", "3.W.nk.f16.8x32.bin"},
       3072},
      {"--dtype bf16 --mode pread dequant",
       {"1.W.nk.bf16.24x64.bin", "2.W.nk.bf16.2x8x24.bin", "3.W.nk.bf16.8x32.bin"},
       3072},
      {"unpack",
       {"1.q.nk.u8.24x64.bin", "1.s.nk.f32.24x4.bin", "1.z.nk.u8.24x4.bin", "2.q.nk.u8.2x8x24.bin",
        "2.s.nk.f32.2x8x3.bin", "2.z.nk.u8.2x8x3.bin", "3.q.nk.u8.8x32.bin", "3.s.nk.f32.8x1.bin",
        "3.z.nk.u8.8x1.bin"},
       1536},
      {"plain", {"0.P.bin"}, 5},
      {"inspect", {}, 0},
  };
  for (const auto& row : rows) {
    const OutDir out;
    const Outcome outcome = out.Run(std::string(row.arguments) + " " + disk.path());
    CHECK_EQUAL(outcome.exit, 0, row.arguments);
    CHECK(outcome.files == row.files, row.arguments);
    if (!row.files.empty()) {
      CHECK_EQUAL(out.Read(row.files[0]).size(), row.size, row.arguments);
    }
  }
}

TEST(adapter, "outputs hold the values, zero points of a symmetric tensor are 8") {
  const FileSpec spec = Rich();
  const OnDisk disk(Build(spec).bytes);
  const OutDir out, plain;
  out.Run("unpack " + disk.path());
  plain.Run("plain " + disk.path());
  CHECK_EQUAL(out.Read("3.z.nk.u8.8x1.bin"), std::string(8, '\x08'), "z");
  CHECK_EQUAL(int{out.Read("1.q.nk.u8.24x64.bin")[1]}, spec.tensors[1].values[0] >> 4, "q");
  CHECK_EQUAL(plain.Read("0.P.bin"), "\x01\x02\x03\x04\xff", "P");
}

// req: AWQ-CNF-006, AWQ-CNF-007
TEST(adapter, "a bad file exits 65 from every op and leaves only the reason") {
  Image image = Build(Rich());
  image.Flip(image.Extent(3));  // the last tensor, after others could have been written
  const OnDisk disk(image.bytes);
  for (const char* op : {"dequant", "unpack", "plain", "inspect", "--mode pread dequant"}) {
    const OutDir out;
    const Outcome outcome = out.Run(std::string(op) + " " + disk.path());
    CHECK_EQUAL(outcome.exit, 65, op);
    CHECK(outcome.files == Names{"reject.txt"}, op);
    CHECK_EQUAL(out.Read("reject.txt").substr(0, 24), "E_DIGEST\nE_DIGEST w.sym:", op);
  }
}

// req: AWQ-CNF-002, AWQ-CNF-003, AWQ-CNF-005
TEST(adapter, "exit codes tell rejected, unsupported, usage and unwritable apart") {
  FileSpec encrypted = Rich();
  encrypted.extra = {{kCrypt, 1, Bytes(128)}, {kTags, 1, Bytes(64)}};
  Image image = Build(encrypted);
  image.Put(12, 4, 1);
  image.RefreshRoot();
  const OnDisk good(Build(Rich()).bytes), secret(image.bytes), empty({});
  struct {
    std::string arguments;
    int exit;
    Names files;
  } const rows[] = {
      {"dequant " + secret.path(), 69, {}},
      {"dequant " + empty.path(), 65, {"reject.txt"}},
      {"dequant /nowhere/at/all", 65, {"reject.txt"}},
      {"dequant /", 65, {"reject.txt"}},
      {"matmul " + good.path(), 69, {}},
      {"serve", 69, {}},
      {"qwertz " + good.path(), 69, {}},
      {"dequant", 64, {}},
      {"--dtype f64 dequant " + good.path(), 64, {}},
      {"--nothing x dequant " + good.path(), 64, {}},
      {"--help", 0, {}},
      {"--version", 0, {}},
  };
  for (const auto& row : rows) {
    const OutDir out;
    const Outcome outcome = out.Run(row.arguments);
    CHECK_EQUAL(outcome.exit, row.exit, row.arguments);
    CHECK(outcome.files == row.files, row.arguments);
  }
  const OutDir out;
  for (const OnDisk* disk : {&good, &empty}) {
    CHECK_EQUAL(out.Run("dequant " + disk->path(), "/nowhere/at/all").exit, 74, "no such OUTDIR");
  }
}

// req: AWQ-CNF-012
TEST(adapter, "hello names what it can do, with the dtype it was given") {
  const OutDir out;
  CHECK_EQUAL(out.Run("--dtype bf16 hello -").exit, 0, "hello");
  const std::string hello = out.Read("hello.txt");
  CHECK_EQUAL(hello.substr(0, 24), "proto=1 name=awq-loader ", hello);
  CHECK(hello.find(" dtypes=bf16 ") != std::string::npos, hello);
}

TEST(adapter, "a run that fails half-way removes what it had written") {
  const OnDisk disk(Build(Rich()).bytes);
  const OutDir out;
  const std::string obstacle = "2.W.nk.f32.2x8x24.bin";  // the second output
  fs::create_directory(out.path() + "/" + obstacle);
  const Outcome outcome = out.Run("dequant " + disk.path());
  CHECK_EQUAL(outcome.exit, 74, "exit");
  CHECK(outcome.files == Names{obstacle}, "only the obstacle is left");
}

}  // namespace
