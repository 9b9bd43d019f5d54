#include "source.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "error.hpp"

namespace awq {
namespace {

[[noreturn]] void FailErrno(Code code, std::string_view field, const char* expected) {
  Fail(code, "file", field, std::nullopt, expected, std::strerror(errno));
}

}  // namespace

Source::Source(const std::string& path) {
  // A path with a NUL would silently name another file.
  if (path.find('\0') != std::string::npos) {
    Fail(Code::E_FILE, "file", "path", std::nullopt, "no NUL byte", path);
  }
  do {  // O_NONBLOCK: a FIFO without a writer must not hang the reader
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) FailErrno(Code::E_FILE, "open", "a readable file");
  try {
    struct stat status;  // of the descriptor: the path may name another file by now
    if (fstat(descriptor_, &status) != 0) FailErrno(Code::E_FILE, "fstat", "a readable file");
    if (!S_ISREG(status.st_mode)) {
      Fail(Code::E_FILE, "file", "kind", std::nullopt, "a regular file",
           S_ISDIR(status.st_mode) ? "a directory" : "a special file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

Source::~Source() {
  if (descriptor_ < 0) return;
  if (map_) munmap(const_cast<std::uint8_t*>(map_), static_cast<std::size_t>(size_));
  close(descriptor_);
}

void Source::Map() {
  if (descriptor_ < 0 || size_ == 0 || size_ > std::numeric_limits<std::size_t>::max()) return;
  void* map =
      mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_PRIVATE, descriptor_, 0);
  if (map != MAP_FAILED) map_ = static_cast<const std::uint8_t*>(map);
}

void Source::Read(std::uint64_t offset, void* out, std::size_t size) const {
  auto* bytes = static_cast<std::uint8_t*>(out);
  if (descriptor_ < 0) {
    std::copy_n(map_ + (offset - base_), size, bytes);
    return;
  }
  constexpr std::size_t kMost = std::size_t{1} << 30;  // one call may not take more everywhere
  while (size > 0) {
    const ssize_t count =
        pread(descriptor_, bytes, std::min(size, kMost), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) FailErrno(Code::E_IO, "read", "readable bytes");
    if (count == 0) {
      Fail(Code::E_IO, "file", "size while open", offset, size_, "the end of the file");
    }
    bytes += count;
    offset += static_cast<std::uint64_t>(count);
    size -= static_cast<std::size_t>(count);
  }
}

const std::uint8_t* Source::View(std::uint64_t offset, std::size_t size,
                                 std::vector<std::uint8_t>& scratch) const {
  if (map_) return map_ + (offset - base_);
  if (scratch.size() < size) scratch.resize(size);
  Read(offset, scratch.data(), size);
  return scratch.data();
}

void CheckPadding(const Source& source, std::string_view where, std::string_view field,
                  std::uint64_t offset, std::uint64_t size) {
  Stream(source, offset, size, [&](const std::uint8_t* bytes, std::uint64_t at, std::size_t count) {
    const auto* found = std::find_if(bytes, bytes + count, [](std::uint8_t b) { return b != 0; });
    if (found != bytes + count) {
      const auto place = offset + at + static_cast<std::uint64_t>(found - bytes);
      Fail(Code::E_PADDING, where, field, place, 0, unsigned{*found});
    }
  });
}

}  // namespace awq
