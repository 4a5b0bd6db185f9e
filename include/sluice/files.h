// SPDX-License-Identifier: Apache-2.0
// Files that operators name, for drivers and plugins. Only regular ones: a FIFO, a terminal or a device makes whoever
// opens, reads or writes it wait for a far side, and with the control thread or a worker waits all else.
#pragma once
#include <sluice/status.h>
#include <sluice/types.h>

#include <cstdio>
#include <memory>
#include <string>

namespace sluice {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// Errors: no such file, no permission; what is there is no regular file.
SLUICE_API StatusOr<File> open_to_read(const std::string& path);
/// Makes the file, or empties the one that is there. Errors: no such folder, no permission; what is there is no regular
/// file, and stays as it is.
SLUICE_API StatusOr<File> open_to_write(const std::string& path);
/// Makes a file that only its owner may read and write. Errors: as above; it is there, unless it is to be overwritten.
SLUICE_API StatusOr<File> open_private(const std::string& path, bool overwrite);
/// What open_private() would refuse without looking into the folder.
SLUICE_API Status would_open_private(const std::string& path, bool overwrite);

}  // namespace sluice
