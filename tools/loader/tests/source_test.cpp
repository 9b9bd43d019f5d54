// R01, R02: what may be opened, and that opening never waits.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "awq/awq.hpp"
#include "builder.hpp"
#include "check.hpp"

namespace {

using namespace builder;

// A folder of its own, removed with the few things put in it.
class Folder {
 public:
  Folder() {
    const char* parent = std::getenv("TMPDIR");
    path_ = std::string(parent ? parent : "/tmp") + "/awq-folder-XXXXXX";
    if (!mkdtemp(path_.data())) throw std::runtime_error("no temporary folder");
  }
  ~Folder() {
    for (const std::string& name : names_) std::remove((path_ + "/" + name).c_str());
    rmdir(path_.c_str());
  }
  std::string Add(const std::string& name) {
    names_.push_back(name);
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::string> names_;
};

// req: AWQ-CON-009, AWQ-CON-077
TEST(source, "R01: only a readable regular file is opened, anything else is E_FILE at once") {
  Folder folder;
  const std::string fifo = folder.Add("fifo"), loop = folder.Add("loop");
  CHECK(mkfifo(fifo.c_str(), 0600) == 0 && symlink(loop.c_str(), loop.c_str()) == 0, "set-up");
  const std::string paths[] = {
      "",          folder.path() + "/missing",     folder.path(), fifo, loop, "/dev/null",
      "/dev/zero", std::string("/dev/null\0x", 11)};
  for (const std::string& path : paths) CHECK_EQUAL(Verdict(path), "E_FILE", path);
  if (geteuid() != 0) {  // root reads everything
    const OnDisk disk(Build(Small()).bytes);
    CHECK(chmod(disk.path().c_str(), 0) == 0, "set-up");
    CHECK_EQUAL(Verdict(disk.path()), "E_FILE", "unreadable");
  }
}

// req: AWQ-CON-009
TEST(source, "a link to a file is as good as the file") {
  Folder folder;
  const OnDisk disk(Build(Small()).bytes);
  const std::string link = folder.Add("link");
  CHECK(symlink(disk.path().c_str(), link.c_str()) == 0, "set-up");
  CHECK_EQUAL(Verdict(link), "accept", "link");
}

TEST(source, "an empty file is E_TRUNCATED, other bytes of any length E_TRUNCATED or E_MAGIC") {
  CHECK_EQUAL(Verdict(OnDisk({}).path()), "E_TRUNCATED", "empty");
  CHECK_EQUAL(Verdict(OnDisk(Bytes(63, '{')).path()), "E_TRUNCATED", "63 bytes");
  CHECK_EQUAL(Verdict(OnDisk(Bytes(64, '{')).path()), "E_MAGIC", "64 bytes");
}

TEST(source, "R02: a file stays what it was when its path is unlinked or renamed over") {
  const Image old_image = Build(Small());
  const OnDisk old_disk(old_image.bytes), new_disk(Build(Rich()).bytes);
  for (const awq::Mode mode : {awq::Mode::Mmap, awq::Mode::Pread}) {
    Folder folder;
    const std::string path = folder.Add("model.awq");
    CHECK(link(old_disk.path().c_str(), path.c_str()) == 0, "set-up");
    awq::File file(path, {awq::Verify::Touch, mode});
    const std::string moved = folder.Add("new.awq");
    CHECK(link(new_disk.path().c_str(), moved.c_str()) == 0, "set-up");
    CHECK(std::rename(moved.c_str(), path.c_str()) == 0, "set-up");
    CHECK_EQUAL(file.size(), 1u, "still the old file");
    file.VerifyAll();
    CHECK_EQUAL(awq::File(path).size(), 4u, "the new file");
    file = awq::File(path);  // A, B, A in one process
    CHECK_EQUAL(file.size(), 4u, "the new file, moved in");
  }
}

}  // namespace
