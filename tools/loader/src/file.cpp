// awq::File and the front door: the stages in order, then access by tensor.
#include <algorithm>
#include <atomic>
#include <limits>
#include <new>

#include "awq/awq.hpp"
#include "container.hpp"
#include "dequantize.hpp"
#include "error.hpp"
#include "index.hpp"
#include "meta.hpp"
#include "sha256.hpp"
#include "tensor.hpp"

namespace awq {

struct File::State {
  State(const std::string& path, Options chosen)
      : options(chosen), source(path), container(ReadContainer(source)) {
    if (container.encrypted()) {  // stage C, between P and I, is not part of this build
      Fail(Code::UNSUPPORTED, "header", "features", offsetof(awq_header, features),
           "a file that is not encrypted", "ENCRYPTED");
    }
    first_rows = CheckIndex(container);
    verified = std::make_unique<std::atomic<bool>[]>(container.index.size());
    // Only data is read through the map: a file that shrinks while it is opened stays an E_IO.
    if (options.mode == Mode::Mmap) source.Map();
    if (options.verify == Verify::All) VerifyAll();
  }

  Tensor Describe(std::size_t number) const {
    if (number >= container.index.size()) {
      throw std::out_of_range("awq: tensor " + Print(number) + " of " +
                              Print(container.index.size()));
    }
    const awq_record& record = container.index[number];
    return Derive(record, number, NameOf(container, record));
  }

  // The state of a tensor only ever turns to verified, so two threads at worst check it twice.
  void VerifyOnce(const Tensor& t) const {
    if (verified[t.number].load(std::memory_order_acquire)) return;
    VerifyTensor(source, t,
                 container.digest.data() + std::size_t{first_rows[t.number]} * sizeof(Digest));
    verified[t.number].store(true, std::memory_order_release);
  }

  void VerifyAll() const {
    for (std::size_t i = 0; i < container.index.size(); ++i) VerifyOnce(Describe(i));
  }

  // The tensor, ready to hand out bytes.
  Tensor Touch(std::size_t number) const {
    const Tensor t = Describe(number);
    if (options.verify != Verify::None) VerifyOnce(t);
    return t;
  }

  // The same for one of the two matrices of a quantized tensor.
  Tensor Touch(std::size_t number, Range range, std::uint64_t unit, bool of_groups,
               std::uint64_t room) const {
    const Tensor t = Describe(number);
    if (!t.quantized()) {
      throw std::invalid_argument("awq: " + std::string(t.name) + " is a plain tensor");
    }
    const std::uint64_t whole = of_groups ? t.rows() * t.groups() : t.elements();
    if (range.first > whole || range.count > whole - range.first || range.first % unit != 0 ||
        range.count % unit != 0) {
      throw std::out_of_range("awq: elements " + Print(range.first) + " + " + Print(range.count) +
                              " of " + Print(whole) + ", in multiples of " + Print(unit));
    }
    if (room < range.count) {
      throw std::invalid_argument("awq: room for " + Print(room) + " elements, not " +
                                  Print(range.count));
    }
    return Touch(number);
  }

  Options options;
  Source source;
  Container container;
  std::vector<std::uint32_t> first_rows;  // of DIGEST, by tensor
  std::unique_ptr<std::atomic<bool>[]> verified;
};

File::File(const std::string& path, Options options)
    : state_(std::make_unique<State>(path, options)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&&) noexcept = default;
File::~File() = default;

std::size_t File::size() const noexcept {
  return state_->container.index.size();
}

Tensor File::tensor(std::size_t number) const {
  return state_->Describe(number);
}

std::optional<Tensor> File::Find(std::string_view name) const {
  const Container& c = state_->container;
  const auto found = std::lower_bound(
      c.index.begin(), c.index.end(), name,
      [&](const awq_record& r, std::string_view wanted) { return NameOf(c, r) < wanted; });
  if (found == c.index.end() || NameOf(c, *found) != name) return std::nullopt;
  return tensor(static_cast<std::size_t>(found - c.index.begin()));
}

std::array<std::uint8_t, 32> File::root() const {
  std::array<std::uint8_t, 32> root;
  std::copy_n(state_->container.tail.root, root.size(), root.begin());
  return root;
}

std::uint16_t File::minor_version() const noexcept {
  return state_->container.header.minor;
}

std::string_view File::meta_text() const noexcept {
  const auto& meta = state_->container.meta;
  return {reinterpret_cast<const char*>(meta.data()), meta.size()};
}

std::optional<std::string> File::Meta(std::string_view key) const {
  return FindMeta(meta_text(), key);
}

void File::VerifyAll() const {
  state_->VerifyAll();
}

void File::Dequantize(std::size_t number, Range range, Dtype dtype, void* out,
                      std::size_t out_bytes) const {
  if (dtype != Dtype::F32 && dtype != Dtype::F16 && dtype != Dtype::BF16) {
    throw std::invalid_argument("awq: weights come as F32, F16 or BF16");
  }
  const Tensor t = state_->Touch(number, range, kCodesUnit, false, out_bytes / (Bits(dtype) / 8));
  switch (dtype) {
    case Dtype::F16:
      return ReadWeightsF16(state_->source, t, range, static_cast<std::uint16_t*>(out));
    case Dtype::BF16:
      return ReadWeightsBF16(state_->source, t, range, static_cast<std::uint16_t*>(out));
    default:
      return ReadWeights(state_->source, t, range, static_cast<float*>(out));
  }
}

void File::Codes(std::size_t number, Range range, std::uint8_t* out, std::size_t count) const {
  ReadCodes(state_->source, state_->Touch(number, range, kCodesUnit, false, count), range, out);
}

void File::ZeroPoints(std::size_t number, Range range, std::uint8_t* out, std::size_t count) const {
  ReadZeroPoints(state_->source, state_->Touch(number, range, 1, true, count), range, out);
}

void File::Scales(std::size_t number, Range range, float* out, std::size_t count) const {
  ReadScales(state_->source, state_->Touch(number, range, 1, true, count), range, out);
}

void File::Read(std::size_t number, Segment bytes, void* out) const {
  const Tensor t = state_->Touch(number);
  if (bytes.offset > t.extent_size || bytes.size > t.extent_size - bytes.offset) {
    throw std::out_of_range("awq: bytes " + Print(bytes.offset) + " + " + Print(bytes.size) +
                            " of " + Print(t.extent_size));
  }
  state_->source.Read(t.data_off + bytes.offset, out, static_cast<std::size_t>(bytes.size));
}

const std::uint8_t* File::Mapped(std::size_t number) const {
  const Tensor t = state_->Touch(number);
  const std::uint8_t* map = state_->source.map();
  return map ? map + t.data_off : nullptr;
}

Matrix::Matrix(std::vector<std::uint32_t> dims, Dtype dtype)
    : dims_(std::move(dims)), dtype_(dtype), bytes_(Bits(dtype) / 8) {
  for (const std::uint32_t dim : dims_) {
    if (dim != 0 && bytes_ > std::numeric_limits<std::size_t>::max() / dim) throw std::bad_alloc();
    bytes_ *= dim;
  }
  values_.reset(new std::byte[bytes_]);  // not make_unique, which would clear it first
}

Matrix LoadAWQWeight(const std::string& path, const std::string& tensor, Dtype dtype) {
  const File file(path);
  const std::optional<Tensor> t = file.Find(tensor);
  if (!t) throw std::out_of_range("awq: no tensor " + Escape(tensor) + " in " + Escape(path));
  if (!t->quantized()) throw std::invalid_argument("awq: " + tensor + " is a plain tensor");
  Matrix matrix({t->dims.begin(), t->dims.begin() + t->ndim}, dtype);
  file.Dequantize(t->number, t->Rows(0, t->rows()), dtype, matrix.raw(), matrix.bytes());
  return matrix;
}

}  // namespace awq
