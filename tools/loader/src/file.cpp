// awq::File and the front door: the stages in order, then access by tensor.
#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <new>
#include <thread>

#include "awq/awq.hpp"
#include "container.hpp"
#include "dequantize.hpp"
#include "error.hpp"
#include "index.hpp"
#include "meta.hpp"
#include "parallel.hpp"
#include "sha256.hpp"
#include "tensor.hpp"

namespace awq {

namespace {

// One tensor's extent, read and verified: what is handed out of it are the bytes that passed.
struct Extent {
  Extent(const Source& file, const Tensor& t, const std::uint8_t* rows)
      : bytes(static_cast<std::size_t>(t.extent_size)),
        source(bytes.data(), bytes.size(), t.data_off) {
    file.Read(t.data_off, bytes.data(), bytes.size());
    VerifyTensor(source, t, rows);
  }

  std::vector<std::uint8_t> bytes;
  Source source;
};

}  // namespace

struct File::State {
  // `from` is what a Source is made of.
  template <typename... From>
  explicit State(Options chosen, const From&... from)
      : options(chosen), source(from...), container(ReadContainer(source)) {
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
    VerifyTensor(source, t, Rows(t));
    verified[t.number].store(true, std::memory_order_release);
  }

  void VerifyAll() const {
    constexpr std::uint64_t kWorthAThread = std::uint64_t{1} << 20;  // bytes to hash
    const std::uint64_t useful = container.Required(AWQ_SECTION_DATA).size / kWorthAThread + 1;
    const std::uint64_t cores = std::max(1u, std::thread::hardware_concurrency());
    const std::size_t count = container.index.size();
    const auto threads = static_cast<std::size_t>(std::min<std::uint64_t>({useful, cores, count}));
    InParallel(count, threads, [this](std::size_t i) { VerifyOnce(Describe(i)); });
  }

  const std::uint8_t* Rows(const Tensor& t) const {
    return container.digest.data() + std::size_t{first_rows[t.number]} * sizeof(Digest);
  }

  // A tensor, and the bytes of it that may be handed out.
  struct Touched {
    Tensor tensor;
    std::shared_ptr<const Extent> held;
    const Source& source;
  };

  // Verified bytes of a map stay where they are. Without a map the extent is held in memory: what
  // a second read would find is not what was verified.
  Touched Touch(std::size_t number) const {
    const Tensor t = Describe(number);
    if (options.verify == Verify::None) return {t, nullptr, source};
    if (source.map()) {
      VerifyOnce(t);
      return {t, nullptr, source};
    }
    {
      const std::lock_guard lock(last_mutex);
      if (last && last_number == number) return {t, last, last->source};
    }
    auto held = std::make_shared<const Extent>(source, t, Rows(t));
    const std::lock_guard lock(last_mutex);
    last = held;
    last_number = number;
    return {t, held, held->source};
  }

  // The same for one of the two matrices of a quantized tensor.
  Touched Touch(std::size_t number, Range range, std::uint64_t unit, bool of_groups,
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
  mutable std::mutex last_mutex;  // of the extent held last, so that blocks of rows read it once
  mutable std::shared_ptr<const Extent> last;
  mutable std::size_t last_number = 0;
};

File::File(const std::string& path, Options options)
    : state_(std::make_unique<State>(options, path)) {}
File::File(std::unique_ptr<State> state) : state_(std::move(state)) {}
File File::FromMemory(const void* bytes, std::size_t size, Verify verify) {
  return File(std::make_unique<State>(Options{verify, Mode::Mmap},
                                      static_cast<const std::uint8_t*>(bytes), size));
}
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
  const auto use = state_->Touch(number, range, kCodesUnit, false, out_bytes / (Bits(dtype) / 8));
  switch (dtype) {
    case Dtype::F16:
      return ReadWeightsF16(use.source, use.tensor, range, static_cast<std::uint16_t*>(out));
    case Dtype::BF16:
      return ReadWeightsBF16(use.source, use.tensor, range, static_cast<std::uint16_t*>(out));
    default:
      return ReadWeights(use.source, use.tensor, range, static_cast<float*>(out));
  }
}

void File::Codes(std::size_t number, Range range, std::uint8_t* out, std::size_t count) const {
  const auto use = state_->Touch(number, range, kCodesUnit, false, count);
  ReadCodes(use.source, use.tensor, range, out);
}

void File::ZeroPoints(std::size_t number, Range range, std::uint8_t* out, std::size_t count) const {
  const auto use = state_->Touch(number, range, 1, true, count);
  ReadZeroPoints(use.source, use.tensor, range, out);
}

void File::Scales(std::size_t number, Range range, float* out, std::size_t count) const {
  const auto use = state_->Touch(number, range, 1, true, count);
  ReadScales(use.source, use.tensor, range, out);
}

void File::Read(std::size_t number, Segment bytes, void* out) const {
  const auto use = state_->Touch(number);
  const Tensor& t = use.tensor;
  if (bytes.offset > t.extent_size || bytes.size > t.extent_size - bytes.offset) {
    throw std::out_of_range("awq: bytes " + Print(bytes.offset) + " + " + Print(bytes.size) +
                            " of " + Print(t.extent_size));
  }
  use.source.Read(t.data_off + bytes.offset, out, static_cast<std::size_t>(bytes.size));
}

const std::uint8_t* File::Mapped(std::size_t number) const {
  const std::uint8_t* map = state_->source.map();
  const Tensor t = state_->Touch(number).tensor;
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
