// SPDX-License-Identifier: Apache-2.0
#include "sluice/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace sluice {
namespace {

std::string_view kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return "a folder";
    case S_IFIFO: return "a FIFO";
    case S_IFSOCK: return "a socket";
    default: return "a device";
  }
}

Status not_regular(const std::string& path, mode_t mode) {
  return refused("{}: it is {}, and may have to be waited for; name a regular file, on a local disk or a tmpfs", path,
                 kind_of(mode));
}

Status is_there(const std::string& path) {
  return exists("{}: it is there already; give another path, or say overwrite", path);
}

StatusOr<File> open_regular(const std::string& path, int flags, const char* mode, mode_t permissions = 0644) {
  // Nor may opening wait: for the other end of a FIFO, for a modem.
  const int fd = open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, permissions);
  const int error = errno;
  struct stat there{};
  if (fd < 0) {
    // A FIFO that nobody reads, a socket: not so clear in the kernel's words.
    if (error == ENXIO && stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode))
      return not_regular(path, there.st_mode);
    if (error == EEXIST) return is_there(path);
    return error == ENOENT ? not_found("{}: {}; give the path of another", path, std::strerror(error))
                           : unavailable("{}: {}; give the path of another", path, std::strerror(error));
  }
  File file(fdopen(fd, mode));
  if (fstat(fd, &there) == 0 && !S_ISREG(there.st_mode)) return not_regular(path, there.st_mode);
  return file;
}

}  // namespace

StatusOr<File> open_to_read(const std::string& path) { return open_regular(path, O_RDONLY, "r"); }

StatusOr<File> open_to_write(const std::string& path) {
  // Not emptied by O_TRUNC: what is there may be something else.
  auto file = open_regular(path, O_WRONLY | O_CREAT, "w");
  if (file.ok() && ftruncate(fileno(file->get()), 0) != 0)
    return unavailable("{}: {}; give the path of another", path, std::strerror(errno));
  return file;
}

StatusOr<File> open_private(const std::string& path, bool overwrite) {
  constexpr mode_t kOwner = S_IRUSR | S_IWUSR;
  // Through no link that somebody has laid there.
  auto file = open_regular(path, O_WRONLY | O_CREAT | O_NOFOLLOW | (overwrite ? 0 : O_EXCL), "w", kOwner);
  if (file.ok() && (fchmod(fileno(file->get()), kOwner) != 0 || ftruncate(fileno(file->get()), 0) != 0))
    return unavailable("{}: {}; give the path of another", path, std::strerror(errno));
  return file;
}

Status would_open_private(const std::string& path, bool overwrite) {
  struct stat there{};
  if (lstat(path.c_str(), &there) != 0) return {};
  if (!overwrite) return is_there(path);
  return S_ISREG(there.st_mode) ? Status() : not_regular(path, there.st_mode);
}

}  // namespace sluice
