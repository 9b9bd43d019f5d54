// Stage I: one fault at a time, digests of sections and root refreshed.
#include "awq/awq.hpp"
#include "builder.hpp"
#include "check.hpp"

namespace {

using namespace builder;

constexpr std::size_t kPlainRecord = 0, kQuantRecord = 1, kExpertRecord = 2;  // of Rich()

// Places of the fields of a record.
constexpr std::uint64_t kNameOff = 0, kNameLen = 4, kNdim = 6, kDtype = 7, kScaleDtype = 8,
                        kZeroDtype = 9, kLayout = 10, kReserved = 11, kGroupSize = 12, kDims = 16,
                        kDataOff = 48, kExtentSize = 56;

template <typename Edit>
std::string After(Edit edit, const FileSpec& spec = Rich()) {
  Image image = Build(spec);
  edit(image);
  image.RefreshSections();
  return Verdict(image);
}

struct Row {
  const char* what;
  std::size_t record;
  std::uint64_t at;
  int width;
  std::uint64_t value;
  const char* code;
};

const Row kRows[] = {
    {"I01 name_len", kQuantRecord, kNameLen, 2, 0, "E_NAME"},
    {"I01 name_len", kQuantRecord, kNameLen, 2, 256, "E_NAME"},
    {"I01 name_len", kQuantRecord, kNameLen, 2, 2, "E_NAME"},
    {"I01 last name past STRINGS", 3, kNameLen, 2, 6, "E_NAME"},
    {"I01 bytes left over", 3, kNameLen, 2, 4, "E_NAME"},
    {"I01 overlap", kQuantRecord, kNameOff, 4, 5, "E_NAME"},
    {"I01 gap", kQuantRecord, kNameOff, 4, 7, "E_NAME"},
    {"I01 name_off", kQuantRecord, kNameOff, 4, 0xffffffff, "E_NAME"},
    {"I05 dtype", kPlainRecord, kDtype, 1, 0, "E_ENUM"},
    {"I05 dtype", kPlainRecord, kDtype, 1, 17, "E_ENUM"},
    {"I05 dtype", kQuantRecord, kDtype, 1, 255, "E_ENUM"},
    {"I05 scale_dtype", kQuantRecord, kScaleDtype, 1, 17, "E_ENUM"},
    {"I05 scale_dtype", kPlainRecord, kScaleDtype, 1, 255, "E_ENUM"},
    {"I05 zero_dtype", kQuantRecord, kZeroDtype, 1, 17, "E_ENUM"},
    {"I05 zero_dtype", kPlainRecord, kZeroDtype, 1, 255, "E_ENUM"},
    {"I06 scale_dtype none", kQuantRecord, kScaleDtype, 1, 0, "E_RECORD"},
    {"I06 scale_dtype I8", kQuantRecord, kScaleDtype, 1, 3, "E_RECORD"},
    {"I06 scale_dtype F64", kQuantRecord, kScaleDtype, 1, 13, "E_RECORD"},
    {"I06 zero_dtype F16", kQuantRecord, kZeroDtype, 1, 10, "E_RECORD"},
    {"I06 plain with scales", kPlainRecord, kScaleDtype, 1, 10, "E_RECORD"},
    {"I06 plain with zeros", kPlainRecord, kZeroDtype, 1, 16, "E_RECORD"},
    {"I06 plain with groups", kPlainRecord, kGroupSize, 4, 8, "E_RECORD"},
    {"I06 plain with layout", kPlainRecord, kLayout, 1, 1, "E_RECORD"},
    {"I06 quantized called U8", kQuantRecord, kDtype, 1, 2, "E_RECORD"},
    {"I07 layout", kQuantRecord, kLayout, 1, 1, "E_FEATURE"},
    {"I07 layout", kQuantRecord, kLayout, 1, 127, "E_FEATURE"},
    {"I07 private layout", kQuantRecord, kLayout, 1, 255, "E_FEATURE"},
    {"I08 ndim", kPlainRecord, kNdim, 1, 9, "E_DIMS"},
    {"I08 ndim", kPlainRecord, kNdim, 1, 255, "E_DIMS"},
    {"I08 ndim", kQuantRecord, kNdim, 1, 0, "E_DIMS"},
    {"I08 ndim", kQuantRecord, kNdim, 1, 1, "E_DIMS"},
    {"I08 ndim", kQuantRecord, kNdim, 1, 9, "E_DIMS"},
    {"I09 dim", kQuantRecord, kDims, 4, 0, "E_DIMS"},
    {"I09 dim", kExpertRecord, kDims + 8, 4, 0, "E_DIMS"},
    {"I09 dim", kPlainRecord, kNdim, 1, 2, "E_DIMS"},
    {"I10 dim beyond ndim", kPlainRecord, kDims + 4, 4, 1, "E_RESERVED"},
    {"I10 dim beyond ndim", kQuantRecord, kDims + 28, 4, 1, "E_RESERVED"},
    {"I10 scalar with a dim", kPlainRecord, kNdim, 1, 0, "E_RESERVED"},
    {"I10 reserved", kQuantRecord, kReserved, 1, 1, "E_RESERVED"},
    {"I12 dim 2^31", kQuantRecord, kDims, 4, 1u << 31, "E_SIZE"},
    {"I12 dim 2^32-1", kQuantRecord, kDims, 4, 0xffffffff, "E_SIZE"},
    {"I12 experts 2^32-1", kExpertRecord, kDims, 4, 0xffffffff, "E_SIZE"},
    {"I12 K 2^31", kQuantRecord, kDims + 4, 4, 1u << 31, "E_SIZE"},
    {"I12 K 2^32-1", kQuantRecord, kDims + 4, 4, 0xffffffff, "E_GROUP"},
    {"I13 K", kQuantRecord, kDims + 4, 4, 60, "E_GROUP"},
    {"I14 group_size", kQuantRecord, kGroupSize, 4, 0, "E_GROUP"},
    {"I14 group_size", kQuantRecord, kGroupSize, 4, 1, "E_GROUP"},
    {"I14 group_size", kQuantRecord, kGroupSize, 4, 7, "E_GROUP"},
    {"I14 group_size", kQuantRecord, kGroupSize, 4, 12, "E_GROUP"},
    {"I14 group_size over K", kQuantRecord, kGroupSize, 4, 128, "E_GROUP"},
    {"I14 group_size not dividing K", kQuantRecord, kGroupSize, 4, 24, "E_GROUP"},
    {"I14 group_size", kQuantRecord, kGroupSize, 4, 0xffffffff, "E_GROUP"},
    {"I15 extent_size", kQuantRecord, kExtentSize, 8, 0, "E_SIZE"},
    {"I15 extent_size", kQuantRecord, kExtentSize, 8, 65, "E_SIZE"},
    {"I15 extent_size", kQuantRecord, kExtentSize, 8, ~0ull, "E_SIZE"},
    {"I15 other group size", kQuantRecord, kGroupSize, 4, 8, "E_SIZE"},
    {"I15 other scale dtype", kQuantRecord, kScaleDtype, 1, 12, "E_SIZE"},
    {"I15 symmetric", kQuantRecord, kZeroDtype, 1, 0, "E_SIZE"},
    {"I15 plain of 64 bits", kPlainRecord, kDims, 4, 65, "E_SIZE"},
    {"I16 data_off", kQuantRecord, kDataOff, 8, 0, "E_LAYOUT"},
    {"I16 data_off", kQuantRecord, kDataOff, 8, ~0ull - 63, "E_LAYOUT"},
    {"I16 data_off", kPlainRecord, kDataOff, 8, 1ull << 63, "E_LAYOUT"},
};

TEST(index, "one wrong field of one record gets its code") {
  for (const Row& row : kRows) {
    const auto edit = [&](Image& i) { i.Put(i.Record(row.record) + row.at, row.width, row.value); };
    CHECK_EQUAL(After(edit), row.code, std::string(row.what) + " = " + std::to_string(row.value));
  }
}

TEST(index, "I02: a name is made of [A-Za-z0-9._-] and starts with neither dot nor dash") {
  const Image good = Build(Rich());
  for (int byte = 0; byte < 256; ++byte) {
    const bool plain = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                       (byte >= '0' && byte <= '9') || byte == '_';
    for (const bool first : {true, false}) {
      // The only name of its file, so that order plays no part.
      FileSpec spec = Small();
      spec.tensors[0].name = first ? "?w" : "w?";
      Image image = Build(spec);
      image.bytes[image.Section(kStrings) + (first ? 0 : 1)] = static_cast<std::uint8_t>(byte);
      image.RefreshSections();
      const bool legal = plain || (!first && (byte == '.' || byte == '-'));
      CHECK_EQUAL(Verdict(image), legal ? "accept" : "E_NAME", byte);
    }
  }
}

TEST(index, "I03, I04: names ascend bytewise, without doubles; odd ones are ordinary") {
  struct {
    const char* what;
    std::vector<std::string> names;
    const char* code;
  } const rows[] = {
      {"doubled", {"a", "a"}, "E_NAME_ORDER"},
      {"descending", {"b", "a"}, "E_NAME_ORDER"},
      {"a prefix comes first", {"ab", "a"}, "E_NAME_ORDER"},
      {"case", {"a", "A"}, "E_NAME_ORDER"},
      {"numbers are text", {"w.10", "w.2"}, "accept"},
      {"differ in case", {"A", "a"}, "accept"},
      {"dunder and longest", {"__class__", std::string(255, 'x')}, "accept"},
  };
  for (const auto& row : rows) {
    FileSpec spec;
    for (const std::string& name : row.names) {
      spec.tensors.push_back({name, kU8, kNone, kNone, 0, {1}, {1}, {}, {}});
    }
    CHECK_EQUAL(Verdict(Build(spec)), row.code, row.what);
  }
}

TEST(index, "I11: more than 2^40 elements is E_OVERFLOW, however the product wraps") {
  const std::vector<std::uint32_t> shapes[] = {
      {1u << 20, 1u << 20, 8},               // over
      {1u << 20, 1u << 20, 1u << 24},        // at the limit, then wraps 64 bits to 0
      {1u << 31, 1u << 31, 8},               // wraps 64 bits to 0
      {0x10000, 0x10000, 0x10000, 0x10000},  // wraps to exactly 0
      {0xffffffff, 0xffffffff, 64},          // wraps to something
      {1u << 30, 1u << 30, 1u << 4, 8, 24},  // wraps to 0, true dims at the end
  };
  for (const auto& shape : shapes) {
    const auto edit = [&](Image& i) {
      const std::uint64_t record = i.Record(kQuantRecord);
      i.Put(record + kNdim, 1, shape.size());
      for (std::size_t d = 0; d < shape.size(); ++d) i.Put(record + kDims + 4 * d, 4, shape[d]);
      i.Put(record + kGroupSize, 4, 8);
    };
    CHECK_EQUAL(After(edit), "E_OVERFLOW", shape.size());
  }
  const auto at_limit = [](Image& i) {
    i.Put(i.Record(kQuantRecord) + kDims, 4, 1u << 20);
    i.Put(i.Record(kQuantRecord) + kDims + 4, 4, 1u << 20);
  };
  CHECK_EQUAL(After(at_limit), "E_SIZE", "2^40 elements");
}

TEST(index, "I16, I18: extents tile DATA, in any order") {
  FileSpec reordered = Rich();
  reordered.order = {2, 0, 3, 1};
  CHECK_EQUAL(Verdict(Build(reordered)), "accept", "another order");
  for (const int by : {-64, 1, 64}) {
    const auto edit = [&](Image& i) {
      const std::uint64_t at = i.Record(kQuantRecord) + kDataOff;
      i.Put(at, 8, i.Get(at, 8) + static_cast<std::uint64_t>(by));
    };
    CHECK_EQUAL(After(edit), "E_LAYOUT", by);
  }
  const auto swapped = [](Image& i) {
    const std::uint64_t first = i.Extent(kQuantRecord), second = i.Extent(kExpertRecord);
    i.Put(i.Record(kQuantRecord) + kDataOff, 8, second);
    i.Put(i.Record(kExpertRecord) + kDataOff, 8, first);
  };
  CHECK_EQUAL(After(swapped), "E_LAYOUT", "swapped with a neighbour of another size");
  const auto shared = [](Image& i) {
    i.Put(i.Record(kExpertRecord) + kDataOff, 8, i.Extent(kQuantRecord));
  };
  CHECK_EQUAL(After(shared), "E_LAYOUT", "shared");

  const auto grow = [](Image& i, std::uint32_t type) {  // the last section, of an empty file
    i.Put(i.Entry(type) + 16, 8, 64);
    if (type == kStrings) {
      for (const std::uint32_t after : {kIndex, kDigest, kData}) {
        i.Put(i.Entry(after) + 8, 8, i.Section(after) + 64);
      }
    }
    i.bytes.resize(i.bytes.size() + 64);
    i.Put(24, 8, i.bytes.size());
  };
  CHECK_EQUAL(After([&](Image& i) { grow(i, kData); }, {}), "E_LAYOUT", "DATA of no tensor");
  CHECK_EQUAL(After([&](Image& i) { grow(i, kStrings); }, {}), "E_NAME", "names of no tensor");
}

TEST(index, "I17: DIGEST has one row for every 1 MiB of every extent, else E_SIZE") {
  for (const int off : {-1, 1, 1000}) {
    FileSpec spec = Rich();
    spec.digest_rows_off = off;
    CHECK_EQUAL(Verdict(Build(spec)), "E_SIZE", off);
  }
}

TEST(index, "I19: META that is not canonical is E_META") {
  for (const char* meta : {"{}", "{\"b\":\"\",\"a\":\"\"}", "{\"a\": \"b\"}", "{\"a\":1}", "x"}) {
    FileSpec spec = Rich();
    spec.meta = meta;
    CHECK_EQUAL(Verdict(Build(spec)), "E_META", meta);
  }
}

TEST(index, "a plain tensor may be a scalar or have eight dimensions") {
  for (const std::vector<std::uint32_t>& dims :
       {std::vector<std::uint32_t>{}, {1, 1, 1, 1, 1, 1, 1, 1}}) {
    FileSpec spec;
    spec.tensors = {{"x", kU8, kNone, kNone, 0, dims, {9}, {}, {}}};
    CHECK_EQUAL(Verdict(Build(spec)), "accept", dims.size());
  }
}

TEST(index, "a tensor is found by its name and describes itself") {
  const OnDisk disk(Build(Rich()).bytes);
  const awq::File file(disk.path());
  CHECK_EQUAL(file.size(), 4u, "tensors");
  for (std::size_t i = 0; i < file.size(); ++i) {
    const auto found = file.Find(file.tensor(i).name);
    CHECK(found && found->number == i, i);
  }
  for (const char* name : {"", "a", "w", "w.a0", "w.c", "z"}) CHECK(!file.Find(name), name);
  const awq::Tensor t = *file.Find("w.b");
  CHECK(t.quantized() && t.ndim == 3 && t.dims[0] == 2 && t.dims[1] == 8 && t.dims[2] == 24, "w.b");
  CHECK(t.rows() == 16 && t.in_features() == 24 && t.groups() == 3 && t.elements() == 384, "w.b");
  CHECK(t.values.size == 192 && t.scales.offset == 192 && t.scales.size == 192, "segments");
  CHECK(t.zeros.offset == 384 && t.zeros.size == 32 && t.extent_size == 448, "segments");
  CHECK(file.Meta("model.name") == "t" && !file.Meta("x"), "META");
  CHECK(!file.tensor(0).quantized() && file.tensor(0).values.size == 5, "p.bias");
}

}  // namespace
