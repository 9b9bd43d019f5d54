// The C interface: what it hands out is what C++ hands out, and every failure is a code and a line.
#include <cstring>
#include <thread>
#include <vector>

#include "awq/awq.h"
#include "awq/awq.hpp"
#include "builder.hpp"
#include "check.hpp"

namespace {

using namespace builder;

struct Closer {
  void operator()(awq_file* file) const { awq_close(file); }
};
using Handle = std::unique_ptr<awq_file, Closer>;

Handle Open(const std::string& path, int verify = AWQ_TOUCH, int mode = AWQ_MMAP) {
  awq_file* file = nullptr;
  awq_error error;
  CHECK_EQUAL(awq_open(path.c_str(), verify, mode, &file, &error), AWQ_OK, path);
  return Handle(file);
}

std::vector<float> Weights(const awq_file* file, const awq_tensor& t) {
  std::vector<float> out(t.rows * t.in_features);
  CHECK_EQUAL(
      awq_dequantize(file, t.number, 0, t.rows, AWQ_F32, out.data(), 4 * out.size(), nullptr),
      AWQ_OK, t.name);
  return out;
}

}  // namespace

TEST(capi, "weights, codes, zero points, scales and plain bytes are those of the C++ interface") {
  const OnDisk disk(Build(Rich()).bytes);
  const awq::File cpp(disk.path());
  for (const int mode : {AWQ_MMAP, AWQ_PREAD}) {
    const Handle file = Open(disk.path(), AWQ_TOUCH, mode);
    CHECK_EQUAL(awq_tensor_count(file.get()), cpp.size(), "count");
    for (std::size_t i = 0; i < cpp.size(); ++i) {
      const awq::Tensor t = cpp.tensor(i);
      awq_tensor info, found;
      CHECK_EQUAL(awq_tensor_info(file.get(), i, &info, nullptr), AWQ_OK, i);
      CHECK_EQUAL(awq_find(file.get(), info.name, &found, nullptr), AWQ_OK, info.name);
      CHECK(std::memcmp(&info, &found, sizeof info) == 0, info.name);
      CHECK_EQUAL(std::string(info.name), std::string(t.name), i);
      if (info.dtype != AWQ_U4) {
        std::vector<std::uint8_t> c(info.stored_bytes), plus(c.size());
        CHECK_EQUAL(awq_plain(file.get(), i, 0, c.size(), c.data(), nullptr), AWQ_OK, i);
        cpp.Read(i, {0, plus.size()}, plus.data());
        CHECK(c == plus, info.name);
        continue;
      }
      std::vector<float> weights(t.elements()), scales(t.rows() * t.groups()), scales_c(scales);
      cpp.Dequantize(i, t.Rows(0, t.rows()), awq::Dtype::F32, weights.data(), 4 * weights.size());
      CHECK(Weights(file.get(), info) == weights, info.name);
      std::vector<std::uint8_t> codes(t.elements()), codes_c(codes), zeros(scales.size()),
          zeros_c(zeros);
      cpp.Codes(i, t.Rows(0, t.rows()), codes.data(), codes.size());
      cpp.ZeroPoints(i, t.GroupRows(0, t.rows()), zeros.data(), zeros.size());
      cpp.Scales(i, t.GroupRows(0, t.rows()), scales.data(), scales.size());
      awq_codes(file.get(), i, 0, info.rows, codes_c.data(), codes_c.size(), nullptr);
      awq_zero_points(file.get(), i, 0, info.rows, zeros_c.data(), zeros_c.size(), nullptr);
      awq_scales(file.get(), i, 0, info.rows, scales_c.data(), scales_c.size(), nullptr);
      CHECK(codes == codes_c && zeros == zeros_c && scales == scales_c, info.name);
    }
  }
}

TEST(capi, "a fault of the file is its code, its place and one line") {
  Image image = Build(Small());
  image.Put(22, 1, 13);
  image.RefreshRoot();
  awq_file* file = reinterpret_cast<awq_file*>(&image);
  awq_error error;
  CHECK_EQUAL(awq_open_memory(image.bytes.data(), image.bytes.size(), AWQ_ALL, &file, &error),
              AWQ_E_ALIGN, "align_log2");
  CHECK(file == nullptr, "no half-open file");
  CHECK_EQUAL(std::string(error.name), "E_ALIGN", "name");
  CHECK_EQUAL(std::string(error.where), "header", "where");
  CHECK(error.has_offset == 1 && error.offset == 22, "offset");
  CHECK(std::strchr(error.message, '\n') == nullptr, "one line");
}

TEST(capi, "a mistake of the caller is ARGUMENT or NOT_FOUND and touches nothing") {
  const OnDisk disk(Build(Rich()).bytes);
  const Handle file = Open(disk.path());
  awq_tensor t;
  awq_error error;
  float out[4] = {7, 7, 7, 7};
  awq_file* other = nullptr;
  CHECK_EQUAL(awq_find(file.get(), "missing", &t, &error), AWQ_NOT_FOUND, "name");
  CHECK_EQUAL(awq_tensor_info(file.get(), 99, &t, &error), AWQ_ARGUMENT, "number");
  CHECK_EQUAL(awq_dequantize(file.get(), 1, 0, 24, AWQ_F32, out, sizeof out, &error), AWQ_ARGUMENT,
              "room");
  CHECK_EQUAL(awq_dequantize(file.get(), 1, ~0ull, 2, AWQ_F32, out, sizeof out, &error),
              AWQ_ARGUMENT, "wrap");
  CHECK_EQUAL(awq_dequantize(file.get(), 1, 0, 0, AWQ_U8, out, 0, &error), AWQ_ARGUMENT, "dtype");
  CHECK_EQUAL(awq_codes(file.get(), 0, 0, 1, nullptr, 0, nullptr), AWQ_ARGUMENT, "plain, NULL");
  CHECK_EQUAL(awq_open(nullptr, AWQ_ALL, AWQ_MMAP, &other, &error), AWQ_ARGUMENT, "no path");
  CHECK_EQUAL(awq_open("/nowhere", 9, AWQ_MMAP, &other, &error), AWQ_ARGUMENT, "no such awq_when");
  CHECK_EQUAL(awq_open("/nowhere", AWQ_ALL, AWQ_MMAP, &other, &error), AWQ_E_FILE, "no file");
  for (const float value : out) CHECK_EQUAL(value, 7.0f, "untouched");
}

TEST(capi, "one file is used by several threads at once") {
  const OnDisk disk(Build(Rich()).bytes);
  for (const int mode : {AWQ_MMAP, AWQ_PREAD}) {
    const Handle expected = Open(disk.path()), file = Open(disk.path(), AWQ_TOUCH, mode);
    std::vector<std::thread> threads;
    std::vector<int> wrong(4);
    for (std::size_t n = 0; n < wrong.size(); ++n) {
      threads.emplace_back([&, n] {
        for (int round = 0; round < 50; ++round) {
          for (std::uint64_t i = 1; i < 4; ++i) {
            awq_tensor t;
            awq_tensor_info(file.get(), (i + n) % 3 + 1, &t, nullptr);
            std::vector<float> got(t.rows * t.in_features), due(got);
            awq_dequantize(file.get(), t.number, 0, t.rows, AWQ_F32, got.data(), 4 * got.size(),
                           nullptr);
            awq_dequantize(expected.get(), t.number, 0, t.rows, AWQ_F32, due.data(), 4 * due.size(),
                           nullptr);
            wrong[n] += got != due;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const int count : wrong) CHECK_EQUAL(count, 0, mode);
  }
}
